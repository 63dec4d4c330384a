-- insert_simulation --
-- Ask for a simulation.
insert into routing_simulation (tenant_id, baseline, candidate, since, until, requested_by)
values ($1, $2, $3, $4, $5, $6)
returning id, baseline, candidate, since, until, state, orders_done, orders_total, requested_by,
          requested_at, finished_at, result, error

-- lock_simulations --
-- Let one transaction at a time add to a tenant's simulations.
select pg_advisory_xact_lock(
    hashtext('yipan.routing_simulation'), ($1::bigint % 2147483647)::integer)

-- open_simulations --
-- How many simulations wait, or are run.
select count(*) from routing_simulation where tenant_id = $1 and state in ('queued', 'running')

-- drop_old_differences --
-- Drop the differences of all but the newest simulations.
delete from routing_simulation_difference
where tenant_id = $1 and simulation_id <= (
    select id from routing_simulation where tenant_id = $1 order by id desc offset $2 limit 1)

-- database_now --
-- The time on the clock that orders are stamped with.
select clock_timestamp()

-- lock_simulation --
-- A simulation, locked.
select id, state from routing_simulation where tenant_id = $1 and id = $2 for no key update

-- cancel_simulation --
-- End a locked simulation that waits or is run.
update routing_simulation set state = 'cancelled', finished_at = clock_timestamp(),
    claimed_by = null, leased_until = null
where tenant_id = $1 and id = $2
returning id, baseline, candidate, since, until, state, orders_done, orders_total, requested_by,
          requested_at, finished_at, result, error

-- simulations_by_ids --
-- Simulations by their ids.
select id, baseline, candidate, since, until, state, orders_done, orders_total, requested_by,
       requested_at, finished_at, result, error
from routing_simulation where tenant_id = $1 and id = any($2::bigint[])

-- page_of_simulations --
-- Simulations below an id, the newest first.
select id, baseline, candidate, since, until, state, orders_done, orders_total, requested_by,
       requested_at, finished_at, result, error
from routing_simulation where tenant_id = $1 and id < $2 order by id desc limit $3

-- page_of_differences --
-- Differences of a simulation after a rank, the largest first.
select simulation_id, rank, order_id, nodes_before, nodes_after, unplaced_before, unplaced_after,
       freight_minor_before, freight_minor_after, cost_minor_before, cost_minor_after,
       distance_m_before, distance_m_after, arrives_on_before, arrives_on_after
from routing_simulation_difference
where tenant_id = $1 and simulation_id = $2 and rank > $3 order by rank limit $4

-- differences_by_keys --
-- Differences by simulation and rank.
select d.simulation_id, d.rank, d.order_id, d.nodes_before, d.nodes_after, d.unplaced_before,
       d.unplaced_after, d.freight_minor_before, d.freight_minor_after, d.cost_minor_before,
       d.cost_minor_after, d.distance_m_before, d.distance_m_after, d.arrives_on_before,
       d.arrives_on_after
from unnest($2::bigint[], $3::integer[]) as k(simulation_id, rank)
join routing_simulation_difference d on d.tenant_id = $1
     and d.simulation_id = k.simulation_id and d.rank = k.rank

-- claim_simulation --
-- Take the oldest simulation that waits, or that whoever ran it has left, for some seconds.
update routing_simulation set state = 'running', claimed_by = $2::text, orders_done = 0,
    attempts = attempts + 1,
    leased_until = clock_timestamp() + make_interval(secs => $3::integer)
where tenant_id = $1 and id = (
    select id from routing_simulation
    where tenant_id = $1 and state in ('queued', 'running')
      and (state = 'queued' or leased_until < clock_timestamp())
    order by id limit 1 for no key update skip locked)
returning id, baseline, candidate, since, until, state, orders_done, orders_total, requested_by,
          requested_at, finished_at, result, error

