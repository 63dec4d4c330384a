-- next_dealing_version --
-- Raise the version of dealers' terms; locks it until the transaction ends.
insert into dealing_version (tenant_id, version) values ($1, 1)
on conflict (tenant_id) do update set version = dealing_version.version + 1

-- dealing_version --
-- The version of dealers' terms.
select version from dealing_version where tenant_id = $1

-- agreements --
-- Agreements by id, after an id: of a dealer or all, drafts or approved ones alone.
select id, dealer_id, code, status, starts_on, ends_on, territory, product_lines, added_skus,
       excluded_skus, is_exclusive, quota_account_id, settlement, replaces_id, version, set_by,
       approved_by, changed_at
from dealer_agreement
where tenant_id = $1 and id > $2 and ($3::bigint is null or dealer_id = $3)
  and (not $4::boolean or status = 'approved')
order by id limit $5

-- agreements_by_ids --
-- The given agreements, drafts or approved ones alone.
select id, dealer_id, code, status, starts_on, ends_on, territory, product_lines, added_skus,
       excluded_skus, is_exclusive, quota_account_id, settlement, replaces_id, version, set_by,
       approved_by, changed_at
from dealer_agreement
where tenant_id = $1 and id = any($2::bigint[]) and (not $3::boolean or status = 'approved')

-- approved_agreements --
-- All agreements that bind, or did.
select id, dealer_id, code, status, starts_on, ends_on, territory, product_lines, added_skus,
       excluded_skus, is_exclusive, quota_account_id, settlement, replaces_id, version, set_by,
       approved_by, changed_at
from dealer_agreement where tenant_id = $1 and status = 'approved' order by id

-- has_agreements --
-- Whether an agreement binds a dealer, will or did.
select true as has_any from dealer_agreement
where tenant_id = $1 and dealer_id = $2 and status = 'approved' limit 1

-- agreement_by_code --
-- An agreement by its code.
select id, dealer_id, code, status, starts_on, ends_on, territory, product_lines, added_skus,
       excluded_skus, is_exclusive, quota_account_id, settlement, replaces_id, version, set_by,
       approved_by, changed_at
from dealer_agreement where tenant_id = $1 and code = $2

-- save_agreement --
-- Write a draft, which begins where it does not exist yet; nothing where its code is no draft's.
insert into dealer_agreement (tenant_id, code, dealer_id, status, starts_on, ends_on,
    territory, product_lines, added_skus, excluded_skus, is_exclusive, quota_account_id,
    settlement, replaces_id, set_by)
values ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $9, $10, $11, $12::text::jsonb, $13, $14)
on conflict (tenant_id, code) do update
set dealer_id = excluded.dealer_id, starts_on = excluded.starts_on, ends_on = excluded.ends_on,
    territory = excluded.territory, product_lines = excluded.product_lines,
    added_skus = excluded.added_skus, excluded_skus = excluded.excluded_skus,
    is_exclusive = excluded.is_exclusive, quota_account_id = excluded.quota_account_id,
    settlement = excluded.settlement, replaces_id = excluded.replaces_id,
    set_by = excluded.set_by, version = dealer_agreement.version + 1, changed_at = clock_timestamp()
where dealer_agreement.status = 'draft'
returning id

-- set_agreement_status --
-- Approve or discard a draft.
update dealer_agreement
set status = $3, approved_by = $4, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- end_agreement --
-- Let an agreement bind until a day.
update dealer_agreement
set ends_on = $3, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- price_lists --
-- Price lists by id, after an id.
select id, code, dealer_id, level, status, starts_on, ends_on, version, set_by, approved_by,
       changed_at
from dealer_price_list where tenant_id = $1 and id > $2 and (not $3::boolean or status = 'approved')
order by id limit $4

-- price_lists_by_ids --
-- The given price lists.
select id, code, dealer_id, level, status, starts_on, ends_on, version, set_by, approved_by,
       changed_at
from dealer_price_list
where tenant_id = $1 and id = any($2::bigint[]) and (not $3::boolean or status = 'approved')

-- price_list_by_code --
-- A price list by its code.
select id, code, dealer_id, level, status, starts_on, ends_on, version, set_by, approved_by,
       changed_at
from dealer_price_list where tenant_id = $1 and code = $2

-- price_lists_beside --
-- Approved price lists for the same dealers on some of the days.
select code from dealer_price_list
where tenant_id = $1 and status = 'approved' and id <> $2
  and dealer_id is not distinct from $3 and level is not distinct from $4
  and greatest(starts_on, $5::date)
      <= least(coalesce(ends_on, 'infinity'), coalesce($6::date, 'infinity'))
