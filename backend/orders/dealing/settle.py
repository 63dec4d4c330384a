"""Dealers' orders that wait for quota, or for terms: each goes the moment it may, oldest first.

Whatever kept one from stock before, it takes its quota here and nowhere else once it exists.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import structlog

from backend.catalog.find_skus import skus_by_ids
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import Database, Record, TenantTransaction
from backend.dropship.dealing_version import dealing_version
from backend.dropship.dealings import Dealings, Sold, ancestors_of
from backend.dropship.quotas.counters import free_of_all_quotas, lock_quotas, move_quotas
from backend.dropship.quotas.model import QuotaAt, QuotaEntryType
from backend.inventory.counters import Counters
from backend.network.regions.table import RegionTable
from backend.orders.claim import SQL
from backend.orders.dealing.deals import hold_of, waived_of
from backend.orders.dealing.give_back import quota_moves
from backend.orders.dealing.quota import hold_of_quota
from backend.orders.events import OrderHeld, OrderHoldReleased
from backend.orders.intake import Hold
from backend.orders.model import HoldKind, LineOutcome, OrderStatus
from backend.orders.place_hold import add_hold
from backend.orders.states import check_step, derive_status
from backend.orders.step import StepEvent, lines_of_order, under_holds, write_step
from tenants.brands import Brand
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

PAGE = 500
ALL = 2**31
"""However many wait."""
BY_TERMS = (HoldKind.AGREEMENT, HoldKind.ASSORTMENT, HoldKind.TERRITORY, HoldKind.DEALER_PRICE)
"""What an order is held for until dealers' terms allow it."""
BEFORE_ALL = (datetime(1970, 1, 1, tzinfo=UTC), 0)


class Settled(NamedTuple):
    """How many orders went, and the quotas that they took; to be published after it."""

    orders: int
    counters: Counters


class DealingUpkeep:
    """Looks after the dealers' orders of all brands that wait; several processes may at once."""

    def __init__(self, database: Database, regions: RegionTable) -> None:
        self._database = database
        self._regions = regions
        self._settled_at: dict[int, tuple[int, date]] = {}
        """By brand, the version of dealers' terms and the day for which orders were looked at: what
        was approved before may begin on a day.
        """

    async def settle(self, brand: Brand, most: int = ALL) -> Settled:
        """Let go what waits and may go, the oldest first; one that does not fit keeps no other.

        Once so many went, the others wait for the next time: for who must answer somebody. They are
        backordered then, and the next allocation gives them what there is. Emits
        `order.hold_released`, and `order.held` of what waits for something else now.
        """
        principal = system_principal(brand.id, "dealing")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            version = await dealing_version(tx)
            if not version:
                return Settled(0, Counters())
            terms = (version, brand.today())
            is_new = self._settled_at.get(brand.id) != terms
            kinds = [HoldKind.QUOTA, *(BY_TERMS if is_new else ())]
            left = {quota.id: max(0, quota.free) for quota in await free_of_all_quotas(tx)}
        went, after, quotas = 0, BEFORE_ALL, dict[int, QuotaAt]()
        while rows := await self._page(brand, kinds, after):
            for order_id in _fitting(rows, left):
                if went >= most:
                    return Settled(went, Counters(quotas=list(quotas.values())))
                taken = await self._settle_one(brand, order_id)
                went += taken is not None
                quotas |= taken or {}
            after = (rows[-1]["placed_at"], rows[-1]["id"])
            if len(rows) < PAGE:
                break
        self._settled_at[brand.id] = terms
        return Settled(went, Counters(quotas=list(quotas.values())))

    async def _page(
        self, brand: Brand, kinds: Sequence[HoldKind], after: tuple[datetime, int]
    ) -> list[Record]:
        principal = system_principal(brand.id, "dealing")
        names = [kind.value for kind in kinds]
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            return await tx.fetch(SQL.waiting_for_quota, tx.tenant_id, names, *after, PAGE)

    async def _settle_one(self, brand: Brand, order_id: int) -> Mapping[int, QuotaAt] | None:
        principal = system_principal(brand.id, "dealing")
        today = brand.today()
        try:
            async with self._database.tenant_transaction(principal) as tx:
                return await _Settling(tx, order_id, self._regions, today).carry_out()
        except DatabaseUnavailable:
            raise
        except Exception:  # one order that cannot be settled keeps no other
            log.exception("dealing.not_settled", tenant=brand.id, order=order_id)
            return None


def _fitting(rows: Sequence[Record], left: dict[int, int]) -> list[int]:
    """Return the orders that may fit what is left, as they came, and take it from that."""
    needs: defaultdict[int, dict[int, int]] = defaultdict(dict)
    undealt = set()
    for row in rows:
        needs[row["id"]].update(
            {} if row["account_id"] is None else {row["account_id"]: row["needed_minor"]}
        )
        if row["is_undealt"]:
            undealt.add(row["id"])
    found = []
    for order_id, wanted in needs.items():
        if order_id in undealt:
            found.append(order_id)
        elif all(amount <= left.get(one, 0) for one, amount in wanted.items()):
            for one, amount in wanted.items():
                left[one] -= amount
            found.append(order_id)
    return found


class _Standing(NamedTuple):
    order: Record
    holds: list[Record]
    lines: list[LineOutcome]


