-- lock_pickup --
-- The handing over of an order, locked; the order is locked before.
select order_id, node_id, dealer_id, status, version, ready_by, ready_at, keep_until, reason,
       changed_at, is_reminded
from pickup where tenant_id = $1 and order_id = $2 for no key update

-- pickups_of_orders --
-- How the handing over of orders stands.
select order_id, node_id, status, version, ready_by, ready_at, keep_until, reason, changed_at
from pickup where tenant_id = $1 and order_id = any($2::bigint[])

-- page_of_pickups --
-- A page of what is handed over at a node, or at all that may be seen, in some states, by order.
select order_id, node_id, status, version, ready_by, ready_at, keep_until, reason, changed_at
from pickup
where tenant_id = $1 and ($2::bigint is null or node_id = $2)
  and status = any($3::text[]) and order_id > $4
order by order_id limit $5

-- set_pickup --
-- Let the handing over of an order stand elsewhere.
update pickup set status = $3, version = version + 1, changed_at = clock_timestamp(),
    reason = $4, ready_by = $5, ready_at = $6, keep_until = $7, is_reminded = $8
where tenant_id = $1 and order_id = $2
returning order_id, node_id, status, version, ready_by, ready_at, keep_until, reason, changed_at

-- put_pickup --
-- An order is fetched at a node from now on.
insert into pickup (tenant_id, order_id, node_id, dealer_id, status)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, order_id) do update
set node_id = excluded.node_id, status = excluded.status, version = pickup.version + 1,
    ready_by = null, ready_at = null, keep_until = null, is_reminded = false, reason = $6,
    wrong_codes = 0, wrong_at = null, locked_until = null, changed_at = clock_timestamp()
returning order_id, node_id, status, version, ready_by, ready_at, keep_until, reason, changed_at

-- set_order_node --
-- Where a locked order is fetched; null: it is sent.
update orders set pickup_node_id = $3 where tenant_id = $1 and id = $2

-- lead_time --
-- The minutes in which a node has an order ready.
select lead_time_minutes from node where tenant_id = $1 and id = $2

-- forget_attempts --
-- Somebody has shown a right code.
update pickup set wrong_codes = 0, wrong_at = null, locked_until = null
where tenant_id = $1 and order_id = $2

-- charge_attempt --
-- Count an attempt at the code of what is ready, before it is looked at; none while it is locked.
update pickup p set
    wrong_codes = case when p.locked_until is null then p.wrong_codes + 1 else 1 end,
    wrong_at = clock_timestamp(),
    locked_until = case when p.locked_until is null and p.wrong_codes + 1 >= $3::integer
                        then clock_timestamp() + make_interval(mins => $4::integer) end
where p.tenant_id = $1 and p.order_id = $2 and p.status = 'ready'
  and (p.locked_until is null or p.locked_until <= clock_timestamp())
  and (select coalesce(sum(o.wrong_codes), 0) from pickup o
       where o.tenant_id = $1 and o.node_id = p.node_id
         and o.wrong_at > clock_timestamp() - make_interval(mins => $4::integer)) < $5::integer
returning p.wrong_codes

-- locked_until --
-- Until when no code of an order is looked at: of its own, or of its store.
select p.status, greatest(p.locked_until,
    (select max(o.wrong_at) from pickup o
     where o.tenant_id = $1 and o.node_id = p.node_id
       and o.wrong_at > clock_timestamp() - make_interval(mins => $3::integer))
    + make_interval(mins => $3::integer)) as locked_until
from pickup p where p.tenant_id = $1 and p.order_id = $2

-- codes --
-- Who may fetch an order.
select code_no, name, phone, state, issued_at
from pickup_code where tenant_id = $1 and order_id = $2 order by code_no

-- insert_code --
-- Let somebody fetch an order.
insert into pickup_code (tenant_id, order_id, code_no, node_id, dealer_id, name, phone, state)
select $1::bigint, $2::bigint,
       coalesce((select max(code_no) from pickup_code where tenant_id = $1 and order_id = $2), 0)
           + 1,
       p.node_id, p.dealer_id, $3::text, $4::text, 'active'
from pickup p where p.tenant_id = $1 and p.order_id = $2
returning code_no

-- end_codes --
-- Codes of an order that open nothing any more; none given: all of them.
update pickup_code set state = $3, ended_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and state = 'active'
  and ($4::integer[] is null or code_no = any($4::integer[]))

-- keep_key --
-- Keep the signing key of a brand, if it has none.
insert into pickup_secret (tenant_id, signing_key) values ($1, $2) on conflict do nothing

-- signing_key --
-- The signing key of a brand.
select signing_key from pickup_secret where tenant_id = $1

-- terms --
-- For how long stores keep what is ready.
select keep_hours, remind_hours from pickup_terms where tenant_id = $1

-- set_terms --
-- Say for how long stores keep what is ready.
insert into pickup_terms (tenant_id, keep_hours, remind_hours) values ($1, $2, $3)
on conflict (tenant_id) do update
set keep_hours = excluded.keep_hours, remind_hours = excluded.remind_hours

-- due_pickups --
-- What stores do not keep longer than until a moment, the longest first.
select order_id from pickup
where tenant_id = $1 and status = 'ready' and keep_until <= $2::timestamptz
order by keep_until, order_id limit $3

-- pickups_to_remind_of --
-- What stores do not keep for longer than so many hours.
select order_id from pickup
where tenant_id = $1 and status = 'ready' and not is_reminded
  and keep_until <= clock_timestamp() + make_interval(hours => $2::integer)
order by keep_until, order_id limit $3

-- set_reminded --
-- Somebody was reminded of what a store keeps.
update pickup set is_reminded = true
where tenant_id = $1 and order_id = $2 and not is_reminded
