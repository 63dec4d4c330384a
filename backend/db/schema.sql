-- The schema of Yipan as it stands: the reviewed truth. Migrations lead here, and a test compares.
--
-- Three kinds of tables (see ARCHITECTURE.md, "Tenancy"):
--   platform   schema platform; no grants: reached through the functions of that schema alone
--   reference  the same for every tenant; readable by all
--   tenant     tenant_id leads every key; row-level security enabled and forced
--
-- Money is BIGINT minor units, quantities are BIGINT units, coordinates are millionths of a degree.

-- ---------------------------------------------------------------------------------- platform

create schema platform;
grant usage on schema platform to yipan_app;

create table platform.brand_group (
    id   bigint generated always as identity primary key,
    code text not null constraint brand_group_code_key unique,
    name text not null
);

create table platform.brand (
    id         bigint generated always as identity primary key,
    group_id   bigint references platform.brand_group,
    code       text not null constraint brand_code_key unique,
    name       text not null,
    currency   text not null constraint brand_currency_check check (currency ~ '^[A-Z]{3}$'),
    time_zone  text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table platform.dealer (
    id   bigint generated always as identity primary key,
    code text not null constraint dealer_code_key unique,
    name text not null
);

create table platform.agreement (
    id        bigint generated always as identity primary key,
    brand_id  bigint not null references platform.brand,
    dealer_id bigint not null references platform.dealer,
    starts_on date not null,
    ends_on   date,
    ended_at  timestamptz,
    constraint agreement_brand_dealer_key unique (brand_id, dealer_id),
    constraint agreement_period_check check (ends_on is null or ends_on >= starts_on)
);

create table platform.app_user (
    id            bigint generated always as identity primary key,
    email         text not null constraint app_user_email_key unique
                  constraint app_user_email_check check (email = lower(email)),
    name          text not null,
    password_hash text not null,
    created_at    timestamptz not null default clock_timestamp(),
    disabled_at   timestamptz
);

-- What a user is: of one brand, one dealer (and so of all its brands), one group, or some stores.
create table platform.membership (
    id          bigint generated always as identity primary key,
    user_id     bigint not null references platform.app_user,
    kind        text not null constraint membership_kind_check
                check (kind in ('brand', 'dealer', 'store', 'group')),
    group_id    bigint references platform.brand_group,
    brand_id    bigint references platform.brand,
    dealer_id   bigint references platform.dealer,
    node_ids    bigint[] not null default '{}',
    permissions text[] not null,
    constraint membership_scope_check check (
        (kind = 'group' and group_id is not null and brand_id is null and dealer_id is null)
        or (kind = 'brand' and brand_id is not null and group_id is null and dealer_id is null)
        or (kind = 'dealer' and dealer_id is not null and group_id is null and brand_id is null)
        or (kind = 'store' and brand_id is not null and group_id is null and node_ids <> '{}')
    )
);
create index membership_user_idx on platform.membership (user_id);

create table platform.api_key (
    id          bigint generated always as identity primary key,
    brand_id    bigint not null references platform.brand,
    kind        text not null constraint api_key_kind_check
                check (kind in ('brand', 'dealer', 'store')),
    dealer_id   bigint references platform.dealer,
    node_ids    bigint[] not null default '{}',
    permissions text[] not null,
    name        text not null,
    key_hash    bytea not null constraint api_key_hash_key unique,
    created_at  timestamptz not null default clock_timestamp(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    constraint api_key_scope_check check (
        (kind = 'brand' and dealer_id is null)
        or (kind = 'dealer' and dealer_id is not null)
        or (kind = 'store' and node_ids <> '{}')
    )
);

create table platform.audit_log (
    id          bigint generated always as identity primary key,
    recorded_at timestamptz not null default clock_timestamp(),
    actor       text not null,
    action      text not null,
    subject     text not null
);

-- The doors to the platform tables. Each runs as the owner, with its search path pinned.

create function platform.note(actor text, action text, subject text) returns void
language sql security definer set search_path = platform, pg_temp as $$
    insert into platform.audit_log (actor, action, subject) values (actor, action, subject)
$$;

create function platform.register_group(actor text, code text, name text) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'register_group', code);
    insert into platform.brand_group (code, name) values (code, name) returning id
$$;

create function platform.register_brand(
    actor text, group_id bigint, code text, name text, currency text, time_zone text
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'register_brand', code);
    insert into platform.brand (group_id, code, name, currency, time_zone)
    values (group_id, code, name, currency, time_zone) returning id
$$;

create function platform.register_dealer(actor text, code text, name text) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'register_dealer', code);
    insert into platform.dealer (code, name) values (code, name) returning id
$$;

create function platform.sign_agreement(
    actor text, brand_id bigint, dealer_id bigint, starts_on date, ends_on date
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'sign_agreement', brand_id || ':' || dealer_id);
    insert into platform.agreement (brand_id, dealer_id, starts_on, ends_on)
    values (brand_id, dealer_id, starts_on, ends_on) returning id
$$;

create function platform.end_agreement(actor text, of_brand bigint, of_dealer bigint)
returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with ended as (
        update platform.agreement a set ended_at = clock_timestamp()
        where a.brand_id = of_brand and a.dealer_id = of_dealer and a.ended_at is null
        returning true
    )
    select true from ended cross join lateral platform.note(
        actor, 'end_agreement', of_brand || ':' || of_dealer
    )
$$;

create function platform.register_user(
    actor text, email text, name text, password_hash text
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'register_user', email);
    insert into platform.app_user (email, name, password_hash)
    values (lower(email), name, password_hash) returning id
$$;

create function platform.grant_membership(
    actor text, user_id bigint, kind text, group_id bigint, brand_id bigint, dealer_id bigint,
    node_ids bigint[], permissions text[]
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'grant_membership', user_id::text);
    insert into platform.membership
        (user_id, kind, group_id, brand_id, dealer_id, node_ids, permissions)
    values (user_id, kind, group_id, brand_id, dealer_id, node_ids, permissions) returning id
$$;

create function platform.issue_api_key(
    actor text, brand_id bigint, kind text, dealer_id bigint, node_ids bigint[],
    permissions text[], name text, key_hash bytea, expires_at timestamptz
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'issue_api_key', name);
    insert into platform.api_key
        (brand_id, kind, dealer_id, node_ids, permissions, name, key_hash, expires_at)
    values (brand_id, kind, dealer_id, node_ids, permissions, name, key_hash, expires_at)
    returning id
$$;

create function platform.revoke_api_key(actor text, of_brand bigint, key_id bigint)
returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with revoked as (
        update platform.api_key k set revoked_at = clock_timestamp()
        where k.id = key_id and k.brand_id = of_brand and k.revoked_at is null
        returning true
    )
    select true from revoked
    cross join lateral platform.note(actor, 'revoke_api_key', key_id::text)
$$;

create function platform.user_by_email(of_email text)
returns table (id bigint, name text, password_hash text)
language sql stable security definer set search_path = platform, pg_temp as $$
    select u.id, u.name, u.password_hash from platform.app_user u
    where u.email = lower(of_email) and u.disabled_at is null
$$;

-- ------------------------------------------------------------------------------ who does what

-- The tree of an organisation (组织架构): of a brand, or of a dealer whatever brands it works for.
create table platform.department (
    id        bigint generated always as identity primary key,
    brand_id  bigint references platform.brand,
    dealer_id bigint references platform.dealer,
    code      text not null,
    name      text not null,
    parent_id bigint references platform.department,
    constraint department_owner_check check ((brand_id is null) <> (dealer_id is null)),
    constraint department_code_key unique nulls not distinct (brand_id, dealer_id, code)
);

-- What somebody may do, by a name (角色).
create table platform.role (
    id          bigint generated always as identity primary key,
    brand_id    bigint references platform.brand,
    dealer_id   bigint references platform.dealer,
    code        text not null,
    name        text not null,
    permissions text[] not null,
    constraint role_owner_check check ((brand_id is null) <> (dealer_id is null)),
    constraint role_code_key unique nulls not distinct (brand_id, dealer_id, code)
);

-- Who has which role, where and for how long (任职); who stands in for another (代理) has it while
-- that one does.
create table platform.post (
    id            bigint generated always as identity primary key,
    membership_id bigint not null references platform.membership on delete cascade,
    role_id       bigint not null references platform.role,
    department_id bigint references platform.department,
    starts_on     date not null,
    ends_on       date,
    deputy_for    bigint references platform.post on delete cascade,
    constraint post_period_check check (ends_on is null or ends_on >= starts_on - 1)
);
create index post_membership_idx on platform.post (membership_id);

-- What a member may do today: what it was given, and by its posts.
create function platform.permissions_today(of_membership bigint, given text[]) returns text[]
language sql stable security definer set search_path = platform, pg_temp as $$
    select coalesce(array_agg(distinct p order by p), '{}')
    from unnest(given || array(
        select unnest(r.permissions)
        from platform.post t
        join platform.role r on r.id = t.role_id
        left join platform.post o on o.id = t.deputy_for
        where t.membership_id = of_membership
          and current_date between t.starts_on and coalesce(t.ends_on, 'infinity')
          and (o.id is null or current_date between o.starts_on and coalesce(o.ends_on, 'infinity'))
    )) as p
$$;

create function platform.save_department(
    actor text, of_brand bigint, of_dealer bigint, of_code text, of_name text, of_parent bigint
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'save_department', of_code);
    insert into platform.department (brand_id, dealer_id, code, name, parent_id)
    values (of_brand, of_dealer, of_code, of_name, of_parent)
    on conflict (brand_id, dealer_id, code) do update
    set name = excluded.name, parent_id = excluded.parent_id
    returning id
$$;

create function platform.departments(of_brand bigint, of_dealer bigint)
returns table (id bigint, code text, name text, parent_id bigint)
language sql stable security definer set search_path = platform, pg_temp as $$
    select d.id, d.code, d.name, d.parent_id from platform.department d
    where d.brand_id is not distinct from of_brand and d.dealer_id is not distinct from of_dealer
    order by d.id
$$;

-- Locks the tree of an organisation: what is looked at of it stays so until the end.
create function platform.lock_departments(of_brand bigint, of_dealer bigint) returns void
language sql security definer set search_path = platform, pg_temp as $$
    select pg_advisory_xact_lock(hashtextextended(
        'yipan.departments:' || coalesce(of_brand, 0) || ':' || coalesce(of_dealer, 0), 0))
$$;

create function platform.delete_department(
    actor text, of_brand bigint, of_dealer bigint, of_code text
) returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with gone as (
        delete from platform.department d
        where d.brand_id is not distinct from of_brand
          and d.dealer_id is not distinct from of_dealer
          and d.code = of_code
          and not exists (select from platform.department c where c.parent_id = d.id)
          and not exists (select from platform.post t where t.department_id = d.id)
        returning true
    )
    select true from gone cross join lateral platform.note(actor, 'delete_department', of_code)
$$;

create function platform.save_role(
    actor text, of_brand bigint, of_dealer bigint, of_code text, of_name text,
    of_permissions text[]
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'save_role', of_code);
    insert into platform.role (brand_id, dealer_id, code, name, permissions)
    values (of_brand, of_dealer, of_code, of_name, of_permissions)
    on conflict (brand_id, dealer_id, code) do update
    set name = excluded.name, permissions = excluded.permissions
    returning id
$$;

create function platform.roles(of_brand bigint, of_dealer bigint)
returns table (id bigint, code text, name text, permissions text[])
language sql stable security definer set search_path = platform, pg_temp as $$
    select r.id, r.code, r.name, r.permissions from platform.role r
    where r.brand_id is not distinct from of_brand and r.dealer_id is not distinct from of_dealer
    order by r.id
$$;

create function platform.give_post(
    actor text, of_membership bigint, of_role bigint, of_department bigint, first_day date,
    last_day date, of_deputy bigint
) returns bigint
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'give_post', of_membership || ':' || of_role);
    insert into platform.post
        (membership_id, role_id, department_id, starts_on, ends_on, deputy_for)
    values (of_membership, of_role, of_department, first_day, last_day, of_deputy) returning id
$$;

create function platform.end_post(actor text, of_post bigint, last_day date) returns void
language sql security definer set search_path = platform, pg_temp as $$
    select platform.note(actor, 'end_post', of_post::text);
    update platform.post t set ends_on = greatest(last_day, t.starts_on - 1)
    where t.id = of_post and (t.ends_on is null or t.ends_on > last_day)
$$;

