-- begin_reading --
-- Follow the events of a brand from now on. Nothing where it is so.
insert into document_reading (tenant_id, from_xid, until_xid, event_id)
values ($1, $2, $3, $4) on conflict (tenant_id) do nothing

-- take_reading --
-- How far events are read.
select from_xid, until_xid, event_id from document_reading where tenant_id = $1
for update skip locked

-- has_reading --
-- Whether somebody follows the events of a brand.
select exists (select from document_reading where tenant_id = $1) as is_so

-- move_reading --
-- Events are read so far.
update document_reading set from_xid = $2, until_xid = $3, event_id = $4 where tenant_id = $1

-- issued_sources --
-- Of what there is a document already.
select source, id from document where tenant_id = $1 and source = any($2::text[])

-- next_numbers --
-- Take numbers of kinds of documents of a year, in the one order; returns the last of each.
insert into document_counter (tenant_id, legal_entity_id, kind, year, last_number)
select $1, k.legal_entity_id, k.kind, $4::integer, k.count
from unnest($2::bigint[], $3::text[], $5::bigint[]) as k(legal_entity_id, kind, count)
order by k.legal_entity_id, k.kind
on conflict (tenant_id, legal_entity_id, kind, year) do update
set last_number = document_counter.last_number + excluded.last_number
returning legal_entity_id, kind, last_number

-- insert_documents --
-- Issue documents of a year, in a currency.
insert into document (tenant_id, legal_entity_id, kind, year, number, code, dealer_id, source,
    order_id, account_id, granted_delta, used_delta, amount_minor, currency, content, reverses_id)
select $1, k.legal_entity_id, k.kind, $2::integer, k.number, k.code, k.dealer_id, k.source,
       k.order_id, k.account_id, k.granted_delta, k.used_delta, k.amount_minor, $3::text,
       k.content::jsonb, k.reverses_id
from unnest($4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::text[],
            $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[],
            $16::bigint[]) with ordinality
    as k(legal_entity_id, kind, number, code, dealer_id, source, order_id, account_id,
         granted_delta, used_delta, amount_minor, content, reverses_id, ordinal)
order by k.ordinal

-- documents --
-- Documents, the newest first, below an id: of a kind, a dealer, an order, an account, or all.
select id, legal_entity_id, kind, year, number, code, dealer_id, source, order_id, account_id,
       granted_delta, used_delta, amount_minor, currency, content, reverses_id, issued_at
from document
where tenant_id = $1 and id < $2 and ($3::text is null or kind = $3)
  and ($4::bigint is null or dealer_id = $4) and ($5::bigint is null or order_id = $5)
  and ($6::bigint is null or account_id = $6)
order by id desc limit $7

-- documents_by_ids --
-- The given documents.
select id, legal_entity_id, kind, year, number, code, dealer_id, source, order_id, account_id,
       granted_delta, used_delta, amount_minor, currency, content, reverses_id, issued_at
from document where tenant_id = $1 and id = any($2::bigint[]) order by id
