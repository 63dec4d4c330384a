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

-- places_of_fulfilments --
-- To whom fulfilments go, and from where.
select f.order_id, f.fulfilment_no, f.node_id, f.dealer_id, f.buyer_name, f.buyer_phone,
       f.region_code, f.address
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join fulfilment f on f.tenant_id = $1 and f.order_id = k.order_id
     and f.fulfilment_no = k.fulfilment_no

-- join_parcels --
-- Let the parcels of fulfilments lie in that of the first, which weighs so much, or as all of them.
with mine as (
    select p.id, p.weight_g, k.ordinal
    from unnest($2::bigint[], $3::integer[]) with ordinality
        as k(order_id, fulfilment_no, ordinal)
    join parcel p on p.tenant_id = $1 and p.order_id = k.order_id
         and p.fulfilment_no = k.fulfilment_no and p.status = 'packed'),
host as (select id from mine order by ordinal limit 1),
guests as (
    update parcel p set host_id = host.id from mine, host
    where p.tenant_id = $1 and p.id = mine.id and mine.id <> host.id)
update parcel p set weight_g = coalesce($4::bigint, (select sum(weight_g) from mine))
from host where p.tenant_id = $1 and p.id = host.id
returning p.id, p.weight_g

-- joint_parcels --
-- The fulfilments whose parcels lie together with those of fulfilments, these among them.
select distinct q.order_id, q.fulfilment_no, p.order_id as with_order_id,
       p.fulfilment_no as with_fulfilment_no
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join parcel p on p.tenant_id = $1 and p.order_id = k.order_id
     and p.fulfilment_no = k.fulfilment_no and p.status <> 'cancelled'
cross join lateral (
    select o.order_id, o.fulfilment_no from parcel o
    where o.tenant_id = $1 and o.host_id = coalesce(p.host_id, p.id) and o.status <> 'cancelled'
    union all
    select o.order_id, o.fulfilment_no from parcel o
    where o.tenant_id = $1 and o.id = p.host_id and o.status <> 'cancelled') as q

-- joint_proposals --
-- What nodes could send together to one customer: of a node or of all, given to it within hours.
select f.node_id, f.buyer_name, f.address,
       (array_agg(f.order_id order by f.order_id, f.fulfilment_no))[1:20] as order_ids,
       (array_agg(f.fulfilment_no order by f.order_id, f.fulfilment_no))[1:20] as numbers,
       count(*) filter (where f.status = 'picked') as picked
from fulfilment f
where f.tenant_id = $1 and ($2::bigint is null or f.node_id = $2)
  and f.status in ('reserved', 'released', 'picking', 'picked') and f.address <> ''
  and f.recorded_at > clock_timestamp() - make_interval(hours => $3::integer)
  and not exists (select from pickup p
                  where p.tenant_id = $1 and p.order_id = f.order_id and p.status <> 'sent')
group by f.node_id, f.dealer_id, f.buyer_name, f.buyer_phone, f.region_code, f.address
having count(distinct f.order_id) > 1
order by min(f.order_id) limit $4

-- insert_parcel_lines --
-- What is in parcels.
insert into parcel_line (tenant_id, parcel_id, line_no, sku_id, node_id, dealer_id, quantity)
select $1::bigint, p.* from unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bigint[],
                                   $6::bigint[], $7::bigint[])
    as p(parcel_id, line_no, sku_id, node_id, dealer_id, quantity)

-- parcels_of_fulfilments --
-- The parcels of fulfilments that still stand.
select p.id, p.order_id, p.fulfilment_no, p.carrier, p.status, p.waybill, p.host_id
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join parcel p on p.tenant_id = $1 and p.order_id = k.order_id
     and p.fulfilment_no = k.fulfilment_no and p.status <> 'cancelled'
order by p.order_id, p.id

-- parcels_of_orders --
-- All parcels of orders.
select id, order_id, fulfilment_no, carrier, weight_g, status, waybill, label_url, said, said_at,
       packed_at, host_id
from parcel where tenant_id = $1 and order_id = any($2::bigint[]) order by order_id, id

-- lines_of_parcels --
-- What is in parcels.
select parcel_id, line_no, sku_id, quantity
from parcel_line where tenant_id = $1 and parcel_id = any($2::bigint[])
order by parcel_id, line_no

-- page_of_parcels --
-- Parcels that the principal may see, the newest first, below an id: in a state, or all.
select id, order_id, fulfilment_no, carrier, weight_g, status, waybill, label_url, said, said_at,
       packed_at, host_id
from parcel where tenant_id = $1 and id < $2 and ($3::text is null or status = $3)
order by id desc limit $4

