-- Orders that customers fetch at a store (到店自提).
alter table node drop constraint node_capabilities_check;
alter table node add constraint node_capabilities_check check (
    capabilities <@ array['oversize', 'chilled', 'frozen', 'dangerous', 'installs', 'hands_over']);
alter table orders add column pickup_node_id bigint;
alter type new_order add attribute pickup_node_id bigint;
alter table order_hold drop constraint order_hold_kind_check;
alter table order_hold add constraint order_hold_kind_check check (kind in (
    'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing', 'appointment',
    'manual', 'pickup'));

-- Where the handing over of an order at a store stands. `version` counts its changes: whoever
-- commands says which one was seen.
create table pickup (
    tenant_id    bigint not null,
    order_id     bigint not null,
    node_id      bigint not null,
    dealer_id    bigint,
    status       text not null constraint pickup_status_check check (status in (
        'asked', 'accepted', 'rejected', 'ready', 'handed_over', 'expired', 'sent', 'cancelled')),
    version      integer not null default 1,
    -- Until when the customer was promised to have it ready, and since when it is.
    ready_by     timestamptz,
    ready_at     timestamptz,
    -- For so long the store keeps what is ready, and whether the customer was reminded of it.
    keep_until   timestamptz,
    is_reminded  boolean not null default false,
    reason       text not null default '',
    -- Wrong codes since the last right one, and until when no more are looked at.
    wrong_codes  integer not null default 0
                 constraint pickup_wrong_codes_check check (wrong_codes >= 0),
    wrong_at     timestamptz,
    locked_until timestamptz,
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders,
    constraint pickup_ready_check check (status <> 'ready' or keep_until is not null)
);
create index pickup_node_idx on pickup (tenant_id, node_id, status, order_id);
create index pickup_keep_idx on pickup (tenant_id, keep_until) where status = 'ready';
create index pickup_wrong_idx on pickup (tenant_id, node_id, wrong_at) where wrong_at is not null;
call protect('pickup', 'dealer_store');

-- Who may fetch an order: the buyer, and whom the buyer sends (代取); each with a code of its own,
-- which follows from the secret of the brand and the number.
create table pickup_code (
    tenant_id bigint not null,
    order_id  bigint not null,
    code_no   integer not null,
    node_id   bigint not null,
    dealer_id bigint,
    name      text not null,
    phone     text not null,
    state     text not null constraint pickup_code_state_check
              check (state in ('active', 'revoked', 'used')),
    issued_at timestamptz not null default clock_timestamp(),
    ended_at  timestamptz,
    primary key (tenant_id, order_id, code_no),
    foreign key (tenant_id, order_id) references pickup
);
call protect('pickup_code', 'dealer_store');

-- What the codes of a brand follow from, and what their tokens are signed with.
create table pickup_secret (
    tenant_id   bigint not null,
    signing_key text not null,
    primary key (tenant_id)
);
call protect('pickup_secret', 'brand');

-- For how long stores keep what is ready, and how long before it ends customers are reminded.
create table pickup_terms (
    tenant_id    bigint not null,
    keep_hours   integer not null
                 constraint pickup_terms_keep_check check (keep_hours between 1 and 2160),
    remind_hours integer not null,
    primary key (tenant_id),
    constraint pickup_terms_remind_check check (remind_hours >= 0 and remind_hours < keep_hours)
);
call protect('pickup_terms', 'tenant');
