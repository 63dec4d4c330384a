-- What was paid ahead for an order (定金), and until when the rest (尾款) is to be paid.
create table order_deposit (
    tenant_id    bigint not null,
    order_id     bigint not null,
    dealer_id    bigint,
    amount_minor bigint not null constraint order_deposit_amount_check check (amount_minor > 0),
    pay_by       timestamptz not null,
    -- Whether it is kept where the rest is not paid.
    is_kept      boolean not null,
    status       text not null default 'open' constraint order_deposit_status_check
                 check (status in ('open', 'paid', 'ended')),
    -- What whoever was paid the rest calls it.
    reference    text not null default '',
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders
);
create index order_deposit_due_idx on order_deposit (tenant_id, pay_by) where status = 'open';
call protect('order_deposit', 'dealer');

alter table order_hold drop constraint order_hold_kind_check;
alter table order_hold add constraint order_hold_kind_check check (kind in (
    'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing', 'appointment',
    'manual', 'pickup', 'exchange', 'deposit'));