-- set_parcel_status --
-- Let the parcels of fulfilments that still stand be elsewhere; one in trouble is until it arrives.
update parcel p
set status = case when p.status = 'exception' and $4 <> 'delivered' then p.status else $4 end
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
where p.tenant_id = $1 and p.order_id = k.order_id and p.fulfilment_no = k.fulfilment_no
  and p.status not in ('cancelled', 'returned')

-- return_parcel --
-- Let a parcel be in a node again, without having been accepted; its order is locked.
update parcel set status = 'returned'
where tenant_id = $1 and id = $2 and status in ('shipped', 'exception')
  and exists (select from fulfilment f where f.tenant_id = $1 and f.order_id = parcel.order_id
              and f.fulfilment_no = parcel.fulfilment_no and f.status = 'shipped')
returning id

-- insert_intercept --
-- Ask a node to stop; nothing where it is asked already.
insert into intercept (tenant_id, order_id, fulfilment_no, intercept_no, node_id, dealer_id, state,
                       reason, asked_by)
select $1::bigint, $2::bigint, $3::integer, coalesce(max(intercept_no), 0) + 1, $4::bigint,
       $5::bigint, 'asked', $6::text, $7::text
from intercept where tenant_id = $1 and order_id = $2 and fulfilment_no = $3
returning intercept_no

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

-- cancel_parcels --
-- The parcels of a fulfilment go nowhere, with their waybills; what lies in them goes by itself.
with mine as (
    select id, carrier, waybill, host_id from parcel
    where tenant_id = $1 and order_id = $2 and fulfilment_no = $3 for no key update),
cancelled as (
    update parcel p
    set status = 'cancelled', host_id = null,
        waybill = case when m.host_id is null then p.waybill end
    from mine m where p.tenant_id = $1 and p.id = m.id),
alone as (
    update parcel p
    set host_id = null, waybill = null, label_url = null, status = 'packed', attempts = 0,
        ask_after = clock_timestamp()
    from mine m
    where p.tenant_id = $1 and p.host_id = m.id and p.status in ('packed', 'labelled', 'exception'))
insert into waybill_void (tenant_id, carrier, waybill)
select $1, m.carrier, m.waybill from mine m
join carrier_account a on a.tenant_id = $1 and a.code = m.carrier and a.url <> ''
where m.waybill is not null and m.host_id is null
on conflict (tenant_id, carrier, waybill) do nothing

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
       packed_at, host_id
from parcel where tenant_id = $1 and id = any($2::bigint[])

-- tracking_of_parcels --
-- What carriers told of parcels, or of those in which they lie, as it happened.
select p.id as parcel_id, t.event_id, t.kind, t.happened_at, t.received_at, t.place, t.text
from parcel p
join tracking_event t on t.tenant_id = $1 and t.parcel_id = coalesce(p.host_id, p.id)
where p.tenant_id = $1 and p.id = any($2::bigint[])
order by p.id, t.happened_at, t.event_id

-- set_carrier_account --
-- How a carrier is reached.
insert into carrier_account (tenant_id, code, name, url, secret, is_active)
values ($1, $2, $3, $4, coalesce($5, ''), $6)
on conflict (tenant_id, code) do update
set name = excluded.name, url = excluded.url, secret = coalesce($5, carrier_account.secret),
    is_active = excluded.is_active

-- carrier_accounts --
-- The carriers of the brand, without their secrets.
select code, name, url, is_active from carrier_account where tenant_id = $1 order by code

-- labelling_accounts --
-- The carriers that give waybills.
select code, url, secret from carrier_account where tenant_id = $1 and is_active and url <> ''

-- any_secret --
-- The secret that a carrier has, in use or not.
select secret from carrier_account where tenant_id = $1 and code = $2

-- carrier_secret --
-- What the messages of a carrier are signed with.
select secret from carrier_account where tenant_id = $1 and code = $2 and is_active

-- parcels_to_label --
-- Parcels that wait for the waybill of their carrier, the longest waiting first.
select p.id, p.order_id, p.fulfilment_no, p.carrier, p.weight_g, p.attempts, f.buyer_name,
       f.buyer_phone, f.region_code, f.address
from parcel p
join fulfilment f on f.tenant_id = $1 and f.order_id = p.order_id
     and f.fulfilment_no = p.fulfilment_no
where p.tenant_id = $1 and p.status = 'packed' and p.ask_after <= clock_timestamp()
  and p.carrier = any($2::text[]) and p.host_id is null
order by p.ask_after limit $3

-- fulfilments_of_parcel --
-- The fulfilments of which something is in a parcel, or lies in it.
select order_id, fulfilment_no from parcel where tenant_id = $1 and (id = $2 or host_id = $2)

