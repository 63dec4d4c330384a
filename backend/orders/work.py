"""What travels through the pipeline: a new order, or the waiting part of an old one."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.inventory.model import StockKey
from backend.orders.intake import Intake
from backend.orders.model import Outcome, Shortage
from backend.routing.model import OrderPlan, Place, PlanRequest, PlanRow

BREATH_ORDERS = 32
"""Orders worked on in one go: a millisecond or two, in which no answer of a server is heard, and
others wait for the locks that some batch holds meanwhile."""


class WorkLine(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that want a node."""

    line_no: int
    sku_id: int
    quantity: int
    unit_weight_g: int


class Backorder(NamedTuple):
    """The waiting part of an order that exists."""

    order_id: int
    shop_id: int
    dealer_id: int | None
    place: Place
    lines: tuple[WorkLine, ...]


class Work:
    """One order on its way, with its plan and, in the end, its outcome."""

    __slots__ = (
        "backorder",
        "followers",
        "future",
        "intake",
        "is_sold_out",
        "lines",
        "nodes",
        "order_id",
        "plan",
        "rows",
        "token",
        "units_by_key",
    )

    def __init__(self, subject: Intake | Backorder, future: "asyncio.Future[Outcome]") -> None:
        self.intake = subject if isinstance(subject, Intake) else None
        self.backorder = None if isinstance(subject, Intake) else subject
        self.future = future
        self.followers: list[Work] = []
        """The same order given again within the batch: it gets the same answer."""
        self.lines = _lines_to_plan(subject)
        self.rows = _merge(self.lines)
        self.order_id = 0 if isinstance(subject, Intake) else subject.order_id
        self.plan: OrderPlan | None = None
        self.units_by_key: dict[StockKey, int] = {}
        """What the plan takes of each level, and of what earmarks keep."""
        self.nodes: tuple[int, ...] = ()
        """The nodes of the plan: a parcel from each."""
        self.token = ""
        self.is_sold_out = False
        """All that its plan is short of was refused by PostgreSQL a moment ago."""

    def set_plan(self, plan: OrderPlan) -> None:
        """Take over a plan, and what it takes."""
        self.plan = plan
        self.nodes = plan.decision.winner_nodes
        units: dict[StockKey, int] = {}
        for part in plan.allocations:
            sku_id = self.rows[part.row].sku_id
            key = StockKey(part.functional_warehouse_id, sku_id, part.earmark_id)
            units[key] = units.get(key, 0) + part.quantity
        self.units_by_key = units

    @property
    def shortage(self) -> Shortage:
        return self.intake.shortage if self.intake else Shortage.BACKORDER

    @property
    def request(self) -> PlanRequest:
        """Return the order as the planner sees it."""
        if self.intake is not None:
            shop = self.intake.shop
            place = Place(self.intake.region_code or 0, shop.legal_entity_id)
            shop_id, dealer_id = shop.id, shop.dealer_id
        else:
            waiting = self.backorder
            assert waiting is not None, "a work is one or the other"
            place, shop_id, dealer_id = waiting.place, waiting.shop_id, waiting.dealer_id
        takes_part = self.shortage is not Shortage.REFUSE
        return PlanRequest(self.rows, place, shop_id, dealer_id, takes_part)

    def with_intake(self, intake: Intake) -> "Work":
        """Return the same order, understood anew: who waits for it waits for that."""
        renewed = Work(intake, self.future)
        renewed.order_id, renewed.followers = self.order_id, self.followers
        return renewed

    def answer(self, outcome: Outcome) -> None:
        """Tell whoever waits, and whoever gave the same order."""
        for work in (self, *self.followers):
            if not work.future.done():
                work.future.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        for work in (self, *self.followers):
            if not work.future.done():
                work.future.set_exception(error)


def _lines_to_plan(subject: Intake | Backorder) -> tuple[WorkLine, ...]:
    """Return the lines that want stock; an order held for its SKU or address reserves nothing."""
    if isinstance(subject, Backorder):
        return subject.lines
    if subject.is_blocked:
        return ()
    return tuple(
        WorkLine(line.line_no, line.sku_id, line.quantity, line.unit_weight_g)
        for line in subject.lines
        if line.sku_id is not None
    )


def _merge(lines: Sequence[WorkLine]) -> tuple[PlanRow, ...]:
    """Return one row a SKU: two lines of the same SKU must not both pass against the same unit."""
    rows: dict[int, PlanRow] = {}
    for line in lines:
        known = rows.get(line.sku_id)
        quantity = line.quantity + (known.quantity if known else 0)
        rows[line.sku_id] = PlanRow(line.sku_id, quantity, line.unit_weight_g)
    return tuple(rows.values())


class Share(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that a functional warehouse gives."""

    line_no: int
    sku_id: int
    node_id: int
    functional_warehouse_id: int
    quantity: int
    earmark_id: int | None


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
        for entry in wanted[sku_id]:
            part = min(quantity, entry[1])
            if part:
                shares.append(Share(entry[0], sku_id, node_id, warehouse_id, part, earmark_id))
                entry[1] -= part
                quantity -= part
    return shares
