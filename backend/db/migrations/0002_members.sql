-- Doors to what an organisation looks at and takes back: members, API keys, agreements.

-- The members that a brand sees: its own people and its stores'; or those of one of its dealers.
create function platform.members(of_brand bigint, of_dealer bigint, after bigint, most integer)
returns table (
    id bigint, user_id bigint, email text, name text, kind text, dealer_id bigint,
    node_ids bigint[], permissions text[], is_disabled boolean
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select m.id, u.id, u.email, u.name, m.kind, m.dealer_id, m.node_ids, m.permissions,
           u.disabled_at is not null
    from platform.membership m
    join platform.app_user u on u.id = m.user_id
    where m.id > after
      and case when of_dealer is null then m.brand_id = of_brand
               else m.dealer_id = of_dealer and coalesce(m.brand_id, of_brand) = of_brand end
    order by m.id limit most
$$;

-- The one brand that a dealer works for, and that may register its first user; no row otherwise.
create function platform.sponsor_of_dealer(of_dealer bigint) returns bigint
language sql stable security definer set search_path = platform, pg_temp as $$
    select min(a.brand_id) from platform.agreement a
    where a.dealer_id = of_dealer
      and not exists (select from platform.membership m where m.dealer_id = of_dealer)
    having count(*) = 1
$$;

create function platform.revoke_membership(
    actor text, of_brand bigint, of_dealer bigint, membership_id bigint
) returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'revoke_membership', membership_id::text);
    delete from platform.membership m
    where m.id = membership_id
      and case when of_dealer is null then m.brand_id = of_brand
               else m.dealer_id = of_dealer and coalesce(m.brand_id, of_brand) = of_brand end
    returning true
$$;

create function platform.api_keys(of_brand bigint, of_dealer bigint, after bigint, most integer)
returns table (
    id bigint, name text, kind text, dealer_id bigint, node_ids bigint[], permissions text[],
    created_at timestamptz, expires_at timestamptz, revoked_at timestamptz
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select k.id, k.name, k.kind, k.dealer_id, k.node_ids, k.permissions, k.created_at,
           k.expires_at, k.revoked_at
    from platform.api_key k
    where k.brand_id = of_brand and k.id > after
      and (of_dealer is null or k.dealer_id = of_dealer)
    order by k.id limit most
$$;

create function platform.agreements(of_brand bigint, of_dealer bigint, after bigint, most integer)
returns table (
    id bigint, dealer_id bigint, dealer_code text, dealer_name text, starts_on date, ends_on date,
    ended_at timestamptz
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select a.id, d.id, d.code, d.name, a.starts_on, a.ends_on, a.ended_at
    from platform.agreement a join platform.dealer d on d.id = a.dealer_id
    where a.brand_id = of_brand and a.id > after and (of_dealer is null or d.id = of_dealer)
    order by a.id limit most
$$;

create function platform.dealer_by_code(of_code text) returns bigint
language sql stable security definer set search_path = platform, pg_temp as $$
    select d.id from platform.dealer d where d.code = of_code
$$;

create function platform.group_by_code(of_code text) returns bigint
language sql stable security definer set search_path = platform, pg_temp as $$
    select g.id from platform.brand_group g where g.code = of_code
$$;

revoke execute on function platform.members from public;
grant execute on function platform.members to yipan_app;
revoke execute on function platform.sponsor_of_dealer from public;
grant execute on function platform.sponsor_of_dealer to yipan_app;
revoke execute on function platform.revoke_membership from public;
grant execute on function platform.revoke_membership to yipan_app;
revoke execute on function platform.api_keys from public;
grant execute on function platform.api_keys to yipan_app;
revoke execute on function platform.agreements from public;
grant execute on function platform.agreements to yipan_app;
revoke execute on function platform.dealer_by_code from public;
grant execute on function platform.dealer_by_code to yipan_app;
revoke execute on function platform.group_by_code from public;
grant execute on function platform.group_by_code to yipan_app;