create function platform.posts(of_brand bigint, of_dealer bigint, after bigint, most integer)
returns table (
    id bigint, membership_id bigint, email text, user_name text, role_id bigint, role_code text,
    department_id bigint, department_code text, starts_on date, ends_on date, deputy_for bigint
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select t.id, m.id, u.email, u.name, r.id, r.code, d.id, d.code, t.starts_on, t.ends_on,
           t.deputy_for
    from platform.post t
    join platform.role r on r.id = t.role_id
    join platform.membership m on m.id = t.membership_id
    join platform.app_user u on u.id = m.user_id
    left join platform.department d on d.id = t.department_id
    where r.brand_id is not distinct from of_brand and r.dealer_id is not distinct from of_dealer
      and t.id > after
    order by t.id limit most
$$;

-- One row for each brand that a user may act in; a dealer, and a dealer's store, needs an
-- agreement in force.
create function platform.roles_of_user(of_user bigint)
returns table (
    kind text, group_id bigint, brand_id bigint, brand_code text, brand_name text,
    dealer_id bigint, node_ids bigint[], permissions text[]
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select m.kind, m.group_id, b.id, b.code, b.name, m.dealer_id, m.node_ids,
           platform.permissions_today(m.id, m.permissions)
    from platform.membership m
    join platform.app_user u on u.id = m.user_id and u.disabled_at is null
    join platform.brand b on
        b.id = m.brand_id
        or (m.kind = 'group' and b.group_id = m.group_id)
        or m.kind = 'dealer'
    where m.user_id = of_user
      and (m.dealer_id is null or exists (
          select from platform.agreement a
          where a.brand_id = b.id and a.dealer_id = m.dealer_id and a.ended_at is null
            and current_date between a.starts_on and coalesce(a.ends_on, 'infinity')
      ))
    order by b.code, m.kind
$$;

create function platform.api_key_by_hash(of_hash bytea)
returns table (
    id bigint, brand_id bigint, kind text, dealer_id bigint, node_ids bigint[],
    permissions text[], name text
)
language sql stable security definer set search_path = platform, pg_temp as $$
    select k.id, k.brand_id, k.kind, k.dealer_id, k.node_ids, k.permissions, k.name
    from platform.api_key k
    where k.key_hash = of_hash and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > clock_timestamp())
      and (k.dealer_id is null or exists (
          select from platform.agreement a
          where a.brand_id = k.brand_id and a.dealer_id = k.dealer_id and a.ended_at is null
            and current_date between a.starts_on and coalesce(a.ends_on, 'infinity')
      ))
$$;

-- The subjects ("user:7", "key:3"), of those given, that may still act in the brand as what they
-- were; a dealer's needs an agreement in force. Read inside the commit of every batch.
create function platform.authority_in_force(
    of_brand bigint, kinds text[], user_ids bigint[], key_ids bigint[], dealer_ids bigint[]
) returns table (ordinal bigint)
language sql stable security definer set search_path = platform, pg_temp as $$
    select c.ordinal
    from unnest(kinds, user_ids, key_ids, dealer_ids) with ordinality
         as c(kind, user_id, key_id, dealer_id, ordinal)
    where (c.dealer_id is null or exists (
            select from platform.agreement a
            where a.brand_id = of_brand and a.dealer_id = c.dealer_id and a.ended_at is null
              and current_date between a.starts_on and coalesce(a.ends_on, 'infinity')))
      and (c.user_id is null or exists (
            select from platform.membership m
            join platform.app_user u on u.id = m.user_id and u.disabled_at is null
            where m.user_id = c.user_id and m.kind = c.kind
              and (m.brand_id = of_brand
                   or (m.kind = 'dealer' and m.dealer_id = c.dealer_id))))
      and (c.key_id is null or exists (
            select from platform.api_key k
            where k.id = c.key_id and k.brand_id = of_brand and k.revoked_at is null
              and (k.expires_at is null or k.expires_at > clock_timestamp())))
$$;

create function platform.disable_user(actor text, of_user bigint) returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with disabled as (
        update platform.app_user u set disabled_at = clock_timestamp()
        where u.id = of_user and u.disabled_at is null
        returning true
    )
    select true from disabled
    cross join lateral platform.note(actor, 'disable_user', of_user::text)
$$;

create function platform.brands()
returns table (id bigint, group_id bigint, code text, name text, currency text, time_zone text)
language sql stable security definer set search_path = platform, pg_temp as $$
    select b.id, b.group_id, b.code, b.name, b.currency, b.time_zone
    from platform.brand b order by b.id
$$;

create function platform.dealers_of_brand(of_brand bigint)
returns table (id bigint, code text, name text)
language sql stable security definer set search_path = platform, pg_temp as $$
    select d.id, d.code, d.name from platform.dealer d
    join platform.agreement a on a.dealer_id = d.id and a.brand_id = of_brand
    order by d.code
$$;

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

-- ---------------------------------------------------------------- row-level security, once said

-- Protects a tenant table: rows of the tenant that the transaction names, and of those
--   readers 'tenant'        every principal of the tenant
--   readers 'brand'         brand, group (read only) and system
--   readers 'dealer'        these, and the dealer of the row (column dealer_id)
--   readers 'store'         brand's, and the stores of the row (column node_column)
--   readers 'dealer_store'  all of them
-- A dealer's store is a store: it does not read what its dealer does. Only brand and system write.
-- A policy compares columns of its own row and nothing else.
create procedure protect(target regclass, readers text, node_column text default 'node_id')
language plpgsql set search_path = public, pg_temp as $$
declare
    own_tenant constant text :=
        'tenant_id = nullif(current_setting(''yipan.tenant'', true), '''')::bigint';
    as_brand constant text :=
        'current_setting(''yipan.kind'', true) in (''brand'', ''group'', ''system'')';
    as_writer constant text := 'current_setting(''yipan.kind'', true) in (''brand'', ''system'')';
    as_dealer constant text :=
        'current_setting(''yipan.kind'', true) = ''dealer'''
        ' and dealer_id = nullif(current_setting(''yipan.dealer'', true), '''')::bigint';
    as_store constant text :=
        'current_setting(''yipan.kind'', true) = ''store'' and ' || node_column ||
        ' = any(nullif(current_setting(''yipan.nodes'', true), '''')::bigint[])';
    may_read text;
begin
    may_read := own_tenant || case readers
        when 'tenant' then ''
        when 'brand' then ' and ' || as_brand
        when 'dealer' then format(' and (%s or %s)', as_brand, as_dealer)
        when 'store' then format(' and (%s or %s)', as_brand, as_store)
        when 'dealer_store' then format(' and (%s or %s or %s)', as_brand, as_dealer, as_store)
    end;
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy reading on %s for select using (%s)', target, may_read);
    execute format('create policy inserting on %s for insert with check (%s and %s)',
                   target, own_tenant, as_writer);
    execute format('create policy updating on %s for update using (%s and %s) '
                   'with check (%2$s and %3$s)', target, own_tenant, as_writer);
    execute format('create policy deleting on %s for delete using (%s and %s)',
                   target, own_tenant, as_writer);
    execute format('grant select, insert, update, delete on %s to yipan_app', target);
end $$;

-- --------------------------------------------------------------------------------- reference

create table region (
    code         bigint primary key,
    country      text not null,
    name         text not null,
    parent_code  bigint references region,
    level        smallint not null constraint region_level_check check (level between 1 and 3),
    longitude_e6 integer not null,
    latitude_e6  integer not null
);
create index region_name_idx on region (country, name);
grant select on region to yipan_app;

-- ----------------------------------------------------------------------------- organisation

create table legal_entity (
    tenant_id bigint not null,
    id        bigint generated by default as identity,
    code      text not null,
    name      text not null,
    dealer_id bigint,
    primary key (tenant_id, id),
    constraint legal_entity_code_key unique (tenant_id, code)
);
call protect('legal_entity', 'dealer');

-- ---------------------------------------------------------------------------------- catalog

create table sku (
    tenant_id          bigint not null,
    id                 bigint generated by default as identity,
    code               text not null,
    name               text not null,
    category           text not null default '',
    product_line       text not null default '',
    weight_g           bigint not null constraint sku_weight_check check (weight_g >= 0),
    length_mm          integer not null default 0,
    width_mm           integer not null default 0,
    height_mm          integer not null default 0,
    needs_installation boolean not null default false,
    attributes         jsonb not null default '{}',
    is_active          boolean not null default true,
    primary key (tenant_id, id),
    constraint sku_code_key unique (tenant_id, code),
    constraint sku_size_check check (length_mm >= 0 and width_mm >= 0 and height_mm >= 0)
);
call protect('sku', 'tenant');

-- --------------------------------------------------------------------------------- channels

create table shop (
    tenant_id       bigint not null,
    id              bigint generated by default as identity,
    code            text not null,
    name            text not null,
    channel         text not null,
    dealer_id       bigint,
    legal_entity_id bigint,
    is_active       boolean not null default true,
    primary key (tenant_id, id),
    constraint shop_code_key unique (tenant_id, code),
    foreign key (tenant_id, legal_entity_id) references legal_entity
);
call protect('shop', 'dealer');

-- ---------------------------------------------------------------------------------- network

create table node (
    tenant_id         bigint not null,
    id                bigint generated by default as identity,
    code              text not null,
    name              text not null,
    kind              text not null constraint node_kind_check
                      check (kind in ('warehouse', 'store', 'dealer', 'third_party', 'platform')),
    region_code       bigint not null references region,
    longitude_e6      integer not null,
    latitude_e6       integer not null,
    priority          integer not null default 100
                      constraint node_priority_check check (priority between 0 and 1000),
    daily_capacity    bigint constraint node_capacity_check check (daily_capacity >= 0),
    lead_time_minutes bigint not null default 0
                      constraint node_lead_time_check check (lead_time_minutes >= 0),
    legal_entity_id   bigint,
    dealer_id         bigint,
    -- A dealer's node that also serves orders which are not the dealer's own.
    serves_all        boolean not null default true,
    is_active         boolean not null default true,
    capabilities      text[] not null default '{}' constraint node_capabilities_check check (
                          capabilities <@ array['oversize', 'chilled', 'frozen', 'dangerous',
                                                'installs', 'hands_over']),
    -- The minute of the brand's day after which an order is dispatched on the next working day.
    cut_off_minute    integer constraint node_cut_off_check
                      check (cut_off_minute between 0 and 1439),
    -- Bit 0 is Monday.
    working_days      smallint not null default 127
                      constraint node_working_days_check check (working_days between 1 and 127),
    service_level     smallint not null default 0
                      constraint node_service_level_check check (service_level between 0 and 9),
    -- What handling a parcel costs.
    handling_minor    bigint not null default 0 constraint node_handling_check
                      check (handling_minor between 0 and 1000000000),
    -- Its stock is meant for its own province first.
    keeps_for_region  boolean not null default false,
    primary key (tenant_id, id),
    constraint node_code_key unique (tenant_id, code),
    foreign key (tenant_id, legal_entity_id) references legal_entity
);
call protect('node', 'dealer_store', 'id');

-- A finite thing: how many parcels a node takes on a day. No row yet: nothing taken.
create table node_capacity (
    tenant_id     bigint not null,
    node_id       bigint not null,
    day           date not null,
    limit_parcels bigint not null constraint node_capacity_limit_check check (limit_parcels >= 0),
    taken         bigint not null default 0
                  constraint node_capacity_taken_check check (taken >= 0),
    version       bigint not null default 1,
    primary key (tenant_id, node_id, day)
) with (fillfactor = 70);
call protect('node_capacity', 'store');

-- Who delivers what a node sends at an agreed time (its dock, or a carrier), or installs goods. The
-- node is called its origin: who delivers for it is everybody's to know, what it stocks is not.
create table slot_provider (
    tenant_id  bigint not null,
    id         bigint generated by default as identity,
    code       text not null,
    name       text not null,
    kind       text not null constraint slot_provider_kind_check
               check (kind in ('delivery', 'installation')),
    origin_id  bigint,
    -- Where it goes, and which categories it installs; none: everywhere, all.
    regions    bigint[] not null default '{}',
    categories text[] not null default '{}',
    is_active  boolean not null default true,
    primary key (tenant_id, id),
    constraint slot_provider_code_key unique (tenant_id, code),
    foreign key (tenant_id, origin_id) references node,
    constraint slot_provider_origin_check check ((kind = 'delivery') = (origin_id is not null))
);
call protect('slot_provider', 'tenant');

-- How many visits somebody makes in a window of a day, and how many are taken. Locked in the order
-- of its window's key, behind all other counters.
create table slot (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    provider_id  bigint not null,
    day          date not null,
    first_minute integer not null,
    end_minute   integer not null,
    limit_visits bigint not null constraint slot_limit_check check (limit_visits >= 0),
    taken        bigint not null default 0 constraint slot_taken_check check (taken >= 0),
    primary key (tenant_id, id),
    constraint slot_window_key unique (tenant_id, provider_id, day, first_minute, end_minute),
    foreign key (tenant_id, provider_id) references slot_provider,
    constraint slot_window_check
        check (0 <= first_minute and first_minute < end_minute and end_minute <= 1440)
) with (fillfactor = 70);
create index slot_day_idx on slot (tenant_id, day, provider_id, first_minute);
call protect('slot', 'brand');

-- Days on which a node does not dispatch, beside those on which it never works.
create table node_closed_day (
    tenant_id bigint not null,
    node_id   bigint not null,
    dealer_id bigint,
    day       date not null,
    primary key (tenant_id, node_id, day),
    foreign key (tenant_id, node_id) references node
);
call protect('node_closed_day', 'dealer_store');

-- What a carrier charges from a node to a region, and how long it takes: so much for a parcel of up
-- to step_g, and so much for each further step_g begun. The most specific region counts. The node
-- is called its origin: what is agreed with carriers is the brand's to know, not the node's.
create table carrier_lane (
    tenant_id       bigint not null,
    id              bigint generated by default as identity,
    origin_id       bigint not null,
    carrier         text not null,
    region_code     bigint not null references region,
    base_minor      bigint not null constraint carrier_lane_base_check
                    check (base_minor between 0 and 1000000000),
    step_minor      bigint not null constraint carrier_lane_step_check
                    check (step_minor between 0 and 1000000000),
    step_g          integer not null constraint carrier_lane_step_g_check
                    check (step_g between 1 and 1000000),
    transit_minutes integer not null constraint carrier_lane_transit_check
                    check (transit_minutes between 0 and 100000),
    is_active       boolean not null default true,
    primary key (tenant_id, id),
    constraint carrier_lane_key unique (tenant_id, origin_id, carrier, region_code),
    foreign key (tenant_id, origin_id) references node
);
call protect('carrier_lane', 'brand');

-- What is agreed with a dealer who sends orders: where to (nowhere named: everywhere), how well it
-- does so, and what the brand pays it for a parcel.
create table dealer_terms (
    tenant_id         bigint not null,
    dealer_id         bigint not null,
    territory         bigint[] not null default '{}',
    performance_bp    integer not null default 10000 constraint dealer_terms_performance_check
                      check (performance_bp between 0 and 10000),
    service_fee_minor bigint not null default 0 constraint dealer_terms_fee_check
                      check (service_fee_minor between 0 and 1000000000),
    primary key (tenant_id, dealer_id)
);
call protect('dealer_terms', 'dealer');

-- The commission of a channel where a node of a kind sends.
create table channel_terms (
    tenant_id     bigint not null,
    channel       text not null,
    node_kind     text not null constraint channel_terms_kind_check
                  check (node_kind in ('warehouse', 'store', 'dealer', 'third_party', 'platform')),
    commission_bp integer not null constraint channel_terms_commission_check
                  check (commission_bp between 0 and 10000),
    primary key (tenant_id, channel, node_kind)
);
call protect('channel_terms', 'brand');

-- Rises with every change of the above and of a node's own terms: who has read them at a version
-- need not read them again.
create table network_terms_version (
    tenant_id bigint primary key,
    version   bigint not null
);
call protect('network_terms_version', 'brand');

-- -------------------------------------------------------------------------------- inventory

create table functional_warehouse (
    tenant_id       bigint not null,
    id              bigint generated by default as identity,
    node_id         bigint not null,
    code            text not null,
    condition       text not null constraint functional_warehouse_condition_check
                    check (condition in ('good', 'defective', 'inspection')),
    purpose         text not null default 'default',
    legal_entity_id bigint,
    dealer_id       bigint,
    rank            integer not null default 0,
    primary key (tenant_id, id),
    constraint functional_warehouse_code_key unique (tenant_id, code),
    foreign key (tenant_id, node_id) references node,
    foreign key (tenant_id, legal_entity_id) references legal_entity
);
call protect('functional_warehouse', 'dealer_store');

-- No constraint reserved <= on_hand: reality is recorded as it is, and a shortage is raised.
create table stock_level (
    tenant_id              bigint not null,
    functional_warehouse_id bigint not null,
    sku_id                 bigint not null,
    node_id                bigint not null,
    dealer_id              bigint,
    on_hand                bigint not null default 0,
    reserved               bigint not null default 0
                           constraint stock_level_reserved_check check (reserved >= 0),
    floor                  bigint not null default 0
                           constraint stock_level_floor_check check (floor >= 0),
    earmark_unused         bigint not null default 0
                           constraint stock_level_earmark_check check (earmark_unused >= 0),
    version                bigint not null default 0,
    -- One index for both ways of asking: of a SKU everywhere, and one level. With two of them a
    -- planner without fresh statistics takes the wrong one, and reads all stock for each level.
    primary key (tenant_id, sku_id, functional_warehouse_id)
) with (fillfactor = 70);
call protect('stock_level', 'dealer_store');

create table stock_movement (
    tenant_id               bigint not null,
    id                      bigint generated always as identity,
    recorded_at             timestamptz not null default clock_timestamp(),
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    type                    text not null constraint stock_movement_type_check check (type in (
        'received', 'moved_in', 'returned', 'reserved', 'released', 'allocated', 'shipped',
        'moved_out', 'adjusted', 'counted', 'condition_changed', 'owner_changed', 'floor_set',
        'earmarked', 'earmark_dropped', 'earmark_lent', 'earmark_repaid')),
    quantity                bigint not null,
    on_hand_delta           bigint not null,
    reserved_delta          bigint not null,
    floor_delta             bigint not null default 0,
    earmark_delta           bigint not null default 0,
    level_version           bigint not null,
    cause_kind              text not null,
    cause_id                bigint,
    cause_line              integer,
    reason                  text,
    actor                   text not null,
    -- The earmark that the units went to, came from or were taken from.
    earmark_id              bigint,
    primary key (tenant_id, recorded_at, id),
    constraint stock_movement_reason_check check (type <> 'adjusted' or reason is not null)
) partition by range (recorded_at);
create index stock_movement_level_idx
    on stock_movement (tenant_id, functional_warehouse_id, sku_id, id);
call protect('stock_movement', 'dealer_store');

-- Stock kept for one pool, and for the pools and shops below it: a promotion, a region, a launch.
create table earmark (
    tenant_id      bigint not null,
    id             bigint generated by default as identity,
    code           text not null,
    name           text not null,
    kind           text not null constraint earmark_kind_check check (kind in (
        'promotion', 'region', 'new_product', 'live_stream', 'other')),
    pool           text not null,
    ends_at        timestamptz,
    -- The functional warehouses in which it keeps, or has kept, anything.
    warehouse_ids  bigint[] not null default '{}',
    -- What is never lent to others: this part of what was put in, and so many days of sales.
    -- Without a part nothing is lent.
    lend_keep_bp   integer constraint earmark_lend_keep_bp_check
                   check (lend_keep_bp between 0 and 10000),
    lend_keep_days integer not null default 0
                   constraint earmark_lend_keep_days_check check (lend_keep_days >= 0),
    opened_by      text not null,
    opened_at      timestamptz not null default clock_timestamp(),
    closed_by      text,
    closed_at      timestamptz,
    primary key (tenant_id, id),
    constraint earmark_code_key unique (tenant_id, code)
);
call protect('earmark', 'brand');

-- The units of an earmark in a level: put in, not used yet, and lent to whoever sells. Their sum of
-- `unused` is the level's `earmark_unused`. Written under the lock of the level.
create table earmark_level (
    tenant_id               bigint not null,
    sku_id                  bigint not null,
    functional_warehouse_id bigint not null,
    earmark_id              bigint not null,
    filled                  bigint not null,
    unused                  bigint not null
                            constraint earmark_level_unused_check check (unused >= 0),
    lent                    bigint not null
                            constraint earmark_level_lent_check check (lent >= 0),
    primary key (tenant_id, sku_id, functional_warehouse_id, earmark_id),
    foreign key (tenant_id, earmark_id) references earmark,
    constraint earmark_level_filled_check check (filled >= unused + lent)
) with (fillfactor = 70);
create index earmark_level_earmark_idx on earmark_level (tenant_id, earmark_id);
create index earmark_level_lent_idx on earmark_level (tenant_id, sku_id, functional_warehouse_id)
    where lent > 0;
call protect('earmark_level', 'brand');

-- A finite thing: how many units of a SKU a shop, or all shops of a dealer, may sell. No row: as
-- many as there are. `dealer_id` is whose shop it is, or (without a shop) whose shops.
create table allotment (
    tenant_id  bigint not null,
    id         bigint generated by default as identity,
    sku_id     bigint not null,
    shop_id    bigint,
    dealer_id  bigint,
    quantity   bigint not null constraint allotment_quantity_check check (quantity >= 0),
    taken      bigint not null default 0 constraint allotment_taken_check check (taken >= 0),
    is_active  boolean not null default true,
    version    bigint not null default 1,
    reason     text not null default '',
    set_by     text not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, shop_id) references shop,
    constraint allotment_owner_check check (shop_id is not null or dealer_id is not null),
    constraint allotment_owner_key unique nulls not distinct (tenant_id, sku_id, shop_id, dealer_id)
) with (fillfactor = 70);
-- An index that summarizes lets updates leave the others alone.
create index allotment_changed_idx on allotment using brin (tenant_id, changed_at);
call protect('allotment', 'dealer');

