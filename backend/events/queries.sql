-- append_events --
-- Write events into the outbox.
insert into outbox (tenant_id, type, order_id, sequence, dealer_id, node_id, payload)
select $1::bigint, e.type, e.order_id, e.sequence, e.dealer_id, e.node_id, e.payload::json
from unnest($2::text[], $3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[])
     with ordinality as e(type, order_id, sequence, dealer_id, node_id, payload, ordinal)
order by e.ordinal

-- read_events --
-- Events after a position and below the oldest running transaction, in order.
select recorded_xid::text::bigint as xid, id, event_id, recorded_at, type, order_id, sequence,
       dealer_id, node_id, payload
from outbox
where tenant_id = $1 and recorded_at > $4
  and (recorded_xid, id) > ($2::text::xid8, $3::bigint)
  and recorded_xid < pg_snapshot_xmin(pg_current_snapshot())
order by recorded_xid, id limit $5

-- end_of_events --
-- The position behind which everything is still to come.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xid

-- events_of_orders --
-- The events of orders, in order.
select recorded_xid::text::bigint as xid, id, event_id, recorded_at, type, order_id, sequence,
       dealer_id, node_id, payload
from outbox where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, sequence, id
