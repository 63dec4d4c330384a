-- What dealers' orders take costs less: a counter is updated without its indexes, for those that
-- summarize follow by themselves; an entry of a quota is in as few indexes as it is asked by.
drop index allotment_changed_idx;
create index allotment_changed_idx on allotment using brin (tenant_id, changed_at);
drop index quota_account_changed_idx;
create index quota_account_changed_idx on quota_account using brin (tenant_id, changed_at);

alter table quota_entry drop constraint quota_entry_reference_key;
create unique index quota_entry_reference_key on quota_entry (tenant_id, account_id, reference)
    where reference is not null;
alter table quota_entry drop constraint quota_entry_reverses_key;
create unique index quota_entry_reverses_key on quota_entry (tenant_id, reverses_id)
    where reverses_id is not null;