-- Stock to come: a line of a purchase or production order, of a transfer or of goods on their way.
create table supply (
    tenant_id               bigint not null,
    id                      bigint generated by default as identity,
    code                    text not null,
    line_no                 integer not null constraint supply_line_check check (line_no > 0),
    kind                    text not null constraint supply_kind_check check (kind in (
        'purchase', 'production', 'in_transit', 'transfer')),
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    quantity                bigint not null constraint supply_quantity_check check (quantity >= 0),
    received                bigint not null default 0,
    -- Basis points of what is to come that are believed in.
    confidence_bp           integer not null default 10000
                            constraint supply_confidence_check
                            check (confidence_bp between 0 and 10000),
    expected_on             date not null,
    is_open                 boolean not null default true,
    version                 bigint not null default 1,
    set_by                  text not null,
    changed_at              timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint supply_code_key unique (tenant_id, code, line_no),
    constraint supply_received_check check (received between 0 and quantity)
);
create index supply_open_idx on supply (tenant_id, sku_id) where is_open;
call protect('supply', 'brand');

-- How much of a SKU a node keeps back: so many units, or so many weeks of what it sells. What is
-- null holds for all; see backend/inventory/safety for which rule wins.
create table safety_rule (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    sku_id       bigint,
    node_id      bigint,
    category     text,
    node_kind    text,
    units        bigint constraint safety_rule_units_check check (units >= 0),
    weeks_tenths integer constraint safety_rule_weeks_check check (weeks_tenths >= 0),
    set_by       text not null,
    changed_at   timestamptz not null default clock_timestamp(),
    channel      text,
    primary key (tenant_id, id),
    constraint safety_rule_scope_key
        unique nulls not distinct (tenant_id, sku_id, node_id, channel, category, node_kind),
    constraint safety_rule_figure_check check ((units is null) <> (weeks_tenths is null))
);
call protect('safety_rule', 'store');

-- What a shop keeps back of what it is offered, as the rules of its channel say; 0 where it did.
create table shop_floor (
    tenant_id  bigint not null,
    shop_id    bigint not null,
    sku_id     bigint not null,
    dealer_id  bigint,
    units      bigint not null constraint shop_floor_units_check check (units >= 0),
    reason     text not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, shop_id, sku_id)
);
create index shop_floor_changed_idx on shop_floor (tenant_id, changed_at);
call protect('shop_floor', 'dealer');

-- Where somebody wants to know that stock runs low: of what each shop, each node or a region has.
create table alert_rule (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    code         text not null,
    scope        text not null constraint alert_rule_scope_check
                 check (scope in ('shop', 'node', 'region')),
    -- The shop, node or region; null for each shop or each node.
    subject_id   bigint,
    -- Which SKUs, as a condition; null for all.
    condition    json,
    measure      text not null constraint alert_rule_measure_check
                 check (measure in ('units', 'days')),
    fires_below  bigint not null constraint alert_rule_fires_check check (fires_below > 0),
    clears_at    bigint not null,
    transfers    text not null constraint alert_rule_transfers_check
                 check (transfers in ('none', 'propose', 'automatic')),
    -- In the measure: until where transfers fill up.
    fill_to      bigint not null,
    leave_days   integer not null constraint alert_rule_leave_check check (leave_days >= 0),
    transit_days integer not null constraint alert_rule_transit_check check (transit_days >= 0),
    version      bigint not null default 1,
    set_by       text not null,
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint alert_rule_code_key unique (tenant_id, code),
    constraint alert_rule_clears_check check (clears_at >= fires_below and fill_to >= clears_at)
);
call protect('alert_rule', 'brand');

-- That a SKU ran low somewhere, once from below one threshold until at the other.
create table stock_alert (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    rule_id      bigint not null,
    rule_code    text not null,
    scope        text not null,
    subject_id   bigint not null,
    sku_id       bigint not null,
    measure      text not null,
    fired_at     timestamptz not null default clock_timestamp(),
    fired_with   bigint not null,
    cleared_at   timestamptz,
    -- Null where it ended because the rule no longer asks about it.
    cleared_with bigint,
    primary key (tenant_id, id)
);
create unique index stock_alert_open_key on stock_alert (tenant_id, rule_id, subject_id, sku_id)
    where cleared_at is null;
create index stock_alert_low_idx on stock_alert (tenant_id, sku_id) where cleared_at is null;
create index stock_alert_newest_idx on stock_alert (tenant_id, id) where cleared_at is null;
call protect('stock_alert', 'brand');

-- Units that could be moved to where they run low; approved ones are supplies on their way.
create table transfer_proposal (
    tenant_id      bigint not null,
    id             bigint generated by default as identity,
    alert_id       bigint not null,
    sku_id         bigint not null,
    source_id      bigint not null,
    destination_id bigint not null,
    quantity       bigint not null constraint transfer_proposal_quantity_check check (quantity > 0),
    transit_days   integer not null,
    reason         text not null,
    state          text not null constraint transfer_proposal_state_check
                   check (state in ('proposed', 'approved', 'rejected', 'lapsed')),
    proposed_at    timestamptz not null default clock_timestamp(),
    decided_by     text,
    decided_at     timestamptz,
    note           text not null default '',
    supply_id      bigint,
    primary key (tenant_id, id)
);
create index transfer_proposal_alert_idx on transfer_proposal (tenant_id, alert_id);
create index transfer_proposal_state_idx on transfer_proposal (tenant_id, state, id);
create index transfer_proposal_open_idx on transfer_proposal (tenant_id, sku_id)
    where state = 'proposed';
