-- load_regions --
-- Put the region table in place; rows that are there already stay.
insert into region (code, country, name, parent_code, level, longitude_e6, latitude_e6)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::smallint[],
                     $6::integer[], $7::integer[])
on conflict do nothing

-- count_regions --
-- How many regions there are.
select count(*) from region

-- nodes --
-- Nodes that the principal may see, by id, after an id.
select id, code, name, kind, region_code, longitude_e6, latitude_e6, priority, daily_capacity,
       lead_time_minutes, legal_entity_id, dealer_id, serves_all, is_active, capabilities,
       cut_off_minute, working_days, service_level, handling_minor, keeps_for_region
from node where tenant_id = $1 and id > $2 order by id limit $3

-- nodes_by_codes --
-- Nodes that the principal may see, by code.
select id, code, name, kind, region_code, longitude_e6, latitude_e6, priority, daily_capacity,
       lead_time_minutes, legal_entity_id, dealer_id, serves_all, is_active, capabilities,
       cut_off_minute, working_days, service_level, handling_minor, keeps_for_region
from node where tenant_id = $1 and code = any($2::text[])

-- insert_node --
-- Create a node.
insert into node (tenant_id, code, name, kind, region_code, longitude_e6, latitude_e6, priority,
                  daily_capacity, lead_time_minutes, legal_entity_id, dealer_id, serves_all,
                  capabilities, cut_off_minute, working_days, service_level, handling_minor,
                  keeps_for_region)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
returning id

-- set_node_terms --
-- What a node can do, and when and at what cost it sends.
update node set capabilities = $3, cut_off_minute = $4, working_days = $5, service_level = $6,
                handling_minor = $7, keeps_for_region = $8
where tenant_id = $1 and code = $2 returning id

-- set_node_active --
-- Open or close a node.
update node set is_active = $3 where tenant_id = $1 and code = $2 returning id

-- lock_node --
-- A node by its code, locked, and whether it has, or ever had, stock or orders.
select id, node_in_use($1, id) as is_used from node where tenant_id = $1 and code = $2 for update

-- delete_node --
-- Delete a node with its functional warehouses, its days, its lanes and who delivers for it.
with warehouses as (
    delete from functional_warehouse where tenant_id = $1 and node_id = $2),
days as (delete from node_capacity where tenant_id = $1 and node_id = $2),
slots as (
    delete from slot where tenant_id = $1 and provider_id in (
        select id from slot_provider where tenant_id = $1 and origin_id = $2)),
providers as (delete from slot_provider where tenant_id = $1 and origin_id = $2),
closed_days as (delete from node_closed_day where tenant_id = $1 and node_id = $2),
lanes as (delete from carrier_lane where tenant_id = $1 and origin_id = $2)
delete from node where tenant_id = $1 and id = $2

-- legal_entities --
-- Legal entities, by id.
select id, code, name, dealer_id from legal_entity where tenant_id = $1 order by id

-- insert_legal_entity --
-- Create a legal entity.
insert into legal_entity (tenant_id, code, name, dealer_id) values ($1, $2, $3, $4) returning id

-- capacities_of_day --
-- What the nodes with a daily capacity still take on a day, with the version of the counter.
select n.id as node_id, coalesce(c.limit_parcels, n.daily_capacity) - coalesce(c.taken, 0) as free,
       coalesce(c.version, 0) as version
from node n
left join node_capacity c on c.tenant_id = $1 and c.node_id = n.id and c.day = $2
where n.tenant_id = $1 and n.daily_capacity is not null

-- create_capacities --
-- Create the counters of a day that do not exist yet, in the one order.
insert into node_capacity (tenant_id, node_id, day, limit_parcels)
select $1::bigint, k.node_id, k.day, coalesce(n.daily_capacity, $4)
from unnest($2::bigint[], $3::date[]) as k(node_id, day)
join node n on n.tenant_id = $1 and n.id = k.node_id
order by 2, 3
on conflict do nothing

-- lock_capacities --
-- Lock the counters of the given nodes and days, in the one order.
select c.node_id, c.day, c.limit_parcels - c.taken as free, c.version
from unnest($2::bigint[], $3::date[]) as k(node_id, day)
join node_capacity c on c.tenant_id = $1 and c.node_id = k.node_id and c.day = k.day
order by c.node_id, c.day
for no key update of c

