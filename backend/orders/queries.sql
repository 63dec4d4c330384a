-- claim_keys --
-- Take the keys that are free, in order; waits for whoever holds the same one.
select claim_keys($1, $2::new_key[])

-- read_keys --
-- What is stored under keys, whether this transaction stored it, and what was answered.
select k.key, k.fingerprint, k.xmin = pg_current_xact_id()::xid as is_new,
       coalesce(nullif(o.outcome, ''), h.outcome, k.outcome) as outcome
from command_key k
left join orders o on o.tenant_id = $1 and o.id = k.order_id
left join stock_hold h on h.tenant_id = $1 and h.id = k.order_id
where k.tenant_id = $1 and k.key = any($2::text[])

-- delete_keys --
-- Give keys of refused orders back.
delete from command_key where tenant_id = $1 and key = any($2::text[])

-- look_again --
-- Under the locks: whose authority holds (by ordinal), closed nodes, retired SKUs, stale terms.
select 'authority' as kind, ordinal as id
from platform.authority_in_force($1, $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
union all select 'closed', id from closed_nodes($1, $6::bigint[]) as id
union all select 'retired', id from retired_skus($1, $7::bigint[]) as id
union all select 'stale', version from stale_dealings($1, $8::bigint[]) as version

-- insert_orders --
-- Store orders, what waiting ones got, and their events; take keys, and say how many were free.
with new_orders as (
    insert into orders (tenant_id, id, shop_id, external_id, dealer_id, status, shortage, currency,
        goods_minor, line_discount_minor, order_discount_minor, freight_minor, fees_minor,
        total_minor, buyer_name, buyer_phone, region_code, address, remark, ordered_at,
        event_sequence, fulfilment_count, reservation_count, decision_count, outcome, traits,
        is_paid, pickup_node_id)
    select $1::bigint, r.id, r.shop_id, r.external_id, r.dealer_id, r.status, r.shortage,
           r.currency, r.goods_minor, r.line_discount_minor, r.order_discount_minor,
           r.freight_minor, r.fees_minor, r.total_minor, r.buyer_name, r.buyer_phone,
           r.region_code, r.address, r.remark, r.ordered_at, r.event_sequence,
           r.fulfilment_count, r.reservation_count, r.decision_count, r.outcome,
           r.traits::jsonb, r.is_paid, r.pickup_node_id
    from unnest($2::new_order[]) as r),
new_lines as (
    insert into order_line (tenant_id, order_id, line_no, dealer_id, sku_id, sku_code, quantity,
        reserved, backordered, held, cancelled, unit_price_minor, line_discount_minor,
        order_discount_minor, amount_minor, agreement_id, dealer_price_minor, quota_account_id,
        item_code)
    select $1::bigint, r.order_id, r.line_no, r.dealer_id, r.sku_id, r.sku_code, r.quantity,
           r.reserved, r.backordered, r.held, r.cancelled, r.unit_price_minor,
           r.line_discount_minor, r.order_discount_minor, r.amount_minor, r.agreement_id,
           r.dealer_price_minor, r.quota_account_id, r.item_code
    from unnest($3::new_line[]) as r),
new_fees as (
    insert into order_fee (tenant_id, order_id, fee_no, dealer_id, code, description, amount_minor)
    select $1::bigint, r.order_id, r.fee_no, r.dealer_id, r.code, r.description, r.amount_minor
    from unnest($4::new_fee[]) as r),
new_holds as (
    insert into order_hold (tenant_id, order_id, hold_no, line_no, dealer_id, kind, reason)
    select $1::bigint, r.order_id, r.hold_no, r.line_no, r.dealer_id, r.kind, r.reason
    from unnest($5::new_hold[]) as r),
new_fulfilments as (
    insert into fulfilment (tenant_id, order_id, fulfilment_no, node_id, dealer_id, status,
        capacity_day, buyer_name, buyer_phone, region_code, address, slot_id)
    select $1::bigint, r.order_id, r.fulfilment_no, r.node_id, r.dealer_id, 'reserved',
           r.capacity_day, r.buyer_name, r.buyer_phone, r.region_code, r.address, r.slot_id
    from unnest($6::new_fulfilment[]) as r),
new_reservations as (
    insert into reservation (tenant_id, order_id, reservation_no, line_no, fulfilment_no,
        functional_warehouse_id, sku_id, node_id, dealer_id, quantity, active, earmark_id,
        allotment_ids)
    select $1::bigint, r.order_id, r.reservation_no, r.line_no, r.fulfilment_no,
           r.functional_warehouse_id, r.sku_id, r.node_id, r.dealer_id, r.quantity, r.quantity,
           r.earmark_id, r.allotment_ids
    from unnest($7::new_reservation[]) as r),
new_decisions as (
    insert into routing_decision (tenant_id, order_id, decision_no, policy_version, book_position,
        batch_id, batch_index, attempt, is_proved, cost, lower_bound, winner_nodes, runner_up_node,
        runner_up_cost, strategies, otherwise)
    select $1::bigint, r.order_id, r.decision_no, r.policy_version, r.book_position, r.batch_id,
           r.batch_index, r.attempt, r.is_proved, r.cost::numeric, r.lower_bound::numeric,
           r.winner_nodes, r.runner_up_node, r.runner_up_cost::numeric, r.strategies, r.otherwise
    from unnest($8::new_decision[]) as r)
select claim_keys($1, $9::new_key[]) as claimed, append_events($1, $10::new_event[])

-- insert_routing_waits --
-- Say that new orders wait in a queue, or until a day.
insert into routing_wait (tenant_id, order_id, dealer_id, strategy, queue, cancel_on)
select $1::bigint, r.* from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::date[])
    as r(order_id, dealer_id, strategy, queue, cancel_on)

