"""What becomes of an order: whole, in part, waiting, split, held."""

import asyncio
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.db.errors import TextNotStorable
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.orders import lane, pipeline
from backend.orders.apportion import apportion
from backend.orders.commit import commit_planned
from backend.orders.model import (
    AddressDraft,
    FeeDraft,
    LineDraft,
    OrderStatus,
    Placed,
    Shortage,
)
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, facts, level, placed, refused, second_runtime
from tests.world import SHANGHAI, World, draft, paid, receive


async def test_an_order_takes_its_stock(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    outcome = placed(await runtime.intake.place(draft({"A": 2}), world.brand))
    assert outcome.lines[0].reserved == 2
    assert outcome.status is OrderStatus.ALLOCATED
    await assert_clean(runtime, world)


async def test_the_nearest_node_sends(runtime: Runtime, world: World) -> None:
    for warehouse in ("wh", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 5)
    placed(await runtime.intake.place(draft({"A": 2}, region=SHANGHAI), world.brand))
    assert (await level(runtime, world, 1, "A")).reserved == 2


async def test_fewest_nodes_come_before_near_ones(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    for sku in "AB":
        await receive(runtime.database, world.brand, "far", sku, 5)
    outcome = placed(await runtime.intake.place(draft({"A": 1, "B": 1}), world.brand))
    assert outcome.parcels == 1


async def test_a_quantity_is_split_where_no_node_has_it(runtime: Runtime, world: World) -> None:
    for warehouse in ("wh", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 3)
    outcome = placed(await runtime.intake.place(draft({"A": 5}), world.brand))
    assert (outcome.lines[0].reserved, outcome.parcels) == (5, 2)
    await assert_clean(runtime, world)


async def test_what_is_refused_names_what_there_is(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 3)
    before = await facts(runtime, world)
    outcome = refused(
        await runtime.intake.place(draft({"A": 4}), world.brand), "INSUFFICIENT_STOCK"
    )
    assert outcome.detail == {"lines": [{"sku": "A", "requested": 4, "available": 3}]}
    assert await facts(runtime, world) == before


async def test_a_partial_order_takes_what_there_is(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 3)
    order = draft({"A": 4, "B": 1}, shortage=Shortage.PARTIAL)
    outcome = placed(await runtime.intake.place(order, world.brand))
    assert [(line.reserved, line.cancelled) for line in outcome.lines] == [(3, 1), (0, 1)]
    nothing = draft({"B": 1}, shortage=Shortage.PARTIAL)
    refused(await runtime.intake.place(nothing, world.brand), "INSUFFICIENT_STOCK")
    await assert_clean(runtime, world)


async def test_a_paid_order_waits_for_what_is_missing(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 3)
    outcome = placed(await runtime.intake.place(paid("e", {"A": 4, "B": 1}), world.brand))
    assert outcome.status is OrderStatus.PARTIALLY_ALLOCATED
    assert [(line.reserved, line.backordered) for line in outcome.lines] == [(3, 1), (0, 1)]
    await assert_clean(runtime, world)


@pytest.mark.parametrize(
    ("changes", "hold", "reserved"),
    [
        ({"lines": (LineDraft("A", 1), LineDraft("Z", 1))}, "sku_unknown", 0),
        ({"address": AddressDraft(detail="?", region_path=("Atlantis",))}, "address_unresolved", 0),
        ({"total_minor": 1}, "amount_mismatch", 1),
    ],
)
async def test_a_paid_order_is_held_never_refused(
    runtime: Runtime, world: World, changes: dict[str, Any], hold: str, reserved: int
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 3)
    values: dict[str, Any] = {"lines": (LineDraft("A", 1, 1_000),)} | changes
    order = paid("e")
    order = type(order)(**{**{f: getattr(order, f) for f in order.__struct_fields__}, **values})
    outcome = placed(await runtime.intake.place(order, world.brand))
    assert outcome.status is OrderStatus.HELD
    assert outcome.holds == (hold,)
    assert sum(line.reserved for line in outcome.lines) == reserved
    await assert_clean(runtime, world)


async def test_an_order_of_fees_is_complete(runtime: Runtime, world: World) -> None:
    fees = (FeeDraft("POST", 500),)
    order = paid("e")
    order = type(order)(
        shop=order.shop, address=order.address, external_id="e", is_paid=True, fees=fees
    )
    outcome = placed(await runtime.intake.place(order, world.brand))
    assert outcome.status is OrderStatus.COMPLETE


async def test_a_days_capacity_moves_orders_elsewhere(runtime: Runtime, world: World) -> None:
    async with runtime.database.tenant_transaction(world.system) as tx:
        node = NodeDraft(
            code="small",
            name="small",
            kind=NodeKind.STORE,
            region_code=SHANGHAI,
            daily_capacity=1,
            priority=1,
        )
        node_id = await create_node(tx, node, runtime.regions)
        small = await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="small"))
    for warehouse in ("small", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 5)
    for _ in range(3):
        placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    assert (await level(runtime, world, small, "A")).reserved == 1
    await assert_clean(runtime, world)


