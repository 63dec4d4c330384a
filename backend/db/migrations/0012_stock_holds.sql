-- Holds with an expiry: for carts, unpaid orders and platforms.

-- Units that are kept for a cart, an unpaid order or a platform, until a time. Ids are those of
-- orders; `state` decides: what is active can be converted, even late.
create table stock_hold (
    tenant_id   bigint not null,
    id          bigint not null,
    kind        text not null constraint stock_hold_kind_check
                check (kind in ('cart', 'unpaid', 'platform')),
    shop_id     bigint not null,
    external_id text,
    dealer_id   bigint,
    state       text not null default 'active' constraint stock_hold_state_check
                check (state in ('active', 'converted', 'expired', 'released')),
    expires_at  timestamptz not null,
    taken_by    text not null,
    taken_at    timestamptz not null default clock_timestamp(),
    ended_at    timestamptz,
    -- The order that it was converted to.
    order_id    bigint,
    outcome     text not null,
    primary key (tenant_id, id)
);
create index stock_hold_active_idx on stock_hold (tenant_id, expires_at) where state = 'active';
call protect('stock_hold', 'dealer');

create table stock_hold_part (
    tenant_id               bigint not null,
    hold_id                 bigint not null,
    part_no                 integer not null,
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    quantity                bigint not null constraint stock_hold_part_quantity_check
                            check (quantity > 0),
    earmark_id              bigint,
    allotment_ids           bigint[],
    primary key (tenant_id, hold_id, part_no),
    foreign key (tenant_id, hold_id) references stock_hold
);
call protect('stock_hold_part', 'dealer_store');

create type new_stock_hold as (
    id bigint, kind text, shop_id bigint, external_id text, dealer_id bigint, seconds integer,
    taken_by text, outcome text
);
create type new_stock_hold_part as (
    hold_id bigint, part_no integer, functional_warehouse_id bigint, sku_id bigint,
    node_id bigint, dealer_id bigint, quantity bigint, earmark_id bigint, allotment_ids bigint[]
);
alter type new_take add attribute cause_kind text;
