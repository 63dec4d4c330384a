-- lines_that_expect --
-- Lines that wait while supply is to come, or that are promised some, as they queue.
select w.place, o.placed_at, l.order_id, l.line_no, l.sku_id, o.shop_id, o.dealer_id, l.expected_on,
       awaited_by_line($1, l.order_id, l.line_no) as waiting,
       coalesce(o.pickup_node_id, o.node_by_hand_id) as only_node_id
from (
    select order_id, line_no from order_line
    where tenant_id = $1 and backordered > 0 and sku_id in (
        select s.sku_id from supply s where s.tenant_id = $1 and s.is_open)
    union
    select order_id, line_no from order_line where tenant_id = $1 and expected_on is not null
    union
    select order_id, line_no from supply_promise where tenant_id = $1) as k
join order_line l on l.tenant_id = $1 and l.order_id = k.order_id and l.line_no = k.line_no
join orders o on o.tenant_id = $1 and o.id = l.order_id
cross join lateral (
    select case when (select coalesce(bool_or(levels_first), false) from queue_rule
                      where tenant_id = $1)
                then 9 - coalesce((o.traits ->> 'customerLevel')::integer, 0)
                else 0 end as place) w
where $2::bigint[] is null or l.sku_id = any($2)
order by w.place, o.placed_at, l.order_id, l.line_no limit $3

-- awaited_lines --
-- The lines of an order that wait for units of which nothing is promised to them.
select l.line_no, l.sku_id, l.sku_code, w.units
from order_line l
cross join lateral (
    select awaited_by_line($1, l.order_id, l.line_no) - coalesce((
        select sum(p.quantity) from supply_promise p
        where p.tenant_id = $1 and p.order_id = l.order_id and p.line_no = l.line_no), 0)::bigint
        as units) w
where l.tenant_id = $1 and l.order_id = $2 and l.backordered > 0 and w.units > 0
order by l.line_no

-- promises_of_lines --
-- What is promised to orders.
select order_id, line_no, supply_id, quantity from supply_promise
where tenant_id = $1 and order_id = any($2::bigint[])

-- drop_promises --
-- Promise nothing any more to lines.
delete from supply_promise p using unnest($2::bigint[], $3::integer[]) as d(order_id, line_no)
where p.tenant_id = $1 and p.order_id = d.order_id and p.line_no = d.line_no

-- insert_promises --
-- Promise units of supplies to lines.
insert into supply_promise (tenant_id, supply_id, order_id, line_no, dealer_id, quantity)
select $1::bigint, d.* from unnest($2::bigint[], $3::bigint[], $4::integer[], $5::bigint[],
    $6::bigint[]) as d(supply_id, order_id, line_no, dealer_id, quantity)

-- expect_lines --
-- Say when lines are expected.
update order_line l set expected_on = d.expected_on
from unnest($2::bigint[], $3::integer[], $4::date[]) as d(order_id, line_no, expected_on)
where l.tenant_id = $1 and l.order_id = d.order_id and l.line_no = d.line_no

-- promises_of_supply --
-- Whom units of a supply are promised to, as far as they still wait for them, as they queue.
select p.order_id, p.line_no, least(p.quantity, awaited_by_line($1, p.order_id, p.line_no))
           as quantity, p.dealer_id, o.shop_id
from supply_promise p
join orders o on o.tenant_id = $1 and o.id = p.order_id
join order_line l on l.tenant_id = $1 and l.order_id = p.order_id and l.line_no = p.line_no
     and l.sku_id = $4
cross join lateral (
    select case when (select coalesce(bool_or(levels_first), false) from queue_rule
                      where tenant_id = $1)
                then 9 - coalesce((o.traits ->> 'customerLevel')::integer, 0)
                else 0 end as place) w
where p.tenant_id = $1 and p.supply_id = $2
order by w.place, o.placed_at, p.order_id, p.line_no limit $3

-- keep_promises --
-- Take off what was received of promises.
update supply_promise p set quantity = p.quantity - d.quantity
from unnest($3::bigint[], $4::integer[], $5::bigint[]) as d(order_id, line_no, quantity)
where p.tenant_id = $1 and p.supply_id = $2 and p.order_id = d.order_id and p.line_no = d.line_no
  and p.quantity > d.quantity

-- drop_kept_promises --
-- Drop promises of which all was received.
delete from supply_promise p
using unnest($3::bigint[], $4::integer[], $5::bigint[]) as d(order_id, line_no, quantity)
where p.tenant_id = $1 and p.supply_id = $2 and p.order_id = d.order_id and p.line_no = d.line_no
  and p.quantity = d.quantity
