"""Ending what is over of many orders: one that cannot be ended does not keep the others."""

from collections.abc import Awaitable, Callable, Iterable

import structlog

from backend.db.errors import YipanError
from backend.inventory.counters import Counters

log = structlog.get_logger(__name__)


async def end_each(
    order_ids: Iterable[int], end: Callable[[int], Awaitable[Counters]], what: str
) -> tuple[int, Counters]:
    """Call `end` for each order, and return how many were ended, with the counters to be published.

    A refusal is noted: somebody was quicker. So is whatever else goes wrong; the next round tries
    again. `what` is ended, for the log.
    """
    done, counters = 0, Counters()
    for order_id in order_ids:
        try:
            freed = await end(order_id)
        except YipanError as error:
            log.info(f"{what}.not_ended", order=order_id, why=error.code)
        except Exception:
            log.exception(f"{what}.ending_failed", order=order_id)
        else:
            done, counters = done + 1, counters.and_also(freed)
    return done, counters