-- label_parcel --
-- A parcel, and what lies in it, has its waybill, unless another carrier has it meanwhile.
update parcel set waybill = $4, label_url = $5, status = 'labelled'
where tenant_id = $1 and (id = $2 or host_id = $2) and carrier = $3 and status = 'packed'

-- void_waybill --
-- A waybill came that nobody uses any more.
insert into waybill_void (tenant_id, carrier, waybill) values ($1, $2, $3)
on conflict (tenant_id, carrier, waybill) do nothing

-- waybills_to_void --
-- Waybills of carriers that are to be told that nobody uses them, the longest waiting first.
select v.carrier, v.waybill, v.attempts,
       exists (select from parcel p
               where p.tenant_id = $1 and p.carrier = v.carrier and p.waybill = v.waybill
                 and p.status <> 'cancelled') as is_used
from waybill_void v
where v.tenant_id = $1 and v.status = 'due' and v.ask_after <= clock_timestamp()
  and v.carrier = any($2::text[])
order by v.ask_after limit $3

-- settle_void --
-- What a carrier said of a waybill that nobody uses.
update waybill_void set status = $4, said = $5, attempts = attempts + 1,
    ask_after = clock_timestamp() + make_interval(secs => $6::double precision)
where tenant_id = $1 and carrier = $2 and waybill = $3 and status = 'due'

-- delete_void --
-- A waybill is used after all.
delete from waybill_void where tenant_id = $1 and carrier = $2 and waybill = $3

-- answer_void --
-- Somebody says what becomes of a waybill that is not void: its carrier is told again, or not.
update waybill_void set status = $4, note = $5, answered_by = $6, attempts = 0,
    ask_after = clock_timestamp()
where tenant_id = $1 and carrier = $2 and waybill = $3 and status in ('due', 'refused')
returning status

-- open_voids --
-- Waybills that nobody uses and that are not void yet, the newest first.
select carrier, waybill, status, said, due_at from waybill_void
where tenant_id = $1 and status in ('due', 'refused') order by due_at desc, waybill limit $2

-- label_later --
-- A carrier failed: it is asked again after so many seconds.
update parcel set attempts = attempts + 1, said = $5,
    ask_after = clock_timestamp() + make_interval(secs => $4::double precision)
where tenant_id = $1 and id = $2 and carrier = $3 and status = 'packed'

-- label_refused --
-- A carrier does not take a parcel.
update parcel set attempts = attempts + 1, said = $4, status = 'exception'
where tenant_id = $1 and (id = $2 or host_id = $2) and carrier = $3 and status = 'packed'

-- parcels_by_waybills --
-- Parcels by what their carrier calls them, with what lies in them, and whether all that is gone.
select p.id, p.order_id, p.fulfilment_no, p.node_id, p.dealer_id, p.status, h.waybill, p.said_at,
       p.host_id, f.status in ('shipped', 'delivered') as is_gone
from parcel h
cross join lateral (
    select * from parcel where tenant_id = $1 and id = h.id
    union all
    select * from parcel where tenant_id = $1 and host_id = h.id) as p
join fulfilment f on f.tenant_id = $1 and f.order_id = p.order_id
     and f.fulfilment_no = p.fulfilment_no
where h.tenant_id = $1 and h.carrier = $2 and h.waybill = any($3::text[]) and h.host_id is null
order by p.host_id nulls first, p.id

-- waybills_to_adopt --
-- What carriers told within an hour of waybills that are known now.
select distinct t.carrier, t.waybill
from tracking_event t
left join parcel p on p.tenant_id = $1 and p.carrier = t.carrier and p.waybill = t.waybill
     and p.host_id is null
left join collection_waybill w on w.tenant_id = $1 and w.carrier = t.carrier
     and w.waybill = t.waybill
where t.tenant_id = $1 and t.parcel_id is null and t.collection_id is null
  and t.received_at > clock_timestamp() - interval '1 hour'
  and (p.id is not null or w.collection_id is not null)
order by t.carrier, t.waybill limit $2

-- adopt_tracking --
-- What a carrier told of a parcel before it was known by its waybill.
update tracking_event set parcel_id = $4, node_id = $5, dealer_id = $6
where tenant_id = $1 and carrier = $2 and waybill = $3 and parcel_id is null
returning event_id as id, waybill, kind, happened_at, place, text

-- adopt_tracking_of_collection --
-- What a carrier told of a collection before it was known by its waybill.
update tracking_event set collection_id = $4, node_id = $5, dealer_id = $6
where tenant_id = $1 and carrier = $2 and waybill = $3 and parcel_id is null
  and collection_id is null
returning event_id as id, waybill, kind, happened_at, place, text

-- insert_tracking --
-- What a carrier told, each id once; returns those that are new.
insert into tracking_event (tenant_id, carrier, event_id, waybill, parcel_id, node_id, dealer_id,
                            collection_id, kind, happened_at, place, text)
