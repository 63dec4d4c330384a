"""Constraint names and the refusals they mean."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.errors import CONSTRAINTS, AlreadyExists, OutOfRange, UnknownReference, YipanError
from backend.db.pool import Database, TenantTransaction, Transaction
from backend.db.sql import Query
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity, create_node
from backend.network.regions.table import bundled_regions
from tenants import organisation
from tenants.principal import Kind
from tests.catalogue import Connection, contents, names
from tests.world import ACTOR, PASSWORD, SHANGHAI, World

NAMES = """
    select r.conname from pg_constraint r
    where r.contype in ('c', 'u', 'f') and r.conparentid = 0 and r.conislocal
      and r.connamespace::regnamespace::text in ('public', 'platform')
    union
    select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
    where x.indisunique and not x.indisprimary
      and i.relnamespace::regnamespace::text in ('public', 'platform')
"""
INTERNAL = {
    # The code gives these values itself.
    "intercept_asked_key",
    "intercept_state_check",
    "intercept_tenant_id_order_id_fkey",
    "order_line_at_node_check",
    "order_line_delivered_check",
    "order_line_shipped_check",
    "parcel_tenant_id_order_id_fkey",
    "parcel_weight_check",
    "parcel_status_check",
    "parcel_line_quantity_check",
    "parcel_line_tenant_id_parcel_id_fkey",
    "pick_list_fulfilments_check",
    "pickup_code_state_check",
    "pickup_code_tenant_id_order_id_fkey",
    "pickup_ready_check",
    "pickup_status_check",
    "pickup_tenant_id_order_id_fkey",
    "pickup_terms_keep_check",
    "pickup_terms_remind_check",
    "pickup_wrong_codes_check",
    "refund_amount_check",
    "refund_offset_check",
    "wave_time_minute_check",
    "waybill_void_status_check",
    "order_deposit_amount_check",
    "order_deposit_status_check",
    "order_deposit_tenant_id_order_id_fkey",
    "exchange_credit_check",
    "exchange_due_check",
    "exchange_status_check",
    "exchange_tenant_id_order_id_fkey",
    "exchange_tenant_id_return_id_fkey",
    "refund_cause_check",
    "refund_line_amount_check",
    "refund_line_quantity_check",
    "refund_line_tenant_id_order_id_refund_no_fkey",
    "refund_status_check",
    "refund_tenant_id_order_id_fkey",
    "return_line_defective_check",
    "return_line_denied_check",
    "return_line_good_check",
    "return_line_quantity_check",
    "return_line_received_check",
    "return_line_scrapped_check",
    "return_line_tenant_id_return_id_fkey",
    "return_line_units_check",
    "repair_price_check",
    "repair_status_check",
    "repair_tenant_id_order_id_fkey",
    "channel_return_kind_check",
    "channel_return_number_key",
    "channel_return_theirs_check",
    "collection_open_idx",
    "collection_status_check",
    "collection_subject_check",
    "collection_tenant_id_order_id_fkey",
    "collection_time_check",
    "collection_waybill_tenant_id_collection_id_fkey",
    "installation_status_check",
    "installation_tenant_id_order_id_fkey",
    "installation_visit_outcome_check",
    "installation_visit_tenant_id_order_id_fkey",
    "installed_unit_tenant_id_order_id_visit_no_fkey",
    "trade_in_credit_check",
    "trade_in_promised_check",
    "trade_in_status_check",
    "trade_in_tenant_id_order_id_fkey",
    "return_request_kind_check",
    "return_request_status_check",
    "return_request_tenant_id_order_id_fkey",
    "return_rule_days_check",
    "reservation_units_check",
    "wave_fulfilments_check",
    "wave_tenant_id_node_id_fkey",
    "order_appointment_booked_check",
    "order_appointment_tenant_id_order_id_fkey",
    "slot_limit_check",
    "slot_provider_code_key",
    "slot_provider_kind_check",
    "slot_provider_origin_check",
    "slot_provider_tenant_id_origin_id_fkey",
    "slot_taken_check",
    "slot_tenant_id_provider_id_fkey",
    "slot_window_check",
    "slot_window_key",
    "carrier_lane_base_check",
    "carrier_lane_key",
    "carrier_lane_step_check",
    "carrier_lane_step_g_check",
    "carrier_lane_transit_check",
    "channel_terms_commission_check",
    "channel_terms_kind_check",
    "dealer_terms_fee_check",
    "dealer_terms_performance_check",
    "node_capabilities_check",
    "node_cut_off_check",
    "node_handling_check",
    "node_service_level_check",
    "node_working_days_check",
    "node_closed_day_tenant_id_node_id_fkey",
    "alert_rule_clears_check",
    "alert_rule_code_key",
    "alert_rule_fires_check",
    "alert_rule_leave_check",
    "alert_rule_measure_check",
    "alert_rule_scope_check",
    "alert_rule_transfers_check",
    "alert_rule_transit_check",
    "shop_floor_units_check",
    "stock_alert_open_key",
    "transfer_proposal_quantity_check",
    "transfer_proposal_state_check",
    "api_key_hash_key",
    "app_user_email_check",
    "earmark_kind_check",
    "earmark_lend_keep_bp_check",
    "earmark_lend_keep_days_check",
    "audit_mark_kind_check",
    "audit_rule_action_check",
    "audit_rule_rank_key",
    "fulfilment_status_check",
    "order_audit_tenant_id_order_id_fkey",
    "step_deadline_minutes_check",
    "step_deadline_status_check",
    "functional_warehouse_condition_check",
    "node_kind_check",
    "order_hold_kind_check",
    "orders_shortage_check",
    "orders_status_check",
    "node_accuracy_weight_check",
    "pick_shortage_cause_check",
    "pick_shortage_quantity_check",
    "pool_layout_active_key",
    "pool_layout_status_check",
    "region_level_check",
    "shop_connection_rate_check",
    "shop_connection_tenant_id_shop_id_fkey",
    "region_parent_code_fkey",
    "routing_policy_active_key",
    "routing_price_check",
    "routing_rollout_figures_side_check",
    "routing_rollout_figures_tenant_id_rollout_id_fkey",
    "routing_rollout_least_check",
    "routing_rollout_mode_check",
    "routing_rollout_running_key",
    "routing_rollout_share_check",
    "routing_rollout_state_check",
    "routing_rollout_worse_check",
    "routing_policy_status_check",
    "routing_simulation_difference_tenant_id_simulation_id_fkey",
    "routing_simulation_period_check",
    "routing_simulation_state_check",
    "routing_wait_kind_check",
    "routing_wait_tenant_id_order_id_fkey",
    "safety_rule_figure_check",
    "safety_rule_scope_key",
    "safety_rule_units_check",
    "safety_rule_weeks_check",
    "stock_count_counted_check",
    "stock_count_state_check",
    "stock_hold_kind_check",
    "stock_hold_part_quantity_check",
    "stock_hold_part_tenant_id_hold_id_fkey",
    "stock_hold_state_check",
    "stock_movement_reason_check",
    "supply_code_key",
    "supply_confidence_check",
    "supply_kind_check",
    "supply_line_check",
    "supply_promise_quantity_check",
    "supply_promise_tenant_id_order_id_line_no_fkey",
    "supply_promise_tenant_id_supply_id_fkey",
    "supply_quantity_check",
    "supply_received_check",
    "stock_movement_type_check",
    "dealer_agreement_code_key",
    "dealer_agreement_period_check",
    "dealer_agreement_status_check",
    "dealer_agreement_tenant_id_quota_account_id_fkey",
    "dealer_agreement_tenant_id_replaces_id_fkey",
    "dealer_price_list_code_key",
    "dealer_price_list_period_check",
    "dealer_price_list_scope_check",
    "dealer_price_list_status_check",
    "dealer_price_price_check",
    "dealer_price_resale_check",
    "dealer_price_tenant_id_price_list_id_fkey",
    "dealer_profile_parent_check",
    "order_line_deal_check",
    "dealer_deposit_balance_check",
    "dealer_deposit_entry_reference_key",
    "dealer_deposit_entry_tenant_id_dealer_id_fkey",
    "dealer_deposit_entry_type_check",
    "dealer_item_code_key",
    "dealer_item_part_quantity_check",
    "dealer_item_part_tenant_id_item_id_fkey",
    "dealer_item_price_check",
    "dealer_listing_price_check",
    "dealer_listing_tenant_id_item_id_fkey",
    "dealer_listing_tenant_id_shop_id_fkey",
    "department_brand_id_fkey",
    "department_code_key",
    "department_dealer_id_fkey",
    "department_owner_check",
    "department_parent_id_fkey",
    "post_department_id_fkey",
    "post_deputy_for_fkey",
    "post_membership_id_fkey",
    "post_period_check",
    "post_role_id_fkey",
    "role_brand_id_fkey",
    "role_code_key",
    "role_dealer_id_fkey",
    "role_owner_check",
    "document_kind_check",
    "document_number_key",
    "document_source_key",
    "quota_account_tenant_id_legal_entity_id_fkey",
    "quota_entry_reverses_key",
    "quota_account_days_check",
    "quota_account_granted_check",
    "quota_account_kind_check",
    "quota_entry_reference_key",
    "quota_entry_tenant_id_account_id_fkey",
    "quota_entry_type_check",
    "quota_increase_amount_check",
    "quota_increase_tenant_id_account_id_fkey",
    # Sums and counters that the code has added up.
    "allotment_owner_check",
    "allotment_owner_key",
    "allotment_quantity_check",
    "allotment_taken_check",
    "allotment_tenant_id_shop_id_fkey",
    "earmark_level_filled_check",
    "earmark_level_lent_check",
    "earmark_level_unused_check",
    "node_capacity_limit_check",
    "node_capacity_taken_check",
    "order_line_amount_check",
    "order_line_backordered_check",
    "order_line_cancelled_check",
    "order_line_held_check",
    "order_line_quantity_check",
    "order_line_reserved_check",
    "order_line_units_check",
    "orders_total_check",
    "reservation_quantity_check",
    "stock_level_earmark_check",
    "stock_level_floor_check",
    "stock_level_reserved_check",
    # Parent and child, written together.
    "earmark_level_tenant_id_earmark_id_fkey",
    "fulfilment_tenant_id_order_id_fkey",
    "order_fee_tenant_id_order_id_fkey",
    "order_hold_tenant_id_order_id_fkey",
    "order_line_tenant_id_order_id_fkey",
    "reservation_tenant_id_order_id_fkey",
    # Only brands that exist are leased.
    "relay_position_tenant_id_fkey",
}
"""What no input can violate: if one of these is, it is our mistake, and no refusal."""


async def test_every_constraint_has_a_meaning(admin: Connection) -> None:
    assert set(await names(admin, NAMES)) == CONSTRAINTS.keys() | INTERNAL
    assert not CONSTRAINTS.keys() & INTERNAL


def test_every_meaning_is_a_sentence() -> None:
    for error, message in CONSTRAINTS.values():
        assert issubclass(error, YipanError)
        assert message.endswith(".")


# -------------------------------------------------------------------- as somebody meets them

OnPlatform = Callable[[Transaction, World], Awaitable[Any]]
InTenant = Callable[[TenantTransaction, World], Awaitable[Any]]
NOBODY = 10**9
SINCE = date(2020, 1, 1)


def brand(**changes: Any) -> OnPlatform:
    values = {"code": "new", "name": "New", "currency": "CNY", "time_zone": "Asia/Shanghai"}
    return lambda tx, _: organisation.register_brand(tx, ACTOR, **(values | changes))


def member(kind: Kind, **scope: Any) -> OnPlatform:
    user = scope.pop("user_id", None)
    return lambda tx, world: organisation.grant_membership(
        tx, ACTOR, user or world.brand.user_id or 0, kind, [], **scope
    )


def key(kind: Kind, brand_id: int | None = None, **scope: Any) -> OnPlatform:
    return lambda tx, world: organisation.issue_api_key(
        tx, ACTOR, brand_id or world.tenant_id, "key", [], kind=kind, **scope
    )


def node(**changes: Any) -> InTenant:
    store = NodeDraft(code="new", name="", kind=NodeKind.STORE, region_code=SHANGHAI)
    return lambda tx, _: create_node(tx, replace(store, **changes), bundled_regions())


def warehouse(code: str = "new", **changes: Any) -> InTenant:
    return lambda tx, world: create_warehouse(
        tx, replace(WarehouseDraft(node_id=world.nodes["wh"], code=code), **changes)
    )


def sku(**changes: Any) -> InTenant:
    return lambda tx, _: save_skus(tx, [SkuDraft(code="new", name="New", **changes)])


PLATFORM: list[tuple[str, type[YipanError], OnPlatform]] = [
    (
        "group twice",
        AlreadyExists,
        lambda tx, _: organisation.register_group(tx, ACTOR, "group", ""),
    ),
    ("brand twice", AlreadyExists, brand(code="acme")),
    ("brand's group", UnknownReference, brand(group_id=NOBODY)),
    ("brand's currency", OutOfRange, brand(currency="yuan")),
    ("brand's time zone", OutOfRange, brand(time_zone="Mars/Olympus")),
    ("brand's time zone is a path", OutOfRange, brand(time_zone="../etc/passwd")),
    (
        "dealer twice",
        AlreadyExists,
        lambda tx, _: organisation.register_dealer(tx, ACTOR, "d1", ""),
    ),
    (
        "agreement twice",
        AlreadyExists,
        lambda tx, w: organisation.sign_agreement(tx, ACTOR, w.tenant_id, w.dealers["d1"], SINCE),
    ),
    (
        "agreement's period",
        OutOfRange,
        lambda tx, w: organisation.sign_agreement(
            tx, ACTOR, w.other_tenant_id, w.dealers["d1"], SINCE, date(2019, 1, 1)
        ),
    ),
    (
        "agreement's brand",
        UnknownReference,
        lambda tx, w: organisation.sign_agreement(tx, ACTOR, NOBODY, w.dealers["d1"], SINCE),
    ),
    (
        "agreement's dealer",
        UnknownReference,
        lambda tx, w: organisation.sign_agreement(tx, ACTOR, w.tenant_id, NOBODY, SINCE),
    ),
    (
        "user twice",
        AlreadyExists,
        lambda tx, _: organisation.register_user(tx, ACTOR, "BRAND@example.com", "", PASSWORD),
    ),
    ("member of nothing", OutOfRange, member(Kind.BRAND)),
    ("member of a store without stores", OutOfRange, member(Kind.STORE, brand_id=1)),
    ("member of no brand", UnknownReference, member(Kind.BRAND, brand_id=NOBODY)),
    ("member of no dealer", UnknownReference, member(Kind.DEALER, dealer_id=NOBODY)),
    ("member of no group", UnknownReference, member(Kind.GROUP, group_id=NOBODY)),
    ("no user", UnknownReference, member(Kind.BRAND, brand_id=1, user_id=NOBODY)),
    ("key of a group", OutOfRange, key(Kind.GROUP)),
    ("key of a dealer without one", OutOfRange, key(Kind.DEALER)),
    ("key of a store without stores", OutOfRange, key(Kind.STORE)),
    ("key of no dealer", UnknownReference, key(Kind.DEALER, dealer_id=NOBODY)),
    ("key of no brand", UnknownReference, key(Kind.BRAND, NOBODY)),
]
TENANT: list[tuple[str, type[YipanError], InTenant]] = [
    ("node twice", AlreadyExists, node(code="wh")),
    ("node's priority", OutOfRange, node(priority=1001)),
    ("node's capacity", OutOfRange, node(daily_capacity=-1)),
    ("node's lead time", OutOfRange, node(lead_time_minutes=-1)),
    ("node's legal entity", UnknownReference, node(legal_entity_id=NOBODY)),
    ("warehouse twice", AlreadyExists, warehouse("wh")),
    ("warehouse's node", UnknownReference, warehouse(node_id=NOBODY)),
    ("warehouse's legal entity", UnknownReference, warehouse(legal_entity_id=NOBODY)),
    ("shop twice", AlreadyExists, lambda tx, _: create_shop(tx, ShopDraft("shop", "", "jd"))),
    (
        "shop's legal entity",
        UnknownReference,
        lambda tx, _: create_shop(tx, ShopDraft("new", "", "jd", None, NOBODY)),
    ),
    ("SKU's weight", OutOfRange, sku(weight_g=-1)),
    ("SKU's size", OutOfRange, sku(width_mm=-1)),
]


def ids(case: object) -> str | None:
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("name", "error", "attempt"), PLATFORM, ids=ids)
async def test_platform_refusals(
    database: Database,
    world: World,
    admin: Connection,
    name: str,
    error: type[YipanError],
    attempt: OnPlatform,
) -> None:
    before = await contents(admin)
    with pytest.raises(error) as caught:
        async with database.platform_transaction() as tx:
            await attempt(tx, world)
    assert caught.value.message.endswith(".")
    assert await contents(admin) == before


@pytest.mark.parametrize(("name", "error", "attempt"), TENANT, ids=ids)
async def test_tenant_refusals(
    database: Database,
    world: World,
    admin: Connection,
    name: str,
    error: type[YipanError],
    attempt: InTenant,
) -> None:
    before = await contents(admin)
    with pytest.raises(error) as caught:
        async with database.tenant_transaction(world.brand) as tx:
            await attempt(tx, world)
    assert caught.value.message.endswith(".")
    assert await contents(admin) == before


async def test_a_legal_entity_twice(database: Database, world: World) -> None:
    async with database.tenant_transaction(world.brand) as tx:
        await create_legal_entity(tx, "e", "Entity")
    with pytest.raises(AlreadyExists):
        async with database.tenant_transaction(world.brand) as tx:
            await create_legal_entity(tx, "e", "Entity")


async def test_our_own_mistake_is_no_refusal(database: Database, world: World) -> None:
    wrong = Query("wrong", "", "insert into routing_policy values ($1, 1, 'lost', '{}')")
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.tenant_transaction(world.brand) as tx:
            await tx.execute(wrong, world.tenant_id)
