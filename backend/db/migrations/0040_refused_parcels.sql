-- Parcels that come back without having been accepted (拒收), and what is done about them.
alter table parcel drop constraint parcel_status_check;
alter table parcel add constraint parcel_status_check check (status in (
    'packed', 'labelled', 'shipped', 'delivered', 'returned', 'exception', 'cancelled'));
alter table return_request drop constraint return_request_kind_check;
alter table return_request add constraint return_request_kind_check
    check (kind in ('return', 'refund_only', 'missing', 'refused'));
