-- safety_rules --
-- The rules of safety stock.
select id, sku_id, node_id, category, node_kind, units, weeks_tenths, set_by, changed_at
from safety_rule where tenant_id = $1 order by id

-- lock_safety_rules --
-- Let one transaction at a time set a tenant's rules.
select pg_advisory_xact_lock(hashtext('yipan.safety_rule'), ($1::bigint % 2147483647)::integer)

-- drop_safety_rules --
-- Drop the rules.
delete from safety_rule where tenant_id = $1

-- insert_safety_rules --
-- Keep rules.
insert into safety_rule (tenant_id, sku_id, node_id, category, node_kind, units, weeks_tenths,
    set_by)
select $1::bigint, d.*, $8::text
from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::integer[])
     as d(sku_id, node_id, category, node_kind, units, weeks_tenths)

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
