-- How long a fulfilment may stand where it stands (时效), and what was told of it.
create table step_deadline (
    tenant_id    bigint not null,
    status       text not null constraint step_deadline_status_check check (status in (
        'reserved', 'released', 'picking', 'picked', 'packed', 'shipped')),
    -- The kind of node that it is for; empty: all that have none of their own.
    node_kind    text not null default '',
    warn_minutes integer not null,
    late_minutes integer not null,
    primary key (tenant_id, status, node_kind),
    constraint step_deadline_minutes_check
        check (0 < warn_minutes and warn_minutes <= late_minutes)
);
call protect('step_deadline', 'tenant');

-- The status of which it was told that it lasts too long, and how: warned, or late.
alter table fulfilment add column told_status text;
alter table fulfilment add column told_late boolean not null default false;
drop index fulfilment_work_idx;
create index fulfilment_work_idx on fulfilment (tenant_id, node_id, status, order_id)
    where status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped');
create index fulfilment_told_idx on fulfilment (tenant_id, order_id, fulfilment_no)
    where told_status is not null
      and status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped');
