-- standing --
-- What stands in nodes or is on its way, since when; what waits for its day does not yet.
select f.order_id, f.fulfilment_no, f.status, f.node_id,
       coalesce(f.changed_at, f.recorded_at) as since
from fulfilment f
join orders o on o.tenant_id = $1 and o.id = f.order_id
left join order_appointment a on a.tenant_id = $1 and a.order_id = f.order_id
where f.tenant_id = $1 and f.status not in ('delivered', 'cancelled')
  and (f.status <> 'reserved'
       or (o.status in ('allocated', 'in_fulfilment', 'partially_shipped')
           and (a.day is null or a.day <= $2::date)))

-- told_late --
-- Steps of which it was told that they lasted too long.
select order_id, payload->>'status' as status, (payload->>'fulfilmentNo')::integer as number
from outbox where tenant_id = $1 and type = 'fulfilment.late'

-- open_orders --
-- Orders that have not ended, with all that may be the reason: a visit too, after a day.
select o.id, o.external_id, o.status,
       array(select distinct h.kind from order_hold h
             where h.tenant_id = $1 and h.order_id = o.id and h.released_at is null
             order by 1) as holds,
       (select sum(l.backordered) from order_line l
        where l.tenant_id = $1 and l.order_id = o.id) as waiting,
       (select min(l.expected_on) from order_line l
        where l.tenant_id = $1 and l.order_id = o.id and l.backordered > 0) as expected_on,
       array(select distinct f.status from fulfilment f
             where f.tenant_id = $1 and f.order_id = o.id
               and f.status not in ('delivered', 'cancelled') order by 1) as standing,
       array(select distinct p.status from parcel p
             where p.tenant_id = $1 and p.order_id = o.id and p.status <> 'cancelled'
             order by 1) as parcels,
       (select p.status from pickup p where p.tenant_id = $1 and p.order_id = o.id) as pickup,
       (select a.day from order_appointment a
        where a.tenant_id = $1 and a.order_id = o.id and a.day > $3::date) as visit
from orders o where o.tenant_id = $1 and o.status <> all($2::text[]) order by o.id

-- paid_back --
-- What is owed back of orders, and what was paid back, beside what was paid.
select o.external_id, paid_of_order($1, o.id) as paid_minor,
       coalesce(sum(r.amount_minor) filter (where r.status <> 'waived'), 0)::bigint
           as owed_minor,
       coalesce(sum(r.amount_minor) filter (where r.status = 'paid'), 0)::bigint
           as paid_back_minor
from refund r join orders o on o.tenant_id = $1 and o.id = r.order_id
where r.tenant_id = $1 group by o.id, o.external_id order by o.id

-- counted --
-- How many of everything stand where.
select 'orders' as what, status, count(*) as number from orders where tenant_id = $1 group by 2
union all
select 'returns', status, count(*) from return_request where tenant_id = $1 group by 2
union all
select 'exchanges', status, count(*) from exchange where tenant_id = $1 group by 2
union all
select 'refunds', status, count(*) from refund where tenant_id = $1 group by 2
union all
select 'pickups', status, count(*) from pickup where tenant_id = $1 group by 2
union all
select 'parcels', status, count(*) from parcel where tenant_id = $1 group by 2
union all
select 'deposits', status, count(*) from order_deposit where tenant_id = $1 group by 2
union all
select 'repairs', status, count(*) from repair where tenant_id = $1 group by 2
union all
select 'collections', status, count(*) from collection where tenant_id = $1 group by 2
union all
select 'trade-ins', status, count(*) from trade_in where tenant_id = $1 group by 2
union all
select 'installations', status, count(*) from installation where tenant_id = $1 group by 2

-- overdue_visits --
-- Orders that were to be installed, or fetched from, before a day, of which nobody said anything.
select o.external_id, 'installed' as what
from order_appointment a
join orders o on o.tenant_id = $1 and o.id = a.order_id and o.status = 'delivered'
left join installation i on i.tenant_id = $1 and i.order_id = a.order_id
where a.tenant_id = $1 and a.installation_slot_id is not null and a.day < $2::date
  and coalesce(i.status, 'agreed') = 'agreed'
union all
select o.external_id, 'fetched from'
from collection c
join orders o on o.tenant_id = $1 and o.id = c.order_id
where c.tenant_id = $1 and c.status in ('asked', 'booked') and c.until_at < $2::date
order by 2, 1
