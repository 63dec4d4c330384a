"""Order ids without a round trip: blocks from a sequence, handed out in the process."""

import asyncio

from backend.db.pool import SQL, Database

BLOCK = 256
"""What `order_id_block` increments by."""


class OrderIds:
    """Ids that nobody else gets; gaps remain where a process stops or an order is refused."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = 0
        self._end = 0
        self._lock = asyncio.Lock()

    async def take(self, count: int) -> list[int]:
        """Return `count` fresh ids, rising."""
        async with self._lock:
            ids: list[int] = []
            while len(ids) < count:
                if self._next == self._end:
                    async with self._database.platform_transaction() as tx:
                        self._next = await tx.fetch_value(SQL.take_order_ids)
                    self._end = self._next + BLOCK
                until = min(self._end, self._next + count - len(ids))
                ids.extend(range(self._next, until))
                self._next = until
            return ids