-- insert_appointments --
-- When new orders are to come, and whether that is booked.
insert into order_appointment (tenant_id, order_id, dealer_id, day, from_minute, to_minute,
                               is_booked, installation_slot_id)
select $1::bigint, r.* from unnest($2::bigint[], $3::bigint[], $4::date[], $5::integer[],
                                   $6::integer[], $7::boolean[], $8::bigint[])
    as r(order_id, dealer_id, day, from_minute, to_minute, is_booked, installation_slot_id)

-- insert_pickups --
-- Ask stores to hand new orders over.
insert into pickup (tenant_id, order_id, node_id, dealer_id, status, ready_by)
select $1::bigint, r.order_id, r.node_id, r.dealer_id, 'asked', r.ready_by
from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
    as r(order_id, node_id, dealer_id, ready_by)

-- cancel_pickup --
-- Nothing is left of an order to hand over.
update pickup set status = 'cancelled', version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and status in ('asked', 'accepted', 'rejected', 'ready')

-- appointments_of_orders --
-- When orders are to come, and whether that is booked.
select order_id, day, from_minute, to_minute, is_booked, installation_slot_id
from order_appointment where tenant_id = $1 and order_id = any($2::bigint[])

-- set_appointment --
-- An order is booked to come, and to be installed, at a time.
insert into order_appointment (tenant_id, order_id, dealer_id, day, from_minute, to_minute,
                               is_booked, installation_slot_id)
values ($1, $2, $3, $4, $5, $6, true, $7)
on conflict (tenant_id, order_id) do update
set day = excluded.day, from_minute = excluded.from_minute, to_minute = excluded.to_minute,
    is_booked = true, installation_slot_id = excluded.installation_slot_id

-- set_fulfilment_slots --
-- The visits by which an order is delivered, node by node; a node that is left out has none.
update fulfilment f set slot_id = d.slot_id
from fulfilment g
left join unnest($3::bigint[], $4::bigint[]) as d(node_id, slot_id) on d.node_id = g.node_id
where f.tenant_id = $1 and f.order_id = $2
  and f.status in ('reserved', 'released', 'picking', 'picked', 'packed')
  and g.tenant_id = $1 and g.order_id = $2 and g.fulfilment_no = f.fulfilment_no

-- end_appointment --
-- An order does not come at its time any more.
with deliveries as (
    update fulfilment set slot_id = null
    where tenant_id = $1 and order_id = $2 and slot_id is not null
      and status in ('reserved', 'released', 'picking', 'picked', 'packed'))
update order_appointment set is_booked = false, installation_slot_id = null
where tenant_id = $1 and order_id = $2

-- end_installation --
-- Nothing of an order is installed any more.
update order_appointment set installation_slot_id = null where tenant_id = $1 and order_id = $2

-- add_hold --
-- Let an order that exists wait for a person.
insert into order_hold (tenant_id, order_id, hold_no, dealer_id, kind, reason, placed_by,
                        expires_at, line_no)
select $1::bigint, $2::bigint, coalesce(max(hold_no), 0) + 1, $3::bigint, $4::text, $5::text,
       $6::text, $7::timestamptz, $8::integer
from order_hold where tenant_id = $1 and order_id = $2
returning hold_no

-- claim_hold --
-- Somebody takes an open hold in hand, if nobody else had it since a time, or gives it back.
update order_hold set claimed_by = $4, claimed_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and hold_no = $3 and released_at is null
  and (claimed_by is null or claimed_by = $5 or claimed_at < $6)

-- expired_holds --
-- Holds whose time is over.
select order_id, hold_no from order_hold
where tenant_id = $1 and released_at is null and expires_at <= clock_timestamp()
order by order_id, hold_no limit $2

-- page_of_held_orders --
-- Orders with an open hold: of a kind or of any, of which nobody takes care or any; after an id.
select o.id, o.shop_id, o.external_id, o.dealer_id, o.status, o.shortage, o.currency,
       o.goods_minor, o.line_discount_minor, o.order_discount_minor, o.freight_minor,
       o.fees_minor, o.total_minor, o.buyer_name, o.buyer_phone, o.region_code, o.address,
       o.remark, o.ordered_at, o.placed_at, o.event_sequence
from (select distinct order_id from order_hold
      where tenant_id = $1 and released_at is null and order_id > $2
        and ($3::text is null or kind = $3)
        and (not $4::boolean or claimed_by is null or claimed_at < $5)
      order by order_id limit $6) h
join orders o on o.tenant_id = $1 and o.id = h.order_id
order by o.id

