-- Holds that somebody places on an order, who has one in hand, and when one ends by itself.
alter table order_hold drop constraint order_hold_kind_check;
alter table order_hold add constraint order_hold_kind_check check (kind in (
    'sku_unknown', 'address_unresolved', 'amount_mismatch', 'audit', 'routing', 'appointment',
    'manual'));
alter table order_hold add column placed_by text;
alter table order_hold add column expires_at timestamptz;
alter table order_hold add column claimed_by text;
alter table order_hold add column claimed_at timestamptz;
create index order_hold_expiring_idx on order_hold (tenant_id, expires_at)
    where released_at is null and expires_at is not null;
