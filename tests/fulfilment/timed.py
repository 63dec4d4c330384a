"""Nodes that work by the clock: deadlines, time that passes, and what is told."""

from backend.fulfilment.deadlines import Deadline, set_deadlines, tell_overdue
from tests.catalogue import Connection
from tests.fulfilment.working import Working
from tests.world import fresh_key

TOLD = "select type from outbox where type in ('fulfilment.warned', 'fulfilment.late') order by id"


class Timed(Working):
    """Nodes that work by the clock."""

    def __init__(self, working: Working, admin: Connection) -> None:
        super().__init__(working.runtime, working.world)
        self.admin = admin

    async def set(self, *deadlines: Deadline) -> None:
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            await set_deadlines(tx, deadlines, fresh_key())

    async def wait(self, minutes: int) -> None:
        """Let every fulfilment have stood for so many minutes longer."""
        await self.admin.execute(
            "update fulfilment set recorded_at = recorded_at - make_interval(mins => $1),"
            " changed_at = changed_at - make_interval(mins => $1)",
            minutes,
        )

    async def tell(self) -> int:
        brand = await self.runtime.brands.get(self.world.tenant_id)
        return await tell_overdue(self.runtime.database, brand)

    async def told(self) -> list[str]:
        return [row["type"].partition(".")[2] for row in await self.admin.fetch(TOLD)]
