-- open_earmarks --
-- The earmarks that are open (or were, at a time), and where they keep something.
select id, pool, warehouse_ids from earmark
where tenant_id = $1
  and (($2::timestamptz is null and closed_at is null)
       or ($2 >= opened_at and (closed_at is null or $2 < closed_at)))
order by id

-- earmarked_of_sku --
-- What earmarks have unused of a SKU, or had at a time: what they have, less what moved since.
select e.functional_warehouse_id, e.earmark_id, e.unused - m.moved as unused
from earmark_level e
cross join lateral (
    select coalesce(sum(m.earmark_delta), 0)::bigint as moved
    from stock_movement m
    where m.tenant_id = $1 and m.functional_warehouse_id = e.functional_warehouse_id
      and m.sku_id = e.sku_id and m.earmark_id = e.earmark_id and m.recorded_at > $3::timestamptz
    ) as m
where e.tenant_id = $1 and e.sku_id = $2

-- lock_open --
-- Those of the earmarks that are open; they stay so until the transaction ends.
select id from earmark
where tenant_id = $1 and id = any($2::bigint[]) and closed_at is null order by id for share

-- lock_earmark --
-- An earmark by its code, locked against everybody who changes what it keeps.
select id, pool, warehouse_ids, closed_at from earmark
where tenant_id = $1 and code = $2 for update

-- insert_earmark --
-- Open an earmark.
insert into earmark (tenant_id, code, name, kind, pool, ends_at, lend_keep_bp, lend_keep_days,
    opened_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id

-- note_warehouses --
-- Note in which functional warehouses an earmark keeps something.
update earmark set warehouse_ids = $3 where tenant_id = $1 and id = $2

-- close_earmark --
-- Close an earmark.
update earmark set closed_at = clock_timestamp(), closed_by = $3 where tenant_id = $1 and id = $2

-- levels_of_earmark --
-- What an earmark keeps, by level.
select functional_warehouse_id, sku_id, filled, unused, lent from earmark_level
where tenant_id = $1 and earmark_id = $2 order by functional_warehouse_id, sku_id

-- earmarks --
-- Earmarks with what became of their units, the newest first, below an id.
select m.id, m.code, m.name, m.kind, m.pool, m.ends_at, m.lend_keep_bp, m.lend_keep_days,
       m.opened_by, m.opened_at, m.closed_by, m.closed_at, e.filled, e.unused, e.lent
from earmark m
cross join lateral (
    select coalesce(sum(e.filled), 0)::bigint as filled,
           coalesce(sum(e.unused), 0)::bigint as unused,
           coalesce(sum(e.lent), 0)::bigint as lent
    from earmark_level e where e.tenant_id = $1 and e.earmark_id = m.id) as e
where m.tenant_id = $1 and m.id < $2 and ($3::text is null or m.code = $3)
  and ($5::bigint[] is null or m.id = any($5::bigint[]))
order by m.id desc limit $4

-- page_of_earmark_levels --
-- What an earmark keeps, after a key.
select earmark_id, functional_warehouse_id, sku_id, filled, unused, lent from earmark_level
where tenant_id = $1 and earmark_id = $2
  and (sku_id, functional_warehouse_id) > ($3::bigint, $4::bigint)
order by sku_id, functional_warehouse_id limit $5

-- ended --
-- The codes of open earmarks whose time is over.
select code from earmark
where tenant_id = $1 and closed_at is null and ends_at <= clock_timestamp() order by id

-- lending --
-- The codes of open earmarks that lend.
select code from earmark
where tenant_id = $1 and closed_at is null and lend_keep_bp is not null order by id

-- declared_stock --
-- All stock of SKUs: what lies anywhere, what is free of sellable goods, and what is to come.
select k.sku_id, coalesce(l.on_hand, 0) as on_hand, coalesce(l.reserved, 0) as reserved,
       coalesce(l.floor, 0) as floor, coalesce(l.earmarked, 0) as earmarked,
       coalesce(l.free, 0) as free, coalesce(s.in_transit, 0) as in_transit,
       coalesce(s.ordered, 0) as ordered
from unnest($2::bigint[]) as k(sku_id)
left join lateral (
    select sum(l.on_hand)::bigint as on_hand, sum(l.reserved)::bigint as reserved,
           sum(l.floor)::bigint as floor, sum(l.earmark_unused)::bigint as earmarked,
           sum(greatest(0, l.on_hand - l.reserved - l.floor - l.earmark_unused))
               filter (where f.condition = 'good')::bigint as free
    from stock_level l
    join functional_warehouse f on f.tenant_id = $1 and f.id = l.functional_warehouse_id
    where l.tenant_id = $1 and l.sku_id = k.sku_id) as l on true
left join lateral (
    select sum(s.quantity - s.received)
               filter (where s.kind in ('in_transit', 'transfer'))::bigint as in_transit,
           sum(s.quantity - s.received)
               filter (where s.kind in ('purchase', 'production'))::bigint as ordered
    from supply s where s.tenant_id = $1 and s.sku_id = k.sku_id and s.is_open) as s on true

-- earmark_levels_by_keys --
-- What earmarks keep, by earmark, SKU and functional warehouse.
select earmark_id, functional_warehouse_id, sku_id, filled, unused, lent from earmark_level
where tenant_id = $1
  and (earmark_id, sku_id, functional_warehouse_id)
      in (select * from unnest($2::bigint[], $3::bigint[], $4::bigint[]))
