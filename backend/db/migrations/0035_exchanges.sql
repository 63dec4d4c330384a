-- What a customer gets for what they send back (换货): the order that replaces it, and what is still
-- to be paid.
create table exchange (
    tenant_id      bigint not null,
    return_id      bigint not null,
    order_id       bigint not null,
    dealer_id      bigint,
    replacement_id bigint,
    status         text not null constraint exchange_status_check
                   check (status in ('asked', 'waiting', 'unpaid', 'done', 'cancelled')),
    version        integer not null default 1,
    -- The lines of the replacement, as JSON.
    wanted         text not null,
    -- What came back is worth so much of the replacement; so much is to be paid for it beside that.
    credit_minor   bigint not null default 0
                   constraint exchange_credit_check check (credit_minor >= 0),
    due_minor      bigint not null default 0 constraint exchange_due_check check (due_minor >= 0),
    -- What whoever was paid the difference calls it.
    reference      text not null default '',
    changed_at     timestamptz not null default clock_timestamp(),
    primary key (tenant_id, return_id),
    foreign key (tenant_id, return_id) references return_request,
    foreign key (tenant_id, order_id) references orders
);
create index exchange_open_idx on exchange (tenant_id, return_id)
    where status in ('asked', 'waiting', 'unpaid');
call protect('exchange', 'dealer');

-- So much of it is not paid back: it was exchanged for something. Kept: it may be.
alter table refund add column offset_minor bigint not null default 0
    constraint refund_offset_check check (offset_minor between 0 and amount_minor);
alter table refund drop constraint refund_status_check;
alter table refund add constraint refund_status_check
    check (status in ('due', 'kept', 'asked', 'paid', 'failed', 'waived'));

alter table order_hold drop constraint order_hold_kind_check;
alter table order_hold add constraint order_hold_kind_check check (kind in (
    'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing', 'appointment',
    'manual', 'pickup', 'exchange'));
