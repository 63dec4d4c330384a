-- Whether somebody said where each unit of an order comes from (手工拆单): then routing leaves it.
alter table orders add column is_split_by_hand boolean not null default false;
