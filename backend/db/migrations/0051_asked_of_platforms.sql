-- What a request of a platform is asked of here, by line: decided once, before it is asked.
alter table channel_return add column asked jsonb;
