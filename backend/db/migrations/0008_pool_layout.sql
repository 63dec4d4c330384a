-- The layout of the pools, as versioned documents.

create table pool_layout (
    tenant_id    bigint not null,
    version      integer not null,
    -- The version that was active when this one was proposed; 0 for none.
    based_on     integer not null,
    status       text not null constraint pool_layout_status_check
                 check (status in ('draft', 'active', 'archived')),
    document     jsonb not null,
    comment      text not null,
    proposed_by  text not null,
    proposed_at  timestamptz not null default clock_timestamp(),
    activated_by text,
    activated_at timestamptz,
    primary key (tenant_id, version)
);
create unique index pool_layout_active_key on pool_layout (tenant_id) where status = 'active';
create index pool_layout_activated_idx on pool_layout (tenant_id, activated_at)
    where activated_at is not null;
call protect('pool_layout', 'brand');
