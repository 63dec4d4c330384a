-- What statements call in their middle, so that a batch of orders needs fewer round trips.

create function append_events(of_tenant bigint, events new_event[]) returns void
language sql set search_path = public, pg_temp as $$
    insert into outbox (tenant_id, type, order_id, sequence, dealer_id, node_id, payload)
    select of_tenant, r.type, r.order_id, r.sequence, r.dealer_id, r.node_id, r.payload::json
    from unnest(events) as r
$$;

create function claim_keys(of_tenant bigint, keys new_key[]) returns bigint
language sql set search_path = public, pg_temp as $$
    with claimed as (
        insert into command_key (tenant_id, key, fingerprint, order_id)
        select of_tenant, k.key, k.fingerprint, k.order_id from unnest(keys) as k order by k.key
        on conflict do nothing
        returning key)
    select count(*) from claimed
$$;

revoke execute on function append_events, claim_keys from public;
grant execute on function append_events, claim_keys to yipan_app;
