-- The node that somebody chose for an order by hand; null: routing chooses.
alter table orders add column node_by_hand_id bigint;
