"""Safety stock: what nodes keep back, by rules."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.channels.errors import UnknownShop
from backend.channels.shops import active_shops
from backend.inventory.accuracy.accuracy import accuracies
from backend.inventory.safety import keep_back as cases
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.safety.model import SafetyRule as SafetyRuleRecord
from backend.inventory.safety.model import ShopFloor as ShopFloorRecord
from backend.inventory.safety.shop_floors import (
    keep_back_of_shops,
    page_of_shop_floors,
    shop_floors_by_keys,
)
from backend.network.model import NodeKind
from backend.orders.find_orders import units_sold_by_shop
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from graphql_schema.scalars import BigInt
from tenants.principal import Permission, system_principal


@strawberry.type(description="What nodes keep back (安全库存); what is null holds for all.")
class SafetyRule:
    record: strawberry.Private[SafetyRuleRecord]
    rule_no: BigInt = strawberry.field(description="As movements of type floor_set name it.")
    channel: str | None = strawberry.field(description="For the shops of a channel, not nodes.")
    category: str | None
    node_kind: NodeKind | None
    units: BigInt | None
    weeks_tenths: int | None = strawberry.field(
        description="Of what the node, or shop, sells in 28 days."
    )
    set_by: str
    changed_at: datetime

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.record.node_id)


def safety_rule_from(found: SafetyRuleRecord) -> SafetyRule:
    return SafetyRule(
        record=found,
        rule_no=found.id,
        channel=found.channel,
        category=found.category,
        node_kind=found.node_kind,
        units=found.units,
        weeks_tenths=found.weeks_tenths,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.type(description="What a shop keeps back of a SKU (渠道安全库存), and why.")
class ShopFloor(relay.Node):
    key: relay.NodeID[str]
    record: strawberry.Private[ShopFloorRecord]
    units: BigInt
    reason: str
    changed_at: datetime

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 2, shop_floors_by_keys, shop_floor_from)


def shop_floor_from(found: ShopFloorRecord) -> ShopFloor:
    return ShopFloor(
        key=f"{found.shop_id}-{found.sku_id}",
        record=found,
        units=found.units,
        reason=found.reason,
        changed_at=found.changed_at,
    )


@strawberry.input(
    description="For a SKU in a node, a SKU, a category and kind of node, one of these, or all: "
    "the most specific rule counts. With a channel for its shops: a SKU, a category, or all. Give "
    "units, or tenths of weeks."
)
class SafetyRuleInput:
    sku: str | None = None
    location: str | None = strawberry.field(default=None, description="The code of the node.")
    channel: str | None = None
    category: str | None = None
    node_kind: NodeKind | None = None
    units: int | None = None
    weeks_tenths: int | None = None


@strawberry.input
class SafetyRulesSetInput:
    idempotency_key: str
    rules: list[SafetyRuleInput]


@strawberry.type
class SafetyRulesRecorded:
    rules: list[SafetyRule]
    levels: int = strawberry.field(description="Levels that keep back something else now.")
    shops: int = strawberry.field(
        description="SKUs of shops of which something else is kept back now."
    )


SafetyRulesPayload = Annotated[
    SafetyRulesRecorded | InputRefused | PermissionDenied, strawberry.union("SafetyRulesPayload")
]


@strawberry.type(
    description="How much of the stock of a node was found to be there (库存准确率): of what was "
    "counted in 90 days and sold in 28, what was missing in counts and picks."
)
class NodeAccuracy:
    node_id: strawberry.Private[int]
    expected: BigInt
    missing: BigInt
    weight_bp: int = strawberry.field(
        description="What it offers of its stock where the layout of pools says so."
    )
    learned_at: datetime

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)


@strawberry.type
class SafetyQuery:
    @strawberry.field(description="How accurate the stock of nodes is; learned four times a day.")
    async def node_accuracies(self, info: YipanInfo) -> list[NodeAccuracy]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [NodeAccuracy(**one._asdict()) for one in await accuracies(tx)]

    @strawberry.field(description="The brand's rules of safety stock.")
    async def safety_rules(self, info: YipanInfo) -> list[SafetyRule]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [safety_rule_from(rule) for rule in await cases.safety_rules(tx)]

    @strawberry.field(description="What a shop keeps back of what it may be offered, by SKU.")
    async def shop_floors(
        self, info: YipanInfo, shop: str, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[ShopFloor]:
        context = info.context
        context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (sku_id,) = key_of(after, (0,))
        async with context.reading() as tx:
            found = (await active_shops(tx)).get(shop)
            if found is None:
                raise UnknownShop
            rows = await page_of_shop_floors(tx, found.id, sku_id, limit)
        return connection(rows, first, shop_floor_from, lambda row: cursor_of(row.sku_id))


@strawberry.type
class SafetyMutation:
    @strawberry.mutation(
        description="Replace all rules of safety stock, and let stock follow them at once; four "
        "times a day it follows what was sold."
    )
    async def safety_rules_set(
        self, info: YipanInfo, input: SafetyRulesSetInput
    ) -> SafetyRulesPayload:
        context = info.context
        drafts = [
            SafetyDraft(
                sku=rule.sku,
                node=rule.location,
                channel=rule.channel,
                category=rule.category,
                node_kind=rule.node_kind,
                units=rule.units,
                weeks_tenths=rule.weeks_tenths,
            )
            for rule in input.rules
        ]
        async with context.writing() as tx:
            rules = await cases.set_safety_rules(tx, drafts, key=input.idempotency_key)
        tenant_id = context.principal.tenant_id
        system = system_principal(tenant_id, context.principal.subject)
        database, local = context.services.database, await context.local_time()
        levels = await cases.keep_back(database, system, local, even_without_rules=True)
        shops = await keep_back_of_shops(database, system, local, units_sold_by_shop)
        await context.services.publish_levels(tenant_id, levels)
        return SafetyRulesRecorded(
            rules=[safety_rule_from(rule) for rule in rules], levels=len(levels), shops=shops
        )
