-- insert_stock_holds --
-- Store holds and where their units are.
with holds as (
    insert into stock_hold (tenant_id, id, kind, shop_id, external_id, dealer_id, expires_at,
        taken_by, outcome, order_id)
    select $1::bigint, r.id, r.kind, r.shop_id, r.external_id, r.dealer_id,
           clock_timestamp() + make_interval(secs => r.seconds), r.taken_by, r.outcome, r.order_id
    from unnest($2::new_stock_hold[]) as r)
insert into stock_hold_part (tenant_id, hold_id, part_no, functional_warehouse_id, sku_id, node_id,
    dealer_id, quantity, earmark_id, allotment_ids)
select $1::bigint, r.hold_id, r.part_no, r.functional_warehouse_id, r.sku_id, r.node_id,
       r.dealer_id, r.quantity, r.earmark_id, r.allotment_ids
from unnest($3::new_stock_hold_part[]) as r

-- lock_stock_holds --
-- Lock holds, in order.
select id, shop_id, state, order_id from stock_hold
where tenant_id = $1 and id = any($2::bigint[]) order by id for no key update

-- lock_holds_of_order --
-- Lock the active holds with what was received for an order, in order.
select id, shop_id, state, order_id from stock_hold
where tenant_id = $1 and order_id = $2 and state = 'active' order by id for no key update

-- holds_of_orders --
-- The active holds with what was received for orders.
select id, order_id from stock_hold
where tenant_id = $1 and order_id = any($2::bigint[]) and state = 'active' order by id

-- lock_due_holds --
-- Lock holds whose time is over, or whose order waits no more, but for those somebody else ends.
select id, shop_id, state, order_id from stock_hold
where tenant_id = $1 and state = 'active' and id in (
    select h.id from stock_hold h
    where h.tenant_id = $1 and h.state = 'active' and h.expires_at <= clock_timestamp()
    union all
    select h.id from stock_hold h
    where h.tenant_id = $1 and h.state = 'active' and h.order_id is not null and not exists (
        select from order_line l
        where l.tenant_id = $1 and l.order_id = h.order_id and l.backordered > 0))
  and ($2::bigint[] is null or exists (
      select from stock_hold_part p
      where p.tenant_id = $1 and p.hold_id = stock_hold.id and p.sku_id = any($2)))
  and id <> all($3::bigint[])
order by id limit $4 for no key update skip locked

-- parts_of_holds --
-- Where the units of holds are.
select hold_id, functional_warehouse_id, sku_id, quantity, earmark_id, allotment_ids
from stock_hold_part where tenant_id = $1 and hold_id = any($2::bigint[])
order by hold_id, part_no

-- kept_in_store --
-- What a node keeps for customers who come, the oldest first, after an id.
select h.id, h.external_id, h.expires_at, h.taken_at from stock_hold h
where h.tenant_id = $1 and h.kind = 'in_store' and h.state = 'active' and h.id > $3
  and exists (select from stock_hold_part p
              where p.tenant_id = $1 and p.hold_id = h.id and p.node_id = $2)
order by h.id limit $4

-- nodes_of_hold --
-- The nodes where units are that are kept for a customer who comes.
select distinct p.node_id from stock_hold_part p
join stock_hold h on h.tenant_id = $1 and h.id = p.hold_id and h.kind = 'in_store'
where p.tenant_id = $1 and p.hold_id = $2

-- end_stock_holds --
-- Say that holds have ended, and how.
update stock_hold h set state = $3, ended_at = clock_timestamp(), order_id = d.order_id
from unnest($2::bigint[], $4::bigint[]) as d(id, order_id)
where h.tenant_id = $1 and h.id = d.id

-- extend_stock_hold --
-- Let a hold last longer, or end earlier, from now on.
update stock_hold set expires_at = clock_timestamp() + make_interval(secs => $3::integer)
where tenant_id = $1 and id = $2

-- has_active_holds --
-- Whether anything is held.
select exists (select from stock_hold where tenant_id = $1 and state = 'active')

-- page_of_stock_holds --
-- Holds, the newest first, below an id.
select id, kind, shop_id, external_id, dealer_id, state, expires_at, taken_by, taken_at, ended_at,
       order_id
from stock_hold
where tenant_id = $1 and id < $2 and ($3::text is null or state = $3)
order by id desc limit $4

-- stock_holds_by_ids --
-- The given holds.
select id, kind, shop_id, external_id, dealer_id, state, expires_at, taken_by, taken_at, ended_at,
       order_id
from stock_hold where tenant_id = $1 and id = any($2::bigint[])
