-- insert_counts --
-- Keep counts; those within tolerance are applied already.
insert into stock_count (tenant_id, functional_warehouse_id, sku_id, node_id, dealer_id, on_hand,
    counted, state, reason, counted_by)
select $1::bigint, d.functional_warehouse_id, d.sku_id, f.node_id, f.dealer_id, d.on_hand,
       d.counted, d.state, d.reason, $8::text
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
     as d(functional_warehouse_id, sku_id, on_hand, counted, state, reason)
join functional_warehouse f on f.tenant_id = $1 and f.id = d.functional_warehouse_id
returning id

-- supersede_counts --
-- Let counts that wait be those of before: somebody has counted again.
update stock_count c set state = 'rejected', decided_by = $4, decided_at = clock_timestamp()
from unnest($2::bigint[], $3::bigint[]) as k(functional_warehouse_id, sku_id)
where c.tenant_id = $1 and c.functional_warehouse_id = k.functional_warehouse_id
  and c.sku_id = k.sku_id and c.state = 'waiting'

-- lock_count --
-- A count, locked.
select id, functional_warehouse_id, sku_id, on_hand, counted, state, counted_by
from stock_count where tenant_id = $1 and id = $2 for no key update

-- decide_count --
-- Say what became of a count.
update stock_count set state = $3, decided_by = $4, decided_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- counts_by_ids --
-- The given counts.
select id, functional_warehouse_id, sku_id, on_hand, counted, state, reason, counted_by, counted_at,
       decided_by, decided_at
from stock_count where tenant_id = $1 and id = any($2::bigint[]) order by id

-- page_of_counts --
-- Counts, the newest first, below an id.
select id, functional_warehouse_id, sku_id, on_hand, counted, state, reason, counted_by, counted_at,
       decided_by, decided_at
from stock_count
where tenant_id = $1 and id < $2 and ($3::text is null or state = $3)
order by id desc limit $4
