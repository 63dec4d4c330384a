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
       lead_time_minutes, legal_entity_id, dealer_id, serves_all, is_active
from node where tenant_id = $1 and id > $2 order by id limit $3

-- insert_node --
-- Create a node.
insert into node (tenant_id, code, name, kind, region_code, longitude_e6, latitude_e6, priority,
                  daily_capacity, lead_time_minutes, legal_entity_id, dealer_id, serves_all)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id

-- set_node_active --
-- Open or close a node.
update node set is_active = $3 where tenant_id = $1 and code = $2 returning id

-- lock_node --
-- A node by its code, locked, and whether it has, or ever had, stock or orders.
select id, node_in_use($1, id) as is_used from node where tenant_id = $1 and code = $2 for update

-- delete_node --
-- Delete a node with its functional warehouses and days.
with warehouses as (
    delete from functional_warehouse where tenant_id = $1 and node_id = $2),
days as (delete from node_capacity where tenant_id = $1 and node_id = $2)
delete from node where tenant_id = $1 and id = $2

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
