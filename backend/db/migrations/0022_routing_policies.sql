-- Policies of routing as drafts and versions, and what becomes of what no node sends.

alter table routing_policy
    -- The version that was active when this one was proposed; 0 for none.
    add column based_on integer not null default 0,
    add column comment text not null default '',
    add column proposed_by text not null default '',
    add column activated_by text;
create index routing_policy_activated_idx on routing_policy (tenant_id, activated_at)
    where activated_at is not null;

-- The strategies that placed something, in turn, and what was to become of the rest.
alter table routing_decision
    add column strategies text[] not null default '{}',
    add column otherwise text;
alter type new_decision
    add attribute strategies text[],
    add attribute otherwise text;

-- What the order says for routing beside where it goes; see backend/routing/traits.py. And whether
-- it was paid when it came: who may wait need not have paid.
alter table orders
    add column traits jsonb not null default '{}',
    add column is_paid boolean not null default false;
alter type new_order
    add attribute traits text,
    add attribute is_paid boolean;

alter table order_hold drop constraint order_hold_kind_check;
alter table order_hold add constraint order_hold_kind_check check (kind in (
    'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing'));

-- Orders that wait otherwise than for stock alone: in a named queue, or until a day on which what
-- still waits is cancelled.
create table routing_wait (
    tenant_id  bigint not null,
    order_id   bigint not null,
    dealer_id  bigint,
    strategy   text not null,
    queue      text,
    cancel_on  date,
    waits_from timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders,
    constraint routing_wait_kind_check check ((queue is null) <> (cancel_on is null))
);
create index routing_wait_queue_idx on routing_wait (tenant_id, queue, order_id)
    where queue is not null;
create index routing_wait_cancel_idx on routing_wait (tenant_id, cancel_on)
    where cancel_on is not null;
call protect('routing_wait', 'dealer');
