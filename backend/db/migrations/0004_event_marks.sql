-- Where the event log can be cut.

-- Places where the log can be cut: every transaction below had ended when the mark was made, so
-- what depends on something lies behind it. Without them a reader who is far behind would have to
-- sort all that happened since.
create table event_mark (
    below       bigint primary key,
    recorded_at timestamptz not null default clock_timestamp()
);
grant select on event_mark to yipan_app;

create function mark_events() returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into event_mark (below) values (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    on conflict do nothing;
    delete from event_mark where recorded_at < clock_timestamp() - interval '8 days'
$$;

revoke execute on function mark_events from public;
grant execute on function mark_events to yipan_app;
