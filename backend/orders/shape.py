"""The rows of orders, shaped before their transaction begins: locks are held for no more than they
must.

A row is a tuple in the order of its row type (`new_order`, `new_line`, … in the schema).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec

from backend.events.model import NewEvent, Payload
from backend.inventory.ledger import Take
from backend.inventory.model import CauseKind
from backend.machines import START
from backend.orders.events import (
    FulfilmentCreated,
    OrderAllocated,
    OrderAppointmentSet,
    OrderPlaced,
    PickupAsked,
)
from backend.orders.intake import Hold, Intake
from backend.orders.model import (
    Appointment,
    Held,
    HoldKind,
    LineOutcome,
    OrderStatus,
    Placed,
    Shortage,
)
from backend.orders.standing import Counts, ShipTo, Standing
from backend.orders.states import check_step, derive_status
from backend.orders.step import StepEvent
from backend.orders.stock_holds.model import HoldTerms
from backend.orders.work import Share, Work, shares_of_lines
from backend.routing.model import Otherwise

NO_BATCH = 0
"""Of a decision by which an order that had its nodes was given to others, by itself."""
NO_DEAL = (None, None, None)
"""In the place of a line's deal, of who is no dealer."""
NOT_AT_ITS_TIME = "Nobody delivers all of it, or installs it, at that time; agree on another one."

Rows = list[tuple[object, ...]]
NO_FULFILMENTS: Mapping[int, int] = {}


class Circumstances(NamedTuple):
    """What the rows of a batch have in common."""

    day: date
    batch_id: int
    attempt: int
    limited_nodes: Collection[int]
    """Nodes that take so many parcels a day."""
    ready_at: Callable[[int], datetime | None]
    """When a node has ready what it is given now; None of one that is closed."""


