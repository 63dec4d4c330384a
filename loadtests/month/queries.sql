-- waiting_orders --
-- Orders that wait for quota, the oldest first, with what they need of accounts.
select o.id as order_id, o.dealer_id, l.quota_account_id as account_id,
       sum(l.held * l.dealer_price_minor)::bigint as needed_minor,
       bool_or(l.agreement_id is null) as is_undealt
from orders o
join order_line l on l.tenant_id = $1 and l.order_id = o.id and l.held > 0
where o.tenant_id = $1
  and exists (select from order_hold h
              where h.tenant_id = $1 and h.order_id = o.id and h.released_at is null
                and h.kind = 'quota')
group by o.id, o.placed_at, o.dealer_id, l.quota_account_id
order by o.placed_at, o.id

-- held_for_terms --
-- Orders that are held until dealers' terms allow them, with the SKUs that are held of them.
select h.order_id, h.kind, array(select l.sku_code from order_line l
                                 where l.tenant_id = $1 and l.order_id = h.order_id and l.held > 0
                                 order by l.line_no) as skus
from order_hold h
where h.tenant_id = $1 and h.released_at is null and h.kind in ('agreement', 'dealer_price')
order by h.order_id, h.kind

-- quotas_left --
-- What is left of every account.
select id, case when is_blocked then 0
                else greatest(0, granted_minor - used_minor) end as left_minor
from quota_account where tenant_id = $1 order by id

-- accounts_beside --
-- Every account, what its entries add up to, and what its documents do.
select a.id, a.code, a.dealer_id, a.granted_minor, a.used_minor,
       e.granted as entries_granted, e.used as entries_used,
       d.granted as documents_granted, d.used as documents_used
from quota_account a
cross join lateral (
    select coalesce(sum(x.granted_delta), 0)::bigint as granted,
           coalesce(sum(x.used_delta), 0)::bigint as used
    from quota_entry x where x.tenant_id = $1 and x.account_id = a.id) as e
cross join lateral (
    select coalesce(sum(x.granted_delta), 0)::bigint as granted,
           coalesce(sum(x.used_delta), 0)::bigint as used
    from document x where x.tenant_id = $1 and x.account_id = a.id) as d
where a.tenant_id = $1 order by a.code

-- undocumented --
-- Entries without a document that says the same, and documents of entries that are not there.
select e.id as entry_id, e.type, d.code
from (select * from quota_entry where tenant_id = $1) as e
full join (select * from document
           where tenant_id = $1 and source like 'quota\_entry:%') as d
    on d.source = 'quota_entry:' || e.id
where (e.account_id, e.dealer_id, e.granted_delta, e.used_delta)
      is distinct from (d.account_id, d.dealer_id, d.granted_delta, d.used_delta)
   or e.order_id is distinct from d.order_id
   or (e.reverses_id is null) <> (d.reverses_id is null)

-- numbers --
-- The numbers of documents, by who issued them, kind and year, and the last that was given.
select d.legal_entity_id, d.kind, d.year, count(*) as count, count(distinct d.number) as apart,
       min(d.number) as first, max(d.number) as last, max(c.last_number) as given
from document d
left join document_counter c on c.tenant_id = $1 and c.legal_entity_id = d.legal_entity_id
     and c.kind = d.kind and c.year = d.year
where d.tenant_id = $1
group by d.legal_entity_id, d.kind, d.year order by d.legal_entity_id, d.kind, d.year

-- entries_in_order --
-- Every entry, by account, as it happened, with the day where the brand is.
select a.code, e.id, e.type, e.granted_delta, e.used_delta, e.due_on,
       (e.recorded_at at time zone 'Asia/Shanghai')::date as day
from quota_entry e join quota_account a on a.tenant_id = $1 and a.id = e.account_id
where e.tenant_id = $1 order by a.code, e.id

-- overdue_accounts --
-- Credit accounts of which something is due: what of it is not paid, by their entries.
select a.code, a.is_blocked, greatest(0, a.due_minor - a.paid_minor) as said_minor,
       greatest(0, coalesce(sum(e.used_delta) filter (where e.due_on < $2::date), 0)
                   + coalesce(sum(e.used_delta) filter (where e.type = 'paid'), 0))::bigint
           as overdue_minor
from quota_account a join quota_entry e on e.tenant_id = $1 and e.account_id = a.id
where a.tenant_id = $1 and a.kind = 'credit' and a.payment_days is not null
group by a.id, a.code, a.is_blocked, a.due_minor, a.paid_minor order by a.code

-- deals --
-- By which agreements, at what prices and of which quotas lines are sold.
select l.order_id, l.line_no, l.sku_code, g.code as agreement, l.dealer_price_minor,
       l.quota_account_id
