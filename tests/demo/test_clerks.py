"""The demo's clerks: what is ordered to be fetched is fetched, and the books stay right."""

import itertools

import msgspec
import pytest

from backend.audit.audit import audit
from backend.demo import brand as demo
from backend.demo import clerks
from backend.demo.clerks import Clerks
from backend.demo.stream import Tally
from backend.inventory.change_stock import StockReceive, change_stock
from backend.network.model import Condition
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Pickup, Placed, Shortage
from backend.runtime import Runtime
from tenants.principal import system_principal

_numbers = itertools.count(1)


async def test_clerks_hand_over_what_is_fetched(
    runtime: Runtime, demo_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerks, "DONE_SHARE", 1.0)
    monkeypatch.setattr(clerks, "COMES_SHARE", 1.0)
    monkeypatch.setattr(clerks, "REJECTED_SHARE", 0.0)
    store, (sku, _) = demo.STORES[0], demo.demo_skus()[0]
    who = system_principal(demo_id, "demo")
    async with runtime.database.tenant_transaction(who) as tx:
        good = f"{store.code}-{Condition.GOOD}"
        command = StockReceive(warehouse=good, sku=sku.code, quantity=50)
        await change_stock(tx, command, "stock")
    order = OrderDraft(
        shop=demo.SHOPS[0].code,
        address=AddressDraft("人民路", store.region_code, name="王女士", phone="138"),
        lines=(LineDraft(sku.code, 1),),
        idempotency_key="k",
        shortage=Shortage.BACKORDER,
        pickup=Pickup(store.code),
    )
    placed = await runtime.intake.place(order, who)
    assert isinstance(placed, Placed), msgspec.to_builtins(placed)
    tally = Tally()
    working = Clerks(runtime, demo_id, tally, lambda: f"clerk-{next(_numbers)}")
    for _ in range(3):
        await working.round()
    assert tally.counts["fetched"] == 1, tally.last
    await runtime.settle()
    report = await audit(runtime.database, runtime.admission, runtime.counters, demo_id)
    assert report.differences == []
