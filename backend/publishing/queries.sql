-- save_connection --
-- Say how the platform of a shop is reached; who speaks with it begins anew.
insert into shop_connection
    (tenant_id, shop_id, kind, base_url, remote_shop, token, calls_per_second)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, shop_id) do update set
    kind = excluded.kind, base_url = excluded.base_url, remote_shop = excluded.remote_shop,
    token = excluded.token, calls_per_second = excluded.calls_per_second, is_active = true,
    problem = null, owner = null, leased_until = null,
    orders_cursor = case
        when (shop_connection.kind, shop_connection.base_url, shop_connection.remote_shop)
             = (excluded.kind, excluded.base_url, excluded.remote_shop)
        then shop_connection.orders_cursor else '' end,
    returns_cursor = case
        when (shop_connection.kind, shop_connection.base_url, shop_connection.remote_shop)
             = (excluded.kind, excluded.base_url, excluded.remote_shop)
        then shop_connection.returns_cursor else '' end

-- forget_shown --
-- What was known of another platform says nothing about this one.
with known as (
    select kind, base_url, remote_shop from shop_connection
    where tenant_id = $1 and shop_id = $2
    for update)
delete from shown_number n using known c
where n.tenant_id = $1 and n.shop_id = $2
    and (c.kind, c.base_url, c.remote_shop) is distinct from ($3::text, $4::text, $5::text)

-- end_connection --
-- Stop speaking with the platform of a shop.
update shop_connection set is_active = false, owner = null, leased_until = null
where tenant_id = $1 and shop_id = $2 and is_active

-- connections --
-- How the shops are reached; without the tokens.
select c.shop_id, s.code as shop_code, c.kind, c.base_url, c.remote_shop, c.calls_per_second,
       c.is_active, c.problem
from shop_connection c join shop s on s.tenant_id = $1 and s.id = c.shop_id
where c.tenant_id = $1 order by c.shop_id

-- lease_connections --
-- Keep the connections of this process, and take those that nobody speaks for.
update shop_connection c
set owner = $2, leased_until = clock_timestamp() + make_interval(secs => $3)
from (select shop_id from shop_connection
      where tenant_id = $1 and is_active
        and (owner = $2 or leased_until is null or leased_until < clock_timestamp())
      order by shop_id for no key update skip locked) as mine
join shop s on s.tenant_id = $1 and s.id = mine.shop_id
where c.tenant_id = $1 and c.shop_id = mine.shop_id
returning c.shop_id, s.code as shop_code, c.kind, c.base_url, c.remote_shop, c.token,
          c.calls_per_second, c.orders_cursor, c.returns_cursor, c.problem

-- give_back_connections --
-- Let other processes speak for the shops of this one.
update shop_connection set owner = null, leased_until = null where tenant_id = $1 and owner = $2

-- store_problem --
-- What a person has to look at, or null where all is well.
update shop_connection set problem = $3 where tenant_id = $1 and shop_id = $2
    and problem is distinct from $3

-- store_cursor --
-- Up to where the orders of a platform have been placed.
update shop_connection set orders_cursor = $3
where tenant_id = $1 and shop_id = $2 and owner = $4

-- shown_numbers --
-- What the platform of a shop was last known to show.
select sku_id, sequence, wanted, shown, drifted_at is not null as is_drifted, is_unlisted
from shown_number where tenant_id = $1 and shop_id = $2

-- save_shown --
-- Remember what a platform shows, while the shop is still on it.
with speaking as (
    select from shop_connection
    where tenant_id = $1 and shop_id = $2
      and (kind, base_url, remote_shop) = ($9::text, $10::text, $11::text)
    for share)
insert into shown_number (tenant_id, shop_id, sku_id, sequence, wanted, shown, acknowledged_at,
                          drifted_at, is_unlisted)
select $1::bigint, $2::bigint, d.sku_id, d.sequence, d.wanted, d.shown,
       case when d.shown is not null then clock_timestamp() end,
       case when d.is_drifted then clock_timestamp() end, d.is_unlisted
from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[], $8::boolean[])
     as d(sku_id, sequence, wanted, shown, is_drifted, is_unlisted)
where exists (select from speaking)
order by d.sku_id
on conflict (tenant_id, shop_id, sku_id) do update set
    sequence = excluded.sequence, wanted = excluded.wanted, shown = excluded.shown,
    acknowledged_at = excluded.acknowledged_at, is_unlisted = excluded.is_unlisted,
    drifted_at = case when excluded.drifted_at is null then null
                      else coalesce(shown_number.drifted_at, excluded.drifted_at) end

