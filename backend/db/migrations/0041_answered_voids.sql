-- Somebody says what becomes of a waybill that its carrier does not void.
alter table waybill_void drop constraint waybill_void_status_check;
alter table waybill_void add constraint waybill_void_status_check
    check (status in ('due', 'done', 'refused', 'settled'));
alter table waybill_void add column note text not null default '', add column answered_by text;