call protect('transfer_proposal', 'brand');

-- What somebody counted, where it was not applied at once: who decides, and how it was decided.
create table stock_count (
    tenant_id               bigint not null,
    id                      bigint generated by default as identity,
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    -- On hand when it was counted: what moved since is not undone.
    on_hand                 bigint not null,
    counted                 bigint not null
                            constraint stock_count_counted_check check (counted >= 0),
    state                   text not null constraint stock_count_state_check
                            check (state in ('waiting', 'applied', 'rejected')),
    reason                  text not null,
    counted_by              text not null,
    counted_at              timestamptz not null default clock_timestamp(),
    decided_by              text,
    decided_at              timestamptz,
    primary key (tenant_id, id)
);
create index stock_count_waiting_idx on stock_count (tenant_id, id) where state = 'waiting';
call protect('stock_count', 'dealer_store');

-- Joins the movements of one command (a receipt, a transfer).
create sequence stock_cause_id as bigint;
grant usage on sequence stock_cause_id to yipan_app;

-- ------------------------------------------------------------------------------------ pools

-- Units that a node was to send and did not find, or found damaged; they have left its stock.
create table pick_shortage (
    tenant_id               bigint not null,
    id                      bigint generated by default as identity,
    order_id                bigint not null,
    line_no                 integer not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    quantity                bigint not null
                            constraint pick_shortage_quantity_check check (quantity > 0),
    cause                   text not null constraint pick_shortage_cause_check
                            check (cause in ('not_found', 'damaged')),
    reported_by             text not null,
    reported_at             timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id)
);
create index pick_shortage_reported_idx on pick_shortage (tenant_id, reported_at);
create index pick_shortage_order_idx on pick_shortage (tenant_id, order_id);
call protect('pick_shortage', 'dealer_store');

-- Of the units that a node was believed to have, those that were missing, and what of its stock
-- is offered therefore.
create table node_accuracy (
    tenant_id  bigint not null,
    node_id    bigint not null,
    expected   bigint not null,
    missing    bigint not null,
    weight_bp  integer not null
               constraint node_accuracy_weight_check check (weight_bp between 0 and 10000),
    learned_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, node_id)
);
call protect('node_accuracy', 'store');

-- What every pool takes from where and gives to whom; a document, see backend/inventory/pools.
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

-- ------------------------------------------------------------------------------- publishing

-- How the platform of a shop is reached, and who speaks with it.
create table shop_connection (
    tenant_id        bigint not null,
    shop_id          bigint not null,
    kind             text not null,
    base_url         text not null,
    remote_shop      text not null,
    token            text not null,
    calls_per_second integer not null
                     constraint shop_connection_rate_check
                     check (calls_per_second between 1 and 1000),
    is_active        boolean not null default true,
    orders_cursor    text not null default '',
    problem          text,
    -- The process that speaks for the shop, until when.
    owner            text,
    leased_until     timestamptz,
    returns_cursor   text not null default '',
    primary key (tenant_id, shop_id),
    foreign key (tenant_id, shop_id) references shop
);
call protect('shop_connection', 'brand');

-- What the platform of a shop was last known to show of a SKU; written behind what happens.
create table shown_number (
    tenant_id       bigint not null,
    shop_id         bigint not null,
    sku_id          bigint not null,
    sequence        bigint not null,
    wanted          bigint not null,
    shown           bigint,
    acknowledged_at timestamptz,
    drifted_at      timestamptz,
    is_unlisted     boolean not null default false,
    primary key (tenant_id, shop_id, sku_id)
) with (fillfactor = 70);
call protect('shown_number', 'brand');

-- What customers ask for on the platforms of shops (平台售后单), and what has become of it here.
create table channel_return (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    shop_id      bigint not null,
    number       text not null,
    order_number text not null,
    order_id     bigint,
    return_id    bigint,
    kind         text not null constraint channel_return_kind_check
                 check (kind in ('return', 'refund_only')),
    -- Where the platform says that it stands.
    theirs       text not null constraint channel_return_theirs_check
                 check (theirs in ('wait_seller', 'wait_buyer_send', 'wait_seller_receive',
                                   'refused', 'closed', 'done')),
    units        jsonb not null,
    reason       text not null,
    carrier      text not null default '',
    waybill      text not null default '',
    -- Why nothing more is done about it, for somebody to look.
    problem      text not null default '',
    -- Whether somebody has decided to refuse it on the platform, and why.
    refusal      text,
    is_settled   boolean not null default false,
    ask_after    timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp(),
    -- Of which lines it is asked here: decided once, before it is asked.
    asked        jsonb,
    primary key (tenant_id, id),
    constraint channel_return_number_key unique (tenant_id, shop_id, number)
);
create index channel_return_open_idx on channel_return (tenant_id, shop_id, ask_after)
    where not is_settled;
create index channel_return_problem_idx on channel_return (tenant_id, id) where problem <> '';
call protect('channel_return', 'brand');

-- -------------------------------------------------------------------------------- admission

-- Which life of the Valkey server the tenant's counters belong to; see docs/explanation.
create table admission_epoch (
    tenant_id      bigint primary key,
    epoch          bigint not null,
    run_id         text not null,
    replication_id text not null
);
call protect('admission_epoch', 'brand');

-- ---------------------------------------------------------------------------------- routing

create table routing_policy (
    tenant_id    bigint not null,
    version      integer not null,
    status       text not null constraint routing_policy_status_check
                 check (status in ('draft', 'active', 'archived')),
    document     jsonb not null,
    created_at   timestamptz not null default clock_timestamp(),
    activated_at timestamptz,
    -- The version that was active when this one was proposed; 0 for none.
    based_on     integer not null default 0,
    comment      text not null default '',
    proposed_by  text not null default '',
    activated_by text,
    primary key (tenant_id, version)
);
create unique index routing_policy_active_key on routing_policy (tenant_id)
    where status = 'active';
create index routing_policy_activated_idx on routing_policy (tenant_id, activated_at)
    where activated_at is not null;
call protect('routing_policy', 'brand');

-- Policies that are tried on live orders: beside the active one, or for a share of the orders.
create table routing_rollout (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    baseline     integer not null,
    candidate    integer not null,
    mode         text not null constraint routing_rollout_mode_check
                 check (mode in ('shadow', 'canary')),
    share_bp     integer not null constraint routing_rollout_share_check
                 check (share_bp between 0 and 10000),
    kpi          text not null,
    worse_bp     integer not null constraint routing_rollout_worse_check check (worse_bp >= 0),
    least_orders bigint not null constraint routing_rollout_least_check check (least_orders > 0),
    state        text not null default 'running' constraint routing_rollout_state_check
                 check (state in ('running', 'returned', 'ended')),
    started_by   text not null,
    started_at   timestamptz not null default clock_timestamp(),
    ended_at     timestamptz,
    reason       text not null default '',
    primary key (tenant_id, id)
);
create unique index routing_rollout_running_key on routing_rollout (tenant_id)
    where state = 'running';
call protect('routing_rollout', 'brand');

-- Sums over the orders of each side of a rollout.
create table routing_rollout_figures (
    tenant_id      bigint not null,
    rollout_id     bigint not null,
    side           text not null constraint routing_rollout_figures_side_check
                   check (side in ('baseline', 'candidate')),
    orders         bigint not null default 0,
    whole          bigint not null default 0,
    split          bigint not null default 0,
    parcels        bigint not null default 0,
    freight_minor  bigint not null default 0,
    fees_minor     bigint not null default 0,
    distance_m     bigint not null default 0,
    days           bigint not null default 0,
    promised       bigint not null default 0,
    late           bigint not null default 0,
    cross_region   bigint not null default 0,
    units_unplaced bigint not null default 0,
    primary key (tenant_id, rollout_id, side),
    foreign key (tenant_id, rollout_id) references routing_rollout
);
call protect('routing_rollout_figures', 'brand');

-- What another unit of a SKU is worth at a node, to the orders that are expected.
create table routing_price (
    tenant_id   bigint not null,
    sku_id      bigint not null,
    node_id     bigint not null,
    price_minor bigint not null constraint routing_price_check check (price_minor > 0),
    priced_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, sku_id, node_id)
);
call protect('routing_price', 'store');

create table routing_decision (
    tenant_id      bigint not null,
    recorded_at    timestamptz not null default clock_timestamp(),
    order_id       bigint not null,
    decision_no    integer not null,
    policy_version integer not null,
    book_position  bigint not null,
    batch_id       bigint not null,
    batch_index    integer not null,
    attempt        smallint not null,
    is_proved      boolean not null,
    cost           numeric not null,
    lower_bound    numeric not null,
    winner_nodes   bigint[] not null,
    runner_up_node bigint,
    runner_up_cost numeric,
    -- The strategies that placed something, in turn, and what was to become of the rest.
    strategies     text[] not null default '{}',
    otherwise      text,
    primary key (tenant_id, order_id, decision_no, recorded_at)
) partition by range (recorded_at);
call protect('routing_decision', 'brand');

-- Simulations of routing policies over the past: what another policy would have made of it.
create table routing_simulation (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    -- Versions of policies; 0 for the default one.
    baseline     integer not null,
    candidate    integer not null,
    since        timestamptz not null,
    until        timestamptz not null,
    state        text not null default 'queued' constraint routing_simulation_state_check
                 check (state in ('queued', 'running', 'done', 'cancelled', 'failed')),
    orders_done  bigint not null default 0,
    orders_total bigint not null default 0,
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    -- Who runs it, and until when nobody else may.
    claimed_by   text,
    leased_until timestamptz,
    -- How often it was taken up and not left in good order.
    attempts     integer not null default 0,
    finished_at  timestamptz,
    result       jsonb,
    error        text not null default '',
    primary key (tenant_id, id),
    constraint routing_simulation_period_check check (since < until)
);
create index routing_simulation_open_idx on routing_simulation (tenant_id, id)
    where state in ('queued', 'running');
call protect('routing_simulation', 'brand');

-- Orders that the candidate would have sent otherwise, the largest differences first.
create table routing_simulation_difference (
    tenant_id            bigint not null,
    simulation_id        bigint not null,
    rank                 integer not null,
    order_id             bigint not null,
    nodes_before         bigint[] not null,
    nodes_after          bigint[] not null,
    unplaced_before      bigint not null,
    unplaced_after       bigint not null,
    freight_minor_before bigint not null,
    freight_minor_after  bigint not null,
    cost_minor_before    bigint not null,
    cost_minor_after     bigint not null,
    distance_m_before    bigint not null,
    distance_m_after     bigint not null,
    arrives_on_before    date,
    arrives_on_after     date,
    primary key (tenant_id, simulation_id, rank),
    foreign key (tenant_id, simulation_id) references routing_simulation
);
call protect('routing_simulation_difference', 'brand');

-- ---------------------------------------------------------------------------------- dropship

-- Rises with every change of what dealers may sell and at what price: an order that was understood
-- by terms of an older version is understood again before it is placed.
create table dealing_version (
    tenant_id bigint primary key,
    version   bigint not null
);
call protect('dealing_version', 'brand');

-- What a dealer is to the brand: its level (price lists are by level), and whose sub-dealer it is.
create table dealer_profile (
    tenant_id    bigint not null,
    dealer_id    bigint not null,
    level        text not null default '',
    parent_id    bigint,
    is_suspended boolean not null default false,
    reason       text not null default '',
    set_by       text not null,
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, dealer_id),
    constraint dealer_profile_parent_check check (parent_id <> dealer_id)
);
call protect('dealer_profile', 'dealer');

-- A finite thing: what a dealer may order by (额度). Of credit, what it may owe; prepaid, what it
-- has paid. What orders take is used; what is left is granted - used, nothing while it is blocked.
create table quota_account (
    tenant_id     bigint not null,
    id            bigint generated by default as identity,
    dealer_id     bigint not null,
    code          text not null,
    kind          text not null constraint quota_account_kind_check
                  check (kind in ('credit', 'prepaid')),
    granted_minor bigint not null
                  constraint quota_account_granted_check check (granted_minor >= 0),
    used_minor    bigint not null default 0,
    -- Of credit: days after which what orders took is due; null: never.
    payment_days  integer
                  constraint quota_account_days_check check (payment_days between 0 and 365),
    paid_minor    bigint not null default 0,
    -- What was due before a day, less what was given back of it; overdue is what is not paid of it.
    due_minor     bigint not null default 0,
    due_before    date,
    -- Shares of what is granted, falling: with less than one of them left somebody is told.
    warn_bp       integer[] not null default '{2000,500}',
    warned_bp     integer,
    is_blocked    boolean not null default false,
    version       bigint not null default 1,
    set_by        text not null,
    changed_at    timestamptz not null default clock_timestamp(),
    -- Who issues its documents; null: the brand itself.
    legal_entity_id bigint,
    primary key (tenant_id, id),
    constraint quota_account_code_key unique (tenant_id, code),
    foreign key (tenant_id, legal_entity_id) references legal_entity
) with (fillfactor = 70);
create index quota_account_changed_idx on quota_account using brin (tenant_id, changed_at);
call protect('quota_account', 'dealer');

