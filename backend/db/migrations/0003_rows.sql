-- Rows in one array a statement, and the answer of an order kept with it.

-- Rows as the intake inserts them: an array of rows costs a third of an array for each column.
create type new_key as (key text, fingerprint bytea, order_id bigint);
create type new_order as (
    id bigint, shop_id bigint, external_id text, dealer_id bigint, status text, shortage text,
    currency text, goods_minor bigint, line_discount_minor bigint, order_discount_minor bigint,
    freight_minor bigint, fees_minor bigint, total_minor bigint, buyer_name text, buyer_phone text,
    region_code bigint, address text, remark text, ordered_at timestamptz, event_sequence integer,
    fulfilment_count integer, reservation_count integer, decision_count integer, outcome text
);
create type new_line as (
    order_id bigint, line_no integer, dealer_id bigint, sku_id bigint, sku_code text,
    quantity bigint, reserved bigint, backordered bigint, held bigint, cancelled bigint,
    unit_price_minor bigint, line_discount_minor bigint, order_discount_minor bigint,
    amount_minor bigint
);
create type new_fee as (
    order_id bigint, fee_no integer, dealer_id bigint, code text, description text,
    amount_minor bigint
);
create type new_hold as (
    order_id bigint, hold_no integer, line_no integer, dealer_id bigint, kind text, reason text
);
create type new_fulfilment as (
    order_id bigint, fulfilment_no integer, node_id bigint, dealer_id bigint, capacity_day date,
    buyer_name text, buyer_phone text, region_code bigint, address text
);
create type new_reservation as (
    order_id bigint, reservation_no integer, line_no integer, fulfilment_no integer,
    functional_warehouse_id bigint, sku_id bigint, node_id bigint, dealer_id bigint,
    quantity bigint
);
create type new_decision as (
    order_id bigint, decision_no integer, policy_version integer, book_position bigint,
    batch_id bigint, batch_index integer, attempt smallint, is_proved boolean, cost text,
    lower_bound text, winner_nodes bigint[], runner_up_node bigint, runner_up_cost text
);
create type new_take as (
    functional_warehouse_id bigint, sku_id bigint, quantity bigint, cause_id bigint,
    cause_line integer
);
create type new_movement as (
    functional_warehouse_id bigint, sku_id bigint, node_id bigint, dealer_id bigint, type text,
    quantity bigint, on_hand_delta bigint, reserved_delta bigint, floor_delta bigint,
    earmark_delta bigint, level_version bigint, cause_kind text, cause_id bigint,
    cause_line integer, reason text
);
create type new_event as (
    type text, order_id bigint, sequence integer, dealer_id bigint, node_id bigint, payload text
);

alter table orders add column outcome text not null default '';

-- One index for both ways of asking for levels; see schema.sql.
alter table stock_level
    drop constraint stock_level_pkey,
    add primary key (tenant_id, sku_id, functional_warehouse_id);
drop index stock_level_sku_idx;

-- What another centre may ask in the middle of its own statement; row-level security applies.
create function closed_nodes(of_tenant bigint, ids bigint[]) returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select n.id from node n where n.tenant_id = of_tenant and n.id = any(ids) and not n.is_active
$$;

create function retired_skus(of_tenant bigint, ids bigint[]) returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select s.id from sku s where s.tenant_id = of_tenant and s.id = any(ids) and not s.is_active
$$;
create index sku_retired_idx on sku (tenant_id, id) where not is_active;

revoke execute on function closed_nodes, retired_skus from public;
grant execute on function closed_nodes, retired_skus to yipan_app;
