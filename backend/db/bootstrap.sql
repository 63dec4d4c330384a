-- The two roles and the table of applied migrations; safe to run again.
do $$
begin
    if not exists (select from pg_roles where rolname = '{owner}') then
        create role {owner} nologin;
    end if;
    if not exists (select from pg_roles where rolname = '{application}') then
        create role {application} login nobypassrls;
    end if;
    execute format('grant create, temporary on database %I to {owner}', current_database());
    execute format('grant {owner} to %I', session_user);
    execute format('grant {application} to %I', session_user);
end $$;
grant usage, create on schema public to {owner};
grant usage on schema public to {application};
create table if not exists migration (
    name       text primary key,
    checksum   text not null,
    applied_at timestamptz not null default clock_timestamp()
);
alter table migration owner to {owner};
