"""Order ids without a round trip: blocks from a sequence, handed out in the process."""

import asyncio
from collections import deque

from backend.db.pool import SQL, Database

BLOCK = 256
"""What `order_id_block` increments by."""


class OrderIds:
    """Ids that nobody else gets; gaps remain where a process stops or an order is refused."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._left: deque[int] = deque()
        self._lock = asyncio.Lock()

    async def take(self, count: int) -> list[int]:
        """Return `count` fresh ids, rising."""
        async with self._lock:
            if (lacking := count - len(self._left)) > 0:
                blocks = -(-lacking // BLOCK)
                async with self._database.platform_transaction() as tx:
                    rows = await tx.fetch(SQL.take_order_ids, blocks)
                for row in rows:  # what did not commit may be given to others
                    self._left.extend(range(row["first"], row["first"] + BLOCK))
            return [self._left.popleft() for _ in range(count)]
