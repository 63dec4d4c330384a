"""Till sales, and transfers within a node that change condition, owner or purpose."""

import asyncio

import pytest

from backend.db.pool import Database
from backend.inventory.change_stock import (
    REASON_LENGTH_MAX,
    StockCommand,
    StockSell,
    StockTransfer,
)
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.warehouses import create_warehouse
from backend.network.model import Condition, WarehouseDraft
from backend.network.nodes import create_legal_entity
from backend.orders.model import Placed
from backend.runtime import Runtime
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, all_at_once
from tests.inventory.stock import Figures, change, figures, ledger
from tests.orders.checks import assert_clean, level
from tests.refusals import refused
from tests.world import World, draft, receive


def sell(quantity: int = 1, receipt: str = "", *, sku: str = "A", at: str = "wh") -> StockSell:
    return StockSell(warehouse=at, sku=sku, quantity=quantity, receipt=receipt)


def move(quantity: int = 1, reason: str = "", *, to: str = "far", frm: str = "wh") -> StockTransfer:
    return StockTransfer(source=frm, destination=to, sku="A", quantity=quantity, reason=reason)


REFUSED: dict[str, tuple[StockCommand, str]] = {
    "sell 0": (sell(0), "INVALID_QUANTITY"),
    "sell less than 0": (sell(-1), "INVALID_QUANTITY"),
    "sell more than there can be": (sell(QUANTITY_MAX + 1), "INVALID_QUANTITY"),
    "sell an unknown SKU": (sell(sku="Z"), "UNKNOWN_SKU"),
    "sell at an unknown place": (sell(at="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "a long receipt": (sell(receipt="x" * (REASON_LENGTH_MAX + 1)), "INVALID_REASON"),
    "a receipt of two lines": (sell(receipt="a\nb"), "INVALID_REASON"),
    "a long reason": (move(reason="x" * (REASON_LENGTH_MAX + 1)), "INVALID_REASON"),
    "a reason of two lines": (move(reason="a\nb"), "INVALID_REASON"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_command_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    command, code = REFUSED[name]
    async with refused(still_admin, code):
        await change(still, ready_world.brand, command)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_sells_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await change(still, getattr(ready_world, who), sell())


# ---------------------------------------------------------------------------------------- till


async def test_what_was_sold_is_gone(database: Database, world: World, admin: Connection) -> None:
    await receive(database, world.brand, "store", "A", 5)
    await change(database, world.brand, sell(2, " R-17 ", at="store"))
    row = (await ledger(admin, world))[-1]
    assert (row.type, row.quantity, row.on_hand, row.reserved) == ("moved_out", 2, -2, 0)
    assert (row.cause_kind, row.reason, row.actor) == ("till", "R-17", world.brand.subject)
    assert await figures(admin, world, "store") == Figures(3, version=2)


async def test_a_sale_without_a_receipt_has_no_reason(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "store", "A", 5)
    await change(database, world.brand, sell(at="store"))
    assert (await ledger(admin, world))[-1].reason is None


async def test_the_same_sale_counts_once(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 50)
    works = (change(database, world.brand, sell(2, "R-1"), "k") for _ in range(CROWD))
    (first, *others), codes = await all_at_once(admin, works)
    assert (others, codes) == ([first] * (CROWD - 1), [])
    before = await contents(admin)
    assert await change(database, world.brand, sell(2, "R-1"), "k") == first
    assert await contents(admin) == before
    for other in (sell(2, "R-2"), sell(1, "R-1")):
        async with refused(admin, "IDEMPOTENCY_CONFLICT"):
            await change(database, world.brand, other, "k")
    assert (await figures(admin, world, "wh")).on_hand == 48


async def test_what_was_promised_may_be_sold_and_is_a_shortage(
    runtime: Runtime, world: World
) -> None:
    await receive(runtime.database, world.brand, "store", "A", 3)
    assert isinstance(await runtime.intake.place(draft({"A": 2}), world.brand), Placed)
    levels = await change(runtime.database, world.brand, sell(3, at="store"))
    await runtime.publish_levels(world.tenant_id, levels)
    found = await level(runtime, world, world.nodes["store"], "A")
    assert (found.on_hand, found.reserved, found.signed_free) == (0, 2, -2)
    assert not isinstance(await runtime.intake.place(draft({"A": 1}), world.brand), Placed)
    await assert_clean(runtime, world)


async def test_the_till_and_orders_at_once(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "store", "A", 30)

    async def sale() -> None:
        levels = await change(runtime.database, world.brand, sell(at="store"))
        await runtime.publish_levels(world.tenant_id, levels)

    buying = [runtime.intake.place(draft({"A": 1}), world.brand) for _ in range(40)]
    selling = asyncio.gather(*(sale() for _ in range(8)))
    outcomes = await asyncio.gather(*buying)
    await selling
    found = await level(runtime, world, world.nodes["store"], "A")
    placed = sum(isinstance(outcome, Placed) for outcome in outcomes)
    assert (found.on_hand, found.reserved) == (22, placed)
    assert 22 <= placed <= 30
    await assert_clean(runtime, world)


# --------------------------------------------------------------------------- within a node


async def aside(database: Database, world: World) -> None:
    """Let "wh" have other functional warehouses, each unlike its own in one way, or two."""
    async with database.tenant_transaction(world.system) as tx:
        entity = await create_legal_entity(tx, "le", "LE")
        for code, changes in {
            "defective": {"condition": Condition.DEFECTIVE},
            "event": {"purpose": "event"},
            "owned": {"legal_entity_id": entity},
            "dealers": {"dealer_id": world.dealers["d1"]},
            "both": {"condition": Condition.INSPECTION, "dealer_id": world.dealers["d1"]},
        }.items():
            draft_of = WarehouseDraft(node_id=world.nodes["wh"], code=code, **changes)  # type: ignore[arg-type]
            await create_warehouse(tx, draft_of)


WAYS = {
    "defective": ("condition_changed", "condition_changed"),
    "event": ("moved_out", "moved_in"),
    "owned": ("owner_changed", "owner_changed"),
    "dealers": ("owner_changed", "owner_changed"),
    "both": ("condition_changed", "condition_changed"),
    "far": ("moved_out", "moved_in"),
    "dealer-node": ("moved_out", "moved_in"),
}


async def test_each_transfer_is_recorded_as_what_it_is(
    database: Database, world: World, admin: Connection
) -> None:
    await aside(database, world)
    await receive(database, world.brand, "wh", "A", 2 * len(WAYS))
    for to, kinds in WAYS.items():
        await change(database, world.brand, move(2, " why ", to=to))
        rows = (await ledger(admin, world))[-2:]
        by_place = {row.warehouse: row for row in rows}
        assert (by_place["wh"].type, by_place[to].type) == kinds, to
        assert (by_place["wh"].on_hand, by_place[to].on_hand) == (-2, 2), to
        assert {row.reason for row in rows} == {"why"}
        assert len({row.cause_id for row in rows}) == 1
        assert {row.cause_kind for row in rows} == {"transfer"}
        assert (await figures(admin, world, to)).on_hand == 2
        back = await change(database, world.brand, move(1, frm=to, to="wh"))
        assert sorted(one.on_hand for one in back) == sorted(
            [1, (await figures(admin, world, "wh")).on_hand]
        )
    assert (await figures(admin, world, "wh")).on_hand == len(WAYS)


async def test_only_free_units_change_their_condition(
    database: Database, world: World, admin: Connection
) -> None:
    await aside(database, world)
    await receive(database, world.brand, "wh", "A", 5)
    works = (change(database, world.brand, move(2, to="defective")) for _ in range(CROWD))
    done, codes = await all_at_once(admin, works)
    assert (len(done), set(codes)) == (2, {"NOT_ENOUGH_TO_MOVE"})
    assert (await figures(admin, world, "wh")).on_hand == 1
    assert (await figures(admin, world, "defective")).on_hand == 4


async def test_what_is_defective_is_no_more_sold(runtime: Runtime, world: World) -> None:
    await aside(runtime.database, world)
    await receive(runtime.database, world.brand, "wh", "A", 5)
    levels = await change(runtime.database, world.brand, move(4, to="defective"))
    await runtime.publish_levels(world.tenant_id, levels)
    assert isinstance(await runtime.intake.place(draft({"A": 1}), world.brand), Placed)
    assert not isinstance(await runtime.intake.place(draft({"A": 1}), world.brand), Placed)
    await assert_clean(runtime, world)
