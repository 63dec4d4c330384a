-- level_differences --
-- Levels that are not the sum of their movements.
select coalesce(l.functional_warehouse_id, m.functional_warehouse_id) as functional_warehouse_id,
       coalesce(l.sku_id, m.sku_id) as sku_id,
       coalesce(l.on_hand, 0) as on_hand, coalesce(m.on_hand, 0) as moved_on_hand,
       coalesce(l.reserved, 0) as reserved, coalesce(m.reserved, 0) as moved_reserved,
       coalesce(l.floor, 0) as floor, coalesce(m.floor, 0) as moved_floor,
       coalesce(l.earmark_unused, 0) as earmark, coalesce(m.earmark, 0) as moved_earmark
from (select functional_warehouse_id, sku_id, sum(on_hand_delta) as on_hand,
             sum(reserved_delta) as reserved, sum(floor_delta) as floor,
             sum(earmark_delta) as earmark
      from stock_movement where tenant_id = $1 group by 1, 2) m
full join (select * from stock_level where tenant_id = $1) l
    using (functional_warehouse_id, sku_id)
where (coalesce(l.on_hand, 0), coalesce(l.reserved, 0), coalesce(l.floor, 0),
       coalesce(l.earmark_unused, 0))
      is distinct from
      (coalesce(m.on_hand, 0), coalesce(m.reserved, 0), coalesce(m.floor, 0),
       coalesce(m.earmark, 0))
limit $2

-- reserved_differences --
-- Levels whose reserved units are not those of the orders and of active stock holds.
select coalesce(l.functional_warehouse_id, r.functional_warehouse_id) as functional_warehouse_id,
       coalesce(l.sku_id, r.sku_id) as sku_id, coalesce(l.reserved, 0) as reserved,
       coalesce(r.active, 0) as ordered
from (select functional_warehouse_id, sku_id, sum(active) as active
      from (select functional_warehouse_id, sku_id, active from reservation
            where tenant_id = $1 and active > 0
            union all
            select p.functional_warehouse_id, p.sku_id, p.quantity from stock_hold_part p
            join stock_hold h on h.tenant_id = $1 and h.id = p.hold_id and h.state = 'active'
            where p.tenant_id = $1) as held
      group by 1, 2) r
full join (select * from stock_level where tenant_id = $1) l
    using (functional_warehouse_id, sku_id)
where coalesce(l.reserved, 0) <> coalesce(r.active, 0)
limit $2

-- line_differences --
-- Order lines whose units stand otherwise than their reservations and fulfilments.
select coalesce(l.order_id, r.order_id) as order_id, coalesce(l.line_no, r.line_no) as line_no,
       coalesce(l.reserved, 0) as reserved, coalesce(r.reserved, 0) as active,
       coalesce(l.at_node, 0) as at_node, coalesce(r.at_node, 0) as active_at_node,
       coalesce(l.shipped, 0) as shipped, coalesce(r.shipped, 0) as left_node,
       coalesce(l.delivered, 0) as delivered, coalesce(r.delivered, 0) as arrived
from (select r.order_id, r.line_no,
             coalesce(sum(r.active) filter (where f.status = 'reserved'), 0)::bigint as reserved,
             coalesce(sum(r.active) filter (where f.status <> 'reserved'), 0)::bigint as at_node,
             coalesce(sum(r.shipped) filter (where f.status = 'shipped'), 0)::bigint as shipped,
             coalesce(sum(r.shipped) filter (where f.status <> 'shipped'), 0)::bigint as delivered
      from reservation r
      left join fulfilment f on f.tenant_id = $1 and f.order_id = r.order_id
                and f.fulfilment_no = r.fulfilment_no
      where r.tenant_id = $1 group by 1, 2) r
full join (select * from order_line where tenant_id = $1) l using (order_id, line_no)
where (coalesce(l.reserved, 0), coalesce(l.at_node, 0), coalesce(l.shipped, 0),
       coalesce(l.delivered, 0))
      is distinct from (coalesce(r.reserved, 0), coalesce(r.at_node, 0), coalesce(r.shipped, 0),
                        coalesce(r.delivered, 0))
limit $2

-- shipped_differences --
-- Orders of which something else left stock than their reservations say was sent.
select coalesce(r.order_id, m.order_id) as order_id, coalesce(r.shipped, 0) as shipped,
       coalesce(m.units, 0) as moved
from (select order_id, sum(shipped)::bigint as shipped from reservation
      where tenant_id = $1 and shipped > 0 group by 1) r
full join (select cause_id as order_id, sum(quantity)::bigint as units from stock_movement
           where tenant_id = $1 and cause_kind = 'order' and type = 'shipped' group by 1) m
    using (order_id)
where coalesce(r.shipped, 0) <> coalesce(m.units, 0)
limit $2

