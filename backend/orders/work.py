"""What travels through the pipeline: a new order, or the waiting part of an old one."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.model import StockKey
from backend.network.slots import Window
from backend.orders.dealing.deals import quota_of
from backend.orders.intake import Hold, Intake
from backend.orders.model import Answer, Shortage
from backend.routing.goods_needs import needs_of
from backend.routing.model import (
    OrderFacts,
    OrderPlan,
    Place,
    PlanRequest,
    PlanRow,
    lot_of,
)
from backend.routing.slot_book import Bookings, Visit

BREATH_ORDERS = 32
"""Orders worked on in one go: a millisecond or two, in which no answer of a server is heard, and
others wait for the locks that some batch holds meanwhile."""


class WorkLine(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that want a node."""

    line_no: int
    sku_id: int
    quantity: int
    unit_weight_g: int
    amount_minor: int = 0
    """What its units cost together."""
    needs: int = 0
    """What they need of a node; see `backend.routing.goods_needs`."""


class Backorder(NamedTuple):
    """The waiting part of an order that exists."""

    order_id: int
    shop_id: int
    dealer_id: int | None
    place: Place
    lines: tuple[WorkLine, ...]
    holds: tuple[int, ...] = ()
    """Stock holds with what was received for it."""
    not_from: frozenset[int] = frozenset()
    """Nodes that could not send what was planned for them."""
    facts: OrderFacts | None = None
    only_at: int = 0
    """The only node that it may come from; 0: any."""


