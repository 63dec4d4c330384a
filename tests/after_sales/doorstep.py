"""Customers at their doors with something to fetch, and the simulated carrier that comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backend.after_sales.collecting import (
    Wanted,
    change_collection,
    note_collected,
    request_collection,
)
from backend.after_sales.model import RepairDraft, TradeInDraft, UnitMove
from backend.after_sales.repairs import move_repair, repairs_by_ids, request_repair
from backend.after_sales.standing import returns_by_ids
from backend.after_sales.trade_ins import move_trade_in, promise_trade_in, trade_ins_by_ids
from backend.fulfilment.carriers.accounts import set_carrier_account
from backend.fulfilment.carriers.http_carrier import carrier_client
from backend.fulfilment.carriers.model import Recipient, TrackingEvent, TrackingKind
from backend.fulfilment.carriers.tracking import Tracked, record_tracking
from backend.fulfilment.collections.model import (
    CollectedFor,
    Collection,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.standing import collections_by_ids
from backend.orders.model import Placed
from tenants.principal import Principal
from tests.after_sales.desk import Desk
from tests.fulfilment.carrier import SECRET, Fate
from tests.world import HANGZHOU, fresh_key

RETURN, REPAIR, TRADE_IN = CollectedFor.RETURN, CollectedFor.REPAIR, CollectedFor.TRADE_IN
FIND: dict[CollectedFor, Any] = {
    RETURN: returns_by_ids,
    REPAIR: repairs_by_ids,
    TRADE_IN: trade_ins_by_ids,
}
SENDER = Recipient("李四", "13900000000", HANGZHOU, "文三路 9 号 2 幢 301")


def soon(hours: float = 2, lasting: float = 2, carrier: str = "sim") -> CollectionTime:
    """Return a time from so many hours from now on, for so many hours."""
    from_at = datetime.now(UTC) + timedelta(hours=hours)
    return CollectionTime(carrier, from_at, from_at + timedelta(hours=lasting))


class Doorstep:
    """What customers have fetched, and what becomes of it."""

    def __init__(self, desk: Desk, fate: Fate) -> None:
        self.desk, self.fate = desk, fate
        self.database, self.world = desk.database, desk.world

    async def open_account(self, code: str = "sim") -> None:
        """Let the brand have the simulated carrier, or call it by another name too."""
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await set_carrier_account(
                tx, code, "模拟快递", self.fate.url, SECRET, is_active=True, key=fresh_key()
            )

    async def case(self, kind: CollectedFor, order: Placed | None = None) -> Subject:
        """Return something of an order's first line that may be fetched."""
        order = order or await self.desk.arrived(1)
        brand = self.world.brand
        match kind:
            case CollectedFor.RETURN:
                request = (await self.desk.ask(order, 1)).request
                await self.desk.approve(request.id)
                return Subject(kind, request.id)
            case CollectedFor.REPAIR:
                wish = RepairDraft(order.order_id, 1, "不制冷")
                repair = await request_repair(self.database, brand, wish, fresh_key())
                return Subject(kind, repair.id)
            case CollectedFor.TRADE_IN:
                old = TradeInDraft(order.order_id, 1, "旧冰箱，能制冷", 600)
                trade_in = await promise_trade_in(self.database, brand, old, fresh_key())
                return Subject(kind, trade_in.id)

    async def ask(
        self,
        subject: Subject,
        *,
        who: Principal | None = None,
        key: str = "",
        **given: Any,
    ) -> Collection:
        said: dict[str, Any] = {"time": soon(), "node_id": self.desk.store}
        return await request_collection(
            self.database,
            who or self.world.brand,
            subject,
            Wanted(**(said | given)),
            key or fresh_key(),
        )

    async def asked(self, kind: CollectedFor = RETURN, **given: Any) -> Collection:
        return await self.ask(await self.case(kind), **given)

    async def booked(self, kind: CollectedFor = RETURN, **given: Any) -> Collection:
        """Let the carrier say that it comes."""
        collection = await self.asked(kind, **given)
        assert await self.label() == 1
        return await self.standing(collection)

    async def change(
        self,
        collection: Collection,
        time: CollectionTime | None,
        *,
        who: Principal | None = None,
        seen: int | None = None,
        key: str = "",
    ) -> Collection:
        """Agree on another time, or (None) let nobody come."""
        who, key = who or self.world.brand, key or fresh_key()
        return await change_collection(self.database, who, collection.id, time, seen=seen, key=key)

    async def label(self) -> int:
        async with carrier_client() as http:
            return await self.desk.runtime.labeller.label(self.world.tenant_id, http)

    async def tell(
        self, waybill: str, *kinds: str, text: str = "", minutes: float = 0, carrier: str = "sim"
    ) -> Tracked:
        """Let the carrier tell of things, a minute after each other, in one message."""
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        told = [
            TrackingEvent(
                fresh_key(),
                waybill,
                TrackingKind(kind),
                at + timedelta(minutes=number),
                "杭州文三路网点",
                text,
            )
            for number, kind in enumerate(kinds)
        ]
        return await self.record(told, carrier)

    async def record(self, told: list[TrackingEvent], carrier: str = "sim") -> Tracked:
        return await record_tracking(
            self.database, self.world.tenant_id, carrier, told, note_collected
        )

    async def standing(self, collection: Collection) -> Collection:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await collections_by_ids(tx, [collection.id]))[collection.id]

    async def status(self, subject: Subject) -> str:
        return (await self.sent_by(subject))[0]

    async def sent_by(self, subject: Subject) -> tuple[str, str, str]:
        """Return where something stands that was fetched: its status, carrier and waybill."""
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            found: dict[int, Any] = await FIND[subject.kind](tx, [subject.id])
        one = found[subject.id]
        return one.status.value, one.carrier, one.waybill

    async def receive(self, subject: Subject) -> None:
        """Let it lie in the store."""
        await self._step(subject, "receive", self.world.store, node_id=self.desk.store)

    async def cancel(self, subject: Subject) -> None:
        await self._step(subject, "cancel", self.world.brand, text="客户不寄了")

    async def _step(self, subject: Subject, step: str, who: Principal, **given: Any) -> None:
        if subject.kind is RETURN and step == "receive":
            await self.desk.receive(subject.id)
        elif subject.kind is RETURN:
            await self.desk.end(subject.id, is_rejected=False, reason=given["text"])
        else:
            take = move_repair if subject.kind is REPAIR else move_trade_in
            move = UnitMove(step, **given)
            await take(self.database, who, subject.id, move, seen=None, key=fresh_key())
