-- lock_levels --
-- Lock the levels of the given keys, in the one order; by key, whatever the statistics say.
select l.*
from (select * from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
      order by k.functional_warehouse_id, k.sku_id) as k
cross join lateral (
    select l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
           l.on_hand, l.reserved, l.floor, l.earmark_unused, l.version
    from stock_level l
    where l.tenant_id = $1 and l.sku_id = k.sku_id
      and l.functional_warehouse_id = k.functional_warehouse_id
    for no key update) as l

-- lock_free --
-- Lock levels as `lock_levels` does, and read what an order asks of them and of their earmarks.
with locked as materialized (
    select l.*
    from (select * from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
          order by k.functional_warehouse_id, k.sku_id) as k
    cross join lateral (
        select l.functional_warehouse_id, l.sku_id,
               l.on_hand - l.reserved - l.floor - l.earmark_unused as free,
               l.on_hand - l.reserved as unreserved, l.earmark_unused, l.version, l.node_id
        from stock_level l
        where l.tenant_id = $1 and l.sku_id = k.sku_id
          and l.functional_warehouse_id = k.functional_warehouse_id
        for no key update) as l)
select functional_warehouse_id, sku_id, free, version, node_id, 0::bigint as earmark_id, unreserved
from locked
union all
select l.functional_warehouse_id, l.sku_id, e.unused, l.version, l.node_id, e.earmark_id,
       l.unreserved
from locked l
cross join lateral (
    select e.earmark_id, e.unused from earmark_level e
    where e.tenant_id = $1 and l.earmark_unused > 0 and e.sku_id = l.sku_id
      and e.functional_warehouse_id = l.functional_warehouse_id
    for no key update) as e
order by earmark_id

-- lock_free_of_skus --
-- Lock every level of the given SKUs in the given functional warehouses as `lock_free` does.
with locked as materialized (
    select l.functional_warehouse_id, l.sku_id,
           l.on_hand - l.reserved - l.floor - l.earmark_unused as free,
           l.on_hand - l.reserved as unreserved, l.earmark_unused, l.version, l.node_id
    from stock_level l
    where l.tenant_id = $1 and l.sku_id = any($2::bigint[])
      and l.functional_warehouse_id = any($3::bigint[])
    order by l.functional_warehouse_id, l.sku_id
    for no key update of l)
select functional_warehouse_id, sku_id, free, version, node_id, 0::bigint as earmark_id, unreserved
from locked
union all
select l.functional_warehouse_id, l.sku_id, e.unused, l.version, l.node_id, e.earmark_id,
       l.unreserved
from locked l
cross join lateral (
    select e.earmark_id, e.unused from earmark_level e
    where e.tenant_id = $1 and l.earmark_unused > 0 and e.sku_id = l.sku_id
      and e.functional_warehouse_id = l.functional_warehouse_id
    for no key update) as e
order by earmark_id

-- create_levels --
-- Create the levels that do not exist yet, empty, in the one order.
insert into stock_level (tenant_id, functional_warehouse_id, sku_id, node_id, dealer_id)
select $1::bigint, k.functional_warehouse_id, k.sku_id, f.node_id, f.dealer_id
from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
join functional_warehouse f on f.tenant_id = $1 and f.id = k.functional_warehouse_id
order by 2, 3
on conflict do nothing

-- change_levels --
-- Add to locked levels, once for each; returns the figures after it.
update stock_level l set
    on_hand = l.on_hand + d.on_hand, reserved = l.reserved + d.reserved,
    floor = l.floor + d.floor, earmark_unused = l.earmark_unused + d.earmark_unused,
    version = l.version + 1
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
     as d(functional_warehouse_id, sku_id, on_hand, reserved, floor, earmark_unused)
where l.tenant_id = $1 and l.functional_warehouse_id = d.functional_warehouse_id
  and l.sku_id = d.sku_id
returning l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
          l.on_hand, l.reserved, l.floor, l.earmark_unused, l.version

-- reserve --
-- Lock levels in the one order, reserve in those with enough free or earmarked, append movements.
with taking as (select * from unnest($2::new_take[])),
wanted as (
    select functional_warehouse_id, sku_id, sum(quantity)::bigint as quantity,
           coalesce(sum(quantity) filter (where earmark_id is not null), 0)::bigint as earmarked
    from taking group by 1, 2),
locked as materialized (
    select l.functional_warehouse_id, l.sku_id, l.earmark_unused, k.quantity, k.earmarked
    from (select * from wanted order by functional_warehouse_id, sku_id) as k
    cross join lateral (
        select l.functional_warehouse_id, l.sku_id, l.earmark_unused
        from stock_level l
        where l.tenant_id = $1 and l.sku_id = k.sku_id
          and l.functional_warehouse_id = k.functional_warehouse_id
        for no key update) as l),
