-- In which order a brand's waiting orders get what comes: by age, or better customers first.
create table queue_rule (
    tenant_id    bigint not null primary key,
    levels_first boolean not null
);
call protect('queue_rule', 'tenant');
