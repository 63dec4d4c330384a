-- items --
-- Items by id, after an id: of a dealer, or all.
select id, dealer_id, code, title, price_minor, pictures, is_active, version, set_by, changed_at
from dealer_item
where tenant_id = $1 and id > $2 and ($3::bigint is null or dealer_id = $3) order by id limit $4

-- items_by_ids --
-- The given items.
select id, dealer_id, code, title, price_minor, pictures, is_active, version, set_by, changed_at
from dealer_item where tenant_id = $1 and id = any($2::bigint[]) order by id

-- lock_items --
-- Lock items of a dealer by their codes, as far as they exist, in the one order.
select id, code, version from dealer_item
where tenant_id = $1 and dealer_id = $2 and code = any($3::text[]) order by id for no key update

-- items_sold --
-- The active items of dealers that are called so in their shops.
select i.id, i.dealer_id, i.code, i.title, i.price_minor, i.pictures, i.is_active, i.version,
       i.set_by, i.changed_at
from dealer_item i
where i.tenant_id = $1 and i.dealer_id = any($2::bigint[]) and i.code = any($3::text[])
  and i.is_active

-- parts_of_items --
-- What is in items.
select item_id, sku_code, quantity, sku_id from dealer_item_part
where tenant_id = $1 and item_id = any($2::bigint[]) order by item_id, sku_id

-- save_item --
-- Write an item, which begins where it does not exist yet.
insert into dealer_item (tenant_id, dealer_id, code, title, price_minor, pictures, is_active,
    set_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant_id, dealer_id, code) do update
set title = excluded.title, price_minor = excluded.price_minor, pictures = excluded.pictures,
    is_active = excluded.is_active, set_by = excluded.set_by,
    version = dealer_item.version + 1, changed_at = clock_timestamp()
returning id

-- delete_parts --
-- Take everything out of items.
delete from dealer_item_part where tenant_id = $1 and item_id = any($2::bigint[])

-- insert_parts --
-- Put SKUs into items.
insert into dealer_item_part (tenant_id, item_id, sku_id, sku_code, dealer_id, quantity)
select $1, k.item_id, k.sku_id, k.sku_code, $2::bigint, k.quantity
from unnest($3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
    as k(item_id, sku_id, sku_code, quantity)

-- save_listing --
-- Say how an item is offered in a shop.
insert into dealer_listing (tenant_id, item_id, shop_id, dealer_id, title, price_minor, is_listed)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, shop_id, item_id) do update
set title = excluded.title, price_minor = excluded.price_minor, is_listed = excluded.is_listed,
    changed_at = clock_timestamp()

-- listings_of_items --
-- Where items are offered.
select l.item_id, l.shop_id, coalesce(l.title, i.title) as title,
       coalesce(l.price_minor, i.price_minor) as price_minor, l.is_listed, l.changed_at
from dealer_listing l
join dealer_item i on i.tenant_id = $1 and i.id = l.item_id
where l.tenant_id = $1 and l.item_id = any($2::bigint[]) order by l.item_id, l.shop_id