class Shaped:
    """The rows of a batch, table by table, and what its orders are answered."""

    def __init__(self, around: Circumstances) -> None:
        self._around = around
        self.placed: dict[Work, Placed | Held] = {}
        self.orders: Rows = []
        self.lines: Rows = []
        self.fees: Rows = []
        self.holds: Rows = []
        self.fulfilments: Rows = []
        self.reservations: Rows = []
        self.decisions: Rows = []
        self.takes: list[Take] = []
        self.events: list[NewEvent] = []
        self.stock_holds: Rows = []
        self.stock_hold_parts: Rows = []
        self.routing_waits: Rows = []
        self.appointments: Rows = []
        self.pickups: Rows = []
        self.deposits: Rows = []
        self.moved_lines: Rows = []
        self.updated_orders: Rows = []

    @property
    def day(self) -> date:
        """The day, where the brand is, on which the batch is placed."""
        return self._around.day

    def add_order(self, work: Work) -> None:
        """Add a new order, or hold, with what its plan gives it."""
        intake = work.intake
        assert intake is not None, "a backorder is added by add_backorder"
        if intake.hold is not None:
            self._add_hold(work, intake, intake.hold)
            return
        shares = shares_of_lines(work) if work.plan else []
        counts = Counts(actor=intake.principal.actor)
        outcomes = _line_outcomes(intake, shares, is_blocked=work.is_blocked)
        holds = (*work.holds, *_holds_of_plan(work, outcomes))
        if work.has_appointment and work.bookings is None:
            holds = (*holds, Hold(HoldKind.APPOINTMENT, NOT_AT_ITS_TIME))
        status = check_step(START, derive_status(outcomes, is_held=bool(holds)))
        dealer_id, address = intake.shop.dealer_id, intake.draft.address
        self._add_lines(work.order_id, intake, outcomes)
        self._add_holds(work.order_id, dealer_id, holds)
        self._add_wait(work, outcomes)
        payload = _order_placed(work.order_id, intake, status, holds)
        self._event(counts, payload, work.order_id, dealer_id, None)
        if intake.draft.agreed is not None:
            self._add_appointment(work, intake.draft.agreed, status, counts)
        if intake.pickup_at is not None:
            self._add_pickup(work, intake.pickup_at, status, counts)
        if (ahead := intake.draft.paid_ahead) is not None:
            terms = (ahead.amount_minor, ahead.pay_by, ahead.is_kept)
            self.deposits.append((work.order_id, dealer_id, *terms))
        ship_to = ShipTo(address.name, address.phone, intake.region_code, address.detail)
        parcels = self._add_shares(work, shares, counts, dealer_id, ship_to)
        self._add_decision(work, counts)
        kinds = tuple([hold.kind.value for hold in holds])
        placed = Placed(work.order_id, status, outcomes, kinds, parcels)
        self._add_order_row(placed, intake, counts)
        self.placed[work] = placed

    def _add_hold(self, work: Work, intake: Intake, terms: HoldTerms) -> None:
        """Add a hold with its parts and takes."""
        hold_id, dealer_id = work.order_id, intake.shop.dealer_id
        shares = shares_of_lines(work)
        held = Held(hold_id, _line_outcomes(intake, shares, is_blocked=False))
        for number, share in enumerate(shares, 1):
            place = (share.functional_warehouse_id, share.sku_id)
            self.stock_hold_parts.append(
                (
                    hold_id,
                    number,
                    *place,
                    share.node_id,
                    dealer_id,
                    share.quantity,
                    share.earmark_id,
                    share.allotment_ids,
                )
            )
            cause = (hold_id, share.line_no, share.earmark_id, CauseKind.HOLD)
            self.takes.append((*place, share.quantity, *cause))
        self.stock_holds.append(
            (
                hold_id,
                terms.kind.value,
                intake.shop.id,
                intake.draft.external_id,
                dealer_id,
                terms.seconds,
                intake.principal.subject,
                _encode(held).decode(),
                None,
            )
        )
        self.placed[work] = held

    def add_backorder(self, work: Work, before: Standing) -> None:
        """Add what the waiting part of an order gets."""
        backorder = work.backorder
        assert backorder is not None, "a new order is added by add_order"
        counts = before.counts
        shares = shares_of_lines(work)
        got = _units_by_line(shares)
        outcomes = tuple(
            msgspec.structs.replace(
                line,
                reserved=line.reserved + got.get(line.line_no, 0),
                backordered=line.backordered - got.get(line.line_no, 0),
            )
            for line in before.lines
        )
        status = check_step(before.status, derive_status(outcomes, is_held=before.is_held))
        order_id, dealer_id = work.order_id, backorder.dealer_id
        self.moved_lines.extend(
            (order_id, line_no, quantity, -quantity, 0, 0, 0) for line_no, quantity in got.items()
        )
        payload = OrderAllocated(order_id, status, sum(got.values()))
        self._event(counts, payload, order_id, dealer_id, None)
        parcels = self._add_shares(work, shares, counts, dealer_id, before.ship_to)
        self._add_decision(work, counts)
        self._update_order(order_id, status, counts)
        self.placed[work] = Placed(order_id, status, outcomes, parcels=parcels)

    def add_reroute(
        self,
        work: Work,
        before: Standing,
        added: Sequence[Share],
        live: Mapping[int, int],
        events: Sequence[StepEvent],
    ) -> None:
        """Add the shares that other nodes have of an order now, with the events of what they lost.

        `live` has its fulfilments that stand, by node.
        """
        counts, order_id, dealer_id = before.counts, work.order_id, work.dealer_id
        for event in events:
            self._event(counts, event.payload, order_id, dealer_id, event.node_id)
        self._add_shares(work, added, counts, dealer_id, before.ship_to, live)
        self._add_decision(work, counts)
        self._update_order(order_id, before.status, counts)

    def _update_order(self, order_id: int, status: OrderStatus, counts: Counts) -> None:
        self.updated_orders.append(
            (
                order_id,
                status.value,
                counts.events,
                counts.fulfilments,
                counts.reservations,
                counts.decisions,
            )
        )

    def _add_order_row(self, placed: Placed, intake: Intake, counts: Counts) -> None:
        draft, amounts = intake.draft, intake.amounts
        self.orders.append(
            (
                placed.order_id,
                intake.shop.id,
                draft.external_id,
                intake.shop.dealer_id,
                placed.status.value,
                intake.shortage.value,
                intake.currency,
                amounts.goods,
                amounts.line_discount,
                amounts.order_discount,
                amounts.freight,
                amounts.fees,
                amounts.total,
                draft.address.name,
                draft.address.phone,
                intake.region_code,
                draft.address.detail,
                draft.remark,
                intake.ordered_at,
                counts.events,
                counts.fulfilments,
                counts.reservations,
                counts.decisions,
                _encode(placed).decode(),
                _encode(draft.known_traits).decode(),
                draft.is_paid,
                intake.pickup_at,
            )
        )

    def _add_lines(self, order_id: int, intake: Intake, outcomes: Sequence[LineOutcome]) -> None:
        dealer_id = intake.shop.dealer_id
        for line, outcome in zip(intake.lines, outcomes, strict=True):
            self.lines.append(
                (
                    order_id,
                    line.line_no,
                    dealer_id,
                    line.sku_id,
                    line.sku_code,
                    line.quantity,
                    outcome.reserved,
                    outcome.backordered,
                    outcome.held,
                    outcome.cancelled,
                    line.unit_price_minor,
                    line.line_discount_minor,
                    line.order_discount_minor,
                    line.amount_minor,
                    *(line.deal or NO_DEAL),
                    line.item_code,
                )
            )
        for number, fee in enumerate(intake.draft.fees, 1):
            self.fees.append(
                (order_id, number, dealer_id, fee.code, fee.description, fee.amount_minor)
            )

    def _add_holds(self, order_id: int, dealer_id: int | None, holds: Sequence[Hold]) -> None:
        for number, hold in enumerate(holds, 1):
            self.holds.append(
                (order_id, number, hold.line_no, dealer_id, hold.kind.value, hold.reason)
            )

    def _add_wait(self, work: Work, outcomes: Sequence[LineOutcome]) -> None:
        """Add that an order waits in a queue, or until a day, where its strategy says so."""
        if work.plan is None or not any(line.backordered for line in outcomes):
            return
        rest = work.plan.remainder
        cancel_on = None
        if rest.cancel_after_days is not None:
            cancel_on = self._around.day + timedelta(days=rest.cancel_after_days)
        if rest.queue or cancel_on:
            row = (work.order_id, work.dealer_id, rest.strategy, rest.queue or None, cancel_on)
            self.routing_waits.append(row)

    def _add_appointment(
        self, work: Work, agreed: Appointment, status: OrderStatus, counts: Counts
    ) -> None:
        """Add when an order is to come, and who installs it where that is booked."""
        order_id, dealer_id, bookings = work.order_id, work.dealer_id, work.bookings
        time = (agreed.day, agreed.from_minute, agreed.to_minute)
        installation = None if bookings is None else bookings.installation
        row = (order_id, dealer_id, *time, bookings is not None, installation)
        self.appointments.append(row)
        if bookings is not None:
            payload = OrderAppointmentSet(order_id, status, *time)
            self._event(counts, payload, order_id, dealer_id, None)

    def _add_pickup(self, work: Work, node_id: int, status: OrderStatus, counts: Counts) -> None:
        """Add that a store is to hand an order over; until when it is ready if it is all there."""
        ready_by = self._around.ready_at(node_id) if status is OrderStatus.ALLOCATED else None
        self.pickups.append((work.order_id, node_id, work.dealer_id, ready_by))
        payload = PickupAsked(work.order_id, node_id, ready_by)
        self._event(counts, payload, work.order_id, work.dealer_id, node_id)

    def _add_shares(
        self,
        work: Work,
        shares: Sequence[Share],
        counts: Counts,
        dealer_id: int | None,
        ship_to: ShipTo,
        live: Mapping[int, int] = NO_FULFILMENTS,
    ) -> int:
        """Add a fulfilment for each node that has none, a reservation and a take for each share.

        Returns how many fulfilments it added; `live` has those that are there, by node.
        """
        order_id = work.order_id
        numbers = dict(live)
        units: dict[int, int] = {}
        for share in shares:
            node_id, quantity = share.node_id, share.quantity
            number = numbers.get(node_id)
            if number is None:
                counts.fulfilments += 1
                number = numbers[node_id] = counts.fulfilments
                units[node_id] = 0
                day = self._around.day if node_id in self._around.limited_nodes else None
                slot = None if work.bookings is None else work.bookings.deliveries.get(node_id)
                self.fulfilments.append((order_id, number, node_id, dealer_id, day, *ship_to, slot))
            if node_id in units:
                units[node_id] += quantity
            counts.reservations += 1
            self.reservations.append(
                (
                    order_id,
                    counts.reservations,
                    share.line_no,
                    number,
                    share.functional_warehouse_id,
                    share.sku_id,
                    node_id,
                    dealer_id,
                    quantity,
                    share.earmark_id,
                    share.allotment_ids,
                )
            )
            self.takes.append(
                (
                    share.functional_warehouse_id,
                    share.sku_id,
                    quantity,
                    order_id,
                    share.line_no,
                    share.earmark_id,
                    CauseKind.ORDER,
                )
            )
        for node_id, sent in units.items():
            payload = FulfilmentCreated(order_id, numbers[node_id], node_id, sent)
            self._event(counts, payload, order_id, dealer_id, node_id)
        return len(units)

    def _add_decision(self, work: Work, counts: Counts) -> None:
        if work.plan is None:
            return
        counts.decisions += 1
        decision = work.plan.decision
        self.decisions.append(
            (
                work.order_id,
                counts.decisions,
                decision.policy_version,
                decision.book_position,
                self._around.batch_id,
                decision.batch_index,
                self._around.attempt,
                decision.is_proved,
                str(decision.cost),
                str(decision.lower_bound),
                decision.winner_nodes,
                decision.runner_up_node,
                None if decision.runner_up_cost is None else str(decision.runner_up_cost),
                decision.strategies,
                None if work.plan.is_whole else work.plan.remainder.otherwise.value,
            )
        )

    def _event(
        self,
        counts: Counts,
        payload: Payload,
        order_id: int,
        dealer_id: int | None,
        node_id: int | None,
    ) -> None:
        counts.events += 1
        event = NewEvent(payload, order_id, counts.events, dealer_id, node_id, counts.actor)
        self.events.append(event)


