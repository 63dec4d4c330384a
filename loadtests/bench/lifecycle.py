"""The life of orders in bulk: released, fetched, packed, handed over, delivered, step by step.

Orders of three lines over fifty nodes; two clients send commands, each of as many fulfilments as a
command may have (a pick list: of its node). A step's rate is orders by the time that all of them
take it in; the audit follows.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import msgspec
import uvloop

from backend.audit.audit import audit
from backend.fulfilment.bulk import Done
from backend.fulfilment.model import BULK_MAX, PICK_LIST_MAX, WAVE_MAX, Packing
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import PickListDraft, create_pick_list, pick_fulfilments
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_wave
from backend.network.nodes import list_nodes
from backend.orders.find_work import released_fulfilments
from backend.orders.model import OrderDraft, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import OrderSource, Size, create_brands
from loadtests.bench.ground import bench_servers, fresh_database
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from tenants.principal import Principal, system_principal

SIZE = Size(brands=1, nodes=50, skus=1_000)
ORDERS, QUICK_ORDERS = 20_000, 2_000
PLACED_AT_ONCE = 500
CLIENTS = 2
Command = Callable[[Sequence[FulfilmentKey], str], Awaitable[Any]]


def run(options: Options) -> BenchReport:
    """Measure orders per second of each step, and what the audit finds after it."""
    report = BenchReport(name="lifecycle", metrics={}, seconds=0.0, seed=options.seed)
    with bench_servers() as ground:

        async def fill(database_url: str) -> None:
            await create_brands(ground.where, database_url, SIZE, options.seed)

        async def measure() -> None:
            setting_up = Stopwatch()
            async with (
                fresh_database(ground, "lifecycle", fill) as own,
                open_runtime(
                    own.where.database_url,
                    own.where.valkey_url,
                    own.where.secret,
                    with_maintenance=False,
                ) as runtime,
            ):
                tenant = (await runtime.brands.all())[0].id
                principal = system_principal(tenant, "bench")
                orders = QUICK_ORDERS if options.quick else ORDERS
                await _place(runtime, principal, orders, options.seed)
                report.set_up_seconds = setting_up.seconds
                await _measure(runtime, principal, orders, report)

        uvloop.run(measure())
    return report


async def _place(runtime: Runtime, principal: Principal, orders: int, seed: int) -> None:
    source = OrderSource(Random(seed), SIZE.skus)
    for first in range(0, orders, PLACED_AT_ONCE):
        fields = [source.fields() for _ in range(min(PLACED_AT_ONCE, orders - first))]
        drafts = [msgspec.convert(one, OrderDraft) for one in fields]
        outcomes = await runtime.intake.place_many(drafts, principal)
        assert all(isinstance(outcome, Placed) for outcome in outcomes)


async def _measure(
    runtime: Runtime, principal: Principal, orders: int, report: BenchReport
) -> None:
    processor, whole = Processor(), Stopwatch()
    with processor.measured():
        for name, seconds in await _live(runtime, principal, orders):
            report.metrics[f"{name}_per_second"] = round(orders / seconds, 1)
    report.seconds, report.cpu_seconds = round(whole.seconds, 3), processor.seconds
    report.metrics["whole_life_per_second"] = round(orders / whole.seconds, 1)
    await runtime.settle()
    found = await audit(runtime.database, runtime.admission, runtime.counters, principal.tenant_id)
    report.metrics["audit_differences"] = len(found.differences)


async def _live(runtime: Runtime, principal: Principal, orders: int) -> list[tuple[str, float]]:
    """Let all orders take every step; returns the seconds of each."""
    database = runtime.database
    local = (await runtime.brands.get(principal.tenant_id)).local_time()
    steps = []
    watch = Stopwatch()
    for number in range(-(-orders // WAVE_MAX)):
        await release_wave(database, principal, WaveDraft(), local, f"wave-{number}")
    steps.append(("release", watch.seconds))
    by_node = await _by_node(runtime, principal)
    keys = [key for of_node in by_node.values() for key in of_node]

    async def pick_list(part: tuple[int, Sequence[FulfilmentKey]]) -> None:
        draft = PickListDraft(node_id=part[0], keys=tuple(part[1]))
        await create_pick_list(database, principal, draft, f"list-{part[1][0]}")

    lists = [
        (node_id, of_node[first : first + PICK_LIST_MAX])
        for node_id, of_node in by_node.items()
        for first in range(0, len(of_node), PICK_LIST_MAX)
    ]
    watch = Stopwatch()
    await _share_out(lists, pick_list)
    steps.append(("start_picking", watch.seconds))
    commands: dict[str, Command] = {
        "pick": lambda part, key: pick_fulfilments(database, principal, part, key),
        "pack": lambda part, key: pack_fulfilments(
            database, principal, [Packing(one, "own") for one in part], key
        ),
        "ship": lambda part, key: ship_fulfilments(database, principal, part, key),
        "deliver": lambda part, key: deliver_fulfilments(database, principal, part, key),
    }
    parts = [keys[first : first + BULK_MAX] for first in range(0, len(keys), BULK_MAX)]
    for name, command in commands.items():

        async def send(
            part: Sequence[FulfilmentKey], name: str = name, command: Command = command
        ) -> None:
            done: Done = await command(part, f"{name}-{part[0]}")
            assert all(answer.is_done for answer in done.answers), done.answers
            if done.counters.levels:
                await runtime.publish_counters(principal.tenant_id, done.counters)

        watch = Stopwatch()
        await _share_out(parts, send)
        steps.append((name, watch.seconds))
    return steps


async def _by_node(runtime: Runtime, principal: Principal) -> dict[int, list[FulfilmentKey]]:
    """Return what is released, by node."""
    found: defaultdict[int, list[FulfilmentKey]] = defaultdict(list)
    async with runtime.database.tenant_transaction(principal, read_only=True) as tx:
        for node in await list_nodes(tx):
            found[node.id] = await released_fulfilments(tx, node.id, ORDERS * 3)
    return {node_id: keys for node_id, keys in found.items() if keys}


async def _share_out(parts: Sequence[Any], send: Callable[[Any], Awaitable[None]]) -> None:
    """Let CLIENTS send all parts, each the next one that nobody has taken."""
    left = iter(parts)

    async def client() -> None:
        for part in left:
            await send(part)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