-- Why an account is what it is: append-only, its sums are the account.
create table quota_entry (
    tenant_id     bigint not null,
    id            bigint generated always as identity,
    account_id    bigint not null,
    dealer_id     bigint not null,
    type          text not null constraint quota_entry_type_check check (type in (
        'opened', 'limit_set', 'increased', 'increase_ended', 'topped_up', 'paid_out', 'paid',
        'taken', 'given_back', 'returned', 'charged', 'credited')),
    granted_delta bigint not null default 0,
    used_delta    bigint not null default 0,
    order_id      bigint,
    due_on        date,
    reference     text,
    reason        text not null default '',
    actor         text not null,
    recorded_at   timestamptz not null default clock_timestamp(),
    -- The entry that this one takes back.
    reverses_id   bigint,
    primary key (tenant_id, id),
    foreign key (tenant_id, account_id) references quota_account
);
create unique index quota_entry_reference_key on quota_entry (tenant_id, account_id, reference)
    where reference is not null;
create unique index quota_entry_reverses_key on quota_entry (tenant_id, reverses_id)
    where reverses_id is not null;
create index quota_entry_account_idx on quota_entry (tenant_id, account_id, id);
create index quota_entry_order_idx on quota_entry (tenant_id, order_id)
    where order_id is not null;
create index quota_entry_due_idx on quota_entry (tenant_id, account_id, due_on)
    where due_on is not null;
call protect('quota_entry', 'dealer');

-- More quota for a while (临时额度).
create table quota_increase (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    account_id   bigint not null,
    dealer_id    bigint not null,
    amount_minor bigint not null
                 constraint quota_increase_amount_check check (amount_minor > 0),
    ends_at      timestamptz not null,
    ended_at     timestamptz,
    reason       text not null default '',
    set_by       text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, account_id) references quota_account
);
create index quota_increase_open_idx on quota_increase (tenant_id, ends_at) where ended_at is null;
call protect('quota_increase', 'dealer');

-- What a dealer may sell of the brand's goods, where, and how it is settled (经销协议). Written as a
-- draft; binds once it is approved, on its days. One that takes another's place ends that.
create table dealer_agreement (
    tenant_id        bigint not null,
    id               bigint generated by default as identity,
    dealer_id        bigint not null,
    code             text not null,
    status           text not null constraint dealer_agreement_status_check
                     check (status in ('draft', 'approved', 'discarded')),
    starts_on        date not null,
    ends_on          date,
    -- Regions; nowhere named: everywhere.
    territory        bigint[] not null,
    -- Product lines, and SKUs beside them; none of either named: all goods. SKUs not meant.
    product_lines    text[] not null,
    added_skus       bigint[] not null,
    excluded_skus    bigint[] not null,
    -- Whether no other dealer may have these lines there.
    is_exclusive     boolean not null,
    quota_account_id bigint,
    settlement       jsonb not null,
    replaces_id      bigint,
    version          bigint not null default 1,
    set_by           text not null,
    approved_by      text,
    changed_at       timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint dealer_agreement_code_key unique (tenant_id, code),
    constraint dealer_agreement_period_check
        check (ends_on is null or ends_on >= starts_on - 1),
    foreign key (tenant_id, quota_account_id) references quota_account,
    foreign key (tenant_id, replaces_id) references dealer_agreement
);
create index dealer_agreement_dealer_idx on dealer_agreement (tenant_id, dealer_id)
    where status = 'approved';
call protect('dealer_agreement', 'dealer');

-- What dealers pay (经销价), and the least they may ask (最低零售价): one, those of a level, or
-- all.
create table dealer_price_list (
    tenant_id   bigint not null,
    id          bigint generated by default as identity,
    code        text not null,
    dealer_id   bigint,
    level       text,
    status      text not null constraint dealer_price_list_status_check
                check (status in ('draft', 'approved', 'discarded')),
    starts_on   date not null,
    ends_on     date,
    version     bigint not null default 1,
    set_by      text not null,
    approved_by text,
    changed_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint dealer_price_list_code_key unique (tenant_id, code),
    constraint dealer_price_list_scope_check check (dealer_id is null or level is null),
    constraint dealer_price_list_period_check
        check (ends_on is null or ends_on >= starts_on - 1)
);
call protect('dealer_price_list', 'dealer');

create table dealer_price (
    tenant_id        bigint not null,
    price_list_id    bigint not null,
    sku_id           bigint not null,
    dealer_id        bigint,
    price_minor      bigint not null
                     constraint dealer_price_price_check check (price_minor >= 0),
    min_resale_minor bigint not null
                     constraint dealer_price_resale_check check (min_resale_minor >= 0),
    primary key (tenant_id, price_list_id, sku_id),
    foreign key (tenant_id, price_list_id) references dealer_price_list
);
create index dealer_price_sku_idx on dealer_price (tenant_id, sku_id);
call protect('dealer_price', 'dealer');

-- What a dealer sells under its own names and prices (经销商商品): one of the brand's SKUs, or several.
create table dealer_item (
    tenant_id   bigint not null,
    id          bigint generated by default as identity,
    dealer_id   bigint not null,
    code        text not null,
    title       text not null,
    price_minor bigint not null constraint dealer_item_price_check check (price_minor >= 0),
    pictures    text[] not null,
    is_active   boolean not null,
    version     bigint not null default 1,
    set_by      text not null,
    changed_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    constraint dealer_item_code_key unique (tenant_id, dealer_id, code)
);
call protect('dealer_item', 'dealer');

create table dealer_item_part (
    tenant_id bigint not null,
    item_id   bigint not null,
    sku_id    bigint not null,
    sku_code  text not null,
    dealer_id bigint not null,
    quantity  bigint not null constraint dealer_item_part_quantity_check check (quantity > 0),
    primary key (tenant_id, item_id, sku_id),
    foreign key (tenant_id, item_id) references dealer_item
);
call protect('dealer_item_part', 'dealer');

-- Where an item is offered, and how it is called and what it costs there, where that is its own.
create table dealer_listing (
    tenant_id   bigint not null,
    item_id     bigint not null,
    shop_id     bigint not null,
    dealer_id   bigint not null,
    title       text,
    price_minor bigint constraint dealer_listing_price_check check (price_minor >= 0),
    is_listed   boolean not null,
    changed_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, shop_id, item_id),
    foreign key (tenant_id, item_id) references dealer_item,
    foreign key (tenant_id, shop_id) references shop
);
call protect('dealer_listing', 'dealer');

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

-- -------------------------------------------------------------------------------- documents

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

-- ----------------------------------------------------------------------------------- orders

-- Handed out in blocks: a process takes 256 ids at a time and needs no round trip per batch.
create sequence order_id_block as bigint increment by 256;
grant usage on sequence order_id_block to yipan_app;

-- Keys that make a command apply once: 'i:<subject>:<key>' and 'x:<shop>:<external id>'.
create table command_key (
    tenant_id   bigint not null,
    key         text not null,
    fingerprint bytea not null,
    order_id    bigint,
    outcome     text not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, key)
);
call protect('command_key', 'brand');

create table orders (
    tenant_id            bigint not null,
    id                   bigint not null,
    shop_id              bigint not null,
    external_id          text,
    dealer_id            bigint,
    status               text not null constraint orders_status_check check (status in (
        'held', 'backordered', 'partially_allocated', 'allocated', 'in_fulfilment',
        'partially_shipped', 'shipped', 'delivered', 'cancelled', 'complete')),
    shortage             text not null constraint orders_shortage_check
                         check (shortage in ('refuse', 'partial', 'backorder', 'presale')),
    currency             text not null,
    goods_minor          bigint not null,
    line_discount_minor  bigint not null,
    order_discount_minor bigint not null,
    freight_minor        bigint not null,
    fees_minor           bigint not null,
    total_minor          bigint not null,
    buyer_name           text not null,
    buyer_phone          text not null,
    region_code          bigint,
    address              text not null,
    remark               text not null default '',
    ordered_at           timestamptz not null,
    placed_at            timestamptz not null default clock_timestamp(),
    event_sequence       integer not null,
    fulfilment_count     integer not null,
    reservation_count    integer not null,
    decision_count       integer not null,
    -- What was answered when it was placed, for whoever asks with the same key again.
    outcome              text not null default '',
    -- What the order says for routing beside where it goes; see backend/routing/traits.py.
    traits               jsonb not null default '{}',
    -- Whether it was paid when it came.
    is_paid              boolean not null default false,
    -- The node where the customer fetches it; null: it is sent.
    pickup_node_id       bigint,
    -- The node that somebody chose for it by hand; null: routing chooses.
    node_by_hand_id      bigint,
    -- What was paid for what something was exchanged for; null: its total, where it is paid.
    paid_minor           bigint,
    -- Whether somebody said where each unit of it comes from: then routing leaves it.
    is_split_by_hand     boolean not null default false,
    primary key (tenant_id, id),
    constraint orders_total_check check (
        total_minor = goods_minor - line_discount_minor - order_discount_minor
                      + freight_minor + fees_minor)
) with (fillfactor = 85);
create index orders_placed_idx on orders using brin (tenant_id, placed_at);
create index orders_dealer_idx on orders (tenant_id, dealer_id, id) where dealer_id is not null;
call protect('orders', 'dealer');

create table order_line (
    tenant_id            bigint not null,
    order_id             bigint not null,
    line_no              integer not null,
    dealer_id            bigint,
    sku_id               bigint,
    sku_code             text not null,
    quantity             bigint not null constraint order_line_quantity_check check (quantity > 0),
    reserved             bigint not null constraint order_line_reserved_check check (reserved >= 0),
    backordered          bigint not null
                         constraint order_line_backordered_check check (backordered >= 0),
    held                 bigint not null constraint order_line_held_check check (held >= 0),
    cancelled            bigint not null
                         constraint order_line_cancelled_check check (cancelled >= 0),
    unit_price_minor     bigint not null,
    line_discount_minor  bigint not null,
    order_discount_minor bigint not null,
    amount_minor         bigint not null,
    -- When the last of its waiting units is expected, where supply is promised to all of them.
    expected_on          date,
    -- Units that a node works on, that are on their way and that have arrived.
    at_node              bigint not null default 0
                         constraint order_line_at_node_check check (at_node >= 0),
    shipped              bigint not null default 0
                         constraint order_line_shipped_check check (shipped >= 0),
    delivered            bigint not null default 0
                         constraint order_line_delivered_check check (delivered >= 0),
    -- Of a dealer's order: by which agreement it is sold, what the dealer pays for a unit, and the
    -- quota that is taken for every unit that is neither held nor cancelled.
    agreement_id         bigint,
    dealer_price_minor   bigint,
    quota_account_id     bigint,
    -- What a dealer's line was called in its shop.
    item_code            text,
    primary key (tenant_id, order_id, line_no),
    foreign key (tenant_id, order_id) references orders,
    constraint order_line_units_check
        check (quantity = reserved + backordered + held + cancelled + at_node + shipped
               + delivered),
    constraint order_line_deal_check
        check (quota_account_id is null or dealer_price_minor is not null),
    constraint order_line_amount_check check (
        amount_minor = quantity * unit_price_minor - line_discount_minor - order_discount_minor)
) with (fillfactor = 85);
create index order_line_backordered_idx on order_line (tenant_id, sku_id, order_id)
    where backordered > 0;
create index order_line_expected_idx on order_line (tenant_id) where expected_on is not null;
call protect('order_line', 'dealer');

-- What waiting units of a line are promised of a supply, the oldest order first.
create table supply_promise (
    tenant_id bigint not null,
    supply_id bigint not null,
    order_id  bigint not null,
    line_no   integer not null,
    dealer_id bigint,
    quantity  bigint not null constraint supply_promise_quantity_check check (quantity > 0),
    primary key (tenant_id, supply_id, order_id, line_no),
    foreign key (tenant_id, supply_id) references supply,
    foreign key (tenant_id, order_id, line_no) references order_line
);
create index supply_promise_order_idx on supply_promise (tenant_id, order_id);
call protect('supply_promise', 'dealer');

create table order_fee (
    tenant_id    bigint not null,
    order_id     bigint not null,
    fee_no       integer not null,
    dealer_id    bigint,
    code         text not null,
    description  text not null,
    amount_minor bigint not null,
    primary key (tenant_id, order_id, fee_no),
    foreign key (tenant_id, order_id) references orders
);
call protect('order_fee', 'dealer');

create table order_hold (
    tenant_id   bigint not null,
    order_id    bigint not null,
    hold_no     integer not null,
    line_no     integer,
    dealer_id   bigint,
    kind        text not null constraint order_hold_kind_check check (kind in (
        'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing',
        'appointment', 'manual', 'pickup', 'exchange', 'deposit', 'agreement', 'assortment',
        'territory', 'dealer_price', 'resale_price', 'quota')),
    reason      text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    released_at timestamptz,
    released_by text,
    -- Who placed it, where somebody did; when it ends by itself; who has it in hand.
    placed_by   text,
    expires_at  timestamptz,
    claimed_by  text,
    claimed_at  timestamptz,
    primary key (tenant_id, order_id, hold_no),
    foreign key (tenant_id, order_id) references orders
);
create index order_hold_open_idx on order_hold (tenant_id, kind, order_id)
    where released_at is null;
create index order_hold_expiring_idx on order_hold (tenant_id, expires_at)
    where released_at is null and expires_at is not null;
call protect('order_hold', 'dealer');

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