-- take_capacities --
-- Lock counters in the one order, and take from (or, below 0, give back to) those that have enough.
with locked as materialized (
    select c.node_id, c.day, d.parcels
    from unnest($2::bigint[], $3::date[], $4::bigint[]) as d(node_id, day, parcels)
    join node_capacity c on c.tenant_id = $1 and c.node_id = d.node_id and c.day = d.day
    order by c.node_id, c.day
    for no key update of c)
update node_capacity c set taken = c.taken + d.parcels, version = c.version + 1
from locked d
where c.tenant_id = $1 and c.node_id = d.node_id and c.day = d.day
  and (d.parcels < 0 or c.limit_parcels - c.taken >= d.parcels)
returning c.node_id, c.day, c.limit_parcels - c.taken as free, c.version

-- free_of_capacities --
-- What is free of the counters of the given nodes and days, without a lock.
select c.node_id, c.day, c.limit_parcels - c.taken as free, c.version
from unnest($2::bigint[], $3::date[]) as k(node_id, day)
join node_capacity c on c.tenant_id = $1 and c.node_id = k.node_id and c.day = k.day

-- next_terms_version --
-- Say that terms change, and let one transaction at a time change them.
insert into network_terms_version (tenant_id, version) values ($1, 1)
on conflict (tenant_id) do update set version = network_terms_version.version + 1

-- terms_version --
-- How often terms have changed; no row: never.
select version from network_terms_version where tenant_id = $1

-- node_of_code --
-- A node by its code, kept from being deleted.
select id from node where tenant_id = $1 and code = $2 for key share

-- close_days --
-- Let a node not dispatch on days.
insert into node_closed_day (tenant_id, node_id, dealer_id, day)
select $1::bigint, n.id, n.dealer_id, d.day
from node n cross join unnest($3::date[]) as d(day)
where n.tenant_id = $1 and n.id = $2
on conflict do nothing

-- open_days --
-- Let a node dispatch on days again.
delete from node_closed_day where tenant_id = $1 and node_id = $2 and day = any($3::date[])

-- closed_days --
-- Days between two, both included, on which nodes do not dispatch.
select node_id, day from node_closed_day
where tenant_id = $1 and day between $2 and $3 order by node_id, day

-- closed_days_of_nodes --
-- Days between two, both included, on which some nodes do not dispatch.
select node_id, day from node_closed_day
where tenant_id = $1 and node_id = any($2::bigint[]) and day between $3 and $4
order by node_id, day

-- set_lanes --
-- What carriers charge and take; a lane that is there already is changed.
insert into carrier_lane (tenant_id, origin_id, carrier, region_code, base_minor, step_minor,
                          step_g, transit_minutes, is_active)
select $1::bigint, l.*
from unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::integer[],
            $8::integer[], $9::boolean[])
     as l(origin_id, carrier, region_code, base_minor, step_minor, step_g, transit_minutes,
          is_active)
on conflict (tenant_id, origin_id, carrier, region_code) do update
set base_minor = excluded.base_minor, step_minor = excluded.step_minor,
    step_g = excluded.step_g, transit_minutes = excluded.transit_minutes,
    is_active = excluded.is_active

-- count_lanes --
-- How many lanes there are, with those that are switched off.
select count(*) from carrier_lane where tenant_id = $1

-- lanes --
-- The lanes in use, by node, carrier and region.
select id, origin_id as node_id, carrier, region_code, base_minor, step_minor, step_g,
       transit_minutes, is_active
from carrier_lane where tenant_id = $1 and is_active order by origin_id, carrier, region_code

-- page_of_lanes --
-- All lanes, by id, after an id.
select id, origin_id as node_id, carrier, region_code, base_minor, step_minor, step_g,
       transit_minutes, is_active
from carrier_lane where tenant_id = $1 and id > $2 order by id limit $3

-- lanes_by_ids --
-- Lanes by their ids.
select id, origin_id as node_id, carrier, region_code, base_minor, step_minor, step_g,
       transit_minutes, is_active
from carrier_lane where tenant_id = $1 and id = any($2::bigint[])

-- set_dealer_terms --
-- What is agreed with a dealer who sends orders.
insert into dealer_terms (tenant_id, dealer_id, territory, performance_bp, service_fee_minor)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, dealer_id) do update
set territory = excluded.territory, performance_bp = excluded.performance_bp,
    service_fee_minor = excluded.service_fee_minor

-- dealer_terms --
-- What is agreed with dealers who send orders, by dealer.
select dealer_id, territory, performance_bp, service_fee_minor
from dealer_terms where tenant_id = $1 order by dealer_id

