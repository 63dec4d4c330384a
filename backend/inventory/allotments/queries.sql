-- changed_allotments --
-- Allotments that were set or taken from since a time.
select id, sku_id, shop_id, dealer_id, quantity - taken as free, version, is_active,
       changed_at
from allotment where tenant_id = $1 and changed_at >= $2 order by id

-- free_of_all_allotments --
-- What is left of every allotment.
select id, quantity - taken as free, version from allotment where tenant_id = $1 and is_active

-- free_of_allotments --
-- What is left of the given allotments, without a lock.
select id, quantity - taken as free, version from allotment
where tenant_id = $1 and id = any($2::bigint[])

-- allotments_of_sku --
-- The allotments of a SKU.
select id, sku_id, shop_id, dealer_id, quantity - taken as free, version, is_active,
       changed_at
from allotment where tenant_id = $1 and sku_id = $2 order by id

-- lock_allotments --
-- Lock allotments in the one order, and read what is left of them.
select id, quantity - taken as free, version from allotment
where tenant_id = $1 and id = any($2::bigint[]) order by id for no key update

-- take_allotments --
-- Lock allotments in the one order, and take from those with enough left (below 0: give back).
with wanted as (select * from unnest($2::bigint[], $3::bigint[]) as k(id, quantity)),
locked as materialized (
    select a.id, k.quantity
    from (select * from wanted order by id) as k
    cross join lateral (
        select a.id from allotment a where a.tenant_id = $1 and a.id = k.id for no key update) as a)
update allotment a
set taken = a.taken + k.quantity, version = a.version + 1, changed_at = clock_timestamp()
from locked k
where a.tenant_id = $1 and a.id = k.id
  and (k.quantity < 0 or a.quantity - a.taken >= k.quantity)
returning a.id, a.quantity - a.taken as free, a.version

-- set_allotment --
-- Set an allotment, which begins where it does not exist yet; nothing if it is at another version.
insert into allotment (tenant_id, sku_id, shop_id, dealer_id, quantity, reason, set_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, sku_id, shop_id, dealer_id) do update
set quantity = excluded.quantity, is_active = true, version = allotment.version + 1,
    reason = excluded.reason, set_by = excluded.set_by, changed_at = clock_timestamp()
where allotment.version = coalesce($8, allotment.version)
returning id

-- lock_allotments_of --
-- Lock the allotments of SKUs for shops or dealers, as far as they exist, in the one order.
select a.id, a.sku_id, a.shop_id, a.dealer_id, a.version, a.is_active
from allotment a
join unnest($2::bigint[], $3::bigint[], $4::bigint[]) as k(sku_id, shop_id, dealer_id)
    on k.sku_id = a.sku_id and k.shop_id is not distinct from a.shop_id
    and k.dealer_id is not distinct from a.dealer_id
where a.tenant_id = $1
order by a.id for no key update of a

-- end_allotment --
-- Let an allotment bound nothing any more.
update allotment set is_active = false, version = version + 1, set_by = $3,
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- allotments --
-- Allotments by id, after an id.
select id, sku_id, shop_id, dealer_id, quantity, taken, is_active, version, reason, set_by,
       changed_at
from allotment
where tenant_id = $1 and id > $2 and ($3::bigint is null or shop_id = $3)
order by id limit $4

-- allotments_by_ids --
-- The given allotments.
select id, sku_id, shop_id, dealer_id, quantity, taken, is_active, version, reason, set_by,
       changed_at
from allotment where tenant_id = $1 and id = any($2::bigint[]) order by id
