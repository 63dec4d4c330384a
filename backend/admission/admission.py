"""Admission: takes an order's counters in Valkey before PostgreSQL is asked to.

The protocol (see docs/explanation/admission.md): a tenant's counters live under an epoch, and the
warm key says which one admits (see `epochs`). Whatever is not warm, not known or not reachable
answers COLD, and the order goes straight to PostgreSQL, which decides in any case. Too loose is
safe; too strict lasts at most as long as a token (see `reaper`).
"""

from collections.abc import Sequence

import structlog
from redis.exceptions import ResponseError

from backend.admission.announcements import changes_channel
from backend.admission.epochs import Counters, Epochs, Tenant, columns
from backend.admission.keys import ages_key, function_keys
from backend.admission.model import ADMITTED, COLD, Base, Refused, Request, Take, Verdict
from backend.admission.valkey import Valkey, ValkeyAway, pack, unpack
from backend.db.pool import Database

log = structlog.get_logger(__name__)

EPOCH_CHANGES_MAX = 3
"""Times that one call follows an epoch that was raised meanwhile."""
OWED_MAX = 20_000
"""Bases kept for a Valkey that is away; beyond it everything is read anew when it is back."""

ANSWER_ADMITTED, ANSWER_COLD_EPOCH = 0, 2


class Admission:
    """The admission filter of one process."""

    def __init__(self, valkey: Valkey, database: Database, counters: Counters) -> None:
        self._valkey = valkey
        self._epochs = Epochs(valkey, database, counters)

    async def close(self) -> None:
        await self._epochs.close()
        await self._valkey.close()

    async def admit(self, tenant_id: int, requests: Sequence[Request]) -> list[Verdict]:
        """Take all counters of each request, in order, or none of it; never raises.

        A refusal is not final: what is pending may come back.
        """
        if not requests:
            return []
        tenant = self._epochs.of(tenant_id)
        counters, orders = _numbered(requests)
        try:
            await self._epochs.check_server(tenant_id)
            if not tenant.is_warm:
                self._epochs.start_warm_up(tenant_id)
                return [COLD] * len(requests)
            keys = function_keys(tenant_id, tenant.epoch)
            request = pack([counters, orders])
            answer = await self._valkey.call("yipan_admit", keys, tenant.epoch, request)
        except (ValkeyAway, ResponseError):
            return [COLD] * len(requests)
        answers = unpack(answer)
        if ANSWER_COLD_EPOCH in answers:
            self._epochs.start_warm_up(tenant_id)
        return [_verdict(item, counters) for item in answers]

    async def finish(self, tenant_id: int, tokens: Sequence[str], bases: Sequence[Base]) -> bool:
        """Drop tokens and set bases that are newer; returns whether Valkey was told. Never raises.

        Called after commit or rollback of what was admitted, and by every other writer of a
        counter with no tokens. What Valkey could not be told goes with the next call; tokens that
        it could not be told to drop are the reaper's.
        """
        tenant = self._epochs.of(tenant_id)
        told = [*tenant.owed.values(), *bases]
        tenant.owed = {}
        try:
            if await self._finish(tenant_id, tokens, told):
                return True
        except (ValkeyAway, ResponseError) as error:
            log.debug("admission.finish_failed", tenant=tenant_id, error=str(error))
        _owe(tenant, told)
        return False

    async def _finish(self, tenant_id: int, tokens: Sequence[str], bases: list[Base]) -> bool:
        """Publish under the epoch that counts; returns whether it held still."""
        tenant = self._epochs.of(tenant_id)
        request = pack([list(tokens), *columns(bases)])
        news = changes_channel(tenant_id, self._valkey.process)
        for _ in range(EPOCH_CHANGES_MAX):
            epoch = tenant.epoch
            answer = await self._valkey.call(
                "yipan_finish", function_keys(tenant_id, epoch), epoch, request, news
            )
            if answer is None or int(answer) == epoch:
                return True
            tenant.epoch, tenant.is_warm = int(answer), False
        return False

    async def stale(self, tenant_id: int, age_ms: int, limit: int) -> list[tuple[str, list[Take]]]:
        """Return the tokens older than an age, with what they hold; raises ValkeyAway."""
        keys = function_keys(tenant_id, self._epochs.of(tenant_id).epoch)
        answer = await self._valkey.call("yipan_stale", keys, age_ms, limit)
        return [
            (item[0], [Take(item[at], item[at + 1]) for at in range(1, len(item), 2)])
            for item in unpack(answer)
        ]

    async def look(
        self, tenant_id: int, counters: Sequence[str]
    ) -> list[tuple[int, int, int] | None]:
        """Return (base, version, pending) of counters, None for one that Valkey does not know.

        Raises ValkeyAway.
        """
        keys = function_keys(tenant_id, self._epochs.of(tenant_id).epoch)
        answer = await self._valkey.call("yipan_look", keys, pack(list(counters)))
        return [(item[0], item[1], item[2]) if item else None for item in unpack(answer)]

    async def ensure_used(self, tenant_ids: Sequence[int]) -> list[int]:
        """Warm again what was warm, tell Valkey what it is owed, and return who is warm now.

        Raises ValkeyAway.
        """
        used = await self._epochs.ensure_used(tenant_ids)
        for tenant_id in used:
            if self._epochs.of(tenant_id).owed:
                await self.finish(tenant_id, [], [])
        return used

    async def with_tokens(self, tenant_ids: Sequence[int]) -> list[int]:
        """Return those of the tenants for which anything is pending; raises ValkeyAway."""
        counted = await self._valkey.commands(
            [("ZCARD", ages_key(each, self._epochs.of(each).epoch)) for each in tenant_ids]
        )
        return [each for each, count in zip(tenant_ids, counted, strict=True) if count]

    async def ensure_warm(self, tenant_id: int) -> bool:
        """Warm the tenant's counters if they are not, and tell Valkey what it is owed.

        Returns whether they are warm now; raises ValkeyAway. Another process that is at it is left
        to finish.
        """
        is_warm = await self._epochs.ensure_warm(tenant_id)
        if is_warm and self._epochs.of(tenant_id).owed:
            await self.finish(tenant_id, [], [])
        return is_warm


def _owe(tenant: Tenant, bases: list[Base]) -> None:
    """Keep the newest of each counter for the next call."""
    for base in bases:
        known = tenant.owed.get(base.counter)
        if known is None or known.version < base.version:
            tenant.owed[base.counter] = base
    if len(tenant.owed) > OWED_MAX:
        tenant.owed.clear()
        tenant.must_refill, tenant.is_warm = True, False


def _numbered(requests: Sequence[Request]) -> tuple[list[str], list[list[str | int]]]:
    """Return every counter once, and each request as its token, counter number, quantity, ..."""
    numbers: dict[str, int] = {}
    orders = []
    for request in requests:
        order: list[str | int] = [request.token]
        for counter, quantity in request.takes:
            order += (numbers.setdefault(counter, len(numbers) + 1), quantity)
        orders.append(order)
    return list(numbers), orders


def _verdict(answer: int | list[int], names: list[str]) -> Verdict:
    if isinstance(answer, list):
        return Refused(names[answer[0] - 1], answer[1], answer[2])
    return ADMITTED if answer == ANSWER_ADMITTED else COLD
