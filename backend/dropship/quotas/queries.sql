-- changed_quotas --
-- What is left of the accounts that changed since a time.
select id, case when is_blocked then 0 else granted_minor - used_minor end as free, version,
       changed_at
from quota_account where tenant_id = $1 and changed_at >= $2 order by id

-- free_of_quotas --
-- What is left of the given accounts, without a lock.
select id, case when is_blocked then 0 else granted_minor - used_minor end as free, version
from quota_account where tenant_id = $1 and id = any($2::bigint[])

-- free_of_all_quotas --
-- What is left of every account.
select id, case when is_blocked then 0 else granted_minor - used_minor end as free, version
from quota_account where tenant_id = $1

-- lock_quotas --
-- Lock accounts in the one order, and read what is left of them.
select id, case when is_blocked then 0 else granted_minor - used_minor end as free, version
from quota_account
where tenant_id = $1 and id = any($2::bigint[]) order by id for no key update

-- move_quotas --
-- Lock accounts in the one order, take of those with enough (below 0: give back), note it.
with moves as (
    select * from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) with ordinality
        as m(account_id, order_id, amount, type, ordinal)),
sums as (select account_id as id, sum(amount)::bigint as amount from moves group by account_id),
locked as materialized (
    select a.id, a.dealer_id, a.payment_days, a.due_before, k.amount
    from (select * from sums order by id) as k
    cross join lateral (
        select a.id, a.dealer_id, a.payment_days, a.due_before from quota_account a
        where a.tenant_id = $1 and a.id = k.id for no key update) as a),
dated as (
    select m.*, l.dealer_id, l.due_before,
           case when m.amount > 0 then $6::date + l.payment_days
                else (select min(e.due_on) from quota_entry e
                      where e.tenant_id = $1 and e.order_id = m.order_id
                        and e.account_id = m.account_id and e.type = 'taken') end as due_on
    from moves m join locked l on l.id = m.account_id),
written as (
    insert into quota_entry (tenant_id, account_id, dealer_id, type, used_delta, order_id, due_on,
        actor)
    select $1, account_id, dealer_id, type, amount, order_id, due_on, $7
    from dated order by ordinal)
update quota_account a
set used_minor = a.used_minor + k.amount,
    due_minor = a.due_minor + coalesce((select sum(d.amount) from dated d
                                        where d.account_id = k.id and d.due_on < d.due_before), 0),
    version = a.version + 1, changed_at = clock_timestamp()
from locked k
where a.tenant_id = $1 and a.id = k.id
  and (k.amount <= 0 or not a.is_blocked and a.granted_minor - a.used_minor >= k.amount)
returning a.id, case when a.is_blocked then 0 else a.granted_minor - a.used_minor end as free,
          a.version

-- accounts --
-- Accounts by id, after an id.
select id, dealer_id, code, kind, granted_minor, used_minor, payment_days,
       greatest(0, due_minor - paid_minor) as overdue_minor, is_blocked, warn_bp, version, set_by,
       changed_at, legal_entity_id
from quota_account
where tenant_id = $1 and id > $2 and ($3::bigint is null or dealer_id = $3) order by id limit $4

-- accounts_by_ids --
-- The given accounts.
select id, dealer_id, code, kind, granted_minor, used_minor, payment_days,
       greatest(0, due_minor - paid_minor) as overdue_minor, is_blocked, warn_bp, version, set_by,
       changed_at, legal_entity_id
from quota_account where tenant_id = $1 and id = any($2::bigint[]) order by id

-- account_by_code --
-- An account by its code.
select id, dealer_id, code, kind, granted_minor, used_minor, payment_days,
       greatest(0, due_minor - paid_minor) as overdue_minor, is_blocked, warn_bp, version, set_by,
       changed_at, legal_entity_id
from quota_account where tenant_id = $1 and code = $2

-- lock_account --
-- Lock an account by its code, and read it.
select id, dealer_id, code, kind, granted_minor, used_minor, payment_days,
       greatest(0, due_minor - paid_minor) as overdue_minor, is_blocked, warn_bp, version, set_by,
       changed_at, legal_entity_id
from quota_account where tenant_id = $1 and code = $2 for no key update

