-- When waves are released by themselves (波次时刻): minutes since midnight where the brand is; of a
-- node, or (null) of all.
create table wave_time (
    tenant_id    bigint not null,
    number       integer not null,
    node_id      bigint,
    minute       integer not null
                 constraint wave_time_minute_check check (minute between 0 and 1439),
    with_waiting boolean not null,
    -- The last day on which it was released.
    released_on  date not null,
    primary key (tenant_id, number)
);
call protect('wave_time', 'store');
