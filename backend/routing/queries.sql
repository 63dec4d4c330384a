-- active_policy --
-- The policy in force.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and status = 'active'

-- lock_policies --
-- Let one transaction at a time give a tenant's policies versions and states.
select pg_advisory_xact_lock(hashtext('yipan.routing_policy'), ($1::bigint % 2147483647)::integer)

-- insert_policy --
-- Add a draft as the newest version.
insert into routing_policy (tenant_id, version, based_on, status, document, comment, proposed_by)
select $1::bigint, coalesce(max(version), 0) + 1, $2::integer, 'draft', $3::jsonb, $4::text,
       $5::text
from routing_policy where tenant_id = $1
returning version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
          activated_by, activated_at

-- policy --
-- One version.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version = $2

-- policies_by_versions --
-- The given versions.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version = any($2::integer[])

-- page_of_policies --
-- Versions, the newest first, below a version.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version < $2 order by version desc limit $3

-- archive_active_policy --
-- Let the active version be an earlier one.
update routing_policy set status = 'archived' where tenant_id = $1 and status = 'active'

-- activate_policy --
-- Make a draft the active version.
update routing_policy
set status = 'active', activated_by = $3, activated_at = clock_timestamp()
where tenant_id = $1 and version = $2
returning version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
          activated_by, activated_at

-- insert_rollout --
-- Begin to try a policy.
insert into routing_rollout (tenant_id, baseline, candidate, mode, share_bp, kpi, worse_bp,
                             least_orders, started_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning id, baseline, candidate, mode, share_bp, kpi, worse_bp, least_orders, state, started_by,
          started_at, ended_at, reason

-- end_rollout --
-- End a rollout that is running.
update routing_rollout set state = $3, reason = $4, ended_at = clock_timestamp()
where tenant_id = $1 and id = $2 and state = 'running'
returning id, baseline, candidate, mode, share_bp, kpi, worse_bp, least_orders, state, started_by,
          started_at, ended_at, reason

-- running_rollout --
-- The rollout that is running.
select id, baseline, candidate, mode, share_bp, kpi, worse_bp, least_orders, state, started_by,
       started_at, ended_at, reason
from routing_rollout where tenant_id = $1 and state = 'running'

-- rollouts_by_ids --
-- Rollouts by their ids.
select id, baseline, candidate, mode, share_bp, kpi, worse_bp, least_orders, state, started_by,
       started_at, ended_at, reason
from routing_rollout where tenant_id = $1 and id = any($2::bigint[])

-- page_of_rollouts --
-- Rollouts, the newest first, below an id.
select id, baseline, candidate, mode, share_bp, kpi, worse_bp, least_orders, state, started_by,
       started_at, ended_at, reason
from routing_rollout where tenant_id = $1 and id < $2 order by id desc limit $3

-- figures_of_rollouts --
-- The sums of both sides of rollouts.
select rollout_id, side, orders, whole, split, parcels, freight_minor, fees_minor, distance_m, days,
       promised, late, cross_region, units_unplaced
from routing_rollout_figures where tenant_id = $1 and rollout_id = any($2::bigint[])

-- add_figures --
-- Add to the sums of one side of a rollout.
insert into routing_rollout_figures (tenant_id, rollout_id, side, orders, whole, split, parcels,
    freight_minor, fees_minor, distance_m, days, promised, late, cross_region, units_unplaced)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (tenant_id, rollout_id, side) do update set
    orders = routing_rollout_figures.orders + excluded.orders,
    whole = routing_rollout_figures.whole + excluded.whole,
    split = routing_rollout_figures.split + excluded.split,
    parcels = routing_rollout_figures.parcels + excluded.parcels,
    freight_minor = routing_rollout_figures.freight_minor + excluded.freight_minor,
    fees_minor = routing_rollout_figures.fees_minor + excluded.fees_minor,
    distance_m = routing_rollout_figures.distance_m + excluded.distance_m,
    days = routing_rollout_figures.days + excluded.days,
    promised = routing_rollout_figures.promised + excluded.promised,
    late = routing_rollout_figures.late + excluded.late,
    cross_region = routing_rollout_figures.cross_region + excluded.cross_region,
    units_unplaced = routing_rollout_figures.units_unplaced + excluded.units_unplaced

-- priced_at --
-- When units were last priced.
select max(priced_at) from routing_price where tenant_id = $1

-- prices --
-- What units are worth.
select sku_id, node_id, price_minor from routing_price where tenant_id = $1

-- delete_prices --
-- Forget what units were worth.
delete from routing_price where tenant_id = $1

-- insert_prices --
-- Keep what units are worth.
insert into routing_price (tenant_id, sku_id, node_id, price_minor)
select $1::bigint, r.* from unnest($2::bigint[], $3::bigint[], $4::bigint[])
    as r(sku_id, node_id, price_minor)
