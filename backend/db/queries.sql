-- row_arrays --
-- The types of arrays of rows (`new_…`), with the types of their rows and of the fields of these.
select l.typname::text as name, l.oid::bigint as array_type, r.oid::bigint as row_type,
       array(select a.atttypid::bigint from pg_attribute a
             where a.attrelid = r.typrelid and a.attnum > 0 and not a.attisdropped
             order by a.attnum) as field_types
from pg_type r
join pg_class c on c.oid = r.typrelid and c.relkind = 'c'
join pg_type l on l.oid = r.typarray
where r.typnamespace = 'public'::regnamespace and r.typname like 'new\_%'
order by l.typname

-- role_is_safe --
-- Whether the connection's role is bound by row-level security on every table, for good.
select not r.rolsuper and not r.rolbypassrls and not exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where pg_has_role(r.oid, c.relowner, 'member') and n.nspname in ('public', 'platform'))
    as is_safe
from pg_roles r where r.rolname = current_user

-- ensure_partitions --
-- Create the monthly partitions that are missing from this month on.
select ensure_partitions()

-- take_order_ids --
-- The first of each of so many blocks of 256 order ids that nobody else gets.
select nextval('order_id_block') as first from generate_series(1, $1::integer)

-- claim_command --
-- Take an idempotency key; no row when it is taken already.
insert into command_key (tenant_id, key, fingerprint) values ($1, $2, $3)
on conflict do nothing returning key

-- read_command --
-- What is stored under an idempotency key.
select fingerprint, outcome from command_key where tenant_id = $1 and key = $2

-- store_command --
-- Keep the outcome of a command under its key.
update command_key set outcome = $3 where tenant_id = $1 and key = $2