class Work:
    """One order on its way, with its plan and, in the end, its outcome."""

    __slots__ = (
        "_quota_needs",
        "allotment_ids",
        "backorder",
        "bookings",
        "coming",
        "followers",
        "future",
        "intake",
        "is_sold_out",
        "lines",
        "nodes",
        "order_id",
        "plan",
        "quota",
        "quota_hold",
        "rows",
        "shadow",
        "token",
        "units_by_allotment",
        "units_by_key",
    )

    def __init__(self, subject: Intake | Backorder, future: "asyncio.Future[Answer]") -> None:
        self.intake = subject if isinstance(subject, Intake) else None
        self.backorder = None if isinstance(subject, Intake) else subject
        self.future = future
        self.followers: list[Work] = []
        """The same order given again within the batch: it gets the same answer."""
        self.lines = _lines_to_plan(subject)
        self.rows = _merge(self.lines)
        self.order_id = 0 if isinstance(subject, Intake) else subject.order_id
        self.plan: OrderPlan | None = None
        self.shadow: OrderPlan | None = None
        """What a policy on trial would do, where one plans in the shadow."""
        self.units_by_key: dict[StockKey, int] = {}
        """What the plan takes of each level, and of what earmarks keep."""
        self.allotment_ids: dict[int, tuple[int, ...]] = {}
        """The allotments that bound its SKUs, where any do."""
        self.units_by_allotment: dict[int, int] = {}
        """What the plan takes of allotments."""
        self._quota_needs: dict[int, int] | None = None
        self.quota: dict[int, int] = {}
        """What it takes of a dealer's quota accounts, once it is planned."""
        self.quota_hold: Hold | None = None
        """What it waits for where they have too little: then it wants no stock."""
        self.nodes: tuple[int, ...] = ()
        """The nodes of the plan: a parcel from each; none for a hold."""
        self.bookings: Bookings | None = None
        """The visits by which it comes at the agreed time, and is installed."""
        self.token = ""
        self.coming: tuple[int, ...] = ()
        """Units that supplies bring for what its plan is short of, row by row; for a presale."""
        self.is_sold_out = False
        """All that its plan is short of was refused by PostgreSQL a moment ago."""

    def set_plan(self, plan: OrderPlan, allotments: AllotmentBook) -> None:
        """Take over a plan, and what it takes."""
        self.plan = plan
        self.nodes = () if self.is_hold else plan.decision.winner_nodes
        units: dict[StockKey, int] = {}
        for part in plan.allocations:
            sku_id = self.rows[part.row].sku_id
            key = StockKey(part.functional_warehouse_id, sku_id, part.earmark_id)
            units[key] = units.get(key, 0) + part.quantity
        self.units_by_key = units
        self.allotment_ids, self.units_by_allotment = {}, {}
        if allotments:
            self._allot(plan, allotments)
        self.quota = self._quota_of_plan(plan)

    def _quota_of_plan(self, plan: OrderPlan) -> dict[int, int]:
        """Return what the order takes of quotas: for what is not cancelled of it at once."""
        if self.intake is None or self.intake.dealing_version is None or self.is_hold:
            return {}
        if self.shortage is not Shortage.PARTIAL or plan.is_whole:
            return self.quota_needs
        got: dict[int, int] = {}
        for share in shares_of_lines(self):
            got[share.line_no] = got.get(share.line_no, 0) + share.quantity
        return quota_of(self.intake.lines, got)

    @property
    def quota_needs(self) -> dict[int, int]:
        """What all that it wants takes of quotas; nothing of who waits already, or is blocked."""
        if self.intake is None or self.intake.dealing_version is None:
            return {}
        if self._quota_needs is None:
            wants_none = self.is_hold or self.intake.is_blocked
            self._quota_needs = {} if wants_none else quota_of(self.intake.lines)
        return self._quota_needs

    def wait_for_quota(self, hold: Hold | None) -> None:
        """Hold the order for its quota, without stock, or (None) let it want its stock again."""
        if hold is None and self.quota_hold is None:
            return
        assert self.intake is not None, "only new orders take quota"
        self.quota_hold = hold
        self.plan, self.nodes, self.units_by_key = None, (), {}
        self.allotment_ids, self.units_by_allotment, self.quota = {}, {}, {}
        self.lines = () if hold is not None else _lines_to_plan(self.intake)
        self.rows = _merge(self.lines)

    @property
    def holds(self) -> tuple[Hold, ...]:
        """What a new order is held for, whatever its plan."""
        assert self.intake is not None, "only new orders have holds"
        return (
            self.intake.holds if self.quota_hold is None else (*self.intake.holds, self.quota_hold)
        )

    @property
    def is_blocked(self) -> bool:
        """Whether a new order is held for something without which nothing is reserved."""
        return any(hold.kind.blocks_stock for hold in self.holds)

    def _allot(self, plan: OrderPlan, allotments: AllotmentBook) -> None:
        for part in plan.allocations:
            sku_id = self.rows[part.row].sku_id
            ids = allotments.of(sku_id, self.shop_id, self.dealer_id)
            if ids:
                self.allotment_ids[sku_id] = ids
            for one in ids:
                known = self.units_by_allotment.get(one, 0)
                self.units_by_allotment[one] = known + part.quantity

    @property
    def is_hold(self) -> bool:
        """Whether its units are only to be kept for a while."""
        return self.intake is not None and self.intake.hold is not None

    @property
    def has_appointment(self) -> bool:
        """Whether it is to come at a time that is agreed."""
        return self.intake is not None and not self.is_hold and self.intake.draft.agreed is not None

    @property
    def misses_its_time(self) -> bool:
        """Whether it cannot come when it is to: who has to be refused for something, is for that.

        Who takes what is there is taken nevertheless, and waits for another time to be agreed.
        """
        is_refused = self.shortage in (Shortage.REFUSE, Shortage.PRESALE)
        return self.has_appointment and self.bookings is None and is_refused

    @property
    def visit(self) -> Visit | None:
        """What it wants of whoever comes, where a time is agreed."""
        if not self.has_appointment:
            return None
        intake, agreed = self._intake, self._intake.draft.agreed
        assert agreed is not None, "it has an appointment"
        window = Window(agreed.day, agreed.from_minute, agreed.to_minute)
        return Visit(window, intake.region_code or 0, intake.categories_installed)

    @property
    def converts(self) -> tuple[int, ...]:
        """The stock holds whose units it takes over."""
        if self.backorder is not None:
            return self.backorder.holds
        hold_id = self._intake.draft.hold
        return (hold_id,) if hold_id else ()

    @property
    def shop_id(self) -> int:
        subject = self.backorder
        return subject.shop_id if subject is not None else self._intake.shop.id

    @property
    def dealer_id(self) -> int | None:
        subject = self.backorder
        return subject.dealer_id if subject is not None else self._intake.shop.dealer_id

    @property
    def only_node_id(self) -> int | None:
        """The node where it is fetched, or that somebody chose for it; None: routing chooses."""
        subject = self.backorder
        return (subject.only_at if subject is not None else self._intake.pickup_at) or None

    @property
    def _intake(self) -> Intake:
        assert self.intake is not None, "a work is one or the other"
        return self.intake

    @property
    def _backorder(self) -> Backorder:
        assert self.backorder is not None, "a work is one or the other"
        return self.backorder

    @property
    def shortage(self) -> Shortage:
        return self.intake.shortage if self.intake else Shortage.BACKORDER

    @property
    def request(self) -> PlanRequest:
        """Return the order as the planner sees it."""
        return request_of(self.intake or self._backorder, self.rows, lot=lot_of(self.order_id))

    @property
    def is_covered(self) -> bool:
        """Whether all that its plan is short of is to come for it."""
        return self.plan is not None and self.coming == self.plan.short

    @property
    def is_sold(self) -> bool:
        """Whether it is paid, or was taken before: then it is never refused."""
        return self.intake is None or self.intake.draft.is_paid

    def with_intake(self, intake: Intake) -> "Work":
        """Return the same order, understood anew: who waits for it waits for that."""
        renewed = Work(intake, self.future)
        renewed.order_id, renewed.followers = self.order_id, self.followers
        return renewed

    def answer(self, outcome: Answer) -> None:
        """Tell whoever waits, and whoever gave the same order."""
        for work in (self, *self.followers):
            if not work.future.done():
                work.future.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        for work in (self, *self.followers):
            if not work.future.done():
                work.future.set_exception(error)


