-- insert_collection --
-- Keep what is to be fetched of a customer.
insert into collection (tenant_id, order_id, node_id, dealer_id, subject, subject_id, carrier,
                        from_at, until_at, sender_name, sender_phone, region_code, address,
                        weight_g, requested_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) returning id

-- lock_collection --
-- A collection, locked; its order is locked before.
select id, order_id, node_id, subject, subject_id, status, version, carrier, from_at, until_at,
       waybill, label_url, said, requested_by, requested_at, changed_at
from collection where tenant_id = $1 and id = $2 for no key update

-- order_of_collection --
-- The order whose customer is fetched from.
select order_id from collection where tenant_id = $1 and id = $2

-- open_collection --
-- The collection of a return, a repair or a trade-in that has not ended; their order is locked.
select id from collection
where tenant_id = $1 and subject = $2 and subject_id = $3
  and status not in ('arrived', 'cancelled')

-- set_collection --
-- Let a collection stand elsewhere.
update collection set status = $3, said = $4, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning id, order_id, node_id, subject, subject_id, status, version, carrier, from_at, until_at,
          waybill, label_url, said, requested_by, requested_at, changed_at

-- fetched_by --
-- A carrier has fetched something with a waybill of before.
update collection set carrier = $3, waybill = $4, label_url = null
where tenant_id = $1 and id = $2

-- was_fetched --
-- Whether a carrier has, or had, a return, a repair or a trade-in; their order is locked.
select exists (select from collection
               where tenant_id = $1 and subject = $2 and subject_id = $3
                 and status in ('collected', 'arrived')) as was_fetched

-- change_time --
-- Let a carrier be asked to come at another time, or another one; its round grows.
update collection set status = 'asked', carrier = $3, from_at = $4, until_at = $5, waybill = '',
    label_url = null, said = '', round = round + 1, attempts = 0, ask_after = clock_timestamp(),
    version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning id, order_id, node_id, subject, subject_id, status, version, carrier, from_at, until_at,
          waybill, label_url, said, requested_by, requested_at, changed_at

-- to_ask --
-- Collections whose carriers are to be asked, the longest waiting first.
select id, order_id, round, carrier, from_at, until_at, attempts, sender_name, sender_phone,
       region_code, address, weight_g
from collection
where tenant_id = $1 and status = 'asked' and ask_after <= clock_timestamp()
  and carrier = any($2::text[])
order by ask_after limit $3

-- round_of --
-- Whether a carrier is still to be asked for the round of a locked collection.
select status = 'asked' and round = $3 as is_wanted from collection where tenant_id = $1 and id = $2

-- book_collection --
-- A carrier comes for a collection, and calls it so.
update collection set waybill = $3, label_url = $4 where tenant_id = $1 and id = $2

-- keep_waybill --
-- What a carrier calls a collection; returns whose number that is.
insert into collection_waybill (tenant_id, carrier, waybill, collection_id) values ($1, $2, $3, $4)
on conflict (tenant_id, carrier, waybill)
    do update set collection_id = collection_waybill.collection_id
returning collection_id

-- ask_later --
-- A carrier failed: it is asked again after so many seconds.
update collection set attempts = attempts + 1, said = $5,
    ask_after = clock_timestamp() + make_interval(secs => $4::double precision)
where tenant_id = $1 and id = $2 and round = $3 and status = 'asked'

-- collections_by_waybills --
-- Collections by what their carrier calls them, or called them before another time was agreed.
select w.waybill, c.id, c.order_id, c.node_id, c.dealer_id
from collection_waybill w
join collection c on c.tenant_id = $1 and c.id = w.collection_id
where w.tenant_id = $1 and w.carrier = $2 and w.waybill = any($3::text[])

-- collections_by_ids --
-- Collections by their ids.
select id, order_id, node_id, subject, subject_id, status, version, carrier, from_at, until_at,
       waybill, label_url, said, requested_by, requested_at, changed_at
from collection where tenant_id = $1 and id = any($2::bigint[])

-- page_of_collections --
-- A page of collections, the oldest first, after an id: to a node, of an order, in some states.
select id, order_id, node_id, subject, subject_id, status, version, carrier, from_at, until_at,
       waybill, label_url, said, requested_by, requested_at, changed_at
from collection
where tenant_id = $1 and ($2::bigint is null or node_id = $2)
  and ($3::bigint is null or order_id = $3) and status = any($4::text[]) and id > $5
order by id limit $6
