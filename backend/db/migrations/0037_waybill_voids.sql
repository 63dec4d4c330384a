-- Waybills that nobody uses: their carriers are told, so that they are not charged (运单作废).
create table waybill_void (
    tenant_id bigint not null,
    carrier   text not null,
    waybill   text not null,
    status    text not null default 'due' constraint waybill_void_status_check
              check (status in ('due', 'done', 'refused')),
    -- What the carrier said, or how asking it failed.
    said      text not null default '',
    attempts  integer not null default 0,
    ask_after timestamptz not null default clock_timestamp(),
    due_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, carrier, waybill)
);
create index waybill_void_due_idx on waybill_void (tenant_id, ask_after) where status = 'due';
call protect('waybill_void', 'brand');
