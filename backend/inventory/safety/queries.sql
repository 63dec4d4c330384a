-- safety_rules --
-- The rules of safety stock.
select id, sku_id, node_id, channel, category, node_kind, units, weeks_tenths, set_by, changed_at
from safety_rule where tenant_id = $1 order by id

-- lock_safety_rules --
-- Let one transaction at a time set a tenant's rules.
select pg_advisory_xact_lock(hashtext('yipan.safety_rule'), ($1::bigint % 2147483647)::integer)

-- drop_safety_rules --
-- Drop the rules.
delete from safety_rule where tenant_id = $1

-- insert_safety_rules --
-- Keep rules.
insert into safety_rule (tenant_id, sku_id, node_id, channel, category, node_kind, units,
    weeks_tenths, set_by)
select $1::bigint, d.*, $9::text
from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::integer[])
     as d(sku_id, node_id, channel, category, node_kind, units, weeks_tenths)

-- sold_by_node --
-- Units of each SKU that each node sold between two times: to orders, and over its till.
select node_id, sku_id,
       sum(case cause_kind when 'order' then reserved_delta else quantity end)::bigint as units
from stock_movement
where tenant_id = $1 and recorded_at >= $2 and recorded_at <= $3
      and ((cause_kind = 'order' and on_hand_delta = 0) or cause_kind = 'till')
group by node_id, sku_id

-- floors --
-- Every level with what it keeps back, after a key.
select functional_warehouse_id, sku_id, node_id, floor from stock_level
where tenant_id = $1 and (sku_id, functional_warehouse_id) > ($2::bigint, $3::bigint)
order by sku_id, functional_warehouse_id limit $4

-- kept_shop_floors --
-- What shops keep back now.
select shop_id, sku_id, units, reason from shop_floor where tenant_id = $1 and units > 0

-- set_shop_floors --
-- Let shops keep back units of SKUs; given in the order of the key.
insert into shop_floor (tenant_id, shop_id, sku_id, dealer_id, units, reason)
select $1::bigint, f.shop_id, f.sku_id, s.dealer_id, f.units, f.reason
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
     with ordinality as f(shop_id, sku_id, units, reason, ordinal)
join shop s on s.tenant_id = $1 and s.id = f.shop_id
order by f.ordinal
on conflict (tenant_id, shop_id, sku_id) do update
set units = excluded.units, reason = excluded.reason, dealer_id = excluded.dealer_id,
    changed_at = clock_timestamp()

-- changed_shop_floors --
-- What shops keep back, of what changed since a time.
select shop_id, sku_id, units, reason, changed_at
from shop_floor where tenant_id = $1 and changed_at >= $2

-- shop_floors_of_sku --
-- What shops keep back of a SKU.
select shop_id, sku_id, units, reason, changed_at
from shop_floor where tenant_id = $1 and sku_id = $2 and units > 0

-- page_of_shop_floors --
-- What a shop keeps back, by SKU.
select shop_id, sku_id, units, reason, changed_at
from shop_floor
where tenant_id = $1 and shop_id = $2 and sku_id > $3 and units > 0
order by sku_id limit $4

-- shop_floors_by_keys --
-- What shops keep back, by shop and SKU.
select shop_id, sku_id, units, reason, changed_at
from shop_floor
where tenant_id = $1 and units > 0
  and (shop_id, sku_id) in (select * from unnest($2::bigint[], $3::bigint[]))
