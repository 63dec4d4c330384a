-- Documents of dealers' business (单据管理), deposits (保证金), and debits and credits by hand.
alter table quota_account add column legal_entity_id bigint;
alter table quota_account
    add foreign key (tenant_id, legal_entity_id) references legal_entity;
alter table quota_entry add column reverses_id bigint;
alter table quota_entry
    add constraint quota_entry_reverses_key unique (tenant_id, reverses_id);
alter table quota_entry drop constraint quota_entry_type_check;
alter table quota_entry add constraint quota_entry_type_check check (type in (
    'opened', 'limit_set', 'increased', 'increase_ended', 'topped_up', 'paid_out', 'paid',
    'taken', 'given_back', 'returned', 'charged', 'credited'));

-- What a dealer has deposited with the brand (保证金): apart from its quota, never below 0.
create table dealer_deposit (
    tenant_id     bigint not null,
    dealer_id     bigint not null,
    balance_minor bigint not null default 0
                  constraint dealer_deposit_balance_check check (balance_minor >= 0),
    version       bigint not null default 1,
    primary key (tenant_id, dealer_id)
);
call protect('dealer_deposit', 'dealer');

create table dealer_deposit_entry (
    tenant_id    bigint not null,
    id           bigint generated always as identity,
    dealer_id    bigint not null,
    type         text not null constraint dealer_deposit_entry_type_check
                 check (type in ('paid', 'deducted', 'refunded')),
    amount_minor bigint not null,
    reference    text not null,
    reason       text not null default '',
    actor        text not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, dealer_id) references dealer_deposit,
    constraint dealer_deposit_entry_reference_key unique (tenant_id, dealer_id, reference)
);
call protect('dealer_deposit_entry', 'dealer');

-- The last number of a kind of document that a legal entity (0: the brand itself) gave in a year.
create table document_counter (
    tenant_id       bigint not null,
    legal_entity_id bigint not null,
    kind            text not null,
    year            integer not null,
    last_number     bigint not null,
    primary key (tenant_id, legal_entity_id, kind, year)
);
call protect('document_counter', 'brand');

-- Documents (单据): numbered without gaps when they are issued, and never changed after it.
create table document (
    tenant_id       bigint not null,
    id              bigint generated always as identity,
    legal_entity_id bigint not null,
    kind            text not null constraint document_kind_check check (kind in (
        'dropship_order', 'delivery_note', 'return_note', 'credit_note', 'debit_note',
        'quota_note', 'receipt', 'deposit_receipt', 'statement')),
    year            integer not null,
    number          bigint not null,
    code            text not null,
    dealer_id       bigint not null,
    -- What it says something of, once: an entry, a fulfilment, a return, an account's month.
    source          text not null,
    order_id        bigint,
    account_id      bigint,
    granted_delta   bigint not null default 0,
    used_delta      bigint not null default 0,
    amount_minor    bigint not null,
    currency        text not null,
    content         jsonb not null,
    reverses_id     bigint,
    issued_at       timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint document_number_key unique (tenant_id, legal_entity_id, kind, year, number),
    constraint document_source_key unique (tenant_id, source)
);
create index document_dealer_idx on document (tenant_id, dealer_id, id);
create index document_order_idx on document (tenant_id, order_id) where order_id is not null;
create index document_account_idx on document (tenant_id, account_id, id)
    where account_id is not null;
call protect('document', 'dealer');

-- How far the events of a brand are read for it.
create table document_reading (
    tenant_id  bigint not null,
    from_xid   bigint not null,
    until_xid  bigint not null,
    event_id   bigint not null,
    primary key (tenant_id)
);
call protect('document_reading', 'brand');