earmarks as materialized (
    select l.functional_warehouse_id, l.sku_id, e.earmark_id, e.unused,
           coalesce(t.quantity, 0) as quantity
    from locked l
    cross join lateral (
        select e.earmark_id, e.unused from earmark_level e
        where e.tenant_id = $1 and l.earmark_unused > 0 and e.sku_id = l.sku_id
          and e.functional_warehouse_id = l.functional_warehouse_id
        for no key update) as e
    left join (select functional_warehouse_id, sku_id, earmark_id, sum(quantity)::bigint as quantity
               from taking group by 1, 2, 3) as t
        using (functional_warehouse_id, sku_id, earmark_id)),
taken as (
    update stock_level l
    set reserved = l.reserved + w.quantity, earmark_unused = l.earmark_unused - w.earmarked,
        version = l.version + 1
    from locked w
    where l.tenant_id = $1 and l.sku_id = w.sku_id
      and l.functional_warehouse_id = w.functional_warehouse_id
      and (w.quantity = w.earmarked
           or l.on_hand - l.reserved - l.floor - l.earmark_unused >= w.quantity - w.earmarked)
      and (w.earmarked = 0 or l.on_hand - l.reserved >= w.quantity)
      and w.earmarked = (select coalesce(sum(k.quantity), 0)::bigint from earmarks k
                         where k.quantity <= k.unused and k.sku_id = w.sku_id
                           and k.functional_warehouse_id = w.functional_warehouse_id)
    returning l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
              l.on_hand - l.reserved - l.floor - l.earmark_unused as free,
              l.on_hand - l.reserved as unreserved, l.version),
used as (
    update earmark_level e set unused = e.unused - k.quantity
    from earmarks k join taken l using (functional_warehouse_id, sku_id)
    where e.tenant_id = $1 and e.sku_id = k.sku_id and e.earmark_id = k.earmark_id
      and e.functional_warehouse_id = k.functional_warehouse_id and k.quantity > 0),
moved as (
    insert into stock_movement (tenant_id, functional_warehouse_id, sku_id, node_id, dealer_id,
        type, quantity, on_hand_delta, reserved_delta, floor_delta, earmark_delta, level_version,
        cause_kind, cause_id, cause_line, actor, earmark_id)
    select $1::bigint, t.functional_warehouse_id, t.sku_id, l.node_id, l.dealer_id, 'reserved',
           t.quantity, 0, t.quantity, 0, case when t.earmark_id is null then 0 else -t.quantity end,
           l.version, t.cause_kind, t.cause_id, t.cause_line, $3, t.earmark_id
    from taking t join taken l using (functional_warehouse_id, sku_id))
select functional_warehouse_id, sku_id, free, version, node_id, 0::bigint as earmark_id, unreserved
from taken
union all
select l.functional_warehouse_id, l.sku_id, e.unused - e.quantity, l.version, l.node_id,
       e.earmark_id, l.unreserved
from taken l join earmarks e using (functional_warehouse_id, sku_id)
order by earmark_id

-- create_earmarks --
-- Create what earmarks keep of locked levels, empty, where it does not exist yet.
insert into earmark_level (tenant_id, functional_warehouse_id, sku_id, earmark_id, filled, unused,
    lent)
select $1::bigint, k.*, 0, 0, 0
from unnest($2::bigint[], $3::bigint[], $4::bigint[])
     as k(functional_warehouse_id, sku_id, earmark_id)
on conflict do nothing

-- change_earmarks --
-- Add to what earmarks keep of locked levels, once for each.
update earmark_level e
set filled = e.filled + d.filled, unused = e.unused + d.unused, lent = e.lent + d.lent
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
     as d(functional_warehouse_id, sku_id, earmark_id, filled, unused, lent)
where e.tenant_id = $1 and e.sku_id = d.sku_id and e.earmark_id = d.earmark_id
  and e.functional_warehouse_id = d.functional_warehouse_id

-- lent_of_levels --
-- What earmarks have lent of locked levels, the oldest earmark first.
select e.functional_warehouse_id, e.sku_id, e.earmark_id, e.lent
from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
join earmark_level e on e.tenant_id = $1 and e.sku_id = k.sku_id
     and e.functional_warehouse_id = k.functional_warehouse_id and e.lent > 0
order by e.earmark_id

-- insert_movements --
-- Append to the ledger.
insert into stock_movement (tenant_id, functional_warehouse_id, sku_id, node_id, dealer_id, type,
    quantity, on_hand_delta, reserved_delta, floor_delta, earmark_delta, level_version, cause_kind,
    cause_id, cause_line, reason, actor, earmark_id)
