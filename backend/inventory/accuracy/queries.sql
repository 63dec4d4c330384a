-- insert_pick_shortages --
-- Keep what a node did not find, or found damaged.
insert into pick_shortage (tenant_id, order_id, line_no, node_id, dealer_id,
    functional_warehouse_id, sku_id, quantity, cause, reported_by)
select $1::bigint, $2::bigint, p.line_no, f.node_id, f.dealer_id, p.functional_warehouse_id,
       p.sku_id, p.quantity, $3::text, $4::text
from unnest($5::integer[], $6::bigint[], $7::bigint[], $8::bigint[])
     with ordinality as p(line_no, functional_warehouse_id, sku_id, quantity, ordinal)
join functional_warehouse f on f.tenant_id = $1 and f.id = p.functional_warehouse_id
order by p.ordinal
returning id

-- nodes_that_missed --
-- The nodes that could not send something of orders, until a time; no time: until now.
select distinct order_id, node_id from pick_shortage
where tenant_id = $1 and order_id = any($2::bigint[])
  and ($3::timestamptz is null or reported_at < $3)

-- missing_by_node --
-- What was counted, and what was missing, of each node since a time: in counts and in picks.
select node_id, sum(expected)::bigint as expected, sum(missing)::bigint as missing
from (
    select node_id, greatest(on_hand, 0) as expected, greatest(on_hand - counted, 0) as missing
    from stock_count where tenant_id = $1 and state = 'applied' and counted_at >= $2
    union all
    select node_id, quantity, quantity from pick_shortage
    where tenant_id = $1 and reported_at >= $2 and cause = 'not_found') as m
group by node_id

-- set_accuracies --
-- Keep how accurate nodes are; given in the order of the key.
insert into node_accuracy (tenant_id, node_id, expected, missing, weight_bp)
select $1::bigint, a.*
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::integer[]) as a
on conflict (tenant_id, node_id) do update
set expected = excluded.expected, missing = excluded.missing, weight_bp = excluded.weight_bp,
    learned_at = clock_timestamp()
where (node_accuracy.expected, node_accuracy.missing) <> (excluded.expected, excluded.missing)

-- accuracies --
-- How accurate nodes are.
select node_id, expected, missing, weight_bp, learned_at
from node_accuracy where tenant_id = $1 order by node_id

-- weights --
-- What nodes offer that do not offer all.
select node_id, weight_bp from node_accuracy
where tenant_id = $1 and weight_bp < 10000 order by node_id