-- set_channel_terms --
-- What channels charge; for a channel and a kind of node that are there already it is changed.
insert into channel_terms (tenant_id, channel, node_kind, commission_bp)
select $1::bigint, t.* from unnest($2::text[], $3::text[], $4::integer[])
     as t(channel, node_kind, commission_bp)
on conflict (tenant_id, channel, node_kind) do update set commission_bp = excluded.commission_bp

-- channel_terms --
-- What channels charge, by channel and kind of node.
select channel, node_kind, commission_bp
from channel_terms where tenant_id = $1 order by channel, node_kind

-- slot_providers --
-- Who makes visits at agreed times, by id, after an id.
select id, code, name, kind, origin_id as node_id, regions, categories, is_active
from slot_provider where tenant_id = $1 and id > $2 order by id limit $3

-- slot_providers_by_ids --
-- Providers by their ids.
select id, code, name, kind, origin_id as node_id, regions, categories, is_active
from slot_provider where tenant_id = $1 and id = any($2::bigint[])

-- slot_provider_of_code --
-- A provider by its code.
select id from slot_provider where tenant_id = $1 and code = $2

-- set_slot_provider --
-- Who makes visits; one that is there already is changed, but for what it does and for whom.
insert into slot_provider (tenant_id, code, name, kind, origin_id, regions, categories, is_active)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant_id, code) do update
set name = excluded.name, regions = excluded.regions, categories = excluded.categories,
    is_active = excluded.is_active
where slot_provider.kind = excluded.kind
  and slot_provider.origin_id is not distinct from excluded.origin_id
returning id

-- set_slots --
-- How many visits a provider makes in windows of days, in the one order; a limit is changed.
insert into slot (tenant_id, provider_id, day, first_minute, end_minute, limit_visits)
select $1::bigint, $2::bigint, d.day, w.first_minute, w.end_minute, w.limit_visits
from unnest($3::date[]) as d(day)
cross join unnest($4::integer[], $5::integer[], $6::bigint[])
     as w(first_minute, end_minute, limit_visits)
order by d.day, w.first_minute, w.end_minute
on conflict (tenant_id, provider_id, day, first_minute, end_minute) do update
set limit_visits = excluded.limit_visits

-- page_of_slots --
-- Slots of a day or later, of all providers or one, in order, after a key.
select provider_id, day, first_minute, end_minute, id, limit_visits, limit_visits - taken as free
from slot
where tenant_id = $1 and day between $2 and $3 and ($4::bigint is null or provider_id = $4)
  and (day, id) > ($5::date, $6::bigint)
order by day, id limit $7

-- slots_of_days --
-- The slots of active providers from one day to another, without a lock.
select s.provider_id, s.day, s.first_minute, s.end_minute, s.id, s.limit_visits,
       s.limit_visits - s.taken as free
from slot s
join slot_provider p on p.tenant_id = $1 and p.id = s.provider_id
where s.tenant_id = $1 and s.day between $2 and $3 and p.is_active
order by s.day, s.first_minute, s.id limit $4

-- slots_by_ids --
-- Slots by their ids.
select provider_id, day, first_minute, end_minute, id, limit_visits, limit_visits - taken as free
from slot where tenant_id = $1 and id = any($2::bigint[])

-- lock_slots --
-- Lock the slots of active providers that lie within windows, and some by their ids, in the order.
with wanted as materialized (
    select s.id
    from unnest($2::date[], $3::integer[], $4::integer[]) as w(day, from_minute, to_minute)
    join slot s on s.tenant_id = $1 and s.day = w.day and s.first_minute >= w.from_minute
         and s.end_minute <= w.to_minute
    join slot_provider p on p.tenant_id = $1 and p.id = s.provider_id and p.is_active
    union
    select unnest($5::bigint[]))
select provider_id, day, first_minute, end_minute, id, limit_visits, limit_visits - taken as free
from slot
where tenant_id = $1 and id in (select id from wanted)
order by provider_id, day, first_minute, end_minute
for no key update

-- take_slots --
-- Lock slots in the one order, and take from (or, below 0, give back to) those that have enough.
with locked as materialized (
    select s.id, d.visits
    from unnest($2::bigint[], $3::bigint[]) as d(id, visits)
    join slot s on s.tenant_id = $1 and s.id = d.id
    order by s.provider_id, s.day, s.first_minute, s.end_minute
    for no key update of s)
update slot s set taken = s.taken + d.visits
from locked d
where s.tenant_id = $1 and s.id = d.id and (d.visits < 0 or s.limit_visits - s.taken >= d.visits)
returning s.id
