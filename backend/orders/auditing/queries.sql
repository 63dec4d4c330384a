-- rules --
-- The rules of the brand, in their order.
select code, name, action, condition from audit_rule where tenant_id = $1 order by rank

-- lock_rules --
-- Let one transaction at a time set a brand's rules.
select pg_advisory_xact_lock(hashtext('yipan.audit_rule'), ($1::bigint % 2147483647)::integer)

-- delete_rules --
-- Forget all rules.
delete from audit_rule where tenant_id = $1

-- insert_rules --
-- Rules, in their order.
insert into audit_rule (tenant_id, code, name, rank, action, condition)
select $1::bigint, r.code, r.name, r.rank, r.action, r.condition::jsonb
from unnest($2::text[], $3::text[], $4::integer[], $5::text[], $6::text[])
    as r(code, name, rank, action, condition)

-- begin_reading --
-- Audit what is placed from now on; nothing where that is so already.
insert into audit_reading (tenant_id, from_xid, until_xid, event_id)
values ($1, $2, $3, $4) on conflict (tenant_id) do nothing

-- end_reading --
-- Audit nothing any more.
delete from audit_reading where tenant_id = $1

-- take_reading --
-- How far events are read, unless another process is at it.
select from_xid, until_xid, event_id from audit_reading where tenant_id = $1
for update skip locked

-- move_reading --
-- Events are read so far.
update audit_reading set from_xid = $2, until_xid = $3, event_id = $4 where tenant_id = $1

-- orders_to_audit --
-- Orders as rules see them, that were not audited.
select o.id, o.shop_id, o.region_code, o.total_minor, o.goods_minor, o.line_discount_minor,
       o.order_discount_minor, o.buyer_phone, o.address, o.remark, o.traits, o.is_paid, o.placed_at
from orders o
where o.tenant_id = $1 and o.id = any($2::bigint[])
  and not exists (select from order_audit a where a.tenant_id = $1 and a.order_id = o.id)
order by o.id

-- lines_to_audit --
-- The lines of orders as rules see them.
select order_id, sku_id, quantity, amount_minor
from order_line where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, line_no

-- insert_marks --
-- Whose orders came.
insert into audit_mark (tenant_id, kind, mark, placed_at, order_id)
select $1::bigint, m.* from unnest($2::text[], $3::bytea[], $4::timestamptz[], $5::bigint[])
    as m(kind, mark, placed_at, order_id)
on conflict do nothing

-- count_marks --
-- Of each mark of orders: whether there was an earlier one, and how many within a day, with it.
select m.order_id, m.kind,
       exists (select from audit_mark e where e.tenant_id = $1 and e.kind = m.kind
               and e.mark = m.mark and (e.placed_at, e.order_id) < (m.placed_at, m.order_id))
           as has_earlier,
       (select count(*) from audit_mark d where d.tenant_id = $1 and d.kind = m.kind
        and d.mark = m.mark and d.placed_at > m.placed_at - interval '24 hours'
        and (d.placed_at, d.order_id) <= (m.placed_at, m.order_id)) as of_day
from unnest($2::text[], $3::bytea[], $4::timestamptz[], $5::bigint[])
    as m(kind, mark, placed_at, order_id)

-- insert_audits --
-- What rules said of orders: the codes of those that hold one, as JSON.
insert into order_audit (tenant_id, order_id, rules)
select $1::bigint, a.order_id, array(select json_array_elements_text(a.rules::json))
from unnest($2::bigint[], $3::text[]) as a(order_id, rules)

-- unaudited_orders --
-- Which orders are to be audited, and were not yet.
select o.id from orders o
join audit_reading r on r.tenant_id = $1 and o.placed_at >= r.since
where o.tenant_id = $1 and o.id = any($2::bigint[])
  and not exists (select from order_audit a where a.tenant_id = $1 and a.order_id = o.id)