order by id limit 1

-- save_price_list --
-- Write a draft, which begins where it does not exist yet; nothing where its code is no draft's.
insert into dealer_price_list (tenant_id, code, dealer_id, level, status, starts_on, ends_on,
    set_by)
values ($1, $2, $3, $4, 'draft', $5, $6, $7)
on conflict (tenant_id, code) do update
set dealer_id = excluded.dealer_id, level = excluded.level, starts_on = excluded.starts_on,
    ends_on = excluded.ends_on, set_by = excluded.set_by, version = dealer_price_list.version + 1,
    changed_at = clock_timestamp()
where dealer_price_list.status = 'draft'
returning id

-- replace_prices --
-- Replace the prices of a draft.
with gone as (
    delete from dealer_price where tenant_id = $1 and price_list_id = $2
      and sku_id <> all($4::bigint[]))
insert into dealer_price (tenant_id, price_list_id, dealer_id, sku_id, price_minor,
    min_resale_minor)
select $1, $2, $3, k.sku_id, k.price_minor, k.min_resale_minor
from unnest($4::bigint[], $5::bigint[], $6::bigint[]) as k(sku_id, price_minor, min_resale_minor)
on conflict (tenant_id, price_list_id, sku_id) do update
set price_minor = excluded.price_minor, min_resale_minor = excluded.min_resale_minor,
    dealer_id = excluded.dealer_id

-- set_price_list_status --
-- Approve or discard a draft.
update dealer_price_list
set status = $3, approved_by = $4, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- end_price_list --
-- Let a price list hold until a day.
update dealer_price_list
set ends_on = $3, version = version + 1, changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- page_of_prices --
-- The prices of a list, by SKU, after one.
select sku_id, price_minor, min_resale_minor from dealer_price
where tenant_id = $1 and price_list_id = $2 and sku_id > $3 order by sku_id limit $4

-- prices_in_force --
-- What dealers, each of a level, pay for SKUs on a day: by their own list, their level's, or all's.
select distinct on (d.dealer_id, p.sku_id)
       d.dealer_id, p.sku_id, p.price_minor, p.min_resale_minor
from unnest($2::bigint[], $3::text[]) as d(dealer_id, level)
join dealer_price_list l on l.tenant_id = $1 and l.status = 'approved'
     and $5::date between l.starts_on and coalesce(l.ends_on, 'infinity')
     and (l.dealer_id = d.dealer_id
          or (l.dealer_id is null and (l.level is null or l.level = d.level)))
join dealer_price p on p.tenant_id = $1 and p.price_list_id = l.id and p.sku_id = any($4::bigint[])
order by d.dealer_id, p.sku_id, l.dealer_id is null, l.level is null

-- profiles --
-- What the brand says of its dealers.
select dealer_id, level, parent_id, is_suspended, reason from dealer_profile
where tenant_id = $1 order by dealer_id

-- set_profile --
-- Say what a dealer is to the brand.
insert into dealer_profile (tenant_id, dealer_id, level, parent_id, is_suspended, reason,
    set_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, dealer_id) do update
set level = excluded.level, parent_id = excluded.parent_id, is_suspended = excluded.is_suspended,
    reason = excluded.reason, set_by = excluded.set_by, changed_at = clock_timestamp()

-- lock_deposit --
-- Lock a dealer's deposit, which begins with nothing, and read it.
insert into dealer_deposit (tenant_id, dealer_id) values ($1, $2)
on conflict (tenant_id, dealer_id) do update set version = dealer_deposit.version + 1
returning balance_minor

-- change_deposit --
-- Change a locked deposit.
update dealer_deposit set balance_minor = balance_minor + $3
where tenant_id = $1 and dealer_id = $2

-- add_deposit_entry --
-- Write down why a deposit changed.
insert into dealer_deposit_entry (tenant_id, dealer_id, type, amount_minor, reference, reason,
    actor)
values ($1, $2, $3, $4, $5, $6, $7)

-- has_deposit_reference --
-- Whether an entry of a deposit has a reference.
select true as has_any from dealer_deposit_entry
where tenant_id = $1 and dealer_id = $2 and reference = $3

-- deposits --
-- What dealers have deposited.
select dealer_id, balance_minor, version from dealer_deposit where tenant_id = $1 order by dealer_id

-- deposit_entries --
-- Why the deposits of dealers are what they are, as it happened.
select id, dealer_id, type, amount_minor, reference, reason, actor, recorded_at
from dealer_deposit_entry where tenant_id = $1 and dealer_id = any($2::bigint[]) order by id
