"""The schema: every centre's module, the limits and the mapping of errors, put together."""

import strawberry
import structlog
from graphql import GraphQLError
from strawberry import relay
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from backend.db.errors import YipanError
from graphql_schema.after_sales import (
    AFTER_SALES_HANDLERS,
    AfterSalesMutation,
    AfterSalesQuery,
)
from graphql_schema.allotments import AllotmentsMutation, AllotmentsQuery
from graphql_schema.appointments import AppointmentsMutation, AppointmentsQuery
from graphql_schema.audit_rules import AuditRulesMutation, AuditRulesQuery
from graphql_schema.carrier_lanes import CarrierLanesMutation, CarrierLanesQuery
from graphql_schema.carriers import CarriersMutation, CarriersQuery
from graphql_schema.catalog import CatalogMutation, CatalogQuery
from graphql_schema.channel_returns import ChannelReturnsMutation, ChannelReturnsQuery
from graphql_schema.collections import (
    COLLECTION_HANDLERS,
    CollectionsMutation,
    CollectionsQuery,
)
from graphql_schema.deadlines import DeadlinesMutation, DeadlinesQuery
from graphql_schema.dealer_agreements import DealerAgreementsMutation, DealerAgreementsQuery
from graphql_schema.dealer_documents import DealerDocumentsMutation, DealerDocumentsQuery
from graphql_schema.dealer_items import DealerItemsMutation, DealerItemsQuery
from graphql_schema.dealer_prices import DealerPricesMutation, DealerPricesQuery
from graphql_schema.deposits import DepositsMutation
from graphql_schema.documents import Documents
from graphql_schema.earmarks import EarmarksMutation, EarmarksQuery
from graphql_schema.errors import HANDLERS
from graphql_schema.events import EventsSubscription
from graphql_schema.exchanges import EXCHANGE_HANDLERS, ExchangesMutation, ExchangesQuery
from graphql_schema.execution import Execution
from graphql_schema.fulfilment_commands import FulfilmentMutation
from graphql_schema.holds import HoldsMutation, HoldsQuery
from graphql_schema.hooks import Hooks, Masking
from graphql_schema.installations import (
    INSTALLATION_HANDLERS,
    InstallationsMutation,
    InstallationsQuery,
)
from graphql_schema.inventory import InventoryMutation, InventoryQuery
from graphql_schema.limits import CostLimit
from graphql_schema.members import MembersMutation, MembersQuery
from graphql_schema.network import NetworkMutation, NetworkQuery
from graphql_schema.network_terms import NetworkTermsMutation, NetworkTermsQuery
from graphql_schema.order_commands import OrdersMutation
from graphql_schema.order_edits import ORDER_EDIT_HANDLERS, OrderEditsMutation
from graphql_schema.order_search import OrderSearchQuery
from graphql_schema.orders import OrdersQuery
from graphql_schema.organisation import OrganisationMutation, OrganisationQuery
from graphql_schema.pack_together import PackTogetherMutation, PackTogetherQuery
from graphql_schema.parcels import ParcelsQuery
from graphql_schema.pickups import PICKUP_HANDLERS, PickupsMutation, PickupsQuery
from graphql_schema.pools import PoolsMutation, PoolsQuery, PoolsSubscription
from graphql_schema.processes import ProcessesQuery
from graphql_schema.publishing import PublishingMutation, PublishingQuery
from graphql_schema.queue_rule import QueueRuleMutation, QueueRuleQuery
from graphql_schema.quotas import QuotasMutation, QuotasQuery
from graphql_schema.repairs import REPAIR_HANDLERS, RepairsMutation, RepairsQuery
from graphql_schema.replenishment import ReplenishmentMutation, ReplenishmentQuery
from graphql_schema.rollouts import RolloutsMutation, RolloutsQuery
from graphql_schema.routing import RoutingMutation, RoutingQuery
from graphql_schema.routing_answers import RoutingAnswersQuery
from graphql_schema.routing_waits import RoutingWaitsQuery
from graphql_schema.safety import SafetyMutation, SafetyQuery
from graphql_schema.scalars import schema_config
from graphql_schema.sessions import SessionMutation, SessionQuery
from graphql_schema.simulations import SimulationsMutation, SimulationsQuery
from graphql_schema.slots import SlotsMutation, SlotsQuery
from graphql_schema.stock_counts import StockCountsMutation, StockCountsQuery
from graphql_schema.stock_holds import StockHoldsMutation, StockHoldsQuery
from graphql_schema.supplies import SuppliesMutation, SuppliesQuery
from graphql_schema.trade_ins import TRADE_IN_HANDLERS, TradeInsMutation, TradeInsQuery
from graphql_schema.wave_times import WaveTimesMutation, WaveTimesQuery
from tenants.principal import PermissionMissing

