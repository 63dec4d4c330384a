"""What the people of warehouses, stores and dealers do in a round, and their carrier."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx2

from backend.db.pool import Record
from backend.fulfilment.carriers.change_carrier import change_carrier
from backend.fulfilment.collections.model import Collection, CollectionStatus
from backend.fulfilment.collections.standing import page_of_collections
from backend.fulfilment.errors import NothingToRelease
from backend.fulfilment.find import page_of_parcels
from backend.fulfilment.model import (
    BULK_MAX,
    PICK_LIST_MAX,
    Packing,
    ParcelDraft,
    ParcelLine,
    ParcelStatus,
)
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pack_together import JOINT_MAX, joint_proposals, pack_together
from backend.fulfilment.pick_lists import PickListDraft, create_pick_list, pick_fulfilments
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_wave
from backend.inventory.levels import database_time
from backend.network.model import NodeKind
from backend.orders.auditing.model import NotAudited
from backend.orders.errors import OrderHeld
from backend.orders.find_orders import NEWEST, page_of_fulfilments
from backend.orders.find_work import units_to_send
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.pickups.errors import NothingThere
from backend.pickups.model import PickupStatus
from backend.pickups.standing import page_of_pickups
from backend.pickups.store_work import accept_pickup, make_ready, reject_pickup
from loadtests.week.plan import Fate, Way
from loadtests.week.week import Sold, Week

CARRIER, CARRIER_NAME, OWN = "sim-express", "模拟快递", "own"
"""What is installed, or too heavy for the carrier, goes with a car of the node's own."""
ASLEEP = {
    "node-dealer-xinan": {(1, hour) for hour in range(24)},
    "store-07": {(3, hour) for hour in range(24)},
    "wh-beijing": {(4, hour) for hour in range(8, 15)},
}
"""Nodes where nobody works on some hours of some days: what they have is late."""
EVERYTHING = 100_000
TOLD_AT_ONCE = 200
TOGETHER_HOURS = 48
LOOKS, LOOK_AGAIN_SECONDS = 1_000, 0.5
"""A carrier that failed is left alone for a while: for seconds that nobody sets with a clock."""
STAGES = (("picked_up", "in_transit"), ("out_for_delivery",), ("delivered",))
"""What befalls a parcel from day to day."""
F = FulfilmentStatus


