-- lock_layouts --
-- Let one transaction at a time give a tenant's layouts versions and states.
select pg_advisory_xact_lock(hashtext('yipan.pool_layout'), ($1::bigint % 2147483647)::integer)

-- active_version --
-- The version of the active layout.
select version from pool_layout where tenant_id = $1 and status = 'active'

-- insert_draft --
-- Add a draft as the newest version.
insert into pool_layout (tenant_id, version, based_on, status, document, comment, proposed_by)
select $1::bigint, coalesce(max(version), 0) + 1, $2::integer, 'draft', $3::jsonb, $4::text,
       $5::text
from pool_layout where tenant_id = $1
returning version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
          activated_at

-- layout --
-- One version.
select version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
       activated_at
from pool_layout where tenant_id = $1 and version = $2

-- active_layout --
-- The active version.
select version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
       activated_at
from pool_layout where tenant_id = $1 and status = 'active'

-- layout_as_of --
-- The version that was active at a time.
select version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
       activated_at
from pool_layout where tenant_id = $1 and activated_at <= $2
order by activated_at desc limit 1

-- layouts_by_versions --
-- The given versions.
select version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
       activated_at
from pool_layout where tenant_id = $1 and version = any($2::integer[])

-- page_of_layouts --
-- Versions, the newest first, below a version.
select version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
       activated_at
from pool_layout where tenant_id = $1 and version < $2 order by version desc limit $3

-- archive_active --
-- Let the active version be an earlier one.
update pool_layout set status = 'archived' where tenant_id = $1 and status = 'active'

-- activate --
-- Make a draft the active version.
update pool_layout
set status = 'active', activated_by = $3, activated_at = clock_timestamp()
where tenant_id = $1 and version = $2
returning version, based_on, status, document, comment, proposed_by, proposed_at, activated_by,
          activated_at

-- levels_as_of --
-- The levels of a SKU at a time: what they are, less what moved since.
select l.functional_warehouse_id, l.sku_id, l.node_id, l.dealer_id,
       l.on_hand - m.on_hand as on_hand, l.reserved - m.reserved as reserved,
       l.floor - m.floor as floor, l.earmark_unused - m.earmark as earmark_unused, l.version
from stock_level l
cross join lateral (
    select coalesce(sum(m.on_hand_delta), 0)::bigint as on_hand,
           coalesce(sum(m.reserved_delta), 0)::bigint as reserved,
           coalesce(sum(m.floor_delta), 0)::bigint as floor,
           coalesce(sum(m.earmark_delta), 0)::bigint as earmark
    from stock_movement m
    where m.tenant_id = $1 and m.functional_warehouse_id = l.functional_warehouse_id
      and m.sku_id = l.sku_id and m.recorded_at > $3) as m
where l.tenant_id = $1 and l.sku_id = $2
order by l.functional_warehouse_id

-- ordered_between --
-- Units that orders took of each SKU between two times, less what they gave back.
select sku_id, sum(reserved_delta)::bigint as units
from stock_movement
where tenant_id = $1 and recorded_at >= $2 and recorded_at <= $3 and cause_kind = 'order'
      and on_hand_delta = 0
group by sku_id

-- last_receipts --
-- When units of each SKU last came between two times.
select sku_id, max(recorded_at) as at
from stock_movement
where tenant_id = $1 and recorded_at >= $2 and recorded_at <= $3
      and type in ('received', 'returned')
group by sku_id
