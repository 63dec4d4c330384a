-- Safety stock by channel.

alter table safety_rule add column channel text;
alter table safety_rule drop constraint safety_rule_scope_key;
alter table safety_rule add constraint safety_rule_scope_key
    unique nulls not distinct (tenant_id, sku_id, node_id, channel, category, node_kind);

-- What a shop keeps back of what it is offered, as the rules of its channel say; 0 where it did.
create table shop_floor (
    tenant_id  bigint not null,
    shop_id    bigint not null,
    sku_id     bigint not null,
    dealer_id  bigint,
    units      bigint not null constraint shop_floor_units_check check (units >= 0),
    reason     text not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, shop_id, sku_id)
);
create index shop_floor_changed_idx on shop_floor (tenant_id, changed_at);
call protect('shop_floor', 'dealer');
