-- alert_rules --
-- The alert rules of a brand.
select id, code, scope, subject_id, condition, measure, fires_below, clears_at, transfers, fill_to,
       leave_days, transit_days, version, set_by, changed_at
from alert_rule where tenant_id = $1 order by code

-- lock_alert_rules --
-- Let one transaction at a time set a tenant's rules.
select pg_advisory_xact_lock(hashtext('yipan.alert_rule'), ($1::bigint % 2147483647)::integer)

-- set_alert_rule --
-- Keep a rule, or change it.
insert into alert_rule (tenant_id, code, scope, subject_id, condition, measure, fires_below,
    clears_at, transfers, fill_to, leave_days, transit_days, set_by)
values ($1, $2, $3, $4, $5::json, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (tenant_id, code) do update
set scope = excluded.scope, subject_id = excluded.subject_id, condition = excluded.condition,
    measure = excluded.measure, fires_below = excluded.fires_below, clears_at = excluded.clears_at,
    transfers = excluded.transfers, fill_to = excluded.fill_to, leave_days = excluded.leave_days,
    transit_days = excluded.transit_days, version = alert_rule.version + 1,
    set_by = excluded.set_by, changed_at = clock_timestamp()

-- drop_alert_rule --
-- Drop a rule.
delete from alert_rule where tenant_id = $1 and id = $2

-- open_alerts --
-- The open alerts of SKUs, or (for null) all.
select id, rule_id, rule_code, scope, subject_id, sku_id, measure, fired_at, fired_with, cleared_at,
       cleared_with
from stock_alert
where tenant_id = $1 and cleared_at is null
  and ($2::bigint[] is null or sku_id = any($2::bigint[]))

-- open_alerts_of_rule --
-- The open alerts of a rule.
select id, rule_id, rule_code, scope, subject_id, sku_id, measure, fired_at, fired_with, cleared_at,
       cleared_with
from stock_alert where tenant_id = $1 and rule_id = $2 and cleared_at is null

-- fire_alerts --
-- Keep alerts, but for those that are open already; given in the one order.
insert into stock_alert (tenant_id, rule_id, rule_code, scope, subject_id, sku_id, measure,
    fired_with)
select $1::bigint, a.*
from unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
            $8::bigint[]) as a
on conflict (tenant_id, rule_id, subject_id, sku_id) where cleared_at is null do nothing
returning id, rule_id, rule_code, scope, subject_id, sku_id, measure, fired_at, fired_with,
          cleared_at, cleared_with

-- clear_alerts --
-- End alerts that are open.
update stock_alert a
set cleared_at = clock_timestamp(), cleared_with = e.value
from unnest($2::bigint[], $3::bigint[]) as e(id, value)
where a.tenant_id = $1 and a.id = e.id
  and a.id in (select o.id from stock_alert o
               where o.tenant_id = $1 and o.id = any($2::bigint[]) and o.cleared_at is null
               order by o.id for update)
returning a.id

-- rules_in_force --
-- Those of the rules that are still at their versions, locked: nobody changes or drops them.
select r.id from alert_rule r
where r.tenant_id = $1
  and (r.id, r.version) in (select * from unnest($2::bigint[], $3::bigint[]))
order by r.id for share

-- lock_transfers_of_sku --
-- Let one transaction at a time plan transfers of a SKU.
select pg_advisory_xact_lock(hashtext('yipan.transfer:' || $1::bigint),
                             ($2::bigint % 2147483647)::integer)

-- lock_open_alert --
-- An open alert, locked, that no proposal was made for but those that were sent or have lapsed.
select id from stock_alert a
where a.tenant_id = $1 and a.id = $2 and a.cleared_at is null
  and not exists (select from transfer_proposal p
                  where p.tenant_id = $1 and p.alert_id = a.id
                    and p.state in ('proposed', 'rejected'))
for update skip locked

-- alerts_by_ids --
-- The given alerts.
select id, rule_id, rule_code, scope, subject_id, sku_id, measure, fired_at, fired_with, cleared_at,
       cleared_with
from stock_alert where tenant_id = $1 and id = any($2::bigint[]) order by id

-- page_of_alerts --
-- Alerts below an id, the newest first.
select id, rule_id, rule_code, scope, subject_id, sku_id, measure, fired_at, fired_with, cleared_at,
       cleared_with
from stock_alert
where tenant_id = $1 and id < $2 and (cleared_at is null or not $3::boolean)
order by id desc limit $4

-- insert_transfers --
-- Keep proposals for one alert.
insert into transfer_proposal (tenant_id, alert_id, sku_id, source_id, destination_id, quantity,
    transit_days, reason, state)
select $1::bigint, $2::bigint, $3::bigint, p.source_id, $4::bigint, p.quantity, $5::integer,
       $6::text, 'proposed'
from unnest($7::bigint[], $8::bigint[]) as p(source_id, quantity)
returning id

-- lapse_transfers --
-- End the proposals of alerts that nobody has decided.
update transfer_proposal
set state = 'lapsed', decided_at = clock_timestamp()
where tenant_id = $1 and state = 'proposed'
  and id in (select o.id from transfer_proposal o
             where o.tenant_id = $1 and o.alert_id = any($2::bigint[]) and o.state = 'proposed'
             order by o.id for update)
returning id, alert_id, quantity

-- lock_transfer --
-- A proposal that waits for a decision, locked.
select id, alert_id, sku_id, source_id, destination_id, quantity, transit_days, reason, state,
       proposed_at, decided_by, decided_at, note, supply_id
from transfer_proposal where tenant_id = $1 and id = $2 and state = 'proposed' for update

-- decide_transfer --
-- Note how a proposal was decided.
update transfer_proposal
set state = $3, decided_by = $4, decided_at = clock_timestamp(), note = $5, supply_id = $6,
    quantity = $7
where tenant_id = $1 and id = $2

-- transfers_by_ids --
-- The given proposals.
select id, alert_id, sku_id, source_id, destination_id, quantity, transit_days, reason, state,
       proposed_at, decided_by, decided_at, note, supply_id
from transfer_proposal where tenant_id = $1 and id = any($2::bigint[]) order by id

-- page_of_transfers --
-- Proposals below an id, the newest first.
select id, alert_id, sku_id, source_id, destination_id, quantity, transit_days, reason, state,
       proposed_at, decided_by, decided_at, note, supply_id
from transfer_proposal
where tenant_id = $1 and id < $2 and ($3::text is null or state = $3)
order by id desc limit $4

-- open_transfers_of_skus --
-- What proposals that wait would move of SKUs.
select sku_id, source_id, destination_id, quantity
from transfer_proposal
where tenant_id = $1 and sku_id = any($2::bigint[]) and state = 'proposed'
