-- shops --
-- Shops that the principal may see, by id, after an id.
select id, code, name, channel, dealer_id, legal_entity_id, is_active
from shop where tenant_id = $1 and id > $2 order by id limit $3

-- shops_by_ids --
-- Shops by their ids.
select id, code, name, channel, dealer_id, legal_entity_id, is_active
from shop where tenant_id = $1 and id = any($2::bigint[])

-- shops_by_codes --
-- The active shops among the given codes.
select id, code, name, channel, dealer_id, legal_entity_id, is_active
from shop where tenant_id = $1 and code = any($2::text[]) and is_active

-- insert_shop --
-- Create a shop.
insert into shop (tenant_id, code, name, channel, dealer_id, legal_entity_id)
values ($1, $2, $3, $4, $5, $6) returning id

-- active_shops --
-- All active shops.
select id, code, name, channel, dealer_id, legal_entity_id, is_active
from shop where tenant_id = $1 and is_active order by id

-- shops_mark --
-- How many shops are active, and the sum of their ids.
select count(*) as count, coalesce(sum(id), 0)::bigint as sum from shop
where tenant_id = $1 and is_active