-- When an order is to be delivered, and installed. Booked: all the visits that it takes; else none.
create table order_appointment (
    tenant_id            bigint not null,
    order_id             bigint not null,
    dealer_id            bigint,
    day                  date not null,
    from_minute          integer not null,
    to_minute            integer not null,
    is_booked            boolean not null,
    installation_slot_id bigint,
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders,
    constraint order_appointment_booked_check check (is_booked or installation_slot_id is null)
);
create index order_appointment_slot_idx on order_appointment (tenant_id, installation_slot_id)
    where installation_slot_id is not null;
call protect('order_appointment', 'dealer');

-- What came of the visits of those who install (上门安装), and how an installation stands since: one
-- that nobody has reported on is agreed as its appointment says.
create table installation (
    tenant_id  bigint not null,
    order_id   bigint not null,
    dealer_id  bigint,
    status     text not null constraint installation_status_check
               check (status in ('agreed', 'undone', 'done', 'given_up')),
    version    integer not null default 1,
    reason     text not null default '',
    changed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references order_appointment
);
call protect('installation', 'dealer');

create table installation_visit (
    tenant_id    bigint not null,
    order_id     bigint not null,
    visit_no     integer not null,
    dealer_id    bigint,
    provider_id  bigint not null,
    day          date not null,
    first_minute integer not null,
    end_minute   integer not null,
    outcome      text not null constraint installation_visit_outcome_check
                 check (outcome in ('done', 'no_show', 'installer_absent', 'failed',
                                    'site_problem')),
    note         text not null,
    photos       text[] not null,
    signature    text not null,
    reported_by  text not null,
    reported_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id, visit_no),
    foreign key (tenant_id, order_id) references installation
);
call protect('installation_visit', 'dealer');

create table installed_unit (
    tenant_id bigint not null,
    id        bigint generated by default as identity,
    order_id  bigint not null,
    line_no   integer not null,
    sku_id    bigint not null,
    dealer_id bigint,
    serial    text not null,
    visit_no  integer not null,
    primary key (tenant_id, id),
    constraint installed_unit_key unique (tenant_id, sku_id, serial),
    foreign key (tenant_id, order_id, visit_no) references installation_visit
);
create index installed_unit_order_idx on installed_unit (tenant_id, order_id, line_no);
call protect('installed_unit', 'dealer');

-- In which order a brand's waiting orders get what comes: by age, or better customers first.
create table queue_rule (
    tenant_id    bigint not null primary key,
    levels_first boolean not null
);
call protect('queue_rule', 'tenant');

-- Units that are kept for a cart, an unpaid order or a platform, until a time. Ids are those of
-- orders; `state` decides: what is active can be converted, even late.
create table stock_hold (
    tenant_id   bigint not null,
    id          bigint not null,
    kind        text not null constraint stock_hold_kind_check
                check (kind in ('cart', 'unpaid', 'platform', 'supply', 'in_store')),
    shop_id     bigint not null,
    external_id text,
    dealer_id   bigint,
    state       text not null default 'active' constraint stock_hold_state_check
                check (state in ('active', 'converted', 'expired', 'released')),
    expires_at  timestamptz not null,
    taken_by    text not null,
    taken_at    timestamptz not null default clock_timestamp(),
    ended_at    timestamptz,
    -- The order that it was converted to, or that a supply was received for.
    order_id    bigint,
    outcome     text not null,
    primary key (tenant_id, id)
);
create index stock_hold_active_idx on stock_hold (tenant_id, expires_at) where state = 'active';
create index stock_hold_order_idx on stock_hold (tenant_id, order_id)
    where state = 'active' and order_id is not null;
create index stock_hold_in_store_idx on stock_hold (tenant_id, id)
    where kind = 'in_store' and state = 'active';
call protect('stock_hold', 'dealer');

create table stock_hold_part (
    tenant_id               bigint not null,
    hold_id                 bigint not null,
    part_no                 integer not null,
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    quantity                bigint not null constraint stock_hold_part_quantity_check
                            check (quantity > 0),
    earmark_id              bigint,
    allotment_ids           bigint[],
    primary key (tenant_id, hold_id, part_no),
    foreign key (tenant_id, hold_id) references stock_hold
);
call protect('stock_hold_part', 'dealer_store');

-- ------------------------------------------------------------------------------- fulfilment

-- What one node does for one order. Stores see this, with its copy of the address, not the order.
create table fulfilment (
    tenant_id     bigint not null,
    order_id      bigint not null,
    fulfilment_no integer not null,
    node_id       bigint not null,
    dealer_id     bigint,
    status        text not null constraint fulfilment_status_check
                  check (status in ('reserved', 'released', 'picking', 'picked', 'packed',
                                    'shipped', 'delivered', 'cancelled')),
    capacity_day  date,
    buyer_name    text not null,
    buyer_phone   text not null,
    region_code   bigint,
    address       text not null,
    recorded_at   timestamptz not null default clock_timestamp(),
    -- The visit by which it is delivered, where a time is agreed.
    slot_id       bigint,
    wave_id       bigint,
    pick_list_id  bigint,
    changed_at    timestamptz,
    -- The status of which it was told that it lasts too long, and how: warned, or late.
    told_status   text,
    told_late     boolean not null default false,
    primary key (tenant_id, order_id, fulfilment_no),
    foreign key (tenant_id, order_id) references orders
);
create index fulfilment_work_idx on fulfilment (tenant_id, node_id, status, order_id)
    where status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped');
create index fulfilment_told_idx on fulfilment (tenant_id, order_id, fulfilment_no)
    where told_status is not null
      and status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped');
create index fulfilment_pick_list_idx on fulfilment (tenant_id, pick_list_id)
    where pick_list_id is not null;
create index fulfilment_node_idx on fulfilment (tenant_id, node_id, order_id);
create index fulfilment_slot_idx on fulfilment (tenant_id, slot_id) where slot_id is not null;
call protect('fulfilment', 'dealer_store');

create table reservation (
    tenant_id               bigint not null,
    order_id                bigint not null,
    reservation_no          integer not null,
    line_no                 integer not null,
    fulfilment_no           integer not null,
    functional_warehouse_id bigint not null,
    sku_id                  bigint not null,
    node_id                 bigint not null,
    dealer_id               bigint,
    quantity                bigint not null
                            constraint reservation_quantity_check check (quantity > 0),
    -- What is still reserved of the quantity; the rest was released.
    active                  bigint not null,
    earmark_id              bigint,
    -- The allotments that the units were taken from.
    allotment_ids           bigint[],
    -- What was picked of what is still reserved, and what has left the node.
    picked                  bigint not null default 0,
    shipped                 bigint not null default 0,
    primary key (tenant_id, order_id, reservation_no),
    foreign key (tenant_id, order_id) references orders,
    constraint reservation_units_check check (
        active >= 0 and picked >= 0 and shipped >= 0 and active + shipped <= quantity
        and picked <= active + shipped)
) with (fillfactor = 85);
call protect('reservation', 'dealer_store');

-- What nodes are given to begin with at one time (波次); no node: several.
create table wave (
    tenant_id   bigint not null,
    id          bigint generated by default as identity,
    node_id     bigint,
    fulfilments bigint not null constraint wave_fulfilments_check check (fulfilments >= 0),
    released_by text not null,
    released_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, node_id) references node
);
call protect('wave', 'store');

-- What somebody fetches in one round of a node (拣货单).
create table pick_list (
    tenant_id   bigint not null,
    id          bigint generated by default as identity,
    node_id     bigint not null,
    is_batch    boolean not null,
    fulfilments bigint not null constraint pick_list_fulfilments_check check (fulfilments > 0),
    picker      text not null,
    started_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, node_id) references node
);
create index pick_list_node_idx on pick_list (tenant_id, node_id, id);
call protect('pick_list', 'store');

-- A parcel of a fulfilment (包裹), with where its carrier says that it is.
create table parcel (
    tenant_id     bigint not null,
    id            bigint generated by default as identity,
    order_id      bigint not null,
    fulfilment_no integer not null,
    node_id       bigint not null,
    dealer_id     bigint,
    carrier       text not null,
    weight_g      bigint not null constraint parcel_weight_check check (weight_g >= 0),
    status        text not null constraint parcel_status_check check (status in (
        'packed', 'labelled', 'shipped', 'delivered', 'returned', 'exception', 'cancelled')),
    -- What the carrier calls it (运单号), and where its label is to be had.
    waybill       text,
    label_url     text,
    -- What it last said of it; of two that come out of order, the later one counts.
    said          text not null default '',
    said_at       timestamptz,
    packed_at     timestamptz not null default clock_timestamp(),
    -- How often a waybill was asked for in vain, and when it is asked for again.
    attempts      integer not null default 0,
    ask_after     timestamptz not null default clock_timestamp(),
    -- The parcel of another order in which it lies, under one waybill (合包发货).
    host_id       bigint,
    primary key (tenant_id, id),
    foreign key (tenant_id, order_id) references orders
);
create unique index parcel_waybill_key on parcel (tenant_id, carrier, waybill)
    where host_id is null;
create index parcel_host_idx on parcel (tenant_id, host_id) where host_id is not null;
create index parcel_order_idx on parcel (tenant_id, order_id);
create index parcel_open_idx on parcel (tenant_id, status, id)
    where status in ('packed', 'labelled', 'shipped', 'exception');
create index parcel_label_idx on parcel (tenant_id, ask_after) where status = 'packed';
call protect('parcel', 'dealer_store');

create table parcel_line (
    tenant_id bigint not null,
    parcel_id bigint not null,
    line_no   integer not null,
    sku_id    bigint not null,
    node_id   bigint not null,
    dealer_id bigint,
    quantity  bigint not null constraint parcel_line_quantity_check check (quantity > 0),
    primary key (tenant_id, parcel_id, line_no, sku_id),
    foreign key (tenant_id, parcel_id) references parcel
);
call protect('parcel_line', 'dealer_store');

-- What carriers told, each once; of a waybill that nobody knows there is no parcel.
create table tracking_event (
    tenant_id   bigint not null,
    carrier     text not null,
    event_id    text not null,
    waybill     text not null,
    parcel_id   bigint,
    node_id     bigint,
    dealer_id   bigint,
    kind        text not null,
    happened_at timestamptz not null,
    received_at timestamptz not null default clock_timestamp(),
    place       text not null,
    text        text not null,
    collection_id bigint,
    primary key (tenant_id, carrier, event_id)
);
create index tracking_event_parcel_idx on tracking_event (tenant_id, parcel_id, happened_at);
create index tracking_event_unknown_idx on tracking_event (tenant_id, received_at)
    where parcel_id is null and collection_id is null;
call protect('tracking_event', 'dealer_store');

-- That a node is asked to stop what it has begun with (拦截), and what it answered.
create table intercept (
    tenant_id     bigint not null,
    order_id      bigint not null,
    fulfilment_no integer not null,
    intercept_no  integer not null,
    node_id       bigint not null,
    dealer_id     bigint,
    state         text not null constraint intercept_state_check
                  check (state in ('asked', 'stopped', 'refused')),
    reason        text not null,
    asked_by      text not null,
    asked_at      timestamptz not null default clock_timestamp(),
    answer        text not null default '',
    answered_by   text,
    answered_at   timestamptz,
    primary key (tenant_id, order_id, fulfilment_no, intercept_no),
    foreign key (tenant_id, order_id) references orders
);
create unique index intercept_asked_key on intercept (tenant_id, order_id, fulfilment_no)
    where state = 'asked';
create index intercept_node_idx on intercept (tenant_id, node_id, asked_at) where state = 'asked';
call protect('intercept', 'dealer_store');

-- Where the handing over of an order at a store stands. `version` counts its changes: whoever
-- commands says which one was seen.
create table pickup (
    tenant_id    bigint not null,
    order_id     bigint not null,
    node_id      bigint not null,
    dealer_id    bigint,
    status       text not null constraint pickup_status_check check (status in (
        'asked', 'accepted', 'rejected', 'ready', 'handed_over', 'expired', 'sent', 'cancelled')),
    version      integer not null default 1,
    -- Until when the customer was promised to have it ready, and since when it is.
    ready_by     timestamptz,
    ready_at     timestamptz,
    -- For so long the store keeps what is ready, and whether the customer was reminded of it.
    keep_until   timestamptz,
    is_reminded  boolean not null default false,
    reason       text not null default '',
    -- Wrong codes since the last right one, and until when no more are looked at.
    wrong_codes  integer not null default 0
                 constraint pickup_wrong_codes_check check (wrong_codes >= 0),
    wrong_at     timestamptz,
    locked_until timestamptz,
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders,
    constraint pickup_ready_check check (status <> 'ready' or keep_until is not null)
);
create index pickup_node_idx on pickup (tenant_id, node_id, status, order_id);
create index pickup_keep_idx on pickup (tenant_id, keep_until) where status = 'ready';
create index pickup_wrong_idx on pickup (tenant_id, node_id, wrong_at) where wrong_at is not null;
call protect('pickup', 'dealer_store');

-- Who may fetch an order: the buyer, and whom the buyer sends (代取); each with a code of its own,
-- which follows from the secret of the brand and the number.
create table pickup_code (
    tenant_id bigint not null,
    order_id  bigint not null,
    code_no   integer not null,
    node_id   bigint not null,
    dealer_id bigint,
    name      text not null,
    phone     text not null,
    state     text not null constraint pickup_code_state_check
              check (state in ('active', 'revoked', 'used')),
    issued_at timestamptz not null default clock_timestamp(),
    ended_at  timestamptz,
    primary key (tenant_id, order_id, code_no),
    foreign key (tenant_id, order_id) references pickup
);
call protect('pickup_code', 'dealer_store');

