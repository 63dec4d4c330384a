"""Alerts on stock that runs low, and proposals to move stock there."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import msgspec
import strawberry
from strawberry import relay
from strawberry.scalars import JSON

from backend.inventory.pools.live import SALES_WINDOW
from backend.replenishment import alert_rules as rule_cases
from backend.replenishment import alerts as alert_cases
from backend.replenishment import transfers as transfer_cases
from backend.replenishment.model import AlertRule as AlertRuleRecord
from backend.replenishment.model import (
    AlertRuleDraft,
    Measure,
    Scope,
    Transfers,
    TransferState,
)
from backend.replenishment.model import StockAlert as StockAlertRecord
from backend.replenishment.model import TransferProposal as TransferRecord
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import (
    AlertRuleChangedError,
    InputRefused,
    NotEnoughToMoveError,
    PermissionDenied,
)
from graphql_schema.network import (
    Location,
    Shop,
    Warehouse,
    load_location,
    load_shop,
    load_warehouse,
)
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.pool_inputs import ConditionInput, condition_of
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(Scope, name="AlertScope", description="Whose stock a rule asks about.")
strawberry.enum(Measure, name="AlertMeasure", description="Units, or days that they last.")
strawberry.enum(Transfers, name="AlertTransfers", description="What is done where stock runs low.")
strawberry.enum(TransferState, name="TransferState", description="What became of a proposal.")


@strawberry.type(description="When somebody is told that stock runs low (预警规则).")
class AlertRule:
    record: strawberry.Private[AlertRuleRecord]
    code: str
    scope: Scope
    measure: Measure
    fires_below: BigInt
    clears_at: BigInt
    transfers: Transfers
    fill_to: BigInt = strawberry.field(description="Until where transfers fill up.")
    leave_days: int = strawberry.field(
        description="Days of its own sales that a node keeps which gives."
    )
    transit_days: int
    where: JSON | None = strawberry.field(description="Which SKUs, as a condition; null: all.")
    region_code: BigInt | None
    version: BigInt
    set_by: str
    changed_at: datetime

    @strawberry.field(description="The shop; null for each.")
    async def shop(self, info: YipanInfo) -> Shop | None:
        is_shop = self.record.scope is Scope.SHOP
        return await load_shop(info, self.record.subject_id if is_shop else None)

    @strawberry.field(description="The node; null for each.")
    async def location(self, info: YipanInfo) -> Location | None:
        is_node = self.record.scope is Scope.NODE
        return await load_location(info, self.record.subject_id if is_node else None)


def alert_rule_from(found: AlertRuleRecord) -> AlertRule:
    condition = found.condition
    return AlertRule(
        record=found,
        code=found.code,
        scope=found.scope,
        measure=found.measure,
        fires_below=found.fires_below,
        clears_at=found.clears_at,
        transfers=found.transfers,
        fill_to=found.fill_to,
        leave_days=found.leave_days,
        transit_days=found.transit_days,
        where=None if condition is None else msgspec.to_builtins(condition),
        region_code=found.subject_id if found.scope is Scope.REGION else None,
        version=found.version,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.type(description="That a SKU ran low (预警): fired once, until it is cleared.")
class StockAlert(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[StockAlertRecord]
    rule: str = strawberry.field(description="The code of its rule.")
    scope: Scope
    measure: Measure
    region_code: BigInt | None
    fired_at: datetime
    fired_with: BigInt = strawberry.field(description="What was left, in the measure.")
    cleared_at: datetime | None
    cleared_with: BigInt | None = strawberry.field(
        description="Null also where its rule was changed or no longer asks about it."
    )

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field
    async def shop(self, info: YipanInfo) -> Shop | None:
        is_shop = self.scope is Scope.SHOP
        return await load_shop(info, self.record.subject_id if is_shop else None)

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        is_node = self.scope is Scope.NODE
        return await load_location(info, self.record.subject_id if is_node else None)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, alert_cases.alerts_by_ids, stock_alert_from)


def stock_alert_from(found: StockAlertRecord) -> StockAlert:
    return StockAlert(
        number=found.id,
        record=found,
        rule=found.rule_code,
        scope=found.scope,
        measure=found.measure,
        region_code=found.subject_id if found.scope is Scope.REGION else None,
        fired_at=found.fired_at,
        fired_with=found.fired_with,
        cleared_at=found.cleared_at,
        cleared_with=found.cleared_with,
    )


@strawberry.type(description="Units that could be moved to where they run low (调拨建议).")
class TransferProposal(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[TransferRecord]
    quantity: BigInt
    reason: str
    state: TransferState
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    supply_code: str | None = strawberry.field(description="Of the supply that it has become.")

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field
    async def source(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.record.source_id)

    @strawberry.field
    async def destination(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.record.destination_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info, node_ids, transfer_cases.transfers_by_ids, transfer_from
        )


def transfer_from(found: TransferRecord) -> TransferProposal:
    return TransferProposal(
        number=found.id,
        record=found,
        quantity=found.quantity,
        reason=found.reason,
        state=found.state,
        proposed_at=found.proposed_at,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        note=found.note,
        supply_code=None if found.supply_id is None else transfer_cases.supply_code(found.id),
    )


@strawberry.input(
    description="Fires once below `firesBelow`, and is armed again at `clearsAt`. All figures are "
    "in the measure but for days."
)
class AlertRuleInput:
    code: str
    scope: Scope
    subject: str | None = strawberry.field(
        default=None, description="The code of the shop, node or region; null for each shop, node."
    )
    where: ConditionInput | None = strawberry.field(
        default=None, description="Which SKUs: their attributes sku.code, sku.category, ..."
    )
    measure: Measure = Measure.UNITS
    fires_below: int
    clears_at: int
    transfers: Transfers = Transfers.NONE
    fill_to: int | None = strawberry.field(default=None, description="As clearsAt by default.")
    leave_days: int = SALES_WINDOW.days
    transit_days: int = 3
    compare_version: BigInt | None = strawberry.field(
        default=None, description="Only if it is still at this version; 0: does not exist yet."
    )


@strawberry.input
class AlertRulesSetInput:
    idempotency_key: str
    rules: list[AlertRuleInput]


@strawberry.input
class AlertRuleDropInput:
    idempotency_key: str
    code: str


@strawberry.input
class TransferApproveInput:
    idempotency_key: str
    transfer_id: strawberry.ID
    quantity: int | None = strawberry.field(default=None, description="Fewer than proposed.")


@strawberry.input
class TransferRejectInput:
    idempotency_key: str
    transfer_id: strawberry.ID
    note: str = ""


@strawberry.type
class AlertRulesRecorded:
    rules: list[AlertRule]


@strawberry.type
class AlertRuleDropped:
    code: str


@strawberry.type
class TransferDecided:
    transfer: TransferProposal


AlertRulesSetPayload = Annotated[
    AlertRulesRecorded | AlertRuleChangedError | InputRefused | PermissionDenied,
    strawberry.union("AlertRulesSetPayload"),
]
AlertRuleDropPayload = Annotated[
    AlertRuleDropped | InputRefused | PermissionDenied, strawberry.union("AlertRuleDropPayload")
]
TransferApprovePayload = Annotated[
    TransferDecided | NotEnoughToMoveError | InputRefused | PermissionDenied,
    strawberry.union("TransferApprovePayload"),
]
TransferRejectPayload = Annotated[
    TransferDecided | InputRefused | PermissionDenied, strawberry.union("TransferRejectPayload")
]


@strawberry.type
class ReplenishmentQuery:
    @strawberry.field(description="The brand's alert rules, by code.")
    async def alert_rules(self, info: YipanInfo) -> list[AlertRule]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [alert_rule_from(rule) for rule in await rule_cases.alert_rules(tx)]

    @strawberry.field(description="Alerts, the newest first.")
    async def stock_alerts(
        self,
        info: YipanInfo,
        only_open: bool = True,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[StockAlert]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await alert_cases.page_of_alerts(tx, below, limit, only_open=only_open)
        return connection(rows, first, stock_alert_from, lambda found: cursor_of(found.id))

    @strawberry.field(description="Proposals of transfers, the newest first.")
    async def transfer_proposals(
        self,
        info: YipanInfo,
        state: TransferState | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[TransferProposal]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await transfer_cases.page_of_transfers(tx, below, limit, state)
        return connection(rows, first, transfer_from, lambda found: cursor_of(found.id))


async def _decided(context: Context, done: transfer_cases.Decided) -> TransferDecided:
    """Tell everybody of what has left, and of what is to come now."""
    if done.transfer.state is TransferState.APPROVED:
        await context.services.publish_levels(context.principal.tenant_id, done.levels)
    return TransferDecided(transfer=transfer_from(done.transfer))


@strawberry.type
class ReplenishmentMutation:
    @strawberry.mutation(
        description="Set alert rules, or change them, all or none; a changed one begins anew."
    )
    async def alert_rules_set(
        self, info: YipanInfo, input: AlertRulesSetInput
    ) -> AlertRulesSetPayload:
        drafts = [
            AlertRuleDraft(
                code=rule.code,
                scope=rule.scope,
                subject=rule.subject,
                where=condition_of(rule.where, ("rules", index, "where")),
                measure=rule.measure,
                fires_below=rule.fires_below,
                clears_at=rule.clears_at,
                transfers=rule.transfers,
                fill_to=rule.fill_to,
                leave_days=rule.leave_days,
                transit_days=rule.transit_days,
                compare_version=rule.compare_version,
            )
            for index, rule in enumerate(input.rules)
        ]
        async with info.context.writing() as tx:
            rules = await rule_cases.set_alert_rules(
                tx, drafts, key=input.idempotency_key, regions=info.context.services.regions
            )
        return AlertRulesRecorded(rules=[alert_rule_from(rule) for rule in rules])

    @strawberry.mutation(description="Drop an alert rule; its open alerts end.")
    async def alert_rule_drop(
        self, info: YipanInfo, input: AlertRuleDropInput
    ) -> AlertRuleDropPayload:
        async with info.context.writing() as tx:
            dropped = await rule_cases.drop_alert_rule(tx, input.code, key=input.idempotency_key)
        return AlertRuleDropped(code=dropped.code)

    @strawberry.mutation(
        description="Let the units of a proposal leave: they are a supply until received."
    )
    async def transfer_approve(
        self, info: YipanInfo, input: TransferApproveInput
    ) -> TransferApprovePayload:
        context = info.context
        today = (await context.local_time()).date()
        async with context.writing() as tx:
            done = await transfer_cases.approve_transfer(
                tx,
                number_of("TransferProposal", input.transfer_id),
                today,
                key=input.idempotency_key,
                quantity=input.quantity,
            )
        return await _decided(context, done)

    @strawberry.mutation(description="Leave the units where they are.")
    async def transfer_reject(
        self, info: YipanInfo, input: TransferRejectInput
    ) -> TransferRejectPayload:
        async with info.context.writing() as tx:
            done = await transfer_cases.reject_transfer(
                tx,
                number_of("TransferProposal", input.transfer_id),
                input.note,
                key=input.idempotency_key,
            )
        return await _decided(info.context, done)
