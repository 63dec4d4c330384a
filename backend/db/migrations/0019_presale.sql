-- Orders that are taken for stock to come, and refused beyond it.

alter table orders drop constraint orders_shortage_check;
alter table orders add constraint orders_shortage_check
    check (shortage in ('refuse', 'partial', 'backorder', 'presale'));
