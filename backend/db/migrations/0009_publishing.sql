-- What the platforms of shops are told, and how they are reached.

create table shop_connection (
    tenant_id        bigint not null,
    shop_id          bigint not null,
    kind             text not null,
    base_url         text not null,
    remote_shop      text not null,
    token            text not null,
    calls_per_second integer not null
                     constraint shop_connection_rate_check
                     check (calls_per_second between 1 and 1000),
    is_active        boolean not null default true,
    orders_cursor    text not null default '',
    problem          text,
    -- The process that speaks for the shop, until when.
    owner            text,
    leased_until     timestamptz,
    primary key (tenant_id, shop_id),
    foreign key (tenant_id, shop_id) references shop
);
call protect('shop_connection', 'brand');

create table shown_number (
    tenant_id       bigint not null,
    shop_id         bigint not null,
    sku_id          bigint not null,
    sequence        bigint not null,
    wanted          bigint not null,
    shown           bigint,
    acknowledged_at timestamptz,
    drifted_at      timestamptz,
    is_unlisted     boolean not null default false,
    primary key (tenant_id, shop_id, sku_id)
) with (fillfactor = 70);
call protect('shown_number', 'brand');
