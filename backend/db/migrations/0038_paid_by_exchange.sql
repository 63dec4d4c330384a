-- What was paid for what something was exchanged for; null: its total, where it is paid.
alter table orders add column paid_minor bigint;

-- Whether what replaces it is to cost what comes back is worth.
alter table exchange add column is_even boolean not null default false;
create index exchange_replacement_idx on exchange (tenant_id, replacement_id)
    where replacement_id is not null;

create or replace function paid_of_order(of_tenant bigint, of_order bigint) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select case when o.paid_minor is not null then o.paid_minor
                when o.is_paid then o.total_minor
                else least(o.total_minor, s.gone_minor + case when s.has_gone
                                                              then o.freight_minor + o.fees_minor
                                                              else 0 end) end
    from orders o
    cross join lateral (
        select coalesce(sum(div(greatest(0, l.amount_minor)::numeric * (l.shipped + l.delivered),
                                l.quantity)), 0)::bigint as gone_minor,
               coalesce(bool_or(l.shipped + l.delivered > 0), false) as has_gone
        from order_line l where l.tenant_id = of_tenant and l.order_id = of_order) as s
    where o.tenant_id = of_tenant and o.id = of_order
$$;

-- What an order costs without what was cancelled of it.
create function price_of_order(of_tenant bigint, of_order bigint) returns bigint
language sql stable set search_path = public, pg_temp as $$
    select (coalesce(sum(div(greatest(0, l.amount_minor)::numeric * (l.quantity - l.cancelled),
                             l.quantity)), 0)
            + o.freight_minor + o.fees_minor)::bigint
    from orders o
    left join order_line l on l.tenant_id = of_tenant and l.order_id = o.id
    where o.tenant_id = of_tenant and o.id = of_order
    group by o.freight_minor, o.fees_minor
$$;
revoke execute on function price_of_order from public;
grant execute on function price_of_order to yipan_app;
