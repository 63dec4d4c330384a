-- Who publishes which events.

-- Who publishes which tenant's events, and how far; reached through the functions below alone.
create table platform.relay (
    owner      text primary key,
    seen_until timestamptz not null
);

create table platform.relay_position (
    tenant_id    bigint primary key references platform.brand,
    since        bigint not null default 0,
    until        bigint not null default 0,
    last_id      bigint not null default 0,
    owner        text,
    leased_until timestamptz
);

-- Keeps the leases of a relay, gives it its share of what is free, and takes what is beyond it.
create function platform.lease_relays(me text, seconds integer)
returns table (tenant_id bigint, since bigint, until bigint, last_id bigint)
language plpgsql security definer set search_path = platform, pg_temp as $$
#variable_conflict use_column
declare
    share integer;
    lasts constant interval := make_interval(secs => seconds);
begin
    perform pg_advisory_xact_lock(hashtext('yipan.lease_relays'));
    delete from relay where seen_until < clock_timestamp();
    insert into relay (owner, seen_until) values (me, clock_timestamp() + lasts)
    on conflict (owner) do update set seen_until = excluded.seen_until;
    insert into relay_position (tenant_id) select id from brand on conflict do nothing;
    select ceil(count(*)::numeric / (select count(*) from relay)) into share from relay_position;
    update relay_position set owner = null where tenant_id in (
        select p.tenant_id from relay_position p where p.owner = me
        order by p.tenant_id offset share);
    update relay_position set owner = me where tenant_id in (
        select p.tenant_id from relay_position p
        where p.owner is null or p.leased_until < clock_timestamp()
        order by p.tenant_id
        limit greatest(0, share - (select count(*) from relay_position q where q.owner = me)));
    return query update relay_position p set leased_until = clock_timestamp() + lasts
        where p.owner = me returning p.tenant_id, p.since, p.until, p.last_id;
end $$;

create function platform.store_relay(
    me text, of_tenant bigint, new_since bigint, new_until bigint, new_id bigint
) returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    update platform.relay_position p set since = new_since, until = new_until, last_id = new_id
    where p.tenant_id = of_tenant and p.owner = me
    returning true
$$;

create function platform.leave_relays(me text) returns void
language sql security definer set search_path = platform, pg_temp as $$
    update platform.relay_position p set owner = null where p.owner = me;
    delete from platform.relay r where r.owner = me
$$;

revoke execute on function platform.lease_relays from public;
grant execute on function platform.lease_relays to yipan_app;
revoke execute on function platform.store_relay from public;
grant execute on function platform.store_relay to yipan_app;
revoke execute on function platform.leave_relays from public;
grant execute on function platform.leave_relays to yipan_app;