-- earmark_differences --
-- What earmarks have unused or lent, where that is not what moved, or not what their levels say.
select coalesce(e.functional_warehouse_id, m.functional_warehouse_id) as functional_warehouse_id,
       coalesce(e.sku_id, m.sku_id) as sku_id, coalesce(e.earmark_id, m.earmark_id) as earmark_id,
       coalesce(e.filled, 0) as filled, coalesce(m.filled, 0) as moved_filled,
       coalesce(e.unused, 0) as unused, coalesce(m.unused, 0) as moved_unused,
       coalesce(e.lent, 0) as lent, coalesce(m.lent, 0) as moved_lent
from (select functional_warehouse_id, sku_id, earmark_id,
             coalesce(sum(earmark_delta)
                      filter (where type in ('earmarked', 'earmark_dropped')), 0) as filled,
             sum(earmark_delta) as unused,
             -coalesce(sum(earmark_delta)
                       filter (where type in ('earmark_lent', 'earmark_repaid')), 0) as lent
      from stock_movement
      where tenant_id = $1 and earmark_id is not null group by 1, 2, 3) m
full join (select * from earmark_level where tenant_id = $1) e
    using (functional_warehouse_id, sku_id, earmark_id)
where (coalesce(e.filled, 0), coalesce(e.unused, 0), coalesce(e.lent, 0))
      is distinct from (coalesce(m.filled, 0), coalesce(m.unused, 0), coalesce(m.lent, 0))
limit $2

-- earmarked_differences --
-- Levels that say something else of their earmarks than these have unused.
select coalesce(l.functional_warehouse_id, e.functional_warehouse_id) as functional_warehouse_id,
       coalesce(l.sku_id, e.sku_id) as sku_id,
       coalesce(l.earmark_unused, 0) as earmarked, coalesce(e.unused, 0) as unused
from (select functional_warehouse_id, sku_id, sum(unused) as unused
      from earmark_level where tenant_id = $1 group by 1, 2) e
full join (select * from stock_level where tenant_id = $1) l
    using (functional_warehouse_id, sku_id)
where coalesce(l.earmark_unused, 0) <> coalesce(e.unused, 0)
limit $2

-- allotment_differences --
-- Allotments of which more or less is taken than is reserved.
select coalesce(a.id, r.id) as allotment_id, coalesce(a.taken, 0) as taken,
       coalesce(r.active, 0) as reserved
from (select u.id, sum(held.active) as active
      from (select allotment_ids, active + shipped as active from reservation
            where tenant_id = $1 and active + shipped > 0 and allotment_ids is not null
            union all
            select p.allotment_ids, p.quantity from stock_hold_part p
            join stock_hold h on h.tenant_id = $1 and h.id = p.hold_id and h.state = 'active'
            where p.tenant_id = $1 and p.allotment_ids is not null) as held
      cross join lateral unnest(held.allotment_ids) as u(id)
      group by 1) r
full join (select * from allotment where tenant_id = $1) a using (id)
where coalesce(a.taken, 0) <> coalesce(r.active, 0)
limit $2

-- capacity_differences --
-- Capacity counters that are not the number of parcels of their day.
select coalesce(c.node_id, f.node_id) as node_id, coalesce(c.day, f.day) as day,
       coalesce(c.taken, 0) as taken, coalesce(f.parcels, 0) as parcels
from (select node_id, capacity_day as day, count(*) as parcels
      from fulfilment where tenant_id = $1 and status <> 'cancelled' and capacity_day is not null
      group by 1, 2) f
full join (select * from node_capacity where tenant_id = $1) c using (node_id, day)
where coalesce(c.taken, 0) <> coalesce(f.parcels, 0)
limit $2

-- slot_differences --
-- Slots that are not the number of visits that are booked.
select coalesce(s.id, v.id) as slot_id, coalesce(s.taken, 0) as taken,
       coalesce(v.visits, 0) as visits
from (select b.id, count(*) as visits
      from (select distinct order_id, slot_id as id from fulfilment
            where tenant_id = $1 and status <> 'cancelled' and slot_id is not null
            union all
            select order_id, installation_slot_id from order_appointment
            where tenant_id = $1 and installation_slot_id is not null) b
      group by 1) v
full join (select * from slot where tenant_id = $1) s using (id)
where coalesce(s.taken, 0) <> coalesce(v.visits, 0)
limit $2

-- half_booked_appointments --
-- Orders of which not all is booked that has to be, or something that has not.
select f.order_id
from fulfilment f
left join order_appointment a on a.tenant_id = $1 and a.order_id = f.order_id
where f.tenant_id = $1 and f.slot_id is not null
  and f.status in ('reserved', 'released', 'picking', 'picked', 'packed')
  and a.is_booked is distinct from true
