"""The clerks of the demo's stores, and who fetches orders there; some never come."""

from collections.abc import Callable
from random import Random

from backend.db.errors import YipanError
from backend.demo.stream import Tally
from backend.pickups.codes import codes_of_order
from backend.pickups.hand_over import Handing, hand_over
from backend.pickups.model import CodeState, Pickup, PickupDone, PickupStatus
from backend.pickups.standing import page_of_pickups
from backend.pickups.store_work import accept_pickup, make_ready, reject_pickup
from backend.runtime import Runtime
from tenants.principal import system_principal

WORK_A_ROUND = 100
DONE_SHARE = 0.3
"""Of what could be done in a round: some of it is always left to be seen."""
REJECTED_SHARE = 0.05
COMES_SHARE = 0.2
"""Of who is awaited in a round."""


class Clerks:
    """Work at the counters of all stores of the demo's brand."""

    def __init__(
        self, runtime: Runtime, tenant_id: int, tally: Tally, new_key: Callable[[], str]
    ) -> None:
        self._runtime = runtime
        self._principal = system_principal(tenant_id, "demo")
        self._tally = tally
        self._new_key = new_key
        self._random = Random()

    async def round(self) -> None:
        """Do some of what there is to do at the counters."""
        open_ones = (PickupStatus.READY, PickupStatus.ACCEPTED, PickupStatus.ASKED)
        async with self._runtime.database.tenant_transaction(self._principal, read_only=True) as tx:
            found = await page_of_pickups(tx, None, open_ones, 0, WORK_A_ROUND)
        for pickup in found:
            share = COMES_SHARE if pickup.status is PickupStatus.READY else DONE_SHARE
            if self._random.random() < share:
                try:
                    done = await self._serve(pickup)
                except YipanError as error:  # it waits for stock, or for its audit
                    self._tally.last = error.message
                    continue
                await self._runtime.publish_counters(self._principal.tenant_id, done.counters)

    async def _serve(self, pickup: Pickup) -> PickupDone:
        database, who, key = self._runtime.database, self._principal, self._new_key()
        given = (database, who, pickup.order_id)
        if pickup.status is PickupStatus.READY:
            codes = await codes_of_order(*given)
            code = next(one.code for one in codes if one.state is CodeState.ACTIVE)
            done = await hand_over(*given, Handing(code or ""), seen=pickup.version, key=key)
            self._tally.counts["fetched"] += 1
            return done
        if pickup.status is PickupStatus.ACCEPTED:
            return await make_ready(*given, seen=pickup.version, key=key)
        if self._random.random() < REJECTED_SHARE:
            return await reject_pickup(*given, "找不到货", seen=pickup.version, key=key)
        return await accept_pickup(*given, seen=pickup.version, key=key)
