"""Doing things to stock, and what PostgreSQL has of it afterwards."""

from typing import NamedTuple

from backend.db.pool import Database
from backend.inventory.change_stock import StockCommand, change_stock
from backend.inventory.ledger import record
from backend.inventory.model import CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.world import ACTOR, World, fresh_key

FIGURES = """
    select l.on_hand, l.reserved, l.floor, l.earmark_unused, l.version
    from stock_level l
    join functional_warehouse f on f.tenant_id = l.tenant_id and f.id = l.functional_warehouse_id
    join sku s on s.tenant_id = l.tenant_id and s.id = l.sku_id
    where l.tenant_id = $1 and f.code = $2 and s.code = $3
"""
LEDGER = """
    select f.code, m.type, m.quantity, m.on_hand_delta, m.reserved_delta, m.floor_delta,
           m.earmark_delta, m.level_version, m.cause_kind, m.cause_id, m.reason, m.actor
    from stock_movement m
    join functional_warehouse f on f.tenant_id = m.tenant_id and f.id = m.functional_warehouse_id
    where m.tenant_id = $1 order by m.id
"""
SUMS = """
    select sum(on_hand_delta)::bigint, sum(reserved_delta)::bigint, sum(floor_delta)::bigint,
           sum(earmark_delta)::bigint
    from stock_movement m
    join functional_warehouse f on f.tenant_id = m.tenant_id and f.id = m.functional_warehouse_id
    join sku s on s.tenant_id = m.tenant_id and s.id = m.sku_id
    where m.tenant_id = $1 and f.code = $2 and s.code = $3
"""
PLANT_EARMARK = """
    insert into earmark (tenant_id, code, name, kind, pool, opened_by)
    values ($1, $2, $2, 'other', 'online', 'test') returning id
"""
KEPT = """
    select coalesce(sum(filled), 0)::bigint, coalesce(sum(unused), 0)::bigint,
           coalesce(sum(lent), 0)::bigint
    from earmark_level where earmark_id = $1
"""
WAREHOUSE = "select id from functional_warehouse where tenant_id = $1 and code = $2"


class Figures(NamedTuple):
    """The figures of a level."""

    on_hand: int
    reserved: int = 0
    floor: int = 0
    earmark_unused: int = 0
    version: int = 0


class LedgerLine(NamedTuple):
    """A row of the ledger."""

    warehouse: str
    type: str
    quantity: int
    on_hand: int
    reserved: int
    floor: int
    earmark: int
    version: int
    cause_kind: str
    cause_id: int
    reason: str | None
    actor: str


async def change(
    database: Database, who: Principal, command: StockCommand, key: str | None = None
) -> list[Level]:
    """Carry out a command in a transaction of its own."""
    async with database.tenant_transaction(who) as tx:
        return await change_stock(tx, command, key or fresh_key())


async def figures(admin: Connection, world: World, warehouse: str, sku: str = "A") -> Figures:
    """Return what a level says, zeroes where there is none."""
    row = await admin.fetchrow(FIGURES, world.tenant_id, warehouse, sku)
    return Figures(*row) if row else Figures(0)


async def sums(admin: Connection, world: World, warehouse: str, sku: str = "A") -> tuple[int, ...]:
    """Return the sums of a level's movements."""
    row = await admin.fetchrow(SUMS, world.tenant_id, warehouse, sku)
    return tuple(row or ())


async def ledger(admin: Connection, world: World) -> list[LedgerLine]:
    """Return the rows of the ledger, oldest first."""
    return [LedgerLine(*row) for row in await admin.fetch(LEDGER, world.tenant_id)]


async def key_of(admin: Connection, world: World, warehouse: str, sku: str = "A") -> LevelKey:
    warehouse_id = await admin.fetchval(WAREHOUSE, world.tenant_id, warehouse)
    return LevelKey(int(warehouse_id), world.skus[sku])


async def plant_earmark(admin: Connection, world: World, code: str = "planted") -> int:
    """Open an earmark without a layout, and return its id."""
    return int(await admin.fetchval(PLANT_EARMARK, world.tenant_id, code))


async def kept(admin: Connection, earmark_id: int) -> tuple[int, int, int]:
    """Return what an earmark has filled, unused and lent, in all levels."""
    row = await admin.fetchrow(KEPT, earmark_id)
    assert row is not None
    return row[0], row[1], row[2]


async def move(
    database: Database,
    world: World,
    *moves: tuple[LevelKey, MovementType, int],
    earmark_id: int | None = None,
) -> None:
    """Write movements of any type, as some centre may."""
    movements = [
        Movement(
            key=key,
            type=kind,
            quantity=quantity,
            cause_kind=CauseKind.COUNT,
            reason="test",
            earmark_id=earmark_id,
        )
        for key, kind, quantity in moves
    ]
    async with database.tenant_transaction(world.system) as tx:
        await record(tx, movements, ACTOR)
