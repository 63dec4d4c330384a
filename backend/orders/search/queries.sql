-- begin_reading --
-- Follow the events of a brand from now on; what there is so far is older. Nothing where it is so.
insert into search_reading (tenant_id, from_xid, until_xid, event_id, older_below)
values ($1, $2, $3, $4, $5) on conflict (tenant_id) do nothing

-- take_reading --
-- How far events are read, and from where on downwards older orders are not indexed.
select from_xid, until_xid, event_id, older_below from search_reading where tenant_id = $1
for update skip locked

-- has_reading --
-- Whether somebody follows the events of a brand.
select exists (select from search_reading where tenant_id = $1) as is_so

-- move_reading --
-- Events are read so far.
update search_reading set from_xid = $2, until_xid = $3, event_id = $4 where tenant_id = $1

-- move_older --
-- Older orders are indexed down to here.
update search_reading set older_below = $2 where tenant_id = $1

-- older_orders --
-- The newest orders below an id.
select id from orders where tenant_id = $1 and id < $2 order by id desc limit $3

-- index_orders --
-- Give orders the terms that they have now, and take those away that they have no more.
with found as (
    select o.id, o.placed_at, o.dealer_id, t.terms
    from orders o
    cross join lateral (
        select array_agg(distinct term) as terms from (
            select 't:' || o.status as term
            union all select 'h:' || o.shop_id
            union all select 'd:' || o.dealer_id where o.dealer_id is not null
            union all select 'x:' || btrim(o.external_id, E' \t\u3000')
                where o.external_id is not null
            union all select 'b:' || lower(btrim(o.buyer_name, E' \t\u3000'))
                where btrim(o.buyer_name, E' \t\u3000') <> ''
            union all select 'p:' || right(regexp_replace(o.buyer_phone, '\D', '', 'g'), 4)
                where length(regexp_replace(o.buyer_phone, '\D', '', 'g')) >= 4
            union all select 'k:' || l.sku_code from order_line l
                where l.tenant_id = $1 and l.order_id = o.id
            union all select 'n:' || f.node_id from fulfilment f
                where f.tenant_id = $1 and f.order_id = o.id) as terms
        ) as t
    where o.tenant_id = $1 and o.id = any($2::bigint[])),
before as (
    select order_id, terms from order_indexed
    where tenant_id = $1 and order_id = any($2::bigint[])),
gone as materialized (  -- few, by their whole key: else the index is read through for each order
    select f.id, f.placed_at, old.term
    from before b join found f on f.id = b.order_id
    cross join lateral (select unnest(b.terms) except select unnest(f.terms)) as old(term)),
removed as (
    delete from order_term t using gone g
    where t.tenant_id = $1 and t.term = g.term and t.placed_at = g.placed_at
      and t.order_id = g.id),
added as (
    insert into order_term (tenant_id, term, placed_at, order_id, dealer_id)
    select $1::bigint, new.term, f.placed_at, f.id, f.dealer_id
    from found f left join before b on b.order_id = f.id
    cross join lateral (
        select unnest(f.terms) except select unnest(b.terms)) as new(term)
    order by new.term, f.placed_at, f.id)
insert into order_indexed as i (tenant_id, order_id, terms)
select $1::bigint, f.id, f.terms from found f
on conflict (tenant_id, order_id) do update set terms = excluded.terms
where i.terms <> excluded.terms

-- count_terms --
-- How many orders have each term in a span of time; no further than a bound.
select w.term, (select count(*) from (
    select from order_term t
    where t.tenant_id = $1 and t.term = w.term and t.placed_at >= $3 and t.placed_at < $4
    limit $5) as those) as orders
from unnest($2::text[]) as w(term)

-- find_orders --
-- Orders with a leading term, all others and one of a set, newest first, of so many looked at.
select d.order_id, d.placed_at
from unnest($2::text[]) as driving(term)
cross join lateral (
    select t.order_id, t.placed_at
    from (
        select a.order_id, a.placed_at from order_term a
        where a.tenant_id = $1 and a.term = driving.term and a.placed_at >= $5
          and (a.placed_at, a.order_id) < ($6::timestamptz, $7::bigint)
        order by a.placed_at desc, a.order_id desc limit $10) as t
    where not exists (
          select from unnest($3::text[]) as every(term)
          where not exists (
              select from order_term o
              where o.tenant_id = $1 and o.term = every.term and o.placed_at = t.placed_at
                and o.order_id = t.order_id))
      and ($4::text[] is null or exists (
          select from order_term s
          where s.tenant_id = $1 and s.term = any($4) and s.placed_at = t.placed_at
            and s.order_id = t.order_id))
      and ($8::text is null or exists (
          select from orders p
          where p.tenant_id = $1 and p.id = t.order_id
            and regexp_replace(p.buyer_phone, '\D', '', 'g') like '%' || $8))
    limit $9) as d
order by d.placed_at desc, d.order_id desc limit $9

-- looked_at --
-- The last entry that was looked at of leading terms of which not all were: the newest of these.
select d.order_id, d.placed_at
from unnest($2::text[]) as driving(term)
cross join lateral (
    select a.order_id, a.placed_at from order_term a
    where a.tenant_id = $1 and a.term = driving.term and a.placed_at >= $3
      and (a.placed_at, a.order_id) < ($4::timestamptz, $5::bigint)
    order by a.placed_at desc, a.order_id desc offset $6::integer - 1 limit 1) as d
order by d.placed_at desc, d.order_id desc limit 1
