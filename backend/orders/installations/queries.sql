-- installation_of --
-- How the installation of a locked order stands; one that was never reported on is agreed.
select a.order_id, coalesce(i.status, 'agreed') as status, coalesce(i.version, 0) as version,
       a.day, a.from_minute, a.to_minute, coalesce(i.reason, '') as reason,
       a.installation_slot_id as slot_id, a.dealer_id
from order_appointment a
left join installation i on i.tenant_id = $1 and i.order_id = a.order_id
where a.tenant_id = $1 and a.order_id = $2

-- installations_by_orders --
-- How the installations of orders stand.
select a.order_id, coalesce(i.status, 'agreed') as status, coalesce(i.version, 0) as version,
       a.day, a.from_minute, a.to_minute, coalesce(i.reason, '') as reason
from order_appointment a
left join installation i on i.tenant_id = $1 and i.order_id = a.order_id
where a.tenant_id = $1 and a.order_id = any($2::bigint[])
  and (a.installation_slot_id is not null or i.order_id is not null)

-- page_of_installations --
-- A page of installations in some states that were to be done by a day, by order, after one.
select a.order_id, coalesce(i.status, 'agreed') as status, coalesce(i.version, 0) as version,
       a.day, a.from_minute, a.to_minute, coalesce(i.reason, '') as reason
from order_appointment a
left join installation i on i.tenant_id = $1 and i.order_id = a.order_id
where a.tenant_id = $1 and (a.installation_slot_id is not null or i.order_id is not null)
  and coalesce(i.status, 'agreed') = any($2::text[]) and a.day <= $3::date and a.order_id > $4
order by a.order_id limit $5

-- set_installation --
-- Let the installation of a locked order stand elsewhere.
insert into installation (tenant_id, order_id, dealer_id, status, reason)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, order_id) do update
set status = excluded.status, reason = excluded.reason, version = installation.version + 1,
    changed_at = clock_timestamp()

-- insert_visit --
-- Keep what came of the visit that was agreed.
insert into installation_visit (tenant_id, order_id, visit_no, dealer_id, provider_id, day,
                                first_minute, end_minute, outcome, note, photos, signature,
                                reported_by)
select $1::bigint, $2::bigint,
       1 + (select count(*) from installation_visit where tenant_id = $1 and order_id = $2),
       $3::bigint, s.provider_id, s.day, s.first_minute, s.end_minute, $5::text, $6::text,
       $7::text[], $8::text, $9::text
from slot s where s.tenant_id = $1 and s.id = $4
returning visit_no

-- insert_units --
-- Keep which units were installed.
insert into installed_unit (tenant_id, order_id, line_no, sku_id, dealer_id, serial, visit_no)
select $1::bigint, $2::bigint, u.line_no, u.sku_id, $3::bigint, u.serial, $4::integer
from unnest($5::integer[], $6::bigint[], $7::text[]) as u(line_no, sku_id, serial)

-- visits_of_orders --
-- What came of the visits of orders.
select order_id, visit_no, provider_id, day, first_minute, end_minute, outcome, note, photos,
       signature, reported_by, reported_at
from installation_visit where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, visit_no

-- units_of_orders --
-- The units that were installed, by the visit.
select order_id, visit_no, line_no, serial
from installed_unit where tenant_id = $1 and order_id = any($2::bigint[])
order by order_id, line_no, serial

-- lines_to_install --
-- The lines of an order, with what of them has come and what is still to come.
select line_no, sku_id, delivered, reserved + backordered + held + at_node + shipped as to_come
from order_line where tenant_id = $1 and order_id = $2 order by line_no