_encode = msgspec.json.Encoder().encode


def shape_orders(works: Iterable[Work], around: Circumstances) -> Shaped:
    """Return the rows that new orders will be, if all of them are accepted."""
    shaped = Shaped(around)
    for work in works:
        shaped.add_order(work)
    return shaped


def _units_by_line(shares: Sequence[Share]) -> dict[int, int]:
    got: dict[int, int] = {}
    for share in shares:
        got[share.line_no] = got.get(share.line_no, 0) + share.quantity
    return got


def _line_outcomes(
    intake: Intake, shares: Sequence[Share], *, is_blocked: bool
) -> tuple[LineOutcome, ...]:
    got = _units_by_line(shares)
    is_partial = intake.shortage is Shortage.PARTIAL
    outcomes = []
    for line in intake.lines:
        reserved = got.get(line.line_no, 0)
        rest = line.quantity - reserved
        held = rest if is_blocked else 0
        cancelled = rest - held if is_partial else 0
        outcomes.append(
            LineOutcome(line.line_no, reserved, rest - held - cancelled, held, cancelled)
        )
    return tuple(outcomes)


def _holds_of_plan(work: Work, outcomes: Sequence[LineOutcome]) -> tuple[Hold, ...]:
    """Return the hold of an order of which a part waits for a person, as its policy says."""
    if work.plan is None or not any(line.backordered for line in outcomes):
        return ()
    rest = work.plan.remainder
    if rest.otherwise is not Otherwise.HOLD:
        return ()
    version = work.plan.decision.policy_version
    if rest.strategy:
        reason = f"The strategy {rest.strategy!r} leaves what it cannot send to a person."
    else:
        reason = f"No strategy of policy {version} takes what is left."
    return (Hold(HoldKind.ROUTING, reason),)


def _order_placed(
    order_id: int, intake: Intake, status: OrderStatus, holds: Sequence[Hold]
) -> OrderPlaced:
    return OrderPlaced(
        order_id,
        intake.shop.code,
        intake.draft.external_id,
        status,
        intake.amounts.total,
        intake.currency,
        sum([line.quantity for line in intake.lines]),
        tuple([hold.kind for hold in holds]),
    )
