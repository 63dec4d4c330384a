-- What orders are found by; written after them, by whoever follows their events.
create table order_term (
    tenant_id bigint not null,
    term      text not null,
    placed_at timestamptz not null,
    order_id  bigint not null,
    dealer_id bigint,
    primary key (tenant_id, term, placed_at, order_id) include (dealer_id)
);
call protect('order_term', 'dealer');

-- The terms that an order has.
create table order_indexed (
    tenant_id bigint not null,
    order_id  bigint not null,
    terms     text[] not null,
    primary key (tenant_id, order_id)
);
call protect('order_indexed', 'brand');

-- How far the events of a brand are read for it; orders below an id are older than what was read,
-- and not indexed yet.
create table search_reading (
    tenant_id   bigint not null,
    from_xid    bigint not null,
    until_xid   bigint not null,
    event_id    bigint not null,
    older_below bigint not null,
    primary key (tenant_id)
);
call protect('search_reading', 'brand');