union
select a.order_id from order_appointment a
where a.tenant_id = $1 and a.is_booked
  and (not exists (select from fulfilment f where f.tenant_id = $1 and f.order_id = a.order_id
                   and f.status <> 'cancelled')
       or exists (select from order_line l where l.tenant_id = $1 and l.order_id = a.order_id
                  and l.backordered + l.held > 0)
       or exists (select from order_hold h where h.tenant_id = $1 and h.order_id = a.order_id
                  and h.kind = 'appointment' and h.released_at is null)
       or exists (select from fulfilment f
                  join fulfilment g on g.tenant_id = $1 and g.order_id = f.order_id
                       and g.node_id = f.node_id
                       and g.status in ('reserved', 'released', 'picking', 'picked', 'packed')
                       and g.slot_id is distinct from f.slot_id
                  where f.tenant_id = $1 and f.order_id = a.order_id
                    and f.status in ('reserved', 'released', 'picking', 'picked', 'packed')))
limit $2

-- oversold_levels --
-- Levels with more reserved than there is, although nothing but orders touched them.
select l.functional_warehouse_id, l.sku_id, l.on_hand, l.reserved
from stock_level l
where l.tenant_id = $1 and l.reserved > l.on_hand
  and not exists (select from stock_movement m where m.tenant_id = $1
                  and m.functional_warehouse_id = l.functional_warehouse_id
                  and m.sku_id = l.sku_id and m.on_hand_delta < 0 and m.type <> 'shipped')
limit $2

-- supply_differences --
-- Supplies of which something else was received than moved in.
select coalesce(s.id, m.id) as supply_id, coalesce(s.received, 0) as received,
       coalesce(m.units, 0) as moved
from (select cause_id as id, sum(on_hand_delta) as units from stock_movement
      where tenant_id = $1 and cause_kind = 'supply' and type = 'received' group by 1) m
full join (select id, received from supply where tenant_id = $1) s using (id)
where coalesce(s.received, 0) <> coalesce(m.units, 0)
limit $2

-- pick_differences --
-- What nodes did not find, where something else left their stock for it.
select coalesce(p.id, m.id) as pick_id, coalesce(p.quantity, 0) as missing,
       coalesce(m.units, 0) as moved
from (select cause_id as id, -sum(on_hand_delta) as units from stock_movement
      where tenant_id = $1 and cause_kind = 'pick' group by 1) m
full join (select id, quantity from pick_shortage where tenant_id = $1) p using (id)
where coalesce(p.quantity, 0) <> coalesce(m.units, 0)
limit $2

-- transfer_differences --
-- Approved transfers that no supply came of, or for which something else left.
select t.id as transfer_id, t.quantity, coalesce(m.units, 0) as left_units
from transfer_proposal t
left join (select cause_id as id, -sum(on_hand_delta) as units from stock_movement
           where tenant_id = $1 and cause_kind = 'supply' and type = 'moved_out'
           group by 1) m on m.id = t.supply_id
where t.tenant_id = $1 and t.state = 'approved' and t.quantity <> coalesce(m.units, 0)
limit $2

-- count_checked --
-- How many levels, reservations and lines there are to check.
select (select count(*) from stock_level where tenant_id = $1) as levels,
       (select count(*) from reservation where tenant_id = $1) as reservations,
       (select count(*) from order_line where tenant_id = $1) as lines

-- idle_intercepts --
-- Requests to stop what no node is at any more.
select i.order_id, i.fulfilment_no, f.status
from intercept i
join fulfilment f on f.tenant_id = $1 and f.order_id = i.order_id
     and f.fulfilment_no = i.fulfilment_no
where i.tenant_id = $1 and i.state = 'asked'
  and f.status not in ('released', 'picking', 'picked', 'packed')
limit $2

-- idle_holds --
-- Open holds of orders that are over.
select h.order_id, h.hold_no, o.status
from order_hold h
join orders o on o.tenant_id = $1 and o.id = h.order_id
where h.tenant_id = $1 and h.released_at is null and o.status in ('delivered', 'cancelled')
limit $2

-- pickup_differences --
-- Orders that are fetched elsewhere than they lie, and pickups that do not fit their order.
select p.order_id, p.status, p.node_id, o.pickup_node_id, o.status as order_status
from pickup p
join orders o on o.tenant_id = $1 and o.id = p.order_id
where p.tenant_id = $1
  and (p.status in ('asked', 'accepted', 'rejected', 'ready')
       and (o.pickup_node_id is distinct from p.node_id
            or o.status in ('cancelled', 'complete', 'delivered'))
       or p.status = 'sent' and o.pickup_node_id is not null
       or o.pickup_node_id is not null and exists (
           select from fulfilment f
           where f.tenant_id = $1 and f.order_id = o.id and f.node_id <> o.pickup_node_id
             and f.status in ('reserved', 'released', 'picking', 'picked', 'packed')))
