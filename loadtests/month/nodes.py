"""What the people of the brand's warehouses do in a round, and the cars that bring it."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from backend.fulfilment.errors import NothingToRelease
from backend.fulfilment.model import BULK_MAX, PICK_LIST_MAX, Packing
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import PickListDraft, create_pick_list, pick_fulfilments
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_wave
from backend.orders.find_orders import NEWEST, page_of_fulfilments
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey
from loadtests.month.dealers import EVENING, MORNING, NIGHT
from loadtests.month.month import Month
from loadtests.month.plan import Fate

OWN = "own"
"""A carrier that gives no waybills."""
ARRIVES = 0.8
"""Of what is on its way: the share that arrives on a day."""
EVERYTHING = 100_000
F = FulfilmentStatus


class Nodes:
    """Everybody who works in the warehouses."""

    def __init__(self, month: Month) -> None:
        self._month = month
        self._random = Random(f"{month.seed} nodes")

    async def round(self, hour: int) -> None:
        """Do what there is to do; at night nobody works. What is picked is packed the next time."""
        if hour == NIGHT:
            return
        if hour == MORNING:
            await self._deliver()
        await self._pack()
        if hour == EVENING:
            await self._ship()
        await self._release()
        await self._start_picking()
        await self._pick()

    async def _release(self) -> None:
        month = self._month
        local = (await month.runtime.brands.get(month.tenant_id)).local_time()
        for node_id in sorted(month.nodes):
            draft = WaveDraft(node_id, with_waiting=True)
            given = (month.database, month.worker(node_id), draft, local, month.key())
            try:
                await release_wave(*given)
            except NothingToRelease:
                continue

    async def _start_picking(self) -> None:
        month = self._month
        for node_id, keys in (await self._keys(F.RELEASED)).items():
            for part in _parts(keys, PICK_LIST_MAX):
                draft = PickListDraft(node_id=node_id, keys=tuple(part), is_batch=True)
                made = create_pick_list(month.database, month.worker(node_id), draft, month.key())
                await month.do("pick lists", made)

    async def _pick(self) -> None:
        for node_id, keys in (await self._keys(F.PICKING)).items():
            mine = [key for key in keys if not self._month.is_fated(key.order_id, Fate.SHORT)]
            for part in _parts(mine, BULK_MAX):
                await self._bulk("picked", pick_fulfilments, node_id, part)

    async def _pack(self) -> None:
        for node_id, keys in (await self._keys(F.PICKED)).items():
            mine = [key for key in keys if not self._month.is_fated(key.order_id, Fate.STOPPED)]
            for part in _parts([Packing(key, OWN, ()) for key in mine], BULK_MAX):
                await self._bulk("packed", pack_fulfilments, node_id, part)

    async def _ship(self) -> None:
        for node_id, keys in (await self._keys(F.PACKED)).items():
            for part in _parts(keys, BULK_MAX):
                await self._bulk("shipped", ship_fulfilments, node_id, part)

    async def _deliver(self) -> None:
        for node_id, keys in (await self._keys(F.SHIPPED)).items():
            mine = [
                key
                for key in keys
                if self._random.random() < ARRIVES
                and not self._month.is_fated(key.order_id, Fate.REFUSED)
            ]
            for part in _parts(mine, BULK_MAX):
                await self._bulk("delivered", deliver_fulfilments, node_id, part)

    async def _bulk(self, what: str, command: Any, node_id: int, part: Sequence[Any]) -> None:
        """Carry out a bulk command; each part that is refused is counted by its code."""
        month = self._month
        done = await command(month.database, month.worker(node_id), part, month.key())
        await month.publish(done)
        for answer in done.answers:
            month.done[what if answer.is_done else f"not {what}: {answer.code}"] += 1

    async def _keys(self, status: FulfilmentStatus) -> dict[int, list[FulfilmentKey]]:
        """Return what stands somewhere, by node, the oldest first."""
        async with self._month.reading() as tx:
            rows = await page_of_fulfilments(
                tx, node_id=None, status=status, before=(NEWEST, 0), limit=EVERYTHING
            )
        found: defaultdict[int, list[FulfilmentKey]] = defaultdict(list)
        for row in reversed(rows):
            found[row["node_id"]].append(FulfilmentKey(row["order_id"], row["fulfilment_no"]))
        return dict(sorted(found.items()))


def _parts(things: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [things[first : first + size] for first in range(0, len(things), size)]
