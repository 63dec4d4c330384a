-- append_events --
-- Write events into the outbox, in the order given.
select append_events($1, $2::new_event[])

-- event_window --
-- Until where events can be read in one go from a transaction on; null where there is none.
select coalesce(
    (select min(m.below) from event_mark m where m.below > f.xid),
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint) as until
from (select o.recorded_xid::text::bigint as xid from outbox o
      where o.tenant_id = $1 and o.recorded_at > $3 and o.recorded_xid >= $2::text::xid8
        and o.recorded_xid < pg_snapshot_xmin(pg_current_snapshot())
      order by o.recorded_xid limit 1) as f

-- read_events --
-- The events of a window after an id, in the order in which they were written.
select id, event_id, recorded_at, type, order_id, sequence, dealer_id, node_id, actor, payload
from outbox
where tenant_id = $1 and recorded_at > $5
  and recorded_xid >= $2::text::xid8 and recorded_xid < $3::text::xid8 and id > $4
order by id limit $6

-- end_of_events --
-- The transaction from which on everything is still to come.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xid

-- mark_events --
-- Remember a place where the event log can be cut.
select mark_events()

-- events_of_orders --
-- The events of orders, in order.
select id, event_id, recorded_at, type, order_id, sequence, dealer_id, node_id, actor, payload
from outbox where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, sequence, id

-- lease_relays --
-- The tenants that a relay publishes for the next seconds, and how far each is.
select tenant_id, since, until, last_id from platform.lease_relays($1, $2)

-- store_relay --
-- Store how far a tenant's events are published, unless the lease has gone to somebody else.
select platform.store_relay($1, $2, $3, $4, $5)

-- leave_relays --
-- Give a relay's leases back.
select platform.leave_relays($1)