-- page_of_shown --
-- What the platform of a shop is to show and shows, by SKU, after a SKU.
select n.shop_id, n.sku_id, k.code as sku_code, n.wanted, n.shown, n.acknowledged_at, n.drifted_at,
       n.is_unlisted
from shown_number n join sku k on k.tenant_id = $1 and k.id = n.sku_id
where n.tenant_id = $1 and n.shop_id = $2 and n.sku_id > $3 order by n.sku_id limit $4

-- shown_by_keys --
-- What platforms are to show and show, by shop and SKU.
select n.shop_id, n.sku_id, k.code as sku_code, n.wanted, n.shown, n.acknowledged_at, n.drifted_at,
       n.is_unlisted
from shown_number n join sku k on k.tenant_id = $1 and k.id = n.sku_id
where n.tenant_id = $1
  and (n.shop_id, n.sku_id) in (select * from unnest($2::bigint[], $3::bigint[]))

-- store_returns_cursor --
-- Up to where the requests of a platform have been noted.
update shop_connection set returns_cursor = $3
where tenant_id = $1 and shop_id = $2 and owner = $4

-- note_channel_return --
-- Note where a platform says that a request stands; it is looked at at once.
insert into channel_return (tenant_id, shop_id, number, order_number, kind, theirs, units, reason,
                            carrier, waybill)
values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)
on conflict (tenant_id, shop_id, number) do update
set theirs = excluded.theirs, carrier = excluded.carrier, waybill = excluded.waybill, problem = '',
    kind = case when channel_return.return_id is null then excluded.kind
                else channel_return.kind end,
    units = case when channel_return.return_id is null then excluded.units
                 else channel_return.units end,
    asked = case when channel_return.return_id is not null then channel_return.asked end,
    refusal = case when channel_return.theirs in ('refused', 'closed', 'done') then null
                   else channel_return.refusal end,
    is_settled = false, ask_after = clock_timestamp(), changed_at = clock_timestamp()
where channel_return.theirs <> excluded.theirs or channel_return.waybill <> excluded.waybill
   or (channel_return.return_id is null
       and (channel_return.kind, channel_return.units) <> (excluded.kind, excluded.units))

-- decide_asked --
-- Of which lines a request is asked here, decided once.
update channel_return set asked = coalesce(asked, $3::jsonb) where tenant_id = $1 and id = $2
returning asked

-- due_channel_returns --
-- Requests of a shop that are to be looked at, the longest waiting first.
select id, number, order_number, order_id, return_id, kind, theirs, units, reason, carrier, waybill,
       refusal, changed_at
from channel_return
where tenant_id = $1 and shop_id = $2 and not is_settled and ask_after <= clock_timestamp()
order by ask_after limit $3

-- link_channel_return --
-- Which request of ours a request of a platform is.
update channel_return set order_id = $3, return_id = $4 where tenant_id = $1 and id = $2

-- set_theirs --
-- Where a request stands on its platform after we have answered.
update channel_return set theirs = $3 where tenant_id = $1 and id = $2

-- rest_channel_return --
-- Let a request rest that was looked at, unless something was told of it meanwhile.
update channel_return set problem = $4, is_settled = $5,
    ask_after = clock_timestamp() + make_interval(secs => $6::double precision)
where tenant_id = $1 and id = $2 and changed_at = $3

-- channel_returns_by_ids --
-- Requests of platforms by their ids.
select id, shop_id, number, order_number, order_id, return_id, kind, theirs, reason, problem,
       refusal, is_settled, changed_at
from channel_return where tenant_id = $1 and id = any($2::bigint[])

-- page_of_channel_returns --
-- A page of requests of platforms that have not ended, or with which something is wrong.
select id, shop_id, number, order_number, order_id, return_id, kind, theirs, reason, problem,
       refusal, is_settled, changed_at
from channel_return
where tenant_id = $1 and not is_settled and (problem <> '' or not $2) and id > $3
order by id limit $4

-- decide_channel_return --
-- Somebody says that a request is refused on its platform, or is to be tried again.
update channel_return set refusal = $3, problem = '', ask_after = clock_timestamp(),
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2 and not is_settled
  and ($3::text is null or theirs not in ('refused', 'closed', 'done'))
returning id