-- give_simulations_up --
-- End simulations that were taken up so often and never finished.
update routing_simulation set state = 'failed', finished_at = clock_timestamp(), claimed_by = null,
    leased_until = null, error = $3::text
where tenant_id = $1 and state = 'running' and leased_until < clock_timestamp() and attempts >= $2

-- keep_simulation --
-- Say how far a simulation is, and keep it for some seconds more; none where it was taken away.
update routing_simulation set orders_done = $4::bigint, orders_total = $5::bigint,
    leased_until = clock_timestamp() + make_interval(secs => $6::integer)
where tenant_id = $1 and id = $2 and claimed_by = $3 and state = 'running'
returning id

-- leave_simulation --
-- Let somebody else take a simulation up.
update routing_simulation set state = 'queued', claimed_by = null, leased_until = null,
    attempts = attempts - 1
where tenant_id = $1 and id = $2 and claimed_by = $3 and state = 'running'

-- finish_simulation --
-- Keep what a simulation came to; none where it was taken away.
update routing_simulation set state = $4::text, result = $5::jsonb, error = $6::text,
    orders_done = $7::bigint, finished_at = clock_timestamp(), claimed_by = null,
    leased_until = null
where tenant_id = $1 and id = $2 and claimed_by = $3 and state = 'running'
returning id

-- insert_differences --
-- Keep differences of a simulation.
insert into routing_simulation_difference (tenant_id, simulation_id, rank, order_id, nodes_before,
    nodes_after, unplaced_before, unplaced_after, freight_minor_before, freight_minor_after,
    cost_minor_before, cost_minor_after, distance_m_before, distance_m_after, arrives_on_before,
    arrives_on_after)
select $1::bigint, $2::bigint, r.rank, r.order_id, string_to_array(r.nodes_before, ' ')::bigint[],
       string_to_array(r.nodes_after, ' ')::bigint[], r.unplaced_before, r.unplaced_after,
       r.freight_before, r.freight_after, r.cost_before, r.cost_after, r.distance_before,
       r.distance_after, r.arrives_before, r.arrives_after
from unnest($3::integer[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::bigint[], $15::date[], $16::date[])
     as r(rank, order_id, nodes_before, nodes_after, unplaced_before, unplaced_after,
          freight_before, freight_after, cost_before, cost_after, distance_before, distance_after,
          arrives_before, arrives_after)

-- ends_of_pieces --
-- Orders of a period that end a piece of so many, or a day; with how many came until there.
select placed_at, id, number
from (select placed_at, id, row_number() over ordered as number,
             lead(placed_at) over ordered as next_at
      from orders
      where tenant_id = $1 and placed_at >= $2 and placed_at < $3 and region_code is not null
      window ordered as (order by placed_at, id)) as o
where number % $4::bigint = 0 or next_at is null
   or date_trunc('day', next_at) <> date_trunc('day', placed_at)
order by number

-- lines_of_piece --
-- The lines of orders after one and up to another one, by time and id, as they were placed.
select o.id as order_id, o.placed_at, o.shop_id, o.dealer_id, o.region_code, o.total_minor,
       o.remark, o.traits, o.shortage, o.is_paid,
       coalesce(o.pickup_node_id, o.node_by_hand_id) as only_node_id,
       l.line_no, l.sku_id,
       l.quantity as wanted, l.quantity, l.amount_minor, l.cancelled
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.sku_id is not null
where o.tenant_id = $1 and o.placed_at between $2 and $4
  and (o.placed_at, o.id) > ($2::timestamptz, $3::bigint)
  and (o.placed_at, o.id) <= ($4::timestamptz, $5::bigint) and o.region_code is not null
order by o.placed_at, o.id, l.line_no

-- parcels_before --
-- Parcels of a day that nodes had been given before a time, and have not given back.
select node_id, count(*) as parcels from fulfilment
where tenant_id = $1 and capacity_day = $2 and recorded_at < $3 and status <> 'cancelled'
group by node_id