class Nodes:
    """Everybody who works in the nodes, and the carrier that they send with."""

    def __init__(self, week: Week, carrier_url: str, http: httpx2.AsyncClient) -> None:
        self._week = week
        self._carrier = carrier_url
        self._http = http
        self._random = Random(f"{week.seed} nodes")
        self._stage: dict[str, int] = {}
        self._awake: set[int] = set()
        self._missed: set[int] = set()
        """Collections where nobody was at home."""

    async def round(self, day: int, hour: int) -> None:
        """Let everybody who is awake do what there is to do: what is furthest first."""
        if not 8 <= hour <= 20:
            return
        self._awake = {
            node.id
            for node in self._week.nodes.values()
            if (day, hour) not in ASLEEP.get(node.code, ())
        }
        await self._carry(hour)
        if hour in (16, 20):
            await self._ship()
        await self._pack()
        await self._pick()
        await self._start_picking()
        await self._release()
        await self._label()

    # ----------------------------------------------------------------------------- in a node

    async def _release(self) -> None:
        """Let stores and dealers begin; warehouses do at the times of their waves."""
        week = self._week
        local = (await week.runtime.brands.get(week.tenant_id)).local_time()
        for node_id in sorted(self._awake):
            if week.nodes[node_id].kind is not NodeKind.WAREHOUSE:
                try:
                    await release_wave(
                        week.database,
                        week.worker(node_id),
                        WaveDraft(node_id, with_waiting=True),
                        local,
                        week.key(),
                    )
                except NothingToRelease:
                    continue

    async def _start_picking(self) -> None:
        for node_id, keys in (await self._keys(F.RELEASED)).items():
            for part in _parts(keys, PICK_LIST_MAX):
                draft = PickListDraft(node_id=node_id, keys=tuple(part), is_batch=node_id % 2 == 0)
                made = create_pick_list(
                    self._week.database, self._week.worker(node_id), draft, self._week.key()
                )
                await self._week.do("pick lists", made)

    async def _pick(self) -> None:
        """Fetch all that is on lists, but for what a story of its own is told of."""
        for node_id, keys in (await self._keys(F.PICKING)).items():
            mine = [
                key for key in keys if not self._is_fated(key.order_id, Fate.SHORT, Fate.MISREAD)
            ]
            for part in _parts(mine, BULK_MAX):
                await self._bulk("picked", pick_fulfilments, node_id, part)

    async def _pack(self) -> None:
        """Pack what is picked, in one parcel or in two; what is fetched stays as it is."""
        for node_id in sorted(self._awake):
            await self._pack_together(node_id)
        for node_id, keys in (await self._keys(F.PICKED)).items():
            packings = [await self._packing(key) for key in keys]
            for part in _parts(packings, BULK_MAX):
                await self._bulk("packed", pack_fulfilments, node_id, part)

    async def _pack_together(self, node_id: int) -> None:
        """Pack into one parcel what a customer has ordered twice, once all of it is picked."""
        week = self._week
        async with week.reading() as tx:
            found = await joint_proposals(tx, node_id, TOGETHER_HOURS)
        for one in found:
            is_plain = all(
                (sold := week.sold.get(key.order_id)) is not None
                and sold.planned.fate in (Fate.PLAIN, Fate.ANOTHER)
                for key in one.keys
            )
            if is_plain and one.picked == len(one.keys) <= JOINT_MAX:
                packed = pack_together(
                    week.database, week.worker(node_id), one.keys, CARRIER, None, week.key()
                )
                await week.do("packed together", packed)

    async def _packing(self, key: FulfilmentKey) -> Packing:
        sold = self._week.sold.get(key.order_id)
        async with self._week.reading() as tx:
            units = await units_to_send(tx, [key])
        is_large = sold is not None and sold.planned.way is Way.INSTALLED
        carrier = OWN if is_large else CARRIER
        parcels: tuple[ParcelDraft, ...] = ()
        first = units[0]
        if sold is not None and sold.planned.fate is Fate.IN_TWO and first.quantity > 1:
            rest = [
                (first.line_no, first.quantity - 1),
                *((u.line_no, u.quantity) for u in units[1:]),
            ]
            parcels = (
                ParcelDraft((ParcelLine(first.line_no, 1),)),
                ParcelDraft(tuple(ParcelLine(*one) for one in rest)),
            )
        return Packing(key, carrier, parcels)

    async def _ship(self) -> None:
        """Hand over what has its waybill, to the car that comes twice a day."""
        for node_id, keys in (await self._keys(F.PACKED)).items():
            mine = [
                key
                for key in keys
                if not self._is_fated(key.order_id, Fate.SHIPPED_TWICE, Fate.STOPPED, Fate.TOO_LATE)
            ]
            for part in _parts(mine, BULK_MAX):
                await self._bulk("shipped", ship_fulfilments, node_id, part)

    async def _bulk(self, what: str, command: Any, node_id: int, part: Sequence[Any]) -> None:
        """Carry out a bulk command of a node; each part that is refused is counted by its code."""
        week = self._week
        done = await command(week.database, week.worker(node_id), part, week.key())
        await week.publish(done)
        for answer in done.answers:
            week.done[what if answer.is_done else f"not {what}: {answer.code}"] += 1

    # --------------------------------------------------------------------------- the carrier

    async def _label(self) -> None:
        """Get all waybills, and void those of nobody; the carrier fails now and then."""
        if self._random.random() < 0.2:
            faults = [self._random.choice(("error", "garbage", "lost"))]
            await self._http.post(f"{self._carrier}/control/faults", json={"faults": faults})
            self._week.done["faults of the carrier"] += 1
        for _ in range(LOOKS):
            came = await self._week.runtime.labeller.label(self._week.tenant_id, self._http)
            self._week.done["waybills"] += came
            asked = await self._parcels(ParcelStatus.PACKED)
            to_come = await self._collections(CollectionStatus.ASKED)
            if not to_come and not any(row["carrier"] == CARRIER for row in asked):
                return
            if not came:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _carry(self, hour: int) -> None:
        """Let parcels move on: the carrier tells it, twice and out of order in the afternoon."""
        week = self._week
        if hour not in (10, 18):
            return
        told: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        async with week.reading() as tx:
            now = await database_time(tx)
        own = []
        for row in await self._parcels(ParcelStatus.SHIPPED):
            if row["carrier"] == OWN:
                own.append(FulfilmentKey(row["order_id"], row["fulfilment_no"]))
            elif row["host_id"] is None and (chance := self._random.random()) < 0.8:
                told[self._next(row, chance)].append(row["waybill"])
        for row in await self._parcels(ParcelStatus.EXCEPTION):
            if row["host_id"] is not None:
                continue  # it goes with the parcel in which it lies
            if row["waybill"] is None:
                other = change_carrier(week.database, week.clerk, row["id"], OWN, week.key())
                await week.do("given to another carrier", other)
            elif not self._is_fated(row["order_id"], Fate.REFUSED) and self._random.random() < 0.4:
                told["delivered",].append(row["waybill"])
        for one in await self._collections(CollectionStatus.BOOKED, CollectionStatus.COLLECTED):
            if one.time.from_at <= now:
                told[self._at_the_door(one)].append(one.waybill)
        for kinds, waybills in sorted(told.items()):
            for part in _parts(waybills, TOLD_AT_ONCE):
                story = {"waybills": part, "kinds": kinds, "isTidy": hour == 10}
                answer = await self._http.post(f"{self._carrier}/control/stories", json=story)
                if set(answer.json().get("answers", ())) != {200}:
                    week.faults.append(f"the carrier said {answer.text}, of {part}")
                for kind in kinds:
                    week.done[f"told by the carrier: {kind}"] += len(part)
        for part in _parts(list(dict.fromkeys(own)), BULK_MAX):
            done = await deliver_fulfilments(week.database, week.people[2], part, week.key())
            week.done["delivered by the nodes' own cars"] += sum(a.is_done for a in done.answers)

    def _next(self, parcel: Record, chance: float) -> tuple[str, ...]:
        """Return what befalls a parcel next: nobody is at home, nobody wants it, or it is lost."""
        waybill = parcel["waybill"]
        stage = self._stage.get(waybill, 0)
        if stage == 1 and self._is_fated(parcel["order_id"], Fate.REFUSED):
            return ("returned",)
        if stage == 1 and chance < 0.03:
            return ("exception",) if chance < 0.004 else ("failed_attempt",)
        self._stage[waybill] = min(stage + 1, len(STAGES) - 1)
        return STAGES[stage]

    def _at_the_door(self, collection: Collection) -> tuple[str, ...]:
        """Return what befalls a collection next: the first time nobody may be at home."""
        if collection.status is CollectionStatus.COLLECTED:
            return ("in_transit", "delivered")
        late = self._is_fated(collection.order_id, Fate.COLLECTED_LATE)
        if late and collection.id not in self._missed:
            self._missed.add(collection.id)
            return ("failed_attempt",)
        return ("picked_up",)

    async def _collections(self, *statuses: CollectionStatus) -> list[Collection]:
        async with self._week.reading() as tx:
            return await page_of_collections(tx, (None, None), statuses, 0, EVERYTHING)

    async def _parcels(self, status: ParcelStatus) -> list[Record]:
        async with self._week.reading() as tx:
            rows = await page_of_parcels(tx, status, NEWEST, EVERYTHING)
        return sorted(rows, key=lambda row: (row["order_id"], row["fulfilment_no"], row["id"]))

    # ----------------------------------------------------------------------------- the counters

    async def serve(self, hour: int) -> None:
        """Accept, reject and prepare what is to be fetched at the stores."""
        week = self._week
        if not 8 <= hour <= 20:
            return
        async with week.reading() as tx:
            open_ones = (PickupStatus.ASKED, PickupStatus.ACCEPTED)
            found = await page_of_pickups(tx, None, open_ones, 0, EVERYTHING)
        for pickup in found:
            if pickup.node_id not in self._awake:
                continue
            worker, sold = week.worker(pickup.node_id), week.sold.get(pickup.order_id)
            given = (week.database, worker, pickup.order_id)
            if pickup.status is PickupStatus.ACCEPTED:
                made = make_ready(*given, seen=pickup.version, key=week.key())
                await self._serve("ready to be fetched", made)
            elif sold is not None and self._rejects(sold, pickup.node_id):
                no = reject_pickup(*given, "找不到货", seen=pickup.version, key=week.key())
                await self._serve("rejected by its store", no)
            else:
                yes = accept_pickup(*given, seen=pickup.version, key=week.key())
                await self._serve("accepted by its store", yes)

    async def _serve(self, what: str, command: Any) -> None:
        """Do it, unless the order waits for its stock, or for its audit."""
        try:
            await self._week.do(what, command)
        except (NothingThere, NotAudited, OrderHeld) as error:
            self._week.done[f"not yet {what}: {error.code}"] += 1

    def _rejects(self, sold: Sold, node_id: int) -> bool:
        fetched_at = sold.planned.draft.fetched_at
        return (
            sold.planned.fate is Fate.REJECTED
            and fetched_at is not None
            and self._week.nodes[node_id].code == fetched_at.location
        )

    # ------------------------------------------------------------------------------ the work

    async def _keys(self, status: FulfilmentStatus) -> dict[int, list[FulfilmentKey]]:
        """Return what stands somewhere in nodes that are awake, and is sent, the oldest first."""
        async with self._week.reading() as tx:
            rows: Sequence[Record] = await page_of_fulfilments(
                tx, node_id=None, status=status, before=(NEWEST, 0), limit=EVERYTHING
            )
        found: defaultdict[int, list[FulfilmentKey]] = defaultdict(list)
        for row in reversed(rows):
            key = FulfilmentKey(row["order_id"], row["fulfilment_no"])
            if row["node_id"] in self._awake and not self._is_fetched(key):
                found[row["node_id"]].append(key)
        return dict(sorted(found.items()))

    def _is_fated(self, order_id: int, *fates: Fate) -> bool:
        """Whether an order's own story does this step, the first time."""
        sold = self._week.sold.get(order_id)
        return sold is not None and sold.planned.fate in fates and sold.has_story

    def _is_fetched(self, key: FulfilmentKey) -> bool:
        sold = self._week.sold.get(key.order_id)
        return sold is not None and sold.is_fetched


def _parts(things: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [things[first : first + size] for first in range(0, len(things), size)]
