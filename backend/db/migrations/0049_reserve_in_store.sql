-- Units that a store keeps for a customer who comes to try them (门店预留).
alter table stock_hold drop constraint stock_hold_kind_check;
alter table stock_hold add constraint stock_hold_kind_check
    check (kind in ('cart', 'unpaid', 'platform', 'supply', 'in_store'));
create index stock_hold_in_store_idx on stock_hold (tenant_id, id)
    where kind = 'in_store' and state = 'active';
