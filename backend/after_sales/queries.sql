-- insert_return --
-- Keep a request.
insert into return_request (tenant_id, order_id, node_id, dealer_id, kind, status, reason, decision,
                            requested_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id

-- insert_return_lines --
-- Keep the lines of a request.
insert into return_line (tenant_id, return_id, line_no, sku_id, node_id, dealer_id, quantity)
select $1::bigint, $2::bigint, r.line_no, r.sku_id, $3::bigint, $4::bigint, r.quantity
from unnest($5::integer[], $6::bigint[], $7::bigint[]) as r(line_no, sku_id, quantity)

-- order_of_return --
-- The order that a request is of, and the one that replaces what comes back, if there is one.
select r.order_id, e.replacement_id
from return_request r
left join exchange e on e.tenant_id = $1 and e.return_id = r.id
where r.tenant_id = $1 and r.id = $2

-- lock_return --
-- A request, locked; its order is locked before.
select id, order_id, node_id, dealer_id, kind, status, version, reason, decision, carrier, waybill,
       requested_by, requested_at, changed_at
from return_request where tenant_id = $1 and id = $2 for no key update

-- returns_by_ids --
-- Requests by their ids.
select id, order_id, node_id, kind, status, version, reason, decision, carrier, waybill,
       requested_by, requested_at, changed_at
from return_request where tenant_id = $1 and id = any($2::bigint[])

-- returns_of_orders --
-- The requests of orders.
select id, order_id, node_id, kind, status, version, reason, decision, carrier, waybill,
       requested_by, requested_at, changed_at
from return_request where tenant_id = $1 and order_id = any($2::bigint[]) order by id

-- page_of_returns --
-- A page of requests, the oldest first, after an id: of a node or of all, in some states.
select id, order_id, node_id, kind, status, version, reason, decision, carrier, waybill,
       requested_by, requested_at, changed_at
from return_request
where tenant_id = $1 and ($2::bigint is null or node_id = $2) and status = any($3::text[])
  and id > $4
order by id limit $5

-- set_return --
-- Let a request stand elsewhere.
update return_request set status = $3, version = version + 1, node_id = $4, decision = $5,
    carrier = $6, waybill = $7, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning id, order_id, node_id, kind, status, version, reason, decision, carrier, waybill,
          requested_by, requested_at, changed_at

-- lines_of_returns --
-- The lines of requests.
select return_id, line_no, sku_id, quantity, received, good, defective, scrapped, denied, place_id
from return_line where tenant_id = $1 and return_id = any($2::bigint[])
order by return_id, line_no

-- owners_of_lines --
-- Whose goods were sent of the lines of an order: a dealer's, or (null) the brand's.
select r.line_no, min(w.dealer_id) as dealer_id
from reservation r
join functional_warehouse w on w.tenant_id = $1 and w.id = r.functional_warehouse_id
where r.tenant_id = $1 and r.order_id = $2 and r.shipped > 0
group by 1

-- receive_lines --
-- What came of the lines of a request, and where it lies.
update return_line l set received = d.received, node_id = $3, place_id = d.place_id
from unnest($4::integer[], $5::bigint[], $6::bigint[]) as d(line_no, received, place_id)
where l.tenant_id = $1 and l.return_id = $2 and l.line_no = d.line_no

-- inspect_lines --
-- What units of the lines of a request were found to be.
update return_line l set good = d.good, defective = d.defective, scrapped = d.scrapped,
    denied = d.denied
from unnest($3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
     as d(line_no, good, defective, scrapped, denied)
where l.tenant_id = $1 and l.return_id = $2 and l.line_no = d.line_no

-- claimed_units --
-- Units of an order's lines that are sent back, claimed (what was denied is not), or in repair.
select c.line_no, sum(c.units)::bigint as units
from (
    select l.line_no, case when r.status = 'closed' and r.kind in ('return', 'refused')
                           then l.received - l.denied else l.quantity end as units
    from return_line l
    join return_request r on r.tenant_id = $1 and r.id = l.return_id
    where l.tenant_id = $1 and r.order_id = $2 and r.status not in ('rejected', 'cancelled')
    union all
    select line_no, 1 from repair
    where tenant_id = $1 and order_id = $2 and status not in ('closed', 'cancelled')) as c
group by c.line_no

-- sold_lines --
-- The lines of an order, with what decides whether they may come back.
select l.line_no, l.sku_id, l.quantity, l.shipped, l.delivered,
       coalesce(s.category, '') as category, h.channel
from order_line l
join orders o on o.tenant_id = $1 and o.id = l.order_id
join shop h on h.tenant_id = $1 and h.id = o.shop_id
left join sku s on s.tenant_id = $1 and s.id = l.sku_id
where l.tenant_id = $1 and l.order_id = $2 order by l.line_no

-- arrived_at --
-- When the last of an order has arrived.
select max(changed_at) from fulfilment
where tenant_id = $1 and order_id = $2 and status = 'delivered'

-- rules --
-- How long what may be sent back: the rule for all first, then what is excepted from it.
select channel, category, days, is_automatic from return_rule where tenant_id = $1
order by channel, category

-- lock_rules --
-- Lock the rules of a brand, of whom there may be none yet.
select pg_advisory_xact_lock(hashtextextended('return_rules', $1))

-- delete_rules --
-- Forget the rules of a brand.
delete from return_rule where tenant_id = $1

-- insert_rules --
-- Keep the rules of a brand.
insert into return_rule (tenant_id, channel, category, days, is_automatic)
select $1::bigint, r.* from unnest($2::text[], $3::text[], $4::integer[], $5::boolean[])
    as r(channel, category, days, is_automatic)

-- insert_exchange --
-- Keep what is wanted for what comes back with a request.
insert into exchange (tenant_id, return_id, order_id, dealer_id, status, wanted, is_even)
values ($1, $2, $3, $4, 'asked', $5, $6)

-- order_of_exchange --
-- The orders that an exchange is between: that which replaces it may be placed, and not linked yet.
select e.order_id,
       coalesce(e.replacement_id, (
           select k.order_id from command_key k
           join orders o on o.tenant_id = $1 and o.id = e.order_id
           where k.tenant_id = $1
             and k.key = 'x:' || o.shop_id || ':exchange-' || e.return_id)) as placed_id
from exchange e where e.tenant_id = $1 and e.return_id = $2

-- lock_exchange --
-- An exchange, locked; its orders are locked before.
select return_id, order_id, replacement_id, status, version, credit_minor, due_minor, reference,
       changed_at, wanted, is_even
from exchange where tenant_id = $1 and return_id = $2 for no key update

-- exchanges_by_returns --
-- The exchanges of requests; what is due of one that is not paid, as its order costs now.
select return_id, order_id, replacement_id, status, version, credit_minor,
       case when status = 'unpaid'
            then greatest(0, price_of_order($1, replacement_id) - credit_minor)
            else due_minor end as due_minor,
       reference, changed_at
from exchange where tenant_id = $1 and return_id = any($2::bigint[])

-- open_exchange_of --
-- The exchange that an order is the replacement in, while that is open.
select return_id from exchange
where tenant_id = $1 and replacement_id = $2 and status in ('asked', 'waiting', 'unpaid')

-- page_of_exchanges --
-- A page of exchanges with which something is to be done, the oldest first, after an id.
select return_id from exchange
where tenant_id = $1 and status in ('asked', 'waiting', 'unpaid') and return_id > $2
order by return_id limit $3

-- set_exchange --
-- Let an exchange stand elsewhere.
update exchange set status = $3, replacement_id = $4, credit_minor = $5, due_minor = $6,
    reference = $7, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and return_id = $2
returning return_id, order_id, replacement_id, status, version, credit_minor, due_minor, reference,
          changed_at

-- worth_of_units --
-- What units of the lines of an order would be owed if they came back now.
select greatest(0, least(
    paid_of_order($1, $2) - coalesce((
        select sum(r.amount_minor) from refund r
        where r.tenant_id = $1 and r.order_id = $2 and r.status <> 'waived'), 0),
    coalesce(sum(
        div(greatest(0, l.amount_minor)::numeric * (coalesce(b.quantity, 0) + w.quantity),
            l.quantity)
        - div(greatest(0, l.amount_minor)::numeric * coalesce(b.quantity, 0), l.quantity)), 0)
    ))::bigint as worth_minor
from unnest($3::integer[], $4::bigint[]) as w(line_no, quantity)
join order_line l on l.tenant_id = $1 and l.order_id = $2 and l.line_no = w.line_no
left join (
    select p.line_no, sum(p.quantity) as quantity
    from refund_line p
    join refund r on r.tenant_id = $1 and r.order_id = $2 and r.refund_no = p.refund_no
    where p.tenant_id = $1 and p.order_id = $2 and r.status <> 'waived'
    group by 1) as b on b.line_no = w.line_no

-- place_of_order --
-- Where an order went, from which shop.
select s.code as shop, o.dealer_id, o.buyer_name, o.buyer_phone, o.region_code, o.address
from orders o join shop s on s.tenant_id = $1 and s.id = o.shop_id
where o.tenant_id = $1 and o.id = $2

-- refund_of_return --
-- What is owed for a request, locked; its order is locked before.
select order_id, refund_no, cause, return_id, status, amount_minor, currency, reason, reference,
       version, owed_at, changed_at, offset_minor
from refund where tenant_id = $1 and order_id = $2 and return_id = $3 for no key update

-- exchange_refund --
-- Let so much of a refund be exchanged for something.
update refund set status = $4, offset_minor = $5, version = version + 1,
    changed_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and refund_no = $3

-- lock_refund --
-- A refund, locked; its order is locked before.
select order_id, refund_no, cause, return_id, status, amount_minor, currency, reason, reference,
       version, owed_at, changed_at, offset_minor
from refund where tenant_id = $1 and order_id = $2 and refund_no = $3 for no key update

-- set_refund --
-- Let a refund stand elsewhere.
update refund set status = $4, reference = $5, version = version + 1,
    changed_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and refund_no = $3
returning order_id, refund_no, cause, return_id, status, amount_minor, currency, reason, reference,
          version, owed_at, changed_at, offset_minor

-- refunds_of_orders --
-- The refunds of orders.
select order_id, refund_no, cause, return_id, status, amount_minor, currency, reason, reference,
       version, owed_at, changed_at, offset_minor
from refund where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, refund_no

-- lines_of_refunds --
-- The lines of the refunds of orders.
select order_id, refund_no, line_no, quantity, amount_minor
from refund_line where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, refund_no, line_no

-- page_of_refunds --
-- A page of refunds in a state, the oldest orders first, after a key.
select order_id, refund_no, cause, return_id, status, amount_minor, currency, reason, reference,
       version, owed_at, changed_at, offset_minor
from refund
where tenant_id = $1 and status = any($2::text[])
  and (order_id, refund_no) > ($3::bigint, $4::integer)
order by order_id, refund_no limit $5

-- weight_to_fetch --
-- What is fetched of a customer weighs, in grams: a request, or a unit of a line (old as new).
select coalesce(sum(s.weight_g * l.quantity), 0)::bigint as weight_g
from (select b.sku_id, b.quantity from return_line b
      where b.tenant_id = $1 and b.return_id = $2 and $4::integer is null
      union all
      select o.sku_id, 1 from order_line o
      where o.tenant_id = $1 and o.order_id = $3 and o.line_no = $4) as l
join sku s on s.tenant_id = $1 and s.id = l.sku_id

-- insert_repair --
-- Keep a wish to have a unit repaired.
insert into repair (tenant_id, order_id, line_no, sku_id, dealer_id, fault, serial, requested_by)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning id

-- order_of_repair --
-- The order that a repair is of.
select order_id from repair where tenant_id = $1 and id = $2

-- lock_repair --
-- A repair, locked; its order is locked before.
select id, order_id, line_no, sku_id, node_id, status, version, fault, serial, finding, price_minor,
       reference, work, carrier, waybill, requested_by, requested_at, changed_at
from repair where tenant_id = $1 and id = $2 for no key update

-- set_repair --
-- Let a repair stand elsewhere.
update repair set status = $3, node_id = $4, finding = $5, price_minor = $6, reference = $7,
    work = $8, carrier = $9, waybill = $10, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning id, order_id, line_no, sku_id, node_id, status, version, fault, serial, finding,
          price_minor, reference, work, carrier, waybill, requested_by, requested_at, changed_at

-- repairs_by_ids --
-- Repairs by their ids.
select id, order_id, line_no, sku_id, node_id, status, version, fault, serial, finding, price_minor,
       reference, work, carrier, waybill, requested_by, requested_at, changed_at
from repair where tenant_id = $1 and id = any($2::bigint[])

-- page_of_repairs --
-- A page of repairs, the oldest first, after an id: of a node, of an order, in some states.
select id, order_id, line_no, sku_id, node_id, status, version, fault, serial, finding, price_minor,
       reference, work, carrier, waybill, requested_by, requested_at, changed_at
from repair
where tenant_id = $1 and ($2::bigint is null or node_id = $2)
  and ($3::bigint is null or order_id = $3) and status = any($4::text[]) and id > $5
order by id limit $6

-- insert_trade_in --
-- Keep what a customer gives with an order.
insert into trade_in (tenant_id, order_id, line_no, dealer_id, description, serial, promised_minor,
                      requested_by)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning id

-- order_of_trade_in --
-- The order that an old unit is given with.
select order_id from trade_in where tenant_id = $1 and id = $2

-- lock_trade_in --
-- A trade-in, locked; its order is locked before.
select id, order_id, line_no, node_id, status, version, description, serial, promised_minor,
       finding, credit_minor, reason, reference, carrier, waybill, requested_by, requested_at,
       changed_at
from trade_in where tenant_id = $1 and id = $2 for no key update

-- set_trade_in --
-- Let a trade-in stand elsewhere.
update trade_in set status = $3, node_id = $4, finding = $5, credit_minor = $6, reason = $7,
    reference = $8, carrier = $9, waybill = $10, version = version + 1,
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning id, order_id, line_no, node_id, status, version, description, serial, promised_minor,
          finding, credit_minor, reason, reference, carrier, waybill, requested_by, requested_at,
          changed_at

-- new_units --
-- Units of a line that a customer buys and keeps, what one costs, and old ones given for them.
select l.quantity - l.cancelled - coalesce((
           select sum(case when r.status = 'closed' and r.kind in ('return', 'refused')
                           then b.received - b.denied else b.quantity end)
           from return_line b
           join return_request r on r.tenant_id = $1 and r.id = b.return_id
           where b.tenant_id = $1 and r.order_id = $2 and b.line_no = $3
             and r.status not in ('rejected', 'cancelled')), 0)::bigint as units,
       greatest(0, l.amount_minor / l.quantity) as price_minor, o.dealer_id,
       count(t.id) as promised,
       count(t.id) filter (where t.status in ('credited', 'paid')) as credited
from order_line l
join orders o on o.tenant_id = $1 and o.id = l.order_id
left join trade_in t on t.tenant_id = $1 and t.order_id = l.order_id and t.line_no = l.line_no
     and t.status not in ('closed', 'cancelled', 'declined')
where l.tenant_id = $1 and l.order_id = $2 and l.line_no = $3
group by l.quantity, l.cancelled, l.amount_minor, o.dealer_id

-- trade_ins_by_ids --
-- Trade-ins by their ids.
select id, order_id, line_no, node_id, status, version, description, serial, promised_minor,
       finding, credit_minor, reason, reference, carrier, waybill, requested_by, requested_at,
       changed_at
from trade_in where tenant_id = $1 and id = any($2::bigint[])

-- page_of_trade_ins --
-- A page of trade-ins, the oldest first, after an id: of a node, of an order, in some states.
select id, order_id, line_no, node_id, status, version, description, serial, promised_minor,
       finding, credit_minor, reason, reference, carrier, waybill, requested_by, requested_at,
       changed_at
from trade_in
where tenant_id = $1 and ($2::bigint is null or node_id = $2)
  and ($3::bigint is null or order_id = $3) and status = any($4::text[]) and id > $5
order by id limit $6

-- came_back --
-- Units of lines of a dealer's orders that came back, or never came, since a time.
select r.order_id, u.line_no,
       sum(case r.kind when 'missing' then u.quantity
           else u.good + u.defective + u.scrapped end)::bigint as units
from return_request r
join return_line u on u.tenant_id = $1 and u.return_id = r.id
where r.tenant_id = $1 and r.dealer_id = $2 and r.status = 'closed' and r.kind <> 'refund_only'
  and r.requested_at >= $3
group by r.order_id, u.line_no
