-- insert_deposits --
-- Note what was paid ahead for new orders: no more than that is paid back of them.
with new_deposits as (
    insert into order_deposit (tenant_id, order_id, dealer_id, amount_minor, pay_by, is_kept)
    select $1::bigint, r.*
    from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[])
        as r(order_id, dealer_id, amount_minor, pay_by, is_kept)
    returning order_id, amount_minor)
update orders o set paid_minor = d.amount_minor from new_deposits d
where o.tenant_id = $1 and o.id = d.order_id

-- lock_deposit --
-- What was paid ahead for an order, locked; the order is locked before.
select order_id, amount_minor, pay_by, is_kept, status, reference
from order_deposit where tenant_id = $1 and order_id = $2 for no key update

-- set_deposit --
-- The rest was paid, or is not paid any more.
update order_deposit set status = $3, reference = $4, changed_at = clock_timestamp()
where tenant_id = $1 and order_id = $2

-- due_deposits --
-- Orders whose rest was not paid in time, or that were cancelled before it was.
select d.order_id from order_deposit d
join orders o on o.tenant_id = $1 and o.id = d.order_id
where d.tenant_id = $1 and d.status = 'open'
  and (d.pay_by <= clock_timestamp() or o.status = 'cancelled')
order by d.pay_by, d.order_id limit $2

-- deposits_of_orders --
-- What was paid ahead for orders, and what is to be paid as they cost now.
select d.order_id, d.amount_minor, d.pay_by, d.is_kept, d.status, d.reference,
       case when d.status = 'open'
            then greatest(0, price_of_order($1, d.order_id) - d.amount_minor)
            else 0 end as due_minor
from order_deposit d where d.tenant_id = $1 and d.order_id = any($2::bigint[])