class _Settling:
    """One order under its lock."""

    def __init__(
        self, tx: TenantTransaction, order_id: int, regions: RegionTable, today: date
    ) -> None:
        self._tx = tx
        self._order_id = order_id
        self._regions = regions
        self._today = today
        self._events: list[StepEvent] = []

    async def carry_out(self) -> Mapping[int, QuotaAt] | None:
        """Deal with lines that no agreement is known of, and take the quota of an order that then
        waits for nothing else; returns what it took of, None where it does not go.
        """
        tx, order_id = self._tx, self._order_id
        order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
        found = await self._stand(order)
        over = await self._replace_holds(found, await self._deal(found))
        open_holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
        waiting = [row for row in open_holds if row["kind"] == HoldKind.QUOTA]
        rest = [HoldKind(row["kind"]) for row in open_holds if row not in waiting]
        held = {line.line_no: line.held for line in found.lines if line.held}
        if any(kind.blocks_stock for kind in rest) or not held:
            await self._release(waiting)  # it asks for its quota once nothing else keeps it
            await self._tell(found, found.lines, is_held=bool(rest))
            return None
        moves = await quota_moves(tx, order_id, held, QuotaEntryType.TAKEN)
        quotas = await lock_quotas(tx, [move.account_id for move in moves])
        short = next((one for one in moves if one.amount_minor > quotas[one.account_id].free), None)
        if short is not None:
            if not waiting:
                left = max(0, quotas[short.account_id].free)
                await self._hold(found, hold_of_quota(short.amount_minor, left))
            await self._tell(found, found.lines, is_held=True)
            return None
        taken = await move_quotas(tx, moves, self._today)
        await self._release(waiting)
        after = under_holds(found.lines, rest)
        status = derive_status(after, is_held=bool(rest))
        what = HoldKind.QUOTA if waiting or not over else over[0]
        self._events.append(StepEvent(OrderHoldReleased(order_id, status, what)))
        await self._tell(found, after, is_held=bool(rest))
        return taken

    async def _tell(self, found: _Standing, after: Sequence[LineOutcome], *, is_held: bool) -> None:
        """Write down what became of the order, if anything did."""
        if self._events:
            before = OrderStatus(found.order["status"])
            status = check_step(before, derive_status(after, is_held=is_held))
            lines = (found.lines, after)
            await write_step(self._tx, found.order, lines, status, self._events)

    async def _hold(self, found: _Standing, hold: Hold) -> None:
        number = await add_hold(self._tx, found.order, hold.kind, hold.reason, line_no=hold.line_no)
        by = self._tx.principal.subject
        held = OrderHeld(self._order_id, OrderStatus.HELD, number, hold.reason, by)
        self._events.append(StepEvent(held))

    async def _stand(self, order: Record) -> _Standing:
        holds = await self._tx.fetch(SQL.open_holds, self._tx.tenant_id, self._order_id)
        return _Standing(order, holds, await lines_of_order(self._tx, self._order_id))

    async def _deal(self, found: _Standing) -> list[Hold]:
        """Say by what the lines are sold that are held; returns what is wrong with them."""
        tx, order_id = self._tx, self._order_id
        dealer_id, region_code = found.order["dealer_id"], found.order["region_code"]
        rows = await tx.fetch(SQL.undealt_lines, tx.tenant_id, order_id)
        if not rows or dealer_id is None or region_code is None:
            return []
        skus = await skus_by_ids(tx, [row["sku_id"] for row in rows])
        dealings = Dealings()
        await dealings.read(tx, [dealer_id], skus.keys(), self._today)
        terms = dealings.of(dealer_id)
        if terms is None:
            return []
        released = [
            (HoldKind(row["kind"]), row["line_no"])
            for row in await tx.fetch(SQL.released_by_people, tx.tenant_id, order_id)
        ]
        ancestors = ancestors_of(region_code, self._regions)
        deals, faults = [], dict[tuple[HoldKind, int | None], Hold]()
        for row in rows:
            line_no = row["line_no"]
            sold = Sold(skus[row["sku_id"]], ancestors, row["quantity"], row["amount_minor"])
            deal, wrong = terms.judge(sold, waived_of(released, line_no))
            if deal is not None:
                deals.append((line_no, deal.agreement_id, deal.price_minor, deal.account_id))
            for fault in wrong:
                hold = hold_of(fault.kind, fault.message, line_no)
                faults.setdefault((hold.kind, hold.line_no), hold)
        if deals:
            columns = map(list, zip(*deals, strict=True))
            await tx.execute(SQL.set_deals, tx.tenant_id, order_id, *columns)
        return list(faults.values())

    async def _replace_holds(self, found: _Standing, faults: Sequence[Hold]) -> list[HoldKind]:
        """Hold the order for what is wrong, and no more for what was; returns what is over.

        Lines that cannot be judged yet, for want of a SKU or a region, keep what they are held for.
        """
        wrong: Mapping[tuple[HoldKind, int | None], Hold] = {
            (fault.kind, fault.line_no): fault for fault in faults
        }
        open_kinds = {(HoldKind(row["kind"]), row["line_no"]) for row in found.holds}
        over = [
            row
            for row in found.holds
            if row["kind"] in BY_TERMS and (HoldKind(row["kind"]), row["line_no"]) not in wrong
        ]
        await self._release(over)
        for key, fault in wrong.items():
            if key not in open_kinds:
                await self._hold(found, fault)
        return [HoldKind(row["kind"]) for row in over]

    async def _release(self, holds: Sequence[Record]) -> None:
        if holds:
            numbers = [row["hold_no"] for row in holds]
            await self._tx.execute(
                SQL.release_hold,
                self._tx.tenant_id,
                self._order_id,
                numbers,
                self._tx.principal.subject,
            )