from order_line l join dealer_agreement g on g.tenant_id = $1 and g.id = l.agreement_id
where l.tenant_id = $1 and l.order_id > $2 order by l.order_id, l.line_no

-- unended_orders --
-- Orders that have not ended, with all that may be the reason.
select o.id, o.external_id, o.dealer_id, o.status,
       array(select distinct h.kind from order_hold h
             where h.tenant_id = $1 and h.order_id = o.id and h.released_at is null
             order by 1) as holds,
       (select sum(l.backordered) from order_line l
        where l.tenant_id = $1 and l.order_id = o.id) as waiting,
       array(select distinct l.sku_code from order_line l
             where l.tenant_id = $1 and l.order_id = o.id and l.backordered > 0
             order by 1) as waits_for,
       array(select distinct f.status from fulfilment f
             where f.tenant_id = $1 and f.order_id = o.id
               and f.status not in ('delivered', 'cancelled') order by 1) as standing,
       (select min(coalesce(f.changed_at, f.recorded_at)) from fulfilment f
        where f.tenant_id = $1 and f.order_id = o.id
          and f.status not in ('delivered', 'cancelled')) as since
from orders o where o.tenant_id = $1 and o.status <> all($2::text[]) order by o.id

-- counted --
-- How many of everything there are.
select 'orders' as what, status, count(*) as number from orders where tenant_id = $1 group by 2
union all
select 'quota entries', type, count(*) from quota_entry where tenant_id = $1 group by 2
union all
select 'documents', kind, count(*) from document where tenant_id = $1 group by 2
union all
select 'holds of orders', kind, count(*) from order_hold where tenant_id = $1 group by 2
union all
select 'holds that are over',
       kind || case when released_by like 'system:%' then ', by itself' else ', by the brand' end,
       count(*)
from order_hold where tenant_id = $1 and released_at is not null group by 2
union all
select 'returns', kind || ', ' || status, count(*) from return_request
where tenant_id = $1 group by 2
union all
select 'told', case when type = 'quota.overdue' and (payload->>'isBlocked')::boolean
                    then 'a quota is blocked' when type = 'quota.overdue'
                    then 'a quota is blocked no more' else 'a quota runs low, or no more' end,
       count(*)
from outbox where tenant_id = $1 and type in ('quota.low', 'quota.overdue') group by 2

-- documents_marked --
-- What documents say, without ids and times.
select d.code, a.code as account, o.external_id, d.dealer_id, d.granted_delta, d.used_delta,
       d.amount_minor, (d.content->'lines')::text as lines, r.code as reverses
from document d
left join quota_account a on a.tenant_id = $1 and a.id = d.account_id
left join orders o on o.tenant_id = $1 and o.id = d.order_id
left join document r on r.tenant_id = $1 and r.id = d.reverses_id
where d.tenant_id = $1 order by d.code

-- tables_with_dealers --
-- The tables whose rows may be a dealer's.
select c.relname::text as name from pg_class c
join pg_attribute d on d.attrelid = c.oid and d.attname = 'dealer_id' and not d.attisdropped
join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
order by c.relname

-- rows_of_orders --
-- Of a table (this one stands for all of them) the rows that may be seen, and those of a dealer.
select count(*) as seen, count(*) filter (where dealer_id = $2) as own
from orders where tenant_id = $1

-- listed_rows --
-- How many rows of a dealer the lists are to show: what is approved of papers.
select (select count(*) from quota_account where tenant_id = $1 and dealer_id = $2) as accounts,
       (select count(*) from quota_entry where tenant_id = $1 and dealer_id = $2) as entries,
       (select count(*) from document where tenant_id = $1 and dealer_id = $2) as documents,
       (select count(*) from dealer_agreement
        where tenant_id = $1 and dealer_id = $2 and status = 'approved') as agreements,
       (select count(*) from dealer_price_list
        where tenant_id = $1 and dealer_id = $2 and status = 'approved') as price_lists,
       (select count(*) from orders where tenant_id = $1 and dealer_id = $2) as orders

-- ids_of_all --
-- The ids of what can be asked for by ids, and whose it is.
select 'quota_account' as name, id, dealer_id from quota_account where tenant_id = $1
union all
select 'document', id, dealer_id from document where tenant_id = $1
union all
select 'dealer_agreement', id, dealer_id from dealer_agreement where tenant_id = $1
union all
select 'dealer_price_list', id, dealer_id from dealer_price_list where tenant_id = $1
union all
select 'orders', id, dealer_id from orders where tenant_id = $1

-- is_quiet --
-- Whether nobody writes: then all that has happened can be read.
select pg_snapshot_xmin(s) = pg_snapshot_xmax(s) as is_so from pg_current_snapshot() s
