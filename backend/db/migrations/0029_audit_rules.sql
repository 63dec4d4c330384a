-- Rules by which orders are held before nodes begin with them (审单规则).
create table audit_rule (
    tenant_id bigint not null,
    code      text not null,
    name      text not null,
    rank      integer not null,
    action    text not null constraint audit_rule_action_check check (action in ('hold', 'pass')),
    condition jsonb not null,
    primary key (tenant_id, code),
    constraint audit_rule_rank_key unique (tenant_id, rank)
);
call protect('audit_rule', 'brand');

-- How far the events of a brand with rules are read: orders placed since then are audited.
create table audit_reading (
    tenant_id bigint not null,
    since     timestamptz not null default clock_timestamp(),
    from_xid  bigint not null,
    until_xid bigint not null,
    event_id  bigint not null,
    primary key (tenant_id)
);
call protect('audit_reading', 'brand');

-- What rules said of orders.
create table order_audit (
    tenant_id  bigint not null,
    order_id   bigint not null,
    rules      text[] not null,
    audited_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders
);
call protect('order_audit', 'brand');

-- Whose orders came before: marks of telephone numbers and of addresses.
create table audit_mark (
    tenant_id bigint not null,
    kind      text not null constraint audit_mark_kind_check check (kind in ('phone', 'address')),
    mark      bytea not null,
    placed_at timestamptz not null,
    order_id  bigint not null,
    primary key (tenant_id, kind, mark, placed_at, order_id)
);
call protect('audit_mark', 'brand');