-- overdue_orders --
-- Orders whose time to wait is over on a day.
select order_id from routing_wait
where tenant_id = $1 and cancel_on <= $2 order by cancel_on, order_id limit $3

-- page_of_routing_waits --
-- Orders that still wait as their strategy said, the newest first, below an id: all, or of a queue.
select w.order_id, w.strategy, w.queue, w.cancel_on, w.waits_from
from routing_wait w
where w.tenant_id = $1 and w.order_id < $2 and ($3::text is null or w.queue = $3)
  and exists (
      select from order_line l
      where l.tenant_id = $1 and l.order_id = w.order_id and l.backordered > 0)
order by w.order_id desc limit $4

-- routing_waits_of_orders --
-- How the given orders wait.
select order_id, strategy, queue, cancel_on, waits_from
from routing_wait where tenant_id = $1 and order_id = any($2::bigint[])

-- delete_routing_wait --
-- An order waits for nothing but stock any more.
delete from routing_wait where tenant_id = $1 and order_id = $2

-- lock_orders --
-- Lock orders, in order.
select id, dealer_id, shop_id, status, buyer_name, buyer_phone, region_code, address,
       event_sequence, fulfilment_count, reservation_count, decision_count, pickup_node_id, is_paid,
       node_by_hand_id
from orders where tenant_id = $1 and id = any($2::bigint[]) order by id for no key update

-- lines_of_orders --
-- The lines of orders, by order and line.
select order_id, line_no, sku_id, sku_code, quantity, reserved, backordered, held, cancelled,
       at_node, shipped, delivered
from order_line where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, line_no

-- live_fulfilments --
-- The fulfilments of orders that still stand.
select order_id, fulfilment_no, node_id, capacity_day, slot_id, recorded_at, status
from fulfilment where tenant_id = $1 and order_id = any($2::bigint[]) and status <> 'cancelled'
order by order_id, fulfilment_no

-- active_reservations --
-- What is still reserved for orders, and whether their nodes have begun with it.
select r.order_id, r.reservation_no, r.line_no, r.fulfilment_no, r.functional_warehouse_id,
       r.sku_id, r.node_id, r.active, r.earmark_id, r.allotment_ids, r.picked,
       f.status <> 'reserved' as is_at_node
from reservation r
join fulfilment f on f.tenant_id = $1 and f.order_id = r.order_id
     and f.fulfilment_no = r.fulfilment_no
where r.tenant_id = $1 and r.order_id = any($2::bigint[]) and r.active > 0
order by r.order_id, r.reservation_no

-- move_line_units --
-- Move units of lines between reserved, backordered, held, cancelled and at a node.
update order_line l set
    reserved = l.reserved + d.reserved, backordered = l.backordered + d.backordered,
    held = l.held + d.held, cancelled = l.cancelled + d.cancelled, at_node = l.at_node + d.at_node
from unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::bigint[])
     as d(order_id, line_no, reserved, backordered, held, cancelled, at_node)
where l.tenant_id = $1 and l.order_id = d.order_id and l.line_no = d.line_no

-- update_orders --
-- Set the derived status and the counters of locked orders.
update orders o set status = d.status, event_sequence = d.event_sequence,
    fulfilment_count = d.fulfilment_count, reservation_count = d.reservation_count,
    decision_count = d.decision_count
