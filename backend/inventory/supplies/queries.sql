-- lock_supply --
-- A supply by its code and line, locked.
select s.id, s.functional_warehouse_id, s.sku_id, f.node_id, f.dealer_id, s.quantity, s.received,
       s.is_open, s.version
from supply s
join functional_warehouse f on f.tenant_id = $1 and f.id = s.functional_warehouse_id
where s.tenant_id = $1 and s.code = $2 and s.line_no = $3
for no key update of s

-- set_supply --
-- Keep a supply, or change it if it is at a version (0: is new); one that has come whole is closed.
insert into supply (tenant_id, code, line_no, kind, functional_warehouse_id, sku_id, quantity,
    confidence_bp, expected_on, set_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (tenant_id, code, line_no) do update
set kind = excluded.kind, functional_warehouse_id = excluded.functional_warehouse_id,
    sku_id = excluded.sku_id, quantity = excluded.quantity,
    confidence_bp = excluded.confidence_bp, expected_on = excluded.expected_on,
    is_open = excluded.quantity > supply.received, version = supply.version + 1,
    set_by = excluded.set_by, changed_at = clock_timestamp()
where supply.version = $11::bigint
returning id

-- receive_supply --
-- Note what has come of a supply; one that has come whole is closed.
update supply
set received = received + $3, is_open = received + $3 < quantity, version = version + 1,
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- close_supply --
-- Expect nothing more of a supply.
update supply set is_open = false, version = version + 1, set_by = $3,
    changed_at = clock_timestamp()
where tenant_id = $1 and id = $2

-- supplies_by_ids --
-- The given supplies.
select s.id, s.code, s.line_no, s.kind, s.functional_warehouse_id, s.sku_id, s.quantity,
       s.received, s.confidence_bp, s.expected_on, s.is_open, s.version, s.set_by, s.changed_at,
       promised_of_supply($1, s.id) as promised
from supply s where s.tenant_id = $1 and s.id = any($2::bigint[]) order by s.id

-- page_of_supplies --
-- Supplies by day and id, after a key.
select s.id, s.code, s.line_no, s.kind, s.functional_warehouse_id, s.sku_id, s.quantity,
       s.received, s.confidence_bp, s.expected_on, s.is_open, s.version, s.set_by, s.changed_at,
       promised_of_supply($1, s.id) as promised
from supply s
where s.tenant_id = $1 and (s.expected_on, s.id) > ($2::date, $3::bigint)
  and (s.is_open or not $4::boolean)
order by s.expected_on, s.id limit $5

-- lock_open_supplies --
-- Lock the open supplies of SKUs, in the one order: by code and line.
select expected_on, id, functional_warehouse_id, sku_id,
       ((quantity - received) * confidence_bp / 10000)::bigint as units
from supply
where tenant_id = $1 and sku_id = any($2::bigint[]) and is_open
order by code, line_no for no key update

-- open_supplies --
-- The open supplies of SKUs.
select expected_on, id, functional_warehouse_id, sku_id,
       ((quantity - received) * confidence_bp / 10000)::bigint as units
from supply where tenant_id = $1 and sku_id = any($2::bigint[]) and is_open

-- unpromised_of_sku --
-- What is to come of a SKU and not promised, by day.
select s.expected_on, s.functional_warehouse_id,
       greatest(0, (s.quantity - s.received) * s.confidence_bp / 10000
                   - promised_of_supply($1, s.id))::bigint as units
from supply s
where s.tenant_id = $1 and s.sku_id = $2 and s.is_open order by s.expected_on, s.id