async def test_a_sku_that_was_retired_is_unknown(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    async with runtime.database.tenant_transaction(world.brand) as tx:
        await save_skus(tx, [SkuDraft(code="A", name="A", is_active=False)])
    before = await facts(runtime, world)
    refused(await runtime.intake.place(draft({"A": 1}), world.brand), "UNKNOWN_SKU")
    assert await facts(runtime, world) == before
    held = placed(await runtime.intake.place(paid("e", {"A": 1}), world.brand))
    assert held.holds == ("sku_unknown",)


async def test_a_node_that_closed_sends_nothing(runtime: Runtime, world: World) -> None:
    for warehouse in ("wh", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 5)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    async with runtime.database.tenant_transaction(world.brand) as tx:
        await set_node_active(tx, "wh", False)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    assert (await level(runtime, world, 3, "A")).reserved == 1


async def test_a_stale_book_never_refuses_what_is_there(
    runtime: Runtime, world: World, database_url: str, valkey_url: str
) -> None:
    async with second_runtime(database_url, valkey_url) as other:
        refused(await other.intake.place(draft({"A": 1}), world.brand), "INSUFFICIENT_STOCK")
        await asyncio.sleep(0.25)
        await receive(runtime.database, world.brand, "wh", "A", 1)
        placed(await other.intake.place(draft({"A": 1}), world.brand))
    await assert_clean(runtime, world)


async def test_a_full_queue_says_when_to_come_back(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "QUEUE_MAX", 0)
    outcome = refused(await runtime.intake.place(draft(), world.brand), "TOO_BUSY")
    assert outcome.detail["retryAfterSeconds"] > 0


@pytest.mark.parametrize("error", [asyncpg.DataError("not storable"), TextNotStorable()])
async def test_a_value_that_cannot_be_stored_fails_alone(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 9)
    real = commit_planned

    async def picky(tx: Any, works: Any, *rest: Any) -> Any:
        if any(work.intake and work.intake.draft.remark == "bad" for work in works):
            raise error
        return await real(tx, works, *rest)

    monkeypatch.setattr(pipeline, "commit_planned", picky)
    orders = [draft({"A": 1}, remark="bad" if n == 3 else "") for n in range(8)]
    outcomes = await runtime.intake.place_many(orders, world.brand)
    assert [isinstance(o, Placed) for o in outcomes] == [n != 3 for n in range(8)]
    await assert_clean(runtime, world)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(0, 10**12))
def test_shares_add_up_and_are_fair(weights: list[int], amount: int) -> None:
    shares = apportion(amount, weights)
    assert sum(shares) == amount
    total = sum(weights)
    if total:
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share * total - amount * weight) < total