from unnest($2::bigint[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
     as d(id, status, event_sequence, fulfilment_count, reservation_count, decision_count)
where o.tenant_id = $1 and o.id = d.id

-- release_reservations --
-- Take units out of reservations.
update reservation r set active = r.active - d.quantity,
    picked = least(r.picked, r.active - d.quantity + r.shipped)
from unnest($2::bigint[], $3::integer[], $4::bigint[]) as d(order_id, reservation_no, quantity)
where r.tenant_id = $1 and r.order_id = d.order_id and r.reservation_no = d.reservation_no

-- cancel_fulfilments --
-- Cancel fulfilments that have nothing left to do.
update fulfilment f set status = 'cancelled'
from unnest($2::bigint[], $3::integer[]) as d(order_id, fulfilment_no)
where f.tenant_id = $1 and f.order_id = d.order_id and f.fulfilment_no = d.fulfilment_no

-- order_place --
-- Where an order goes.
select id, region_code from orders where tenant_id = $1 and id = $2

-- orders_by_external_ids --
-- The orders that a shop calls so.
select d.number, k.order_id
from unnest($3::text[]) as d(number)
join command_key k on k.tenant_id = $1 and k.key = 'x:' || $2::bigint || ':' || d.number
where k.order_id is not null

-- order_visible --
-- Whether the principal may see an order.
select id from orders where tenant_id = $1 and id = $2

-- queue_rule --
-- Whether better customers get first what comes.
select levels_first from queue_rule where tenant_id = $1

-- set_queue_rule --
-- Say whether better customers get first what comes.
insert into queue_rule (tenant_id, levels_first) values ($1, $2)
on conflict (tenant_id) do update set levels_first = excluded.levels_first

-- waiting_orders --
-- Orders that wait for a SKU that is there, or came for them, as they queue, after a position.
select distinct w.place, o.placed_at, o.id
from order_line l
join orders o on o.tenant_id = $1 and o.id = l.order_id
cross join lateral (
    select case when (select coalesce(bool_or(levels_first), false) from queue_rule
                      where tenant_id = $1)
                then 9 - coalesce((o.traits ->> 'customerLevel')::integer, 0)
                else 0 end as place) w
where l.tenant_id = $1 and l.backordered > 0
  and (w.place, o.placed_at, o.id) > ($2::integer, $3::timestamptz, $4::bigint)
  and (exists (select from stock_hold h
               where h.tenant_id = $1 and h.order_id = o.id and h.state = 'active')
       or l.sku_id in (
      select s.sku_id from stock_level s
      where s.tenant_id = $1
        and (s.on_hand - s.reserved - s.floor - s.earmark_unused > 0 or s.earmark_unused > 0)
        and s.functional_warehouse_id = any($5::bigint[])))
order by w.place, o.placed_at, o.id limit $6

-- backorders --
-- The waiting lines of orders, in the order in which these are named, with where they go.
select o.id as order_id, o.shop_id, o.dealer_id, o.region_code, o.total_minor, o.remark, o.traits,
       o.shortage, o.is_paid, coalesce(o.pickup_node_id, o.node_by_hand_id) as only_node_id,
       l.line_no, l.sku_id, l.backordered as wanted,
       l.quantity, l.amount_minor
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.backordered > 0
where o.tenant_id = $1 and o.id = any($2::bigint[])
order by array_position($2::bigint[], o.id), l.line_no

-- allocated_orders --
-- Orders that have all their nodes, by routing, oldest first, after a position.
select placed_at, id from orders
where tenant_id = $1 and status = 'allocated' and placed_at >= $2
  and coalesce(pickup_node_id, node_by_hand_id) is null and not is_split_by_hand
  and (placed_at, id) > ($2::timestamptz, $3::bigint)
order by placed_at, id limit $4

-- allocated_lines --
-- What is reserved of the lines of orders, with where they go.
select o.id as order_id, o.shop_id, o.dealer_id, o.region_code, o.total_minor, o.remark, o.traits,
       o.shortage, o.is_paid, coalesce(o.pickup_node_id, o.node_by_hand_id) as only_node_id,
       l.line_no, l.sku_id, l.reserved as wanted,
       l.quantity, l.amount_minor
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.reserved > 0
where o.tenant_id = $1 and o.id = any($2::bigint[])
order by o.placed_at, o.id, l.line_no

-- whole_orders --
-- The lines of orders as they were placed, each order's together, with where they go.
select o.id as order_id, o.shop_id, o.dealer_id, o.region_code, o.total_minor, o.remark, o.traits,
       o.shortage, o.is_paid, coalesce(o.pickup_node_id, o.node_by_hand_id) as only_node_id,
       l.line_no, l.sku_id, l.quantity as wanted,
       l.quantity, l.amount_minor
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.sku_id is not null
where o.tenant_id = $1 and o.id = any($2::bigint[]) and o.region_code is not null
order by o.placed_at, o.id, l.line_no

-- decision --
-- How one plan of an order came about, with when the order was placed.
select d.decision_no, d.recorded_at, d.policy_version, d.winner_nodes, d.strategies, d.otherwise,
       d.batch_id, o.placed_at
from routing_decision d
join orders o on o.tenant_id = $1 and o.id = d.order_id
where d.tenant_id = $1 and d.order_id = $2 and d.decision_no = $3

-- parcels_since --
-- Parcels of a day that nodes were given since a time, and have not given back.
select node_id, count(*) as parcels from fulfilment
where tenant_id = $1 and capacity_day = $2 and recorded_at >= $3 and status <> 'cancelled'
group by node_id

-- held_orders --
-- Which of the orders have an open hold, of some kinds or of any.
select distinct order_id from order_hold
where tenant_id = $1 and order_id = any($2::bigint[]) and released_at is null
  and ($3::text[] is null or kind = any($3::text[]))

-- page_of_orders --
-- A page of orders, newest first, before an id.
select id, shop_id, external_id, dealer_id, status, shortage, currency, goods_minor,
       line_discount_minor, order_discount_minor, freight_minor, fees_minor, total_minor,
       buyer_name, buyer_phone, region_code, address, remark, ordered_at, placed_at, event_sequence
from orders
where tenant_id = $1 and id < $2 and ($3::text is null or status = $3)
  and ($4::bigint is null or shop_id = $4)
order by id desc limit $5

-- orders_by_ids --
-- Orders by their ids.
select id, shop_id, external_id, dealer_id, status, shortage, currency, goods_minor,
       line_discount_minor, order_discount_minor, freight_minor, fees_minor, total_minor,
       buyer_name, buyer_phone, region_code, address, remark, ordered_at, placed_at, event_sequence
from orders where tenant_id = $1 and id = any($2::bigint[])

-- full_lines_of_orders --
-- The lines of orders with their amounts.
select order_id, line_no, sku_id, sku_code, quantity, reserved, backordered, held, cancelled,
       at_node, shipped, delivered, unit_price_minor, line_discount_minor, order_discount_minor,
       amount_minor, expected_on, agreement_id, dealer_price_minor, quota_account_id,
       item_code
from order_line where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, line_no

-- fees_of_orders --
-- The fees of orders.
select order_id, fee_no, code, description, amount_minor
from order_fee where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, fee_no

-- holds_of_orders --
-- The holds of orders, open and released.
select order_id, hold_no, line_no, kind, reason, recorded_at, released_at, released_by, placed_by,
       expires_at, claimed_by, claimed_at
from order_hold where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, hold_no

-- fulfilments_of_orders --
-- The fulfilments of orders.
select order_id, fulfilment_no, node_id, status, buyer_name, buyer_phone, region_code, address,
       recorded_at, slot_id
from fulfilment where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, fulfilment_no

-- reservations_of_orders --
-- What is reserved for orders, and where.
select order_id, line_no, fulfilment_no, node_id, functional_warehouse_id, sku_id, quantity, active,
       picked, shipped
from reservation where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, reservation_no

-- page_of_fulfilments --
-- A page of fulfilments that the principal may see, newest order first, before a key.
select order_id, fulfilment_no, node_id, status, buyer_name, buyer_phone, region_code, address,
       recorded_at, slot_id
from fulfilment
where tenant_id = $1 and ($2::bigint is null or node_id = $2)
  and ($3::text is null or status = $3)
  and (order_id, fulfilment_no) < ($4::bigint, $5::bigint)
order by order_id desc, fulfilment_no desc limit $6

-- decisions_of_orders --
-- How the plans of orders came about.
select order_id, decision_no, recorded_at, policy_version, attempt, is_proved, cost::text as cost,
       lower_bound::text as lower_bound, winner_nodes, runner_up_node,
       runner_up_cost::text as runner_up_cost
from routing_decision where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, decision_no

-- open_holds --
-- The open holds of an order, locked.
select hold_no, line_no, kind, claimed_by from order_hold
where tenant_id = $1 and order_id = $2 and released_at is null order by hold_no
for no key update

-- release_hold --
-- Mark holds as released.
update order_hold set released_at = clock_timestamp(), released_by = $4
where tenant_id = $1 and order_id = $2 and hold_no = any($3::integer[])

-- end_holds --
-- Nothing is left of orders to be held.
update order_hold set released_at = clock_timestamp(), released_by = $3
where tenant_id = $1 and order_id = any($2::bigint[]) and released_at is null

-- open_intercepts --
-- Which fulfilments of orders somebody asked to stop.
select order_id, fulfilment_no, intercept_no from intercept
where tenant_id = $1 and order_id = any($2::bigint[]) and state = 'asked'

-- sent_skus --
-- What of an order has left its nodes.
select distinct sku_id from reservation
where tenant_id = $1 and order_id = $2 and shipped > 0

-- resolve_line --
-- Give a line the SKU that it was held for.
update order_line set sku_id = $4, sku_code = $5
where tenant_id = $1 and order_id = $2 and line_no = $3

-- resolve_address --
-- Give an order the region that it was held for.
update orders set region_code = $3 where tenant_id = $1 and id = $2

-- sold_by_shop --
-- Units of each SKU that were ordered in each shop between two times, and not cancelled.
select o.shop_id, l.sku_id, sum(l.quantity - l.cancelled)::bigint as units
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id
where o.tenant_id = $1 and o.placed_at >= $2 and o.placed_at <= $3 and l.sku_id is not null
group by o.shop_id, l.sku_id

-- units_by_region --
-- Units of each SKU that were ordered into each region since a time, and not cancelled.
select o.region_code, l.sku_id, sum(l.quantity - l.cancelled)::bigint as units
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id
where o.tenant_id = $1 and o.placed_at >= $2 and o.region_code is not null and l.sku_id is not null
group by o.region_code, l.sku_id

-- fulfilments_by_keys --
-- Fulfilments by order and number, with who owns what they take: one dealer, or not (then 0).
select f.order_id, f.fulfilment_no, f.node_id, f.dealer_id, f.status, f.slot_id,
       (select case when min(coalesce(w.dealer_id, 0)) = max(coalesce(w.dealer_id, 0))
                    then min(coalesce(w.dealer_id, 0)) else 0 end
        from reservation r
        join functional_warehouse w on w.tenant_id = $1 and w.id = r.functional_warehouse_id
        where r.tenant_id = $1 and r.order_id = f.order_id
          and r.fulfilment_no = f.fulfilment_no) as owner_id
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join fulfilment f on f.tenant_id = $1 and f.order_id = k.order_id
     and f.fulfilment_no = k.fulfilment_no
order by f.order_id, f.fulfilment_no

-- set_fulfilment_status --
-- Let fulfilments stand elsewhere, as part of a wave or a pick list where one is given.
update fulfilment f set status = $4, changed_at = clock_timestamp(),
    wave_id = coalesce($5::bigint, f.wave_id), pick_list_id = coalesce($6::bigint, f.pick_list_id)
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
where f.tenant_id = $1 and f.order_id = k.order_id and f.fulfilment_no = k.fulfilment_no

-- units_to_nodes --
-- Units of fulfilments that nodes begin with, line by line.
update order_line l set reserved = l.reserved - d.units, at_node = l.at_node + d.units
from (select r.order_id, r.line_no, sum(r.active) as units
      from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
      join reservation r on r.tenant_id = $1 and r.order_id = k.order_id
           and r.fulfilment_no = k.fulfilment_no and r.active > 0
      group by 1, 2) as d
where l.tenant_id = $1 and l.order_id = d.order_id and l.line_no = d.line_no

-- units_leave --
-- Units of fulfilments that leave their nodes, line by line; returns what left which stock.
with gone as (
    update reservation r set shipped = r.shipped + r.active, active = 0
    from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
    where r.tenant_id = $1 and r.order_id = k.order_id and r.fulfilment_no = k.fulfilment_no
      and r.active > 0
    returning old.order_id, old.line_no, old.functional_warehouse_id, old.sku_id,
              old.active as units),
lines as (
    update order_line l set at_node = l.at_node - d.units, shipped = l.shipped + d.units
    from (select order_id, line_no, sum(units) as units from gone group by 1, 2) as d
    where l.tenant_id = $1 and l.order_id = d.order_id and l.line_no = d.line_no)
select order_id, line_no, functional_warehouse_id, sku_id, units from gone

-- units_arrive --
-- Units of fulfilments that have arrived, line by line.
update order_line l set shipped = l.shipped - d.units, delivered = l.delivered + d.units
from (select r.order_id, r.line_no, sum(r.shipped) as units
      from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
      join reservation r on r.tenant_id = $1 and r.order_id = k.order_id
           and r.fulfilment_no = k.fulfilment_no and r.shipped > 0
      group by 1, 2) as d
where l.tenant_id = $1 and l.order_id = d.order_id and l.line_no = d.line_no

-- units_picked --
-- All units of fulfilments are picked.
update reservation r set picked = r.active
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
where r.tenant_id = $1 and r.order_id = k.order_id and r.fulfilment_no = k.fulfilment_no
  and r.active > r.picked

-- pick_units --
-- So many more units of a reservation are picked.
update reservation set picked = picked + $4::bigint
where tenant_id = $1 and order_id = $2 and reservation_no = $3

-- units_of_orders --
-- How the units of orders stand, all lines together.
select order_id, sum(reserved)::bigint as reserved, sum(backordered)::bigint as backordered,
       sum(held)::bigint as held, sum(cancelled)::bigint as cancelled,
       sum(at_node)::bigint as at_node, sum(shipped)::bigint as shipped,
       sum(delivered)::bigint as delivered
from order_line where tenant_id = $1 and order_id = any($2::bigint[]) group by order_id

-- releasable_fulfilments --
-- What nodes could begin with, the oldest order first, after a key; with a time: by its day.
select f.order_id, f.fulfilment_no
from fulfilment f
join orders o on o.tenant_id = $1 and o.id = f.order_id
left join order_appointment a on a.tenant_id = $1 and a.order_id = f.order_id
where f.tenant_id = $1 and f.status = 'reserved' and o.pickup_node_id is null
  and ($2::bigint is null or f.node_id = $2)
  and ($3::timestamptz is null or o.placed_at < $3)
  and (o.status in ('allocated', 'in_fulfilment', 'partially_shipped')
       or ($4::boolean and o.status = 'partially_allocated'))
  and (a.day is null or (a.is_booked and a.day <= $5::date))
  and (f.order_id, f.fulfilment_no) > ($6::bigint, $7::integer)
order by f.order_id, f.fulfilment_no limit $8

-- released_fulfilments --
-- What a node could pick, the oldest order first.
select order_id, fulfilment_no from fulfilment
where tenant_id = $1 and node_id = $2 and status = 'released'
order by order_id, fulfilment_no limit $3

-- fulfilments_of_pick_list --
-- The fulfilments of a pick list that still stand.
select order_id, fulfilment_no from fulfilment
where tenant_id = $1 and pick_list_id = $2 and status <> 'cancelled'
order by order_id, fulfilment_no

-- units_of_fulfilments --
-- The units that nodes have to send of fulfilments, and what they weigh, by line.
select r.order_id, r.fulfilment_no, r.reservation_no, r.line_no, r.sku_id,
       r.functional_warehouse_id, r.active, r.picked
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join reservation r on r.tenant_id = $1 and r.order_id = k.order_id
     and r.fulfilment_no = k.fulfilment_no and r.active > 0
order by r.order_id, r.reservation_no

-- overdue_fulfilments --
-- Fulfilments that stand too long where they stand and of which that was not told, locked by order.
select f.order_id, f.fulfilment_no, f.node_id, f.status, d.is_late
from fulfilment f
join orders o on o.tenant_id = $1 and o.id = f.order_id
join node n on n.tenant_id = $1 and n.id = f.node_id
left join order_appointment a on a.tenant_id = $1 and a.order_id = f.order_id
cross join lateral (
    select clock_timestamp() >= coalesce(f.changed_at, f.recorded_at)
                                + make_interval(mins => d.late_minutes) as is_late,
           coalesce(f.changed_at, f.recorded_at) + make_interval(mins => d.warn_minutes) as warn_at
    from step_deadline d
    where d.tenant_id = $1 and d.status = f.status and d.node_kind in ('', n.kind)
    order by d.node_kind desc limit 1) as d
where f.tenant_id = $1
  and f.status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped')
  and f.status = any($5::text[])
  and d.warn_at <= clock_timestamp()
  and (f.status <> 'reserved'
       or (o.status in ('allocated', 'in_fulfilment', 'partially_shipped')
           and (a.day is null or a.day <= $2::date)))
  and ($3::bigint[] is null or f.order_id = any($3::bigint[]))
  and (f.told_status is distinct from f.status or d.is_late > f.told_late)
order by f.order_id, f.fulfilment_no limit $4

-- set_told --
-- What was told of fulfilments.
update fulfilment f set told_status = d.status, told_late = d.is_late
from unnest($2::bigint[], $3::integer[], $4::text[], $5::boolean[])
     as d(order_id, fulfilment_no, status, is_late)
where f.tenant_id = $1 and f.order_id = d.order_id and f.fulfilment_no = d.fulfilment_no

-- deadlines_of_orders --
-- Until when fulfilments of orders should have taken their next step.
select f.order_id, f.fulfilment_no,
       coalesce(f.changed_at, f.recorded_at) + make_interval(mins => d.warn_minutes) as warn_at,
       coalesce(f.changed_at, f.recorded_at) + make_interval(mins => d.late_minutes) as late_at
from fulfilment f
join node n on n.tenant_id = $1 and n.id = f.node_id
cross join lateral (
    select d.warn_minutes, d.late_minutes from step_deadline d
    where d.tenant_id = $1 and d.status = f.status and d.node_kind in ('', n.kind)
    order by d.node_kind desc limit 1) as d
where f.tenant_id = $1 and f.order_id = any($2::bigint[]) order by f.order_id, f.fulfilment_no

-- page_of_due_fulfilments --
-- Fulfilments of which it was told that they stand too long, the oldest order first, after a key.
select f.order_id, f.fulfilment_no, f.node_id, f.status, f.buyer_name, f.buyer_phone,
       f.region_code, f.address, f.recorded_at, f.slot_id
from fulfilment f
where f.tenant_id = $1 and f.told_status = f.status and (not $2::boolean or f.told_late)
  and f.status in ('reserved', 'released', 'picking', 'picked', 'packed', 'shipped')
  and ($3::bigint is null or f.node_id = $3)
  and (f.order_id, f.fulfilment_no) > ($4::bigint, $5::bigint)
order by f.order_id, f.fulfilment_no limit $6

-- owe_refund --
-- Let units of a locked order, with their frozen shares, and an amount be paid back, if it is left.
with wanted as (
    select w.line_no, w.quantity from unnest($3::integer[], $4::bigint[]) as w(line_no, quantity)),
before as (
    select l.line_no, sum(l.quantity) as quantity
    from refund_line l
    join refund r on r.tenant_id = $1 and r.order_id = $2 and r.refund_no = l.refund_no
    where l.tenant_id = $1 and l.order_id = $2 and r.status <> 'waived'
    group by 1),
share as (
    select o.line_no, w.quantity,
           (div(greatest(0, o.amount_minor)::numeric * (coalesce(b.quantity, 0) + w.quantity),
                o.quantity)
            - div(greatest(0, o.amount_minor)::numeric * coalesce(b.quantity, 0), o.quantity)
           )::bigint as amount_minor
    from wanted w
    join order_line o on o.tenant_id = $1 and o.order_id = $2 and o.line_no = w.line_no
    left join before b on b.line_no = w.line_no),
paid as (
    select o.dealer_id, o.currency,
           least(paid_of_order($1, $2) - coalesce((select sum(r.amount_minor) from refund r
                                           where r.tenant_id = $1 and r.order_id = $2
                                             and r.status <> 'waived'), 0),
                 $5::bigint + coalesce((select sum(amount_minor) from share), 0))::bigint
               as amount_minor
    from orders o where o.tenant_id = $1 and o.id = $2),
new_refund as (
    insert into refund (tenant_id, order_id, refund_no, dealer_id, cause, return_id, status,
                        amount_minor, currency, reason)
    select $1::bigint, $2::bigint,
           coalesce((select max(refund_no) from refund where tenant_id = $1 and order_id = $2), 0)
               + 1,
           p.dealer_id, $6::text, $7::bigint,
           case when p.amount_minor > 0 then 'due' else 'paid' end,
           greatest(0, p.amount_minor), p.currency, $8::text
    from paid p where p.amount_minor > 0 or exists (select from share)
    returning refund_no, dealer_id, amount_minor),
new_lines as (
    insert into refund_line (tenant_id, order_id, refund_no, line_no, dealer_id, quantity,
                             amount_minor)
    select $1::bigint, $2::bigint, r.refund_no, s.line_no, r.dealer_id, s.quantity, s.amount_minor
    from new_refund r cross join share s)
select refund_no, amount_minor from new_refund

-- price_of_order --
-- What an order costs without what was cancelled of it.
select price_of_order($1, $2) as price_minor

-- set_paid --
-- So much is paid of an order; whether it counts as paid.
update orders set is_paid = $3, paid_minor = $4 where tenant_id = $1 and id = $2

-- editable_order --
-- What of a locked order may be edited.
select buyer_name, buyer_phone, region_code, address, remark, traits, goods_minor, total_minor,
       is_split_by_hand
from orders where tenant_id = $1 and id = $2

-- edit_order --
-- What a locked order says from now on.
update orders set buyer_name = $3, buyer_phone = $4, region_code = $5, address = $6, remark = $7,
    traits = $8::jsonb, node_by_hand_id = $9, is_split_by_hand = is_split_by_hand and not $10
where tenant_id = $1 and id = $2

-- mark_split --
-- Somebody said where each unit of a locked order comes from.
update orders set is_split_by_hand = true where tenant_id = $1 and id = $2

-- edit_fulfilments --
-- To whom and where what nodes have of an order, and have not sent, goes.
update fulfilment set buyer_name = $3, buyer_phone = $4, region_code = $5, address = $6
where tenant_id = $1 and order_id = $2
  and status in ('reserved', 'released', 'picking', 'picked', 'packed')

-- add_units --
-- More units of lines of a locked order, at the price of the line; they wait, or are held as it is.
with line as (
    update order_line l set quantity = l.quantity + d.units,
        backordered = l.backordered + case when $5::boolean then 0 else d.units end,
        held = l.held + case when $5 then d.units else 0 end,
        amount_minor = l.amount_minor + d.units * l.unit_price_minor
    from unnest($3::integer[], $4::bigint[]) as d(line_no, units)
    where l.tenant_id = $1 and l.order_id = $2 and l.line_no = d.line_no
    returning d.units * l.unit_price_minor as amount_minor)
update orders set goods_minor = goods_minor + s.amount_minor,
    total_minor = total_minor + s.amount_minor
from (select sum(amount_minor)::bigint as amount_minor from line) s
where tenant_id = $1 and id = $2

-- priced_lines --
-- What the lines of an order have, and cost.
select line_no, sku_id, sku_code, quantity, reserved, backordered, held, cancelled, at_node,
       unit_price_minor, agreement_id
from order_line where tenant_id = $1 and order_id = $2 order by line_no

-- deals_of_lines --
-- By what the lines of a dealer's order are sold, and what that takes; those that have a quota.
select line_no, quota_account_id, dealer_price_minor from order_line
where tenant_id = $1 and order_id = $2 and quota_account_id is not null order by line_no

-- agreements_of_order --
-- By which agreements a dealer's order is sold.
select distinct agreement_id from order_line
where tenant_id = $1 and order_id = $2 and agreement_id is not null

-- undealt_lines --
-- Lines of an order that are held and have a SKU, but no deal yet.
select line_no, sku_id, quantity, amount_minor from order_line
where tenant_id = $1 and order_id = $2 and held > 0 and agreement_id is null
  and sku_id is not null
order by line_no

-- set_deals --
-- Say by what lines of an order are sold.
update order_line l
set agreement_id = k.agreement_id, dealer_price_minor = k.price_minor,
    quota_account_id = k.account_id
from unnest($3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
    as k(line_no, agreement_id, price_minor, account_id)
where l.tenant_id = $1 and l.order_id = $2 and l.line_no = k.line_no

-- waiting_for_quota --
-- Orders held for a dealer's quota, or of some kinds, the oldest first, and what they take of it.
select o.id, o.placed_at, l.quota_account_id as account_id,
       coalesce(sum(l.held * l.dealer_price_minor), 0)::bigint as needed_minor,
       bool_or(l.agreement_id is null) as is_undealt
from (select distinct h.order_id from order_hold h
      where h.tenant_id = $1 and h.kind = any($2::text[]) and h.released_at is null) as w
join orders o on o.tenant_id = $1 and o.id = w.order_id
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.held > 0
where (o.placed_at, o.id) > ($3, $4)
group by o.id, o.placed_at, l.quota_account_id
order by o.placed_at, o.id limit $5

-- released_by_people --
-- For what somebody has released an order.
select kind, line_no from order_hold
where tenant_id = $1 and order_id = $2 and released_at is not null
  and released_by not like 'system:%'

-- sold_by_agreement --
-- What has arrived of a dealer's orders of a period, by agreement: units, price, dealer's price.
select l.agreement_id, sum(l.delivered)::bigint as units,
       sum(div(greatest(0, l.amount_minor)::numeric * l.delivered, l.quantity))::bigint
           as sold_minor,
       sum(l.delivered * l.dealer_price_minor)::bigint as dealer_minor
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id
where o.tenant_id = $1 and o.dealer_id = $2 and o.placed_at >= $3 and o.placed_at < $4
  and l.agreement_id is not null and l.delivered > 0
group by l.agreement_id order by l.agreement_id

-- dealt_lines --
-- Lines of orders of a period that a dealer sells by an agreement.
select l.order_id, l.line_no, l.agreement_id, l.quantity, l.amount_minor, l.dealer_price_minor
from order_line l
join orders o on o.tenant_id = $1 and o.id = l.order_id
where l.tenant_id = $1 and l.order_id = any($2::bigint[]) and l.agreement_id is not null
  and o.placed_at >= $3 and o.placed_at < $4
