"""Whatever is asked in whatever order, the server-side functions answer as the protocol says."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.admission.keys import function_keys, warm_key
from backend.admission.model import Base
from backend.admission.reaper import reap
from backend.admission.valkey import pack, unpack
from loadtests.torture.valkey_server import ValkeyServer
from tests.admission.authority import ON_BOTH, Authority, Process, order
from tests.admission.protocol import Admit, Finish, Protocol, Reap, Step

pytestmark = ON_BOTH

COUNTERS = ["a", "b", "c"]
WARM = [Base("a", 6, 3), Base("b", 3, 3)]
ALL = -1.0
STEPS = 12
_tenants = itertools.count(10_000)

counters = st.sampled_from(COUNTERS)
bases = st.lists(
    st.builds(Base, counters, st.integers(-2, 9), st.integers(0, 9)),
    max_size=3,
    unique_by=lambda base: base.counter,
)
takes = st.lists(st.tuples(counters, st.integers(1, 4)), max_size=4)
steps = st.lists(
    st.one_of(
        st.builds(Admit, st.lists(takes, min_size=1, max_size=4)),
        st.builds(Finish, st.lists(st.integers(0, 12), max_size=4), bases),
        st.builds(Reap, bases),
    ),
    max_size=STEPS,
)
same_process = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class Both:
    """The real filter and the protocol, asked the same."""

    def __init__(self, process: Process) -> None:
        self.real = process._replace(tenant_id=next(_tenants))
        self.protocol = Protocol()
        self._numbers = itertools.count()

    async def warm(self) -> None:
        await self.real.warm(*WARM)
        self.protocol.finish([], WARM)

    async def take(self, step: Step) -> None:
        """Take a step with both; they answer and hold the same."""
        match step:
            case Admit(batches):
                requests = [order(f"t{next(self._numbers)}", *takes) for takes in batches]
                assert await self.real.admit(*requests) == self.protocol.admit(requests)
            case Finish(numbers, bases):
                tokens = [f"t{number}" for number in numbers]
                assert await self.real.finish(tokens, bases)
                self.protocol.finish(tokens, bases)
            case Reap(bases):
                await self._reap(bases)
        assert await self.real.look(*COUNTERS) == self.protocol.look(COUNTERS)
        held = {token: request.takes for token, request in self.protocol.tokens.items()}
        assert await self.real.tokens() == held

    async def _reap(self, bases: list[Base]) -> None:
        read = Authority()
        read.set(*bases)
        tokens = list(self.protocol.tokens)
        takes = (take for request in self.protocol.tokens.values() for take in request.takes)
        named = {take.counter for take in takes}
        tenant_id = self.real.tenant_id
        reaped = await reap(self.real.admission, tenant_id, read.read, age_seconds=ALL)
        assert reaped == len(tokens)
        if tokens:
            self.protocol.finish(tokens, [base for base in bases if base.counter in named])


@same_process
@given(steps)
async def test_the_filter_keeps_the_protocol(process: Process, steps: list[Step]) -> None:
    both = Both(process)
    await both.warm()
    for step in steps:
        await both.take(step)


# ----------------------------------------------------------------- the twin of the functions

EPOCH = 7


def arguments(step: Step, numbers: "itertools.count[int]") -> tuple[str, list[Any]]:
    """Return the name of the function and what it is given."""
    match step:
        case Admit(batches):
            orders = [
                [
                    f"t{next(numbers)}",
                    *itertools.chain(*((COUNTERS.index(name) + 1, n) for name, n in takes)),
                ]
                for takes in batches
            ]
            return "yipan_admit", [EPOCH, pack([COUNTERS, orders])]
        case Finish(dropped, bases):
            tokens = [f"t{number}" for number in dropped]
            columns = [list(column) for column in zip(*bases, strict=True)] or [[], [], []]
            return "yipan_finish", [EPOCH, pack([tokens, *columns]), ""]
        case Reap():
            return "yipan_stale", [-1_000, 100]


def plain(name: str, answer: Any) -> Any:
    """Return an answer as it is compared: tokens of the same age come in any order."""
    if name == "yipan_finish":
        return int(answer)
    return sorted(unpack(answer)) if name == "yipan_stale" else unpack(answer)


@same_process
@given(steps)
async def test_the_twin_of_the_functions_answers_as_they_do(
    process: Process, steps: list[Step]
) -> None:
    tenant_id, numbers, twin = next(_tenants), itertools.count(), ValkeyServer()
    keys = function_keys(tenant_id, EPOCH)
    await process.valkey.command("SET", warm_key(tenant_id), EPOCH)
    twin.command("SET", warm_key(tenant_id), EPOCH)
    twin.command("FUNCTION")
    for step in [Finish([], WARM), *steps]:
        name, given_to_it = arguments(step, numbers)
        real = await process.valkey.call(name, keys, *given_to_it)
        assert plain(name, real) == plain(name, twin.call(f"{name}_", keys, given_to_it))
        looked = [await process.valkey.call("yipan_look", keys, pack(COUNTERS))]
        looked.append(twin.call("yipan_look_", keys, [pack(COUNTERS)]))
        assert unpack(looked[0]) == unpack(looked[1])
