"""Cancelling many orders, a few at a time."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from backend.db.errors import YipanError
from backend.inventory.counters import Counters
from backend.inventory.model import FreeAt, StockKey
from backend.orders.cancel_orders import Cancelled, CancelLine, cancel_order
from backend.orders.model import OrderStatus
from backend.runtime import Runtime
from loadtests.replay.report import Tally
from tenants.principal import Principal

AT_ONCE = 8
"""Cancellations under way together: half of the connections."""


class Wanted(NamedTuple):
    """Units of an order to cancel; None for the whole order."""

    order_id: int
    key: str
    reason: str
    lines: tuple[CancelLine, ...] | None


async def cancel_many(
    runtime: Runtime, principal: Principal, wanted: Sequence[Wanted], tally: Tally
) -> list[YipanError | None]:
    """Carry out cancellations and return what each was refused with, if it was.

    Returns when whoever waited for the units that came free has got them.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def cancel(item: Wanted) -> Cancelled | YipanError:
        async with room:
            try:
                return await cancel_order(
                    runtime.database, principal, item.order_id, item.lines, item.key, item.reason
                )
            except YipanError as error:
                return error

    answers = await asyncio.gather(*map(cancel, wanted))
    done = [answer for answer in answers if isinstance(answer, Cancelled)]
    tally.report.orders_cancelled += sum(
        cancelled.status is OrderStatus.CANCELLED for cancelled in done
    )
    tally.report.units_cancelled += sum(cancelled.units for cancelled in done)
    capacities = [capacity for one in done for capacity in one.counters.capacities]
    if levels := _newest([level for one in done for level in one.counters.levels]):
        await runtime.publish_counters(principal.tenant_id, Counters(levels, capacities))
        await runtime.settle()
    return [answer if isinstance(answer, YipanError) else None for answer in answers]


def _newest(levels: Sequence[FreeAt]) -> list[FreeAt]:
    """Return each level once, as it stood last."""
    newest: dict[StockKey, FreeAt] = {}
    for level in sorted(levels, key=lambda level: level.version):
        key = StockKey(level.functional_warehouse_id, level.sku_id, level.earmark_id)
        newest[key] = level
    return list(newest.values())