-- What the codes of a brand follow from, and what their tokens are signed with.
create table pickup_secret (
    tenant_id   bigint not null,
    signing_key text not null,
    primary key (tenant_id)
);
call protect('pickup_secret', 'brand');

-- For how long stores keep what is ready, and how long before it ends customers are reminded.
create table pickup_terms (
    tenant_id    bigint not null,
    keep_hours   integer not null
                 constraint pickup_terms_keep_check check (keep_hours between 1 and 2160),
    remind_hours integer not null,
    primary key (tenant_id),
    constraint pickup_terms_remind_check check (remind_hours >= 0 and remind_hours < keep_hours)
);
call protect('pickup_terms', 'tenant');

-- What is to be paid back of orders (退款), by lines with the shares that were frozen at the sale, or
-- an amount by itself. All refunds of an order together never exceed what was paid for it.
create table refund (
    tenant_id    bigint not null,
    order_id     bigint not null,
    refund_no    integer not null,
    dealer_id    bigint,
    cause        text not null constraint refund_cause_check
                 check (cause in ('cancelled', 'returned', 'missing', 'goodwill')),
    return_id    bigint,
    status       text not null constraint refund_status_check
                 check (status in ('due', 'kept', 'asked', 'paid', 'failed', 'waived')),
    -- 0 where the units are worth nothing, which is paid at once.
    amount_minor bigint not null constraint refund_amount_check check (amount_minor >= 0),
    currency     text not null,
    reason       text not null,
    -- What whoever pays it back calls it.
    reference    text not null default '',
    version      integer not null default 1,
    owed_at      timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp(),
    -- So much of it is not paid back: it was exchanged for something. Kept: it may be.
    offset_minor bigint not null default 0
                 constraint refund_offset_check check (offset_minor between 0 and amount_minor),
    primary key (tenant_id, order_id, refund_no),
    foreign key (tenant_id, order_id) references orders
);
create index refund_open_idx on refund (tenant_id, status, order_id, refund_no)
    where status in ('due', 'asked', 'failed');
call protect('refund', 'dealer');

create table refund_line (
    tenant_id    bigint not null,
    order_id     bigint not null,
    refund_no    integer not null,
    line_no      integer not null,
    dealer_id    bigint,
    quantity     bigint not null constraint refund_line_quantity_check check (quantity > 0),
    amount_minor bigint not null constraint refund_line_amount_check check (amount_minor >= 0),
    primary key (tenant_id, order_id, refund_no, line_no),
    foreign key (tenant_id, order_id, refund_no) references refund
);
call protect('refund_line', 'dealer');

-- What customers send back, or claim (售后单). The node is where it comes back to.
create table return_request (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    order_id     bigint not null,
    node_id      bigint,
    dealer_id    bigint,
    kind         text not null constraint return_request_kind_check
                 check (kind in ('return', 'refund_only', 'missing', 'refused')),
    status       text not null constraint return_request_status_check check (status in (
        'requested', 'approved', 'sent_back', 'received', 'closed', 'rejected', 'cancelled')),
    version      integer not null default 1,
    reason       text not null,
    -- Why it was decided as it was: a rule of the policy, or what somebody said.
    decision     text not null default '',
    carrier      text not null default '',
    waybill      text not null default '',
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, order_id) references orders
);
create index return_request_order_idx on return_request (tenant_id, order_id);
create index return_request_open_idx on return_request (tenant_id, status, id)
    where status in ('requested', 'approved', 'sent_back', 'received');
create index return_request_node_idx on return_request (tenant_id, node_id, status, id);
call protect('return_request', 'dealer_store');

-- Units of customers that are repaired (维修): they stay theirs, and are no stock.
create table repair (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    order_id     bigint not null,
    line_no      integer not null,
    sku_id       bigint not null,
    node_id      bigint,
    dealer_id    bigint,
    status       text not null default 'requested' constraint repair_status_check
                 check (status in ('requested', 'received', 'quoted', 'accepted', 'declined',
                                   'repaired', 'closed', 'cancelled')),
    version      integer not null default 1,
    fault        text not null,
    serial       text not null default '',
    finding      text not null default '',
    price_minor  bigint not null default 0 constraint repair_price_check check (price_minor >= 0),
    -- What the payment of the price is called.
    reference    text not null default '',
    work         text not null default '',
    carrier      text not null default '',
    waybill      text not null default '',
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, order_id) references orders
);
create index repair_order_idx on repair (tenant_id, order_id);
create index repair_open_idx on repair (tenant_id, status, id)
    where status not in ('closed', 'cancelled');
call protect('repair', 'dealer_store');

-- Old units that customers give for a part of the price (以旧换新): they are no stock.
create table trade_in (
    tenant_id      bigint not null,
    id             bigint generated by default as identity,
    order_id       bigint not null,
    line_no        integer not null,
    node_id        bigint,
    dealer_id      bigint,
    status         text not null default 'promised' constraint trade_in_status_check
                   check (status in ('promised', 'collected', 'received', 'graded', 'declined',
                                     'credited', 'paid', 'closed', 'cancelled')),
    version        integer not null default 1,
    -- What it is, as the customer says, and what was promised for it if that is so.
    description    text not null,
    serial         text not null default '',
    promised_minor bigint not null constraint trade_in_promised_check check (promised_minor > 0),
    -- What it was found to be, and what it is worth so.
    finding        text not null default '',
    credit_minor   bigint not null default 0 constraint trade_in_credit_check
                   check (credit_minor >= 0),
    reason         text not null default '',
    -- What the payment of the credit is called.
    reference      text not null default '',
    carrier        text not null default '',
    waybill        text not null default '',
    requested_by   text not null,
    requested_at   timestamptz not null default clock_timestamp(),
    changed_at     timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, order_id) references orders
);
create index trade_in_order_idx on trade_in (tenant_id, order_id, line_no);
create index trade_in_open_idx on trade_in (tenant_id, status, id)
    where status not in ('paid', 'closed', 'cancelled');
call protect('trade_in', 'dealer_store');

-- What carriers fetch at customers' doors (上门取件): a return, a repair or a trade-in. The node is
-- where it goes.
create table collection (
    tenant_id    bigint not null,
    id           bigint generated by default as identity,
    order_id     bigint not null,
    node_id      bigint not null,
    dealer_id    bigint,
    subject      text not null constraint collection_subject_check
                 check (subject in ('return', 'repair', 'trade_in')),
    subject_id   bigint not null,
    status       text not null default 'asked' constraint collection_status_check
                 check (status in ('asked', 'refused', 'booked', 'missed', 'collected', 'arrived',
                                   'cancelled')),
    version      integer not null default 1,
    carrier      text not null,
    from_at      timestamptz not null,
    until_at     timestamptz not null,
    sender_name  text not null,
    sender_phone text not null,
    region_code  bigint,
    address      text not null,
    weight_g     bigint not null,
    -- How often a time was agreed: each is asked for by another reference.
    round        integer not null default 1,
    waybill      text not null default '',
    label_url    text,
    said         text not null default '',
    attempts     integer not null default 0,
    ask_after    timestamptz not null default clock_timestamp(),
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, order_id) references orders,
    constraint collection_time_check check (from_at < until_at)
);
create unique index collection_open_idx on collection (tenant_id, subject, subject_id)
    where status not in ('arrived', 'cancelled');
create index collection_order_idx on collection (tenant_id, order_id);
create index collection_to_ask_idx on collection (tenant_id, ask_after) where status = 'asked';
create index collection_status_idx on collection (tenant_id, status, id)
    where status not in ('arrived', 'cancelled');
call protect('collection', 'dealer_store');

-- What carriers call collections, also those whose time was changed since.
create table collection_waybill (
    tenant_id     bigint not null,
    carrier       text not null,
    waybill       text not null,
    collection_id bigint not null,
    primary key (tenant_id, carrier, waybill),
    foreign key (tenant_id, collection_id) references collection
);
call protect('collection_waybill', 'brand');

create table return_line (
    tenant_id bigint not null,
    return_id bigint not null,
    line_no   integer not null,
    sku_id    bigint not null,
    node_id   bigint,
    dealer_id bigint,
    quantity  bigint not null constraint return_line_quantity_check check (quantity > 0),
    -- What came, and what it was found to be: to be sold again, defective, worthless, or not to be
    -- paid back.
    received  bigint not null default 0 constraint return_line_received_check check (received >= 0),
    good      bigint not null default 0 constraint return_line_good_check check (good >= 0),
    defective bigint not null default 0
              constraint return_line_defective_check check (defective >= 0),
    scrapped  bigint not null default 0 constraint return_line_scrapped_check check (scrapped >= 0),
    denied    bigint not null default 0 constraint return_line_denied_check check (denied >= 0),
    -- The functional warehouse where it is inspected.
    place_id  bigint,
    primary key (tenant_id, return_id, line_no),
    foreign key (tenant_id, return_id) references return_request,
    constraint return_line_units_check check (
        received <= quantity and good + defective + scrapped + denied <= received)
);
call protect('return_line', 'dealer_store');

-- What a customer gets for what they send back (换货): the order that replaces it, and what is still
-- to be paid.
create table exchange (
    tenant_id      bigint not null,
    return_id      bigint not null,
    order_id       bigint not null,
    dealer_id      bigint,
    replacement_id bigint,
    status         text not null constraint exchange_status_check
                   check (status in ('asked', 'waiting', 'unpaid', 'done', 'cancelled')),
    version        integer not null default 1,
    -- The lines of the replacement, as JSON.
    wanted         text not null,
    -- What came back is worth so much of the replacement; so much is to be paid for it beside that.
    credit_minor   bigint not null default 0
                   constraint exchange_credit_check check (credit_minor >= 0),
    due_minor      bigint not null default 0 constraint exchange_due_check check (due_minor >= 0),
    -- What whoever was paid the difference calls it.
    reference      text not null default '',
    changed_at     timestamptz not null default clock_timestamp(),
    -- Whether what replaces it is to cost what comes back is worth.
    is_even        boolean not null default false,
    primary key (tenant_id, return_id),
    foreign key (tenant_id, return_id) references return_request,
    foreign key (tenant_id, order_id) references orders
);
create index exchange_replacement_idx on exchange (tenant_id, replacement_id)
    where replacement_id is not null;
create index exchange_open_idx on exchange (tenant_id, return_id)
    where status in ('asked', 'waiting', 'unpaid');
call protect('exchange', 'dealer');

-- What customers may send back and how long (售后政策): one rule for all, and exceptions by channel or
-- by category of the goods, which are listed as such. Empty: any.
create table return_rule (
    tenant_id    bigint not null,
    channel      text not null,
    category     text not null,
    days         integer not null constraint return_rule_days_check check (days between 0 and 3650),
    is_automatic boolean not null,
    primary key (tenant_id, channel, category)
);
call protect('return_rule', 'tenant');

-- Who carries parcels for a brand: where waybills are asked for, and what its messages are signed
-- with; no address: it gives none.
create table carrier_account (
    tenant_id bigint not null,
    code      text not null,
    name      text not null,
    url       text not null default '',
    secret    text not null default '',
    is_active boolean not null default true,
    primary key (tenant_id, code)
);
call protect('carrier_account', 'brand');

-- Waybills that nobody uses: their carriers are told, so that they are not charged (运单作废).
create table waybill_void (
    tenant_id bigint not null,
    carrier   text not null,
    waybill   text not null,
    status    text not null default 'due' constraint waybill_void_status_check
              check (status in ('due', 'done', 'refused', 'settled')),
    -- What the carrier said, or how asking it failed.
    said      text not null default '',
    attempts  integer not null default 0,
    ask_after timestamptz not null default clock_timestamp(),
    due_at    timestamptz not null default clock_timestamp(),
    -- What somebody said who looked at it, and who.
    note        text not null default '',
    answered_by text,
    primary key (tenant_id, carrier, waybill)
);
create index waybill_void_due_idx on waybill_void (tenant_id, ask_after) where status = 'due';
call protect('waybill_void', 'brand');

-- How long a fulfilment may stand where it stands (时效).
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

-- Rules by which orders are held before nodes begin with them (审单规则).
create table audit_rule (
    tenant_id bigint not null,
    code      text not null,
    name      text not null,
    rank      integer not null,
    action    text not null constraint audit_rule_action_check check (action in ('hold', 'pass')),
    condition jsonb not null,
    primary key (tenant_id, code),
    constraint audit_rule_rank_key unique (tenant_id, rank)
);
call protect('audit_rule', 'brand');

-- How far the events of a brand with rules are read: orders placed since then are audited.
create table audit_reading (
    tenant_id bigint not null,
    since     timestamptz not null default clock_timestamp(),
    from_xid  bigint not null,
    until_xid bigint not null,
    event_id  bigint not null,
    primary key (tenant_id)
);
call protect('audit_reading', 'brand');

-- What rules said of orders.
create table order_audit (
    tenant_id  bigint not null,
    order_id   bigint not null,
    rules      text[] not null,
    audited_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders
);
call protect('order_audit', 'brand');

-- Whose orders came before: marks of telephone numbers and of addresses.
create table audit_mark (
    tenant_id bigint not null,
    kind      text not null constraint audit_mark_kind_check check (kind in ('phone', 'address')),
    mark      bytea not null,
    placed_at timestamptz not null,
    order_id  bigint not null,
    primary key (tenant_id, kind, mark, placed_at, order_id)
);
call protect('audit_mark', 'brand');