-- open_account --
-- Open an account.
insert into quota_account (tenant_id, dealer_id, code, kind, granted_minor, payment_days, warn_bp,
    set_by, legal_entity_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id

-- change_account --
-- Change what is granted, used and paid of a locked account; says whether it is blocked.
update quota_account
set granted_minor = granted_minor + $3, used_minor = used_minor + $4, paid_minor = paid_minor + $5,
    is_blocked = is_blocked and due_minor > paid_minor + $5, version = version + 1, set_by = $6,
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2
returning is_blocked

-- add_entry --
-- Write down why an account changed.
insert into quota_entry (tenant_id, account_id, dealer_id, type, granted_delta, used_delta,
    reference, reason, actor, reverses_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- has_reference --
-- Whether an entry of an account has a reference.
select true as has_any from quota_entry where tenant_id = $1 and account_id = $2 and reference = $3

-- entries --
-- Entries of an account, the newest first, before an id.
select id, account_id, dealer_id, type, granted_delta, used_delta, order_id, due_on, reference,
       reason, actor, recorded_at, reverses_id
from quota_entry where tenant_id = $1 and account_id = $2 and id < $3 order by id desc limit $4

-- entries_by_ids --
-- The given entries.
select id, account_id, dealer_id, type, granted_delta, used_delta, order_id, due_on, reference,
       reason, actor, recorded_at, reverses_id
from quota_entry where tenant_id = $1 and id = any($2::bigint[]) order by id

-- entry --
-- An entry of an account.
select id, account_id, dealer_id, type, granted_delta, used_delta, order_id, due_on, reference,
       reason, actor, recorded_at, reverses_id
from quota_entry where tenant_id = $1 and account_id = $2 and id = $3

-- is_reversed --
-- Whether an entry was taken back.
select true as is_so from quota_entry where tenant_id = $1 and reverses_id = $2

-- entries_of_orders --
-- What orders took of accounts, and gave back, as it happened.
select id, account_id, dealer_id, type, granted_delta, used_delta, order_id, due_on, reference,
       reason, actor, recorded_at, reverses_id
from quota_entry where tenant_id = $1 and order_id = any($2::bigint[]) order by id

-- orders_of_accounts --
-- The orders that took of accounts.
select distinct order_id from quota_entry
where tenant_id = $1 and account_id = any($2::bigint[]) and order_id is not null

-- other_entries --
-- What changed accounts and was no order's, as it happened.
select e.id, e.account_id, e.dealer_id, e.type, e.granted_delta, e.used_delta, e.order_id, e.due_on,
       e.reference, e.reason, e.actor, e.recorded_at, e.reverses_id
from quota_entry e
where e.tenant_id = $1 and e.account_id = any($2::bigint[]) and e.order_id is null
order by e.id

-- sums_of_period --
-- What changed an account from a time to another, by type, and what it was before.
select e.type, sum(e.granted_delta) filter (where e.recorded_at >= $3)::bigint as granted_delta,
       sum(e.used_delta) filter (where e.recorded_at >= $3)::bigint as used_delta,
       sum(e.granted_delta) filter (where e.recorded_at < $3)::bigint as granted_before,
       sum(e.used_delta) filter (where e.recorded_at < $3)::bigint as used_before
from quota_entry e
where e.tenant_id = $1 and e.account_id = $2 and e.recorded_at < $4
group by e.type order by e.type

-- add_increase --
-- Write down that an account has more for a while.
insert into quota_increase (tenant_id, account_id, dealer_id, amount_minor, ends_at, reason, set_by)
values ($1, $2, $3, $4, $5, $6, $7)

-- open_increases --
-- What an account has more for a while.
select coalesce(sum(amount_minor), 0)::bigint from quota_increase
where tenant_id = $1 and account_id = $2 and ended_at is null

-- ended_increases --
-- Increases whose time is over, with the codes of their accounts.
select i.id, a.code from quota_increase i
join quota_account a on a.tenant_id = $1 and a.id = i.account_id
where i.tenant_id = $1 and i.ended_at is null and i.ends_at <= clock_timestamp()
order by i.id limit $2

-- end_increase --
-- End an increase whose time is over, once.
update quota_increase set ended_at = clock_timestamp()
where tenant_id = $1 and id = $2 and ended_at is null
returning amount_minor, reason

-- late_accounts --
-- Credit accounts of which what falls due is not counted up to a day, or given back since.
select code from quota_account
where tenant_id = $1 and kind = 'credit' and payment_days is not null
  and (due_before is null or due_before < $2 or (is_blocked and due_minor <= paid_minor))
order by id

-- count_due --
-- Count what of a locked account was due before a day, and block it where that is not paid.
update quota_account a
set due_minor = n.due_minor, due_before = greatest(a.due_before, $3),
    is_blocked = n.due_minor > a.paid_minor, version = a.version + 1,
    changed_at = clock_timestamp()
from (select a.id, a.due_minor + coalesce(sum(e.used_delta), 0)::bigint as due_minor
      from quota_account a
      left join quota_entry e on e.tenant_id = $1 and e.account_id = a.id
           and e.due_on >= coalesce(a.due_before, '-infinity') and e.due_on < $3::date
      where a.tenant_id = $1 and a.id = $2 group by a.id, a.due_minor) as n
where a.tenant_id = $1 and a.id = n.id
returning a.is_blocked, greatest(0, a.due_minor - a.paid_minor) as overdue_minor

-- accounts_to_warn --
-- Accounts that have gone below, or above, the share of what is granted that was told last.
with judged as (
    select a.id, a.code, a.dealer_id, a.granted_minor, a.warned_bp,
           greatest(0, a.granted_minor - a.used_minor) as left_minor,
           (select min(w) from unnest(a.warn_bp) as w
            where greatest(0, a.granted_minor - a.used_minor)::numeric * 10000
                  < w::numeric * a.granted_minor) as now_bp
    from quota_account a where a.tenant_id = $1)
select id, code, dealer_id, granted_minor, left_minor, warned_bp, now_bp from judged
where now_bp is distinct from warned_bp order by id limit $2

-- set_warned --
-- Remember which share of an account was told last, if nobody else did.
update quota_account set warned_bp = $4
where tenant_id = $1 and id = $2 and warned_bp is not distinct from $3 returning id