select $1::bigint, r.functional_warehouse_id, r.sku_id, r.node_id, r.dealer_id, r.type, r.quantity,
       r.on_hand_delta, r.reserved_delta, r.floor_delta, r.earmark_delta, r.level_version,
       r.cause_kind, r.cause_id, r.cause_line, r.reason, $3, r.earmark_id
from unnest($2::new_movement[]) as r

-- free_of_all_levels --
-- What is free of every level of the tenant, and what its earmarks may be used for.
select functional_warehouse_id, sku_id,
       on_hand - reserved - floor - earmark_unused as free, version, 0::bigint as earmark_id
from stock_level where tenant_id = $1
union all
select l.functional_warehouse_id, l.sku_id,
       least(e.unused, greatest(l.on_hand - l.reserved, 0)) as free, l.version, e.earmark_id
from earmark_level e
join stock_level l on l.tenant_id = $1 and l.sku_id = e.sku_id
     and l.functional_warehouse_id = e.functional_warehouse_id
where e.tenant_id = $1

-- free_of_levels --
-- What is free of the given levels, and what their earmarks may be used for, without a lock.
with levels as (
    select l.*
    from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
    join stock_level l on l.tenant_id = $1
         and l.functional_warehouse_id = k.functional_warehouse_id and l.sku_id = k.sku_id)
select functional_warehouse_id, sku_id,
       on_hand - reserved - floor - earmark_unused as free, version, 0::bigint as earmark_id
from levels
union all
select l.functional_warehouse_id, l.sku_id,
       least(e.unused, greatest(l.on_hand - l.reserved, 0)) as free, l.version, e.earmark_id
from levels l
join earmark_level e on e.tenant_id = $1 and e.sku_id = l.sku_id
     and e.functional_warehouse_id = l.functional_warehouse_id

-- database_time --
-- The time on the clock that movements are stamped with.
select clock_timestamp()

-- free_of_changed_levels --
-- What is free of the levels that moved since a time, and what their earmarks may be used for.
with levels as (
    select l.*
    from (select distinct m.functional_warehouse_id, m.sku_id from stock_movement m
          where m.tenant_id = $1 and m.recorded_at >= $2) as k
    join stock_level l on l.tenant_id = $1
         and l.functional_warehouse_id = k.functional_warehouse_id and l.sku_id = k.sku_id)
select functional_warehouse_id, sku_id,
       on_hand - reserved - floor - earmark_unused as free, version, 0::bigint as earmark_id
from levels
union all
select l.functional_warehouse_id, l.sku_id,
       least(e.unused, greatest(l.on_hand - l.reserved, 0)) as free, l.version, e.earmark_id
from levels l
join earmark_level e on e.tenant_id = $1 and e.sku_id = l.sku_id
     and e.functional_warehouse_id = l.functional_warehouse_id

-- levels_of_sku --
-- The levels of a SKU.
select functional_warehouse_id, sku_id, node_id, dealer_id, on_hand, reserved, floor,
       earmark_unused, version
from stock_level where tenant_id = $1 and sku_id = $2 order by functional_warehouse_id

-- warehouse_by_code --
-- A functional warehouse by its code.
select id, node_id, dealer_id, condition, (legal_entity_id, dealer_id)::text as owner
from functional_warehouse where tenant_id = $1 and code = $2

-- warehouses --
-- All functional warehouses, in the order in which a node's stock is used.
select id, node_id, code, condition, purpose, legal_entity_id, dealer_id, rank
from functional_warehouse where tenant_id = $1 order by node_id, rank, id

-- insert_warehouse --
-- Create a functional warehouse.
insert into functional_warehouse
    (tenant_id, node_id, code, condition, purpose, legal_entity_id, dealer_id, rank)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning id

-- page_of_levels --
-- A page of levels by SKU and functional warehouse, after a key.
select l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
       l.on_hand, l.reserved, l.floor, l.earmark_unused, l.version
from stock_level l
where l.tenant_id = $1 and ($2::bigint is null or l.sku_id = $2)
  and ($3::bigint is null or l.node_id = $3)
  and (l.sku_id, l.functional_warehouse_id) > ($4::bigint, $5::bigint)
order by l.sku_id, l.functional_warehouse_id limit $6

-- levels_by_keys --
-- The levels of the given keys, without a lock.
select l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
       l.on_hand, l.reserved, l.floor, l.earmark_unused, l.version
from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
join stock_level l on l.tenant_id = $1
     and l.functional_warehouse_id = k.functional_warehouse_id and l.sku_id = k.sku_id

