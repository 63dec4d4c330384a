-- Only what was never used can be deleted.

-- Whether a node has, or ever had, stock or orders, or the active layout of pools names it.
create function node_in_use(of_tenant bigint, of_node bigint) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select exists (select from stock_level l join functional_warehouse f
                       on f.tenant_id = of_tenant and f.id = l.functional_warehouse_id
                   where l.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from fulfilment f
                   where f.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from supply s join functional_warehouse f
                       on f.tenant_id = of_tenant and f.id = s.functional_warehouse_id
                   where s.tenant_id = of_tenant and f.node_id = of_node)
        or exists (select from pool_layout p join functional_warehouse f
                       on f.tenant_id = of_tenant and f.node_id = of_node
                   where p.tenant_id = of_tenant and p.status = 'active'
                     and jsonb_path_exists(
                         p.document, '$.pools[*].supplies[*].warehouses[*] ? (@ == $code)',
                         jsonb_build_object('code', f.code)))
$$;
revoke execute on function node_in_use from public;
grant execute on function node_in_use to yipan_app;
