-- Departments, roles and posts (组织架构、角色、任职): who does what, by names and for a time.
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

create or replace function platform.roles_of_user(of_user bigint)
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

revoke execute on all functions in schema platform from public;
grant execute on all functions in schema platform to yipan_app;
revoke execute on function platform.note, platform.permissions_today from yipan_app;