-- newest_movements --
-- The newest movements of each of the given levels.
select m.*
from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
cross join lateral (
    select id, recorded_at, functional_warehouse_id, sku_id, type, quantity, on_hand_delta,
           reserved_delta, level_version, cause_kind, reason, actor
    from stock_movement m
    where m.tenant_id = $1 and m.functional_warehouse_id = k.functional_warehouse_id
      and m.sku_id = k.sku_id
    order by id desc limit $4) as m

-- next_cause_id --
-- A number that joins the movements of one command.
select nextval('stock_cause_id')

-- first_reserved_for --
-- The first movement with which an order reserved from a time on.
select min(id) from stock_movement
where tenant_id = $1 and cause_kind = 'order' and cause_id = $2 and type = 'reserved'
  and recorded_at >= $3 and recorded_at < $3 + interval '1 minute'

-- first_movement_since --
-- The first movement from a time on, of any level; none where nothing has moved since.
select id from stock_movement where tenant_id = $1 and recorded_at >= $2
order by recorded_at, id limit 1

-- reserved_before --
-- Units that an order had reserved of each of its lines before a movement.
select cause_line as line_no, sum(reserved_delta)::bigint as units from stock_movement
where tenant_id = $1 and cause_kind = 'order' and cause_id = $2 and id < $3 and recorded_at >= $4
group by cause_line

-- reserved_levels_before --
-- Units that an order had reserved of each level before a movement.
select functional_warehouse_id, sku_id, sum(reserved_delta)::bigint as units from stock_movement
where tenant_id = $1 and cause_kind = 'order' and cause_id = $2 and id < $3 and recorded_at >= $4
group by functional_warehouse_id, sku_id having sum(reserved_delta) > 0

-- free_before --
-- What was free of every level of some SKUs before a movement: what is, less what moved since.
select l.functional_warehouse_id, l.sku_id,
       l.on_hand - l.reserved - l.floor - l.earmark_unused
       - (m.on_hand - m.reserved - m.floor - m.earmark) as free
from stock_level l
cross join lateral (
    select coalesce(sum(m.on_hand_delta), 0)::bigint as on_hand,
           coalesce(sum(m.reserved_delta), 0)::bigint as reserved,
           coalesce(sum(m.floor_delta), 0)::bigint as floor,
           coalesce(sum(m.earmark_delta), 0)::bigint as earmark
    from stock_movement m
    where m.tenant_id = $1 and m.functional_warehouse_id = l.functional_warehouse_id
      and m.sku_id = l.sku_id and m.id >= $3 and m.recorded_at >= $4) as m
where l.tenant_id = $1 and l.sku_id = any($2::bigint[])

-- last_receipts_by_node --
-- When units of each SKU last came to each node since a time.
select sku_id, node_id, max(recorded_at) as at from stock_movement
where tenant_id = $1 and recorded_at >= $2 and type in ('received', 'moved_in', 'returned')
group by sku_id, node_id

-- free_by_node --
-- Units of every SKU that are free at each node, of levels that somebody may sell from.
select sku_id, node_id,
       sum(greatest(0, on_hand - reserved - floor - earmark_unused))::bigint as units
from stock_level where tenant_id = $1 and functional_warehouse_id = any($2::bigint[])
group by sku_id, node_id

-- moved_between --
-- What movements between two times added to what is free of levels.
select functional_warehouse_id, sku_id,
       sum(on_hand_delta - reserved_delta - floor_delta - earmark_delta)::bigint as free
from stock_movement
where tenant_id = $1 and recorded_at >= $2 and recorded_at < $3
group by functional_warehouse_id, sku_id

-- moved_but_for_orders --
-- What was added to what is free between two times, not by orders from a time on; in order.
with moved as materialized (
    select case when cause_kind = 'hold' and reserved_delta < 0
                then greatest(recorded_at - $5::interval, $4::timestamptz)
                else recorded_at end as moved_at,
           functional_warehouse_id, sku_id, cause_kind, cause_id,
           on_hand_delta - reserved_delta - floor_delta - earmark_delta as free
    from stock_movement
    where tenant_id = $1 and recorded_at >= $2 and recorded_at < $3::timestamptz + $5::interval
      and on_hand_delta - reserved_delta - floor_delta - earmark_delta <> 0)
select moved_at, functional_warehouse_id, sku_id, free
from moved
where moved_at >= $2 and moved_at < $3
  and (cause_kind <> 'order' or cause_id in (
      select orders_placed_before($1, (
          select array_agg(distinct m.cause_id) from moved m where m.cause_kind = 'order'), $4)))
order by moved_at