log = structlog.get_logger(__name__)


def _query_type() -> type:
    """Return a fresh root type: the field `node` belongs to one schema only."""

    @strawberry.type
    class Query(
        SessionQuery,
        MembersQuery,
        OrganisationQuery,
        OrdersQuery,
        OrderSearchQuery,
        HoldsQuery,
        AuditRulesQuery,
        ParcelsQuery,
        PackTogetherQuery,
        PickupsQuery,
        AfterSalesQuery,
        ExchangesQuery,
        RepairsQuery,
        TradeInsQuery,
        CollectionsQuery,
        InstallationsQuery,
        QueueRuleQuery,
        ChannelReturnsQuery,
        CarriersQuery,
        DeadlinesQuery,
        WaveTimesQuery,
        ProcessesQuery,
        StockHoldsQuery,
        InventoryQuery,
        PoolsQuery,
        EarmarksQuery,
        AllotmentsQuery,
        DealerAgreementsQuery,
        DealerPricesQuery,
        DealerItemsQuery,
        DealerDocumentsQuery,
        QuotasQuery,
        SuppliesQuery,
        StockCountsQuery,
        SafetyQuery,
        ReplenishmentQuery,
        PublishingQuery,
        NetworkQuery,
        NetworkTermsQuery,
        CarrierLanesQuery,
        SlotsQuery,
        AppointmentsQuery,
        RoutingQuery,
        RoutingAnswersQuery,
        RoutingWaitsQuery,
        RolloutsQuery,
        SimulationsQuery,
        CatalogQuery,
    ):
        node: relay.Node | None = relay.node(description="Anything by its id.")

    return Query


@strawberry.type
class Mutation(
    SessionMutation,
    MembersMutation,
    OrganisationMutation,
    OrdersMutation,
    OrderEditsMutation,
    DepositsMutation,
    HoldsMutation,
    AuditRulesMutation,
    FulfilmentMutation,
    PackTogetherMutation,
    PickupsMutation,
    AfterSalesMutation,
    ExchangesMutation,
    RepairsMutation,
    TradeInsMutation,
    CollectionsMutation,
    InstallationsMutation,
    QueueRuleMutation,
    ChannelReturnsMutation,
    CarriersMutation,
    DeadlinesMutation,
    WaveTimesMutation,
    AppointmentsMutation,
    StockHoldsMutation,
    InventoryMutation,
    PoolsMutation,
    EarmarksMutation,
    AllotmentsMutation,
    DealerAgreementsMutation,
    DealerPricesMutation,
    DealerItemsMutation,
    DealerDocumentsMutation,
    QuotasMutation,
    SuppliesMutation,
    StockCountsMutation,
    SafetyMutation,
    ReplenishmentMutation,
    PublishingMutation,
    NetworkMutation,
    NetworkTermsMutation,
    CarrierLanesMutation,
    SlotsMutation,
    RoutingMutation,
    RolloutsMutation,
    SimulationsMutation,
    CatalogMutation,
):
    pass


@strawberry.type
class Subscription(EventsSubscription, PoolsSubscription):
    pass


def is_unexpected(error: GraphQLError) -> bool:
    """Whether an error is our own fault: its text stays in the log."""
    cause = error.original_error
    return cause is not None and not isinstance(
        cause, YipanError | PermissionMissing | GraphQLError
    )


class YipanSchema(strawberry.Schema):
    """Logs what is our own fault; refusals are answers, not news."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        for error in errors:
            if is_unexpected(error):
                log.error("graphql.failed", path=error.path, exc_info=error.original_error)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Hooks:
        return Hooks(execution_context, extensions)


def build_schema(*, is_sorted: bool = False) -> strawberry.Schema:
    """Return the schema with its limits."""
    return YipanSchema(
        query=_query_type(),
        mutation=Mutation,
        subscription=Subscription,
        config=schema_config(is_sorted=is_sorted),
        exception_handlers=(
            *ORDER_EDIT_HANDLERS,
            *PICKUP_HANDLERS,
            *AFTER_SALES_HANDLERS,
            *EXCHANGE_HANDLERS,
            *REPAIR_HANDLERS,
            *TRADE_IN_HANDLERS,
            *COLLECTION_HANDLERS,
            *INSTALLATION_HANDLERS,
            *HANDLERS,
        ),
        execution_context_class=Execution,
        extensions=[
            Documents,
            CostLimit,
            lambda: Masking(should_mask_error=is_unexpected),
        ],
    )


SCHEMA_FILE_NOTE = "# Generated by `yipan schema`; a test compares.\n"


def schema_text() -> str:
    """Return the schema as `schema.graphql` holds it."""
    return SCHEMA_FILE_NOTE + build_schema(is_sorted=True).as_str() + "\n"