def request_of(
    subject: Intake | Backorder, rows: Sequence[PlanRow] | None = None, *, lot: int = 0
) -> PlanRequest:
    """Return an order, or the waiting part of one, as the planner sees it."""
    wanted = _merge(_lines_to_plan(subject)) if rows is None else rows
    if isinstance(subject, Backorder):
        return PlanRequest(
            wanted,
            subject.place,
            subject.shop_id,
            subject.dealer_id,
            take_what_is_there=True,
            not_from=subject.not_from,
            is_sold=True,
            facts=subject.facts,
            only_at=subject.only_at,
            lot=lot,
        )
    return PlanRequest(
        wanted,
        _place_of(subject),
        subject.shop.id,
        subject.shop.dealer_id,
        take_what_is_there=subject.shortage is not Shortage.REFUSE,
        sends_parcels=subject.hold is None,
        is_sold=subject.draft.is_paid,
        facts=subject.facts,
        only_at=subject.pickup_at or 0,
        lot=lot,
    )


def _place_of(intake: Intake) -> Place:
    shop, traits = intake.shop, intake.draft.known_traits
    return Place(
        intake.region_code or 0,
        shop.legal_entity_id,
        channel=shop.channel,
        customer_level=traits.customer_level,
        promised_on=traits.promised_on,
        subsidy_region=traits.subsidy_region,
    )


def _lines_to_plan(subject: Intake | Backorder) -> tuple[WorkLine, ...]:
    """Return the lines that want stock; an order held for its SKU or address reserves nothing."""
    if isinstance(subject, Backorder):
        return subject.lines
    if subject.is_blocked:
        return ()
    return tuple(
        [
            WorkLine(
                line.line_no,
                line.sku_id,
                line.quantity,
                line.unit_weight_g,
                max(0, line.amount_minor),
                needs_of(line.sku) if line.sku else 0,
            )
            for line in subject.lines
            if line.sku_id is not None
        ]
    )


def _merge(lines: Sequence[WorkLine]) -> tuple[PlanRow, ...]:
    """Return one row a SKU: two lines of the same SKU must not both pass against the same unit."""
    rows: dict[int, PlanRow] = {}
    for line in lines:
        known = rows.get(line.sku_id)
        quantity, amount = line.quantity, line.amount_minor
        if known is not None:
            quantity += known.quantity
            amount += known.quantity * known.unit_value_minor
        rows[line.sku_id] = PlanRow(
            line.sku_id, quantity, line.unit_weight_g, amount // quantity, line.needs
        )
    return tuple(rows.values())


class Share(msgspec.Struct, frozen=True):
    """Units of a line that a functional warehouse gives."""

    line_no: int
    sku_id: int
    node_id: int
    functional_warehouse_id: int
    quantity: int
    earmark_id: int | None
    allotment_ids: tuple[int, ...] | None


def shares_of_lines(work: Work) -> list[Share]:
    """Return the allocations of a plan, line by line: earlier lines of a SKU are served first."""
    assert work.plan is not None, "only what was planned is shared out"
    wanted: dict[int, list[list[int]]] = {}
    for line in work.lines:
        wanted.setdefault(line.sku_id, []).append([line.line_no, line.quantity])
    shares = []
    for allocation in work.plan.allocations:
        sku_id, quantity = work.rows[allocation.row].sku_id, allocation.quantity
        node_id, warehouse_id = allocation.node_id, allocation.functional_warehouse_id
        earmark_id = allocation.earmark_id or None
        allotment_ids = work.allotment_ids.get(sku_id)
        for entry in wanted[sku_id]:
            part = min(quantity, entry[1])
            if part:
                place = (entry[0], sku_id, node_id, warehouse_id)
                shares.append(Share(*place, part, earmark_id, allotment_ids))
                entry[1] -= part
                quantity -= part
    return shares