order by p.order_id limit $2

-- return_differences --
-- Lines of requests of which other units came, or stayed, than their movements say.
select l.return_id, l.line_no, l.received, l.good + l.defective + l.scrapped + l.denied as found,
       m.came, m.stays
from return_line l
left join (select cause_id, cause_line,
                  sum(quantity) filter (where type = 'returned')::bigint as came,
                  sum(on_hand_delta)::bigint as stays
           from stock_movement
           where tenant_id = $1 and cause_kind = 'return'
           group by 1, 2) m on m.cause_id = l.return_id and m.cause_line = l.line_no
where l.tenant_id = $1
  and (l.received <> coalesce(m.came, 0)
       or l.received - l.scrapped - l.denied <> coalesce(m.stays, 0))
order by l.return_id, l.line_no limit $2

-- refund_differences --
-- Orders of which more is paid back, or owed, than they cost; of a line, more units than it had.
select r.order_id, o.total_minor, r.amount_minor, r.line_no, r.units
from (select order_id, sum(amount_minor)::bigint as amount_minor, null::integer as line_no,
             null::bigint as units
      from refund where tenant_id = $1 and status <> 'waived' group by 1
      union all
      select l.order_id, 0, l.line_no, sum(l.quantity)::bigint
      from refund_line l
      join refund f on f.tenant_id = $1 and f.order_id = l.order_id and f.refund_no = l.refund_no
      where l.tenant_id = $1 and f.status <> 'waived' group by 1, 3) r
join orders o on o.tenant_id = $1 and o.id = r.order_id
left join order_line l on l.tenant_id = $1 and l.order_id = r.order_id and l.line_no = r.line_no
where r.amount_minor > paid_of_order($1, r.order_id) or r.units > l.quantity
order by r.order_id limit $2

-- quota_differences --
-- Quota accounts that are not what their entries add up to.
select a.id as account_id, a.granted_minor, s.granted_minor as entries_granted, a.used_minor,
       s.used_minor as entries_used
from quota_account a
cross join lateral (
    select coalesce(sum(e.granted_delta), 0)::bigint as granted_minor,
           coalesce(sum(e.used_delta), 0)::bigint as used_minor,
           coalesce(-sum(e.used_delta) filter (where e.type = 'paid'), 0)::bigint as paid_minor,
           coalesce(sum(e.used_delta) filter (where e.due_on < a.due_before), 0)::bigint
               as due_minor
    from quota_entry e where e.tenant_id = $1 and e.account_id = a.id) as s
where a.tenant_id = $1
  and (a.granted_minor, a.used_minor, a.paid_minor, a.due_minor)
      <> (s.granted_minor, s.used_minor, s.paid_minor, s.due_minor)
order by a.id limit $2

-- order_quota_differences --
-- Orders that took of a quota, or gave back to it, other than what their units cost.
with entries as (
    select order_id, account_id,
           coalesce(sum(used_delta) filter (where type <> 'returned'), 0)::bigint as taken_minor,
           coalesce(-sum(used_delta) filter (where type = 'returned'), 0)::bigint as returned_minor
    from quota_entry
    where tenant_id = $1 and type in ('taken', 'given_back', 'returned')
    group by order_id, account_id),
wanted as (
    select order_id, quota_account_id as account_id,
           sum((quantity - cancelled - held) * dealer_price_minor)::bigint as wanted_minor
    from order_line where tenant_id = $1 and quota_account_id is not null
    group by order_id, quota_account_id),
came as (
    select r.order_id, l.quota_account_id as account_id,
           sum(case r.kind when 'missing' then u.quantity
               else u.good + u.defective + u.scrapped end * l.dealer_price_minor)::bigint
               as came_minor
    from return_request r
    join return_line u on u.tenant_id = $1 and u.return_id = r.id
    join order_line l on l.tenant_id = $1 and l.order_id = r.order_id and l.line_no = u.line_no
    where r.tenant_id = $1 and r.status = 'closed' and r.kind <> 'refund_only'
      and l.quota_account_id is not null
    group by r.order_id, l.quota_account_id)
select order_id, account_id, coalesce(e.taken_minor, 0) as taken_minor,
       coalesce(w.wanted_minor, 0) as wanted_minor,
       coalesce(e.returned_minor, 0) as returned_minor, coalesce(c.came_minor, 0) as came_minor
from entries e
full join wanted w using (order_id, account_id)
full join came c using (order_id, account_id)
where coalesce(e.taken_minor, 0) <> coalesce(w.wanted_minor, 0)
   or coalesce(e.returned_minor, 0) <> coalesce(c.came_minor, 0)
order by order_id limit $2
