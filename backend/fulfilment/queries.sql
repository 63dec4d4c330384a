-- insert_wave --
-- A wave; how much it releases is said when that is known.
insert into wave (tenant_id, node_id, fulfilments, released_by)
values ($1, $2, 0, $3) returning id

-- count_wave --
-- A wave has released so many more.
update wave set fulfilments = fulfilments + $3::bigint where tenant_id = $1 and id = $2

-- insert_pick_list --
-- A pick list for so many fulfilments.
insert into pick_list (tenant_id, node_id, is_batch, fulfilments, picker)
values ($1, $2, $3, $4, $5) returning id

-- count_pick_list --
-- A pick list is for so many fulfilments.
update pick_list set fulfilments = $3::bigint where tenant_id = $1 and id = $2

-- page_of_pick_lists --
-- Pick lists that the principal may see, the newest first, below an id: of a node or of all.
select id, node_id, is_batch, fulfilments, picker, started_at
from pick_list where tenant_id = $1 and id < $2 and ($3::bigint is null or node_id = $3)
order by id desc limit $4

-- page_of_waves --
-- Waves that the principal may see, the newest first, below an id.
select id, node_id, fulfilments, released_by, released_at
from wave where tenant_id = $1 and id < $2 order by id desc limit $3

-- insert_parcels --
-- Parcels; given and returned in one order.
insert into parcel (tenant_id, order_id, fulfilment_no, node_id, dealer_id, carrier, weight_g,
                    status)
select $1::bigint, p.order_id, p.fulfilment_no, p.node_id, p.dealer_id, p.carrier, p.weight_g,
       'packed'
from unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
     with ordinality as p(order_id, fulfilment_no, node_id, dealer_id, carrier, weight_g, ordinal)
order by p.ordinal
returning id

-- insert_parcel_lines --
-- What is in parcels.
insert into parcel_line (tenant_id, parcel_id, line_no, sku_id, node_id, dealer_id, quantity)
select $1::bigint, p.* from unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bigint[],
                                   $6::bigint[], $7::bigint[])
    as p(parcel_id, line_no, sku_id, node_id, dealer_id, quantity)

-- parcels_of_fulfilments --
-- The parcels of fulfilments that still stand.
select p.id, p.order_id, p.fulfilment_no, p.carrier, p.status, p.waybill
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join parcel p on p.tenant_id = $1 and p.order_id = k.order_id
     and p.fulfilment_no = k.fulfilment_no and p.status <> 'cancelled'
order by p.order_id, p.id

-- parcels_of_orders --
-- All parcels of orders.
select id, order_id, fulfilment_no, carrier, weight_g, status, waybill, label_url, said, said_at,
       packed_at
from parcel where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, id

-- lines_of_parcels --
-- What is in parcels.
select parcel_id, line_no, sku_id, quantity
from parcel_line where tenant_id = $1 and parcel_id = any($2::bigint[])
order by parcel_id, line_no

-- page_of_parcels --
-- Parcels that the principal may see, the newest first, below an id: in a state, or all.
select id, order_id, fulfilment_no, carrier, weight_g, status, waybill, label_url, said, said_at,
       packed_at
from parcel where tenant_id = $1 and id < $2 and ($3::text is null or status = $3)
order by id desc limit $4

-- set_parcel_status --
-- Let the parcels of fulfilments that still stand be elsewhere.
update parcel p set status = $4
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
where p.tenant_id = $1 and p.order_id = k.order_id and p.fulfilment_no = k.fulfilment_no
  and p.status <> 'cancelled'

-- insert_intercept --
-- Ask a node to stop; nothing where it is asked already.
insert into intercept (tenant_id, order_id, fulfilment_no, intercept_no, node_id, dealer_id, state,
                       reason, asked_by)
select $1::bigint, $2::bigint, $3::integer, coalesce(max(intercept_no), 0) + 1, $4::bigint,
       $5::bigint, 'asked', $6::text, $7::text
from intercept where tenant_id = $1 and order_id = $2 and fulfilment_no = $3
returning intercept_no

-- open_intercepts --
-- Which fulfilments of orders somebody asked to stop.
select order_id, fulfilment_no, intercept_no from intercept
where tenant_id = $1 and order_id = any($2::bigint[]) and state = 'asked'

-- answer_intercept --
-- What a node answered.
update intercept set state = $5, answer = $6, answered_by = $7, answered_at = clock_timestamp()
where tenant_id = $1 and order_id = $2 and fulfilment_no = $3 and intercept_no = $4

-- intercepts_of_orders --
-- What nodes were asked to stop of orders, and what they answered.
select order_id, fulfilment_no, intercept_no, node_id, state, reason, asked_by, asked_at, answer,
       answered_by, answered_at
from intercept where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, fulfilment_no, intercept_no

-- page_of_intercepts --
-- What nodes are asked to stop and have not answered, the oldest order first, after a key.
select order_id, fulfilment_no, intercept_no, node_id, state, reason, asked_by, asked_at, answer,
       answered_by, answered_at
from intercept
where tenant_id = $1 and state = 'asked' and ($2::bigint is null or node_id = $2)
  and (order_id, fulfilment_no) > ($3::bigint, $4::integer)
order by order_id, fulfilment_no limit $5

-- carriers_that_label --
-- The carriers that give waybills.
select code as carrier from carrier_account where tenant_id = $1 and is_active and url <> ''

-- cancel_parcels --
-- The parcels of a fulfilment go nowhere.
update parcel set status = 'cancelled'
where tenant_id = $1 and order_id = $2 and fulfilment_no = $3

-- waves_by_ids --
-- Waves by their ids.
select id, node_id, fulfilments, released_by, released_at
from wave where tenant_id = $1 and id = any($2::bigint[])

-- pick_lists_by_ids --
-- Pick lists by their ids.
select id, node_id, is_batch, fulfilments, picker, started_at
from pick_list where tenant_id = $1 and id = any($2::bigint[])

-- parcels_by_ids --
-- Parcels by their ids.
select id, order_id, fulfilment_no, carrier, weight_g, status, waybill, label_url, said, said_at,
       packed_at
from parcel where tenant_id = $1 and id = any($2::bigint[])

-- tracking_of_parcels --
-- What carriers told of parcels, as it happened.
select parcel_id, event_id, kind, happened_at, received_at, place, text
from tracking_event where tenant_id = $1 and parcel_id = any($2::bigint[])
order by parcel_id, happened_at, event_id