-- What was paid ahead for an order (定金), and until when the rest (尾款) is to be paid.
create table order_deposit (
    tenant_id    bigint not null,
    order_id     bigint not null,
    dealer_id    bigint,
    amount_minor bigint not null constraint order_deposit_amount_check check (amount_minor > 0),
    pay_by       timestamptz not null,
    -- Whether it is kept where the rest is not paid.
    is_kept      boolean not null,
    status       text not null default 'open' constraint order_deposit_status_check
                 check (status in ('open', 'paid', 'ended')),
    -- What whoever was paid the rest calls it.
    reference    text not null default '',
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references orders
);
create index order_deposit_due_idx on order_deposit (tenant_id, pay_by) where status = 'open';
call protect('order_deposit', 'dealer');

-- ----------------------------------------------------------------------------------- search

-- What orders are found by; written after them, by whoever follows their events.
create table order_term (
    tenant_id bigint not null,
    term      text not null,
    placed_at timestamptz not null,
    order_id  bigint not null,
    dealer_id bigint,
    primary key (tenant_id, term, placed_at, order_id) include (dealer_id)
);
call protect('order_term', 'dealer');

-- The terms that an order has.
create table order_indexed (
    tenant_id bigint not null,
    order_id  bigint not null,
    terms     text[] not null,
    primary key (tenant_id, order_id)
);
call protect('order_indexed', 'brand');

-- How far the events of a brand are read for it; orders below an id are older than what was read,
-- and not indexed yet.
create table search_reading (
    tenant_id   bigint not null,
    from_xid    bigint not null,
    until_xid   bigint not null,
    event_id    bigint not null,
    older_below bigint not null,
    primary key (tenant_id)
);
call protect('search_reading', 'brand');

-- ----------------------------------------------------------------------------------- events

-- Written in the transaction that it reports. Read below the oldest running transaction, so that
-- nothing is skipped that commits late, and by id: whoever changes an order holds its lock when the
-- id is drawn, though not when its transaction began.
create table outbox (
    tenant_id    bigint not null,
    recorded_xid xid8 not null default pg_current_xact_id(),
    id           bigint generated always as identity,
    recorded_at  timestamptz not null default clock_timestamp(),
    event_id     uuid not null default uuidv7(),
    type         text not null,
    order_id     bigint,
    sequence     integer not null,
    dealer_id    bigint,
    node_id      bigint,
    payload      json not null,
    -- Who did it: a user, a key, or a process of ours; nobody known: null.
    actor        text,
    primary key (tenant_id, recorded_xid, id, recorded_at)
) partition by range (recorded_at);
create index outbox_order_idx on outbox (tenant_id, order_id, sequence);
call protect('outbox', 'dealer_store');

-- Places where the log can be cut: every transaction below had ended when the mark was made, so
-- what depends on something lies behind it. Without them a reader who is far behind would have to
-- sort all that happened since.
create table event_mark (
    below       bigint primary key,
    recorded_at timestamptz not null default clock_timestamp()
);
grant select on event_mark to yipan_app;

create function mark_events() returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into event_mark (below) values (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    on conflict do nothing;
    delete from event_mark where recorded_at < clock_timestamp() - interval '8 days'
$$;

-- ---------------------------------------------------------------------------- asked by others

-- What another centre may ask in the middle of its own statement; row-level security applies.
create function closed_nodes(of_tenant bigint, ids bigint[]) returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select n.id from node n where n.tenant_id = of_tenant and n.id = any(ids) and not n.is_active
$$;

create function retired_skus(of_tenant bigint, ids bigint[]) returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select s.id from sku s where s.tenant_id = of_tenant and s.id = any(ids) and not s.is_active
$$;
create index sku_retired_idx on sku (tenant_id, id) where not is_active;

-- Those of the versions of dealers' terms that are not the current one.
create function stale_dealings(of_tenant bigint, versions bigint[]) returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select v from unnest(versions) as v
    where v <> coalesce((select d.version from dealing_version d where d.tenant_id = of_tenant), 0)
$$;

-- Whether a node has, or ever had, stock or orders, or the active layout of pools names it.
create function node_in_use(of_tenant bigint, of_node bigint) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select exists (select from stock_level l join functional_warehouse f
                       on f.tenant_id = of_tenant and f.id = l.functional_warehouse_id
                   where l.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from fulfilment f
                   where f.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from supply s join functional_warehouse f
                       on f.tenant_id = of_tenant and f.id = s.functional_warehouse_id
                   where s.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from pool_layout p join functional_warehouse f
                       on f.tenant_id = of_tenant and f.node_id = of_node
                   where p.tenant_id = of_tenant and p.status = 'active'
                     and jsonb_path_exists(
                         p.document, '$.pools[*].supplies[*].warehouses[*] ? (@ == $code)',
                         jsonb_build_object('code', f.code)))
$$;

-- Those of the orders that were placed before a time.
create function orders_placed_before(of_tenant bigint, ids bigint[], before timestamptz)
returns setof bigint
language sql stable set search_path = public, pg_temp as $$
    select o.id from orders o
    where o.tenant_id = of_tenant and o.id = any(ids) and o.placed_at < before
$$;

-- Units of a supply that orders are promised.
create function promised_of_supply(of_tenant bigint, of_supply bigint) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select coalesce(sum(p.quantity), 0)::bigint from supply_promise p
    where p.tenant_id = of_tenant and p.supply_id = of_supply
$$;

-- What was paid for an order that was paid when it came; of another one, what is paid when it
-- arrives: what has left, and freight and fees with the first of it.
create function paid_of_order(of_tenant bigint, of_order bigint) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select case when o.paid_minor is not null then o.paid_minor
                when o.is_paid then o.total_minor
                else least(o.total_minor, s.gone_minor + case when s.has_gone
                                                              then o.freight_minor + o.fees_minor
                                                              else 0 end) end
    from orders o
    cross join lateral (
        select coalesce(sum(div(greatest(0, l.amount_minor)::numeric * (l.shipped + l.delivered),
                                l.quantity)), 0)::bigint as gone_minor,
               coalesce(bool_or(l.shipped + l.delivered > 0), false) as has_gone
        from order_line l where l.tenant_id = of_tenant and l.order_id = of_order) as s
    where o.tenant_id = of_tenant and o.id = of_order
$$;

-- What an order costs without what was cancelled of it.
create function price_of_order(of_tenant bigint, of_order bigint) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select (coalesce(sum(div(greatest(0, l.amount_minor)::numeric * (l.quantity - l.cancelled),
                             l.quantity)), 0)
            + o.freight_minor + o.fees_minor)::bigint
    from orders o
    left join order_line l on l.tenant_id = of_tenant and l.order_id = o.id
    where o.tenant_id = of_tenant and o.id = of_order
    group by o.freight_minor, o.fees_minor
$$;

-- Units that a line waits for and for which nothing was received: that goes to earlier lines first.
create function awaited_by_line(of_tenant bigint, of_order bigint, of_line integer) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select least(l.backordered, greatest(0, (
        select sum(e.backordered) from order_line e
        where e.tenant_id = of_tenant and e.order_id = of_order and e.sku_id = l.sku_id
          and e.line_no <= of_line) - (
        select coalesce(sum(p.quantity), 0) from stock_hold h
        join stock_hold_part p on p.tenant_id = of_tenant and p.hold_id = h.id
             and p.sku_id = l.sku_id
        where h.tenant_id = of_tenant and h.order_id = of_order and h.state = 'active')))::bigint
    from order_line l
    where l.tenant_id = of_tenant and l.order_id = of_order and l.line_no = of_line
$$;

-- ------------------------------------------------------------------------------------- rows

-- Rows as the intake inserts them: an array of rows costs a third of an array for each column.
create type new_key as (key text, fingerprint bytea, order_id bigint);
create type new_order as (
    id bigint, shop_id bigint, external_id text, dealer_id bigint, status text, shortage text,
    currency text, goods_minor bigint, line_discount_minor bigint, order_discount_minor bigint,
    freight_minor bigint, fees_minor bigint, total_minor bigint, buyer_name text, buyer_phone text,
    region_code bigint, address text, remark text, ordered_at timestamptz, event_sequence integer,
    fulfilment_count integer, reservation_count integer, decision_count integer, outcome text,
    traits text, is_paid boolean, pickup_node_id bigint
);
create type new_line as (
    order_id bigint, line_no integer, dealer_id bigint, sku_id bigint, sku_code text,
    quantity bigint, reserved bigint, backordered bigint, held bigint, cancelled bigint,
    unit_price_minor bigint, line_discount_minor bigint, order_discount_minor bigint,
    amount_minor bigint, agreement_id bigint, dealer_price_minor bigint, quota_account_id bigint,
    item_code text
);
create type new_fee as (
    order_id bigint, fee_no integer, dealer_id bigint, code text, description text,
    amount_minor bigint
);
create type new_hold as (
    order_id bigint, hold_no integer, line_no integer, dealer_id bigint, kind text, reason text
);
create type new_fulfilment as (
    order_id bigint, fulfilment_no integer, node_id bigint, dealer_id bigint, capacity_day date,
    buyer_name text, buyer_phone text, region_code bigint, address text, slot_id bigint
);
create type new_reservation as (
    order_id bigint, reservation_no integer, line_no integer, fulfilment_no integer,
    functional_warehouse_id bigint, sku_id bigint, node_id bigint, dealer_id bigint,
    quantity bigint, earmark_id bigint, allotment_ids bigint[]
);
create type new_stock_hold as (
    id bigint, kind text, shop_id bigint, external_id text, dealer_id bigint, seconds integer,
    taken_by text, outcome text, order_id bigint
);
create type new_stock_hold_part as (
    hold_id bigint, part_no integer, functional_warehouse_id bigint, sku_id bigint,
    node_id bigint, dealer_id bigint, quantity bigint, earmark_id bigint, allotment_ids bigint[]
);
create type new_decision as (
    order_id bigint, decision_no integer, policy_version integer, book_position bigint,
    batch_id bigint, batch_index integer, attempt smallint, is_proved boolean, cost text,
    lower_bound text, winner_nodes bigint[], runner_up_node bigint, runner_up_cost text,
    strategies text[], otherwise text
);
create type new_take as (
    functional_warehouse_id bigint, sku_id bigint, quantity bigint, cause_id bigint,
    cause_line integer, earmark_id bigint, cause_kind text
);
create type new_movement as (
    functional_warehouse_id bigint, sku_id bigint, node_id bigint, dealer_id bigint, type text,
    quantity bigint, on_hand_delta bigint, reserved_delta bigint, floor_delta bigint,
    earmark_delta bigint, level_version bigint, cause_kind text, cause_id bigint,
    cause_line integer, reason text, earmark_id bigint
);
create type new_event as (
    type text, order_id bigint, sequence integer, dealer_id bigint, node_id bigint, payload text,
    actor text
);

-- ------------------------------------------------------------------- called in the middle of it

-- Takes the keys that are free, in order, and returns how many; waits for whoever holds one.
create function claim_keys(of_tenant bigint, keys new_key[]) returns bigint
language sql set search_path = public, pg_temp as $$
    with claimed as (
        insert into command_key (tenant_id, key, fingerprint, order_id)
        select of_tenant, k.key, k.fingerprint, k.order_id from unnest(keys) as k order by k.key
        on conflict do nothing
        returning key)
    select count(*) from claimed
$$;

-- Events are written by whichever statement reports them.
create function append_events(of_tenant bigint, events new_event[]) returns void
language sql set search_path = public, pg_temp as $$
    insert into outbox (tenant_id, type, order_id, sequence, dealer_id, node_id, payload, actor)
    select of_tenant, r.type, r.order_id, r.sequence, r.dealer_id, r.node_id, r.payload::json,
           r.actor
    from unnest(events) as r
$$;

-- ------------------------------------------------------------------------------- partitions

-- Creates what is missing of the monthly partitions, from this month to `months_ahead` on.
create function ensure_partitions(months_ahead integer default 2) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    parent text;
    start date;
    created integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('yipan.ensure_partitions'));
    foreach parent in array array['stock_movement', 'routing_decision', 'outbox'] loop
        for step in 0..months_ahead loop
            start := date_trunc('month', clock_timestamp() at time zone 'utc')::date
                     + make_interval(months => step);
            if to_regclass(format('%s_%s', parent, to_char(start, 'YYYYMM'))) is null then
                execute format(
                    'create table %I partition of %I for values from (%L) to (%L)',
                    parent || '_' || to_char(start, 'YYYYMM'), parent,
                    start::text || ' 00:00+00',
                    (start + interval '1 month')::date::text || ' 00:00+00');
                created := created + 1;
            end if;
        end loop;
    end loop;
    return created;
end $$;

-- Only what the application calls is callable by it.
revoke execute on all functions in schema platform from public;
revoke execute on all procedures in schema public from public;
revoke execute on all functions in schema public from public;
grant execute on all functions in schema platform to yipan_app;
revoke execute on function platform.note, platform.permissions_today from yipan_app;
grant execute on function ensure_partitions, closed_nodes, retired_skus, mark_events, claim_keys,
    append_events, promised_of_supply, awaited_by_line, node_in_use, paid_of_order, price_of_order,
    orders_placed_before, stale_dealings to yipan_app;