select $1::bigint, $2::text, e.*
from unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::text[], $10::timestamptz[], $11::text[], $12::text[])
    as e(event_id, waybill, parcel_id, node_id, dealer_id, collection_id, kind, happened_at, place,
         text)
on conflict (tenant_id, carrier, event_id) do nothing
returning event_id

-- say_of_parcel --
-- What a carrier last said of a parcel.
update parcel set said = $3, said_at = $4, status = $5 where tenant_id = $1 and id = $2

-- arrived_fulfilments --
-- Which of these were handed over, and have no parcel on its way; whether any was accepted.
select f.order_id, f.fulfilment_no,
       exists (select from parcel p where p.tenant_id = $1 and p.order_id = f.order_id
               and p.fulfilment_no = f.fulfilment_no
               and p.status not in ('cancelled', 'returned')) as is_accepted
from unnest($2::bigint[], $3::integer[]) as k(order_id, fulfilment_no)
join fulfilment f on f.tenant_id = $1 and f.order_id = k.order_id
     and f.fulfilment_no = k.fulfilment_no and f.status = 'shipped'
where exists (select from parcel p where p.tenant_id = $1 and p.order_id = f.order_id
              and p.fulfilment_no = f.fulfilment_no and p.status <> 'cancelled')
  and not exists (select from parcel p where p.tenant_id = $1 and p.order_id = f.order_id
                  and p.fulfilment_no = f.fulfilment_no
                  and p.status not in ('cancelled', 'returned')
                  and (p.said <> 'delivered' or p.said_at is null))

-- unknown_tracking --
-- What carriers told of waybills that are none of ours, the newest first.
select carrier, waybill, kind, happened_at, received_at, place, text
from tracking_event
where tenant_id = $1 and parcel_id is null and collection_id is null
order by received_at desc limit $2

-- change_carrier --
-- Let a parcel that was not handed over be asked for anew; another carrier's waybill is void.
with voided as (
    insert into waybill_void (tenant_id, carrier, waybill)
    select $1, p.carrier, p.waybill from parcel p
    join carrier_account a on a.tenant_id = $1 and a.code = p.carrier and a.url <> ''
    where p.tenant_id = $1 and p.id = $2 and p.carrier <> $3 and p.waybill is not null
    on conflict (tenant_id, carrier, waybill) do update
    set status = 'due', attempts = 0, ask_after = clock_timestamp())
update parcel set carrier = $3, status = 'packed', waybill = null, label_url = null, attempts = 0,
    said = '', said_at = null, ask_after = clock_timestamp()
where tenant_id = $1
  and (id = $2 or host_id = $2 and status in ('packed', 'labelled', 'exception'))

-- wave_times --
-- When waves are released by themselves.
select number, node_id, minute, with_waiting, released_on
from wave_time where tenant_id = $1 order by number

-- lock_wave_times --
-- Let one transaction at a time say when a brand's waves are released.
select pg_advisory_xact_lock(hashtext('yipan.wave_time'), ($1::bigint % 2147483647)::integer)

-- delete_wave_times --
-- Release nothing by itself.
delete from wave_time where tenant_id = $1

-- insert_wave_times --
-- When waves are released by themselves, from a day on.
insert into wave_time (tenant_id, number, node_id, minute, with_waiting, released_on)
select $1::bigint, w.number, w.node_id, w.minute, w.with_waiting, w.released_on
from unnest($2::bigint[], $3::integer[], $4::boolean[], $5::date[])
     with ordinality as w(node_id, minute, with_waiting, released_on, number)

-- due_wave_times --
-- Waves whose time has come on a day.
select number, node_id, minute, with_waiting from wave_time
where tenant_id = $1 and released_on < $2 and minute <= $3 order by minute, number

-- note_wave_time --
-- A wave was released on a day.
update wave_time set released_on = $3 where tenant_id = $1 and number = $2 and minute = $4

-- deadlines --
-- How long steps may last.
select status, node_kind, warn_minutes, late_minutes
from step_deadline where tenant_id = $1 order by status, node_kind

-- lock_deadlines --
-- Let one transaction at a time set a brand's deadlines.
select pg_advisory_xact_lock(hashtext('yipan.step_deadline'), ($1::bigint % 2147483647)::integer)

-- delete_deadlines --
-- Forget how long steps may last.
delete from step_deadline where tenant_id = $1

-- insert_deadlines --
-- How long steps may last.
insert into step_deadline (tenant_id, status, node_kind, warn_minutes, late_minutes)
select $1::bigint, d.* from unnest($2::text[], $3::text[], $4::integer[], $5::integer[])
    as d(status, node_kind, warn_minutes, late_minutes)
