-- Parcels that lie in the parcel of another order of the same customer (合包发货): with one waybill.
alter table parcel add column host_id bigint;
alter table parcel drop constraint parcel_waybill_key;
create unique index parcel_waybill_key on parcel (tenant_id, carrier, waybill)
    where host_id is null;
create index parcel_host_idx on parcel (tenant_id, host_id) where host_id is not null;
