-- without_triggers --
-- What is stored next refers to nothing that is missing: two million look-ups are spared.
set session_replication_role = replica

-- fill_orders --
-- A year of orders, the newest last: most are delivered, the newest fiftieth stand anywhere.
insert into orders (tenant_id, id, shop_id, external_id, status, shortage, currency, goods_minor,
    line_discount_minor, order_discount_minor, freight_minor, fees_minor, total_minor, buyer_name,
    buyer_phone, region_code, address, ordered_at, placed_at, event_sequence, fulfilment_count,
    reservation_count, decision_count, is_paid)
select $1::bigint, g.id, $5::bigint, 'N' || g.id,
       case when g.id > $4::bigint * 0.98
            then (array['held', 'backordered', 'partially_allocated', 'allocated', 'in_fulfilment',
                        'partially_shipped', 'shipped', 'delivered', 'cancelled']
                 )[1 + (r.a * 9)::int % 9]
            when r.a < 0.0005 then 'held' when r.a < 0.001 then 'partially_shipped'
            when r.a < 0.04 then 'cancelled' else 'delivered' end,
       'backorder', 'CNY', 39800, 0, 0, 0, 0, 39800,
       case when r.b < 0.2 then '王' || (r.b * 2500)::int else '买家' || (r.b * 250000)::int end,
       '138' || lpad((r.c * 99999999)::bigint::text, 8, '0'), 310101, '人民路 1 号', p.at, p.at,
       3, 1, 2, 1, true
from generate_series($2::bigint, $3::bigint) as g(id)
cross join lateral (select random() as a, random() as b, random() as c where g.id > 0) as r
cross join lateral (
    select clock_timestamp() - interval '365 days' * (1 - g.id / $4::float8) as at) as p

-- fill_lines --
-- Two lines for each, a few SKUs on many.
insert into order_line (tenant_id, order_id, line_no, sku_id, sku_code, quantity, reserved,
    backordered, held, cancelled, unit_price_minor, line_discount_minor, order_discount_minor,
    amount_minor, delivered)
select $1::bigint, g.id, n.line_no, s.first + n.sku, 'SKU-' || lpad(n.sku::text, 5, '0'), 1, 0, 0,
       0, 0, 19900, 0, 0, 19900, 1
from generate_series($2::bigint, $3::bigint) as g(id)
cross join lateral (
    select l.no as line_no, floor(power(random(), 3) * $4::integer)::integer as sku
    from generate_series(1, 2) as l(no) where g.id > 0) as n
cross join (select min(id) as first from sku where tenant_id = $1) as s

-- fill_fulfilments --
-- One node for each, a few nodes for many; none for what is cancelled.
insert into fulfilment (tenant_id, order_id, fulfilment_no, node_id, status, buyer_name,
    buyer_phone, region_code, address)
select $1::bigint, o.id, 1, f.first + floor(power(random(), 2) * $4::integer)::integer, 'delivered',
       o.buyer_name, o.buyer_phone, o.region_code, o.address
from orders o, (select min(id) as first from node where tenant_id = $1) as f
where o.tenant_id = $1 and o.id between $2 and $3 and o.status <> 'cancelled'

-- settle --
-- Count what is there, and leave nothing to be cleaned up later.
vacuum (analyze, freeze) orders, order_line, fulfilment, order_term, order_indexed
