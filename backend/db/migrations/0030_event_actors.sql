-- Who did what an event tells of: a user, a key, or a process of ours; nobody known: null.
alter table outbox add column actor text;
alter type new_event add attribute actor text;
create or replace function append_events(of_tenant bigint, events new_event[]) returns void
language sql set search_path = public, pg_temp as $$
    insert into outbox (tenant_id, type, order_id, sequence, dealer_id, node_id, payload, actor)
    select of_tenant, r.type, r.order_id, r.sequence, r.dealer_id, r.node_id, r.payload::json,
           r.actor
    from unnest(events) as r
$$;
