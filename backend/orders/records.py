"""The rows that an accepted batch writes, gathered table by table."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec

from backend.db.pool import TenantTransaction
from backend.db.sql import Query
from backend.events.model import NewEvent
from backend.events.outbox import append_events
from backend.inventory.ledger import LedgerRow, append_rows
from backend.inventory.model import CauseKind, FreeAt, Level, LevelKey
from backend.inventory.movement_types import MovementType
from backend.network.capacity import CapacityKey
from backend.orders.claim import SQL
from backend.orders.intake import Intake
from backend.orders.model import LineOutcome, OrderStatus, Placed, Shortage
from backend.orders.states import START, check_step, derive_status
from backend.orders.work import Share, Work, shares_of_lines

Rows = list[tuple[object, ...]]


class Counts:
    """How many fulfilments, reservations, decisions and events an order has."""

    __slots__ = ("decisions", "events", "fulfilments", "reservations")

    def __init__(
        self, events: int = 0, fulfilments: int = 0, reservations: int = 0, decisions: int = 0
    ) -> None:
        self.events = events
        self.fulfilments = fulfilments
        self.reservations = reservations
        self.decisions = decisions


class Records:
    """All rows of one commit."""

    def __init__(
        self,
        levels: Mapping[LevelKey, Level],
        after: Mapping[LevelKey, FreeAt],
        capacities: Collection[CapacityKey],
    ) -> None:
        self._levels = levels
        self._after = after
        self._capacities = capacities
        self.keys: Rows = []
        self.orders: Rows = []
        self.lines: Rows = []
        self.fees: Rows = []
        self.holds: Rows = []
        self.fulfilments: Rows = []
        self.reservations: Rows = []
        self.decisions: Rows = []
        self.movements: list[LedgerRow] = []
        self.moved_lines: Rows = []
        self.updated_orders: Rows = []
        self.events: list[NewEvent] = []

    async def write(self, tx: TenantTransaction, actor: str) -> None:
        """Insert everything; parents before children."""
        await _insert(tx, SQL.insert_orders, self.orders)
        await _insert(tx, SQL.insert_lines, self.lines)
        await _insert(tx, SQL.insert_fees, self.fees)
        await _insert(tx, SQL.insert_holds, self.holds)
        await _insert(tx, SQL.insert_fulfilments, self.fulfilments)
        await _insert(tx, SQL.insert_reservations, self.reservations)
        await _insert(tx, SQL.insert_decisions, self.decisions)
        await _insert(tx, SQL.move_line_units, self.moved_lines)
        await _insert(tx, SQL.update_orders, self.updated_orders)
        await _insert(tx, SQL.store_outcomes, self.keys)
        await append_rows(tx, self.movements, actor)
        await append_events(tx, self.events)

    def add_order(self, work: Work, day: date, batch_id: int, attempt: int) -> Placed:
        """Add a new order with what its plan gives it, and return its outcome."""
        intake = work.intake
        assert intake is not None, "a backorder is added by add_backorder"
        shares = shares_of_lines(work) if work.plan else []
        counts = Counts()
        outcomes = _line_outcomes(intake, shares)
        status = check_step(START, derive_status(outcomes, is_held=bool(intake.holds)))
        dealer_id = intake.shop.dealer_id
        self._add_lines(work.order_id, intake, outcomes)
        self._event(
            counts, "order.placed", work.order_id, dealer_id, None, _placed_payload(intake, status)
        )
        parcels = self._add_shares(work, shares, counts, dealer_id, day)
        self._add_decision(work, counts, batch_id, attempt)
        self._add_order_row(work.order_id, intake, status, counts)
        placed = Placed(
            order_id=work.order_id,
            status=status,
            lines=outcomes,
            holds=tuple(hold.kind.value for hold in intake.holds),
            parcels=parcels,
        )
        stored = msgspec.json.encode(placed).decode()
        self.keys.extend((key.key, work.order_id, stored) for key in intake.keys)
        return placed

    def add_backorder(
        self,
        work: Work,
        before: tuple[OrderStatus, bool, Counts, Sequence[LineOutcome]],
        day: date,
        batch_id: int,
        attempt: int,
    ) -> Placed:
        """Add what the waiting part of an order gets; `before` was read under the order's lock."""
        backorder = work.backorder
        assert backorder is not None, "a new order is added by add_order"
        old_status, is_held, counts, lines = before
        shares = shares_of_lines(work)
        got: dict[int, int] = {}
        for share in shares:
            got[share.line_no] = got.get(share.line_no, 0) + share.quantity
        outcomes = tuple(
            msgspec.structs.replace(
                line,
                reserved=line.reserved + got.get(line.line_no, 0),
                backordered=line.backordered - got.get(line.line_no, 0),
            )
            for line in lines
        )
        status = check_step(old_status, derive_status(outcomes, is_held=is_held))
        self.moved_lines.extend(
            (work.order_id, line_no, quantity, -quantity, 0, 0) for line_no, quantity in got.items()
        )
        units = sum(got.values())
        payload = {"orderId": work.order_id, "status": status, "units": units}
        self._event(counts, "order.allocated", work.order_id, backorder.dealer_id, None, payload)
        parcels = self._add_shares(work, shares, counts, backorder.dealer_id, day)
        self._add_decision(work, counts, batch_id, attempt)
        self.updated_orders.append(
            (
                work.order_id,
                status.value,
                counts.events,
                counts.fulfilments,
                counts.reservations,
                counts.decisions,
            )
        )
        return Placed(order_id=work.order_id, status=status, lines=outcomes, parcels=parcels)

    def _add_order_row(
        self, order_id: int, intake: Intake, status: OrderStatus, counts: Counts
    ) -> None:
        draft, amounts = intake.draft, intake.amounts
        self.orders.append(
            (
                order_id,
                intake.shop.id,
                draft.external_id,
                intake.shop.dealer_id,
                status.value,
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
                )
            )
        for number, fee in enumerate(intake.draft.fees, 1):
            self.fees.append(
                (order_id, number, dealer_id, fee.code, fee.description, fee.amount_minor)
            )
        for number, hold in enumerate(intake.holds, 1):
            self.holds.append(
                (order_id, number, hold.line_no, dealer_id, hold.kind.value, hold.reason)
            )

    def _add_shares(
        self,
        work: Work,
        shares: Sequence[Share],
        counts: Counts,
        dealer_id: int | None,
        day: date,
    ) -> int:
        """Add a fulfilment for each node, and a reservation and a movement for each share."""
        fulfilment_of: dict[int, int] = {}
        for share in shares:
            number = fulfilment_of.get(share.node_id)
            if number is None:
                counts.fulfilments += 1
                number = fulfilment_of[share.node_id] = counts.fulfilments
                takes_capacity = CapacityKey(share.node_id, day) in self._capacities
                self.fulfilments.append(
                    (work.order_id, number, share.node_id, day if takes_capacity else None)
                )
            counts.reservations += 1
            self._add_share(work.order_id, share, counts.reservations, number, dealer_id)
        for node_id, number in fulfilment_of.items():
            units = sum(share.quantity for share in shares if share.node_id == node_id)
            payload: dict[str, object] = {
                "orderId": work.order_id,
                "fulfilmentNo": number,
                "nodeId": node_id,
                "units": units,
            }
            self._event(counts, "fulfilment.created", work.order_id, dealer_id, node_id, payload)
        return len(fulfilment_of)

    def _add_share(
        self, order_id: int, share: Share, number: int, fulfilment_no: int, dealer_id: int | None
    ) -> None:
        key = LevelKey(share.functional_warehouse_id, share.sku_id)
        level = self._levels[key]
        self.reservations.append(
            (
                order_id,
                number,
                share.line_no,
                fulfilment_no,
                key.functional_warehouse_id,
                key.sku_id,
                share.node_id,
                dealer_id,
                share.quantity,
                share.quantity,
            )
        )
        self.movements.append(
            LedgerRow(
                key.functional_warehouse_id,
                key.sku_id,
                level.node_id,
                level.dealer_id,
                MovementType.RESERVED.value,
                share.quantity,
                0,
                share.quantity,
                0,
                0,
                self._after[key].version,
                CauseKind.ORDER.value,
                order_id,
                share.line_no,
                None,
            )
        )

    def _add_decision(self, work: Work, counts: Counts, batch_id: int, attempt: int) -> None:
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
                batch_id,
                decision.batch_index,
                attempt,
                decision.is_proved,
                str(decision.cost),
                str(decision.lower_bound),
                "{" + ",".join(map(str, decision.winner_nodes)) + "}",
                decision.runner_up_node,
                None if decision.runner_up_cost is None else str(decision.runner_up_cost),
            )
        )

    def _event(
        self,
        counts: Counts,
        kind: str,
        order_id: int,
        dealer_id: int | None,
        node_id: int | None,
        payload: dict[str, object],
    ) -> None:
        counts.events += 1
        self.events.append(NewEvent(kind, order_id, counts.events, dealer_id, node_id, payload))


def _line_outcomes(intake: Intake, shares: Sequence[Share]) -> tuple[LineOutcome, ...]:
    got: dict[int, int] = {}
    for share in shares:
        got[share.line_no] = got.get(share.line_no, 0) + share.quantity
    outcomes = []
    for line in intake.lines:
        reserved = got.get(line.line_no, 0)
        rest = line.quantity - reserved
        held = rest if intake.is_blocked else 0
        cancelled = rest - held if intake.shortage is Shortage.PARTIAL else 0
        outcomes.append(
            LineOutcome(line.line_no, reserved, rest - held - cancelled, held, cancelled)
        )
    return tuple(outcomes)


def _placed_payload(intake: Intake, status: OrderStatus) -> dict[str, object]:
    return {
        "shop": intake.shop.code,
        "externalId": intake.draft.external_id,
        "status": status,
        "totalMinor": intake.amounts.total,
        "currency": intake.currency,
        "units": sum(line.quantity for line in intake.lines),
        "holds": [hold.kind for hold in intake.holds],
    }


async def _insert(tx: TenantTransaction, query: Query, rows: Rows) -> None:
    if rows:
        await tx.execute(query, tx.tenant_id, *zip(*rows, strict=True))
