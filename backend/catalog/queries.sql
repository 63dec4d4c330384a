-- skus_by_codes --
-- The active SKUs among the given codes.
select id, code, name, category, product_line, weight_g, length_mm, width_mm, height_mm,
       needs_installation, attributes, is_active
from sku where tenant_id = $1 and code = any($2::text[]) and is_active

-- skus_by_ids --
-- SKUs by their ids.
select id, code, name, category, product_line, weight_g, length_mm, width_mm, height_mm,
       needs_installation, attributes, is_active
from sku where tenant_id = $1 and id = any($2::bigint[])

-- codes_of_skus --
-- The codes of SKUs.
select id, code from sku where tenant_id = $1 and id = any($2::bigint[])

-- page_of_skus --
-- A page of SKUs by id, after an id.
select id, code, name, category, product_line, weight_g, length_mm, width_mm, height_mm,
       needs_installation, attributes, is_active
from sku where tenant_id = $1 and id > $2 order by id limit $3

-- upsert_skus --
-- Create SKUs, or change those whose code exists.
insert into sku (tenant_id, code, name, category, product_line, weight_g, length_mm, width_mm,
                 height_mm, needs_installation, attributes, is_active)
select $1::bigint, d.code, d.name, d.category, d.product_line, d.weight_g, d.length_mm, d.width_mm,
       d.height_mm, d.needs_installation, d.attributes::jsonb, d.is_active
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::integer[],
            $8::integer[], $9::integer[], $10::boolean[], $11::text[], $12::boolean[])
     as d(code, name, category, product_line, weight_g, length_mm, width_mm, height_mm,
          needs_installation, attributes, is_active)
order by d.code
on conflict (tenant_id, code) do update set
    name = excluded.name, category = excluded.category, product_line = excluded.product_line,
    weight_g = excluded.weight_g, length_mm = excluded.length_mm, width_mm = excluded.width_mm,
    height_mm = excluded.height_mm, needs_installation = excluded.needs_installation,
    attributes = excluded.attributes, is_active = excluded.is_active
returning id, code
