-- brands --
-- Every brand.
select id, group_id, code, name, currency, time_zone from platform.brands()

-- user_by_email --
-- Who may log in with an address.
select id, name, password_hash from platform.user_by_email($1)

-- roles_of_user --
-- What a user is in which brand.
select kind, group_id, brand_id, brand_code, brand_name, dealer_id, node_ids, permissions
from platform.roles_of_user($1)

-- api_key_by_hash --
-- The API key with a hash, if it is in force.
select id, brand_id, kind, dealer_id, node_ids, permissions, name from platform.api_key_by_hash($1)

-- register_group --
-- Create a group of brands.
select platform.register_group($1, $2, $3)

-- register_brand --
-- Create a brand.
select platform.register_brand($1, $2, $3, $4, $5, $6)

-- register_dealer --
-- Create a dealer.
select platform.register_dealer($1, $2, $3)

-- sign_agreement --
-- Join a dealer to a brand.
select platform.sign_agreement($1, $2, $3, $4, $5)

-- end_agreement --
-- End the agreement of a dealer and a brand.
select platform.end_agreement($1, $2, $3)

-- register_user --
-- Create a user.
select platform.register_user($1, $2, $3, $4)

-- disable_user --
-- Take a user's access away.
select platform.disable_user($1, $2)

-- grant_membership --
-- Say what a user is, and where.
select platform.grant_membership($1, $2, $3, $4, $5, $6, $7, $8)

-- issue_api_key --
-- Create an API key.
select platform.issue_api_key($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- revoke_api_key --
-- Take an API key back.
select platform.revoke_api_key($1, $2, $3)

-- dealers_of_brand --
-- The dealers that have, or had, an agreement with a brand.
select id, code, name from platform.dealers_of_brand($1)

-- members --
-- A page of the members that a brand, or one of its dealers, sees.
select id, user_id, email, name, kind, dealer_id, node_ids, permissions, is_disabled
from platform.members($1, $2, $3, $4)

-- sponsor_of_dealer --
-- The one brand of a dealer that has no member yet.
select platform.sponsor_of_dealer($1)

-- revoke_membership --
-- Take a membership back.
select platform.revoke_membership($1, $2, $3, $4)

-- api_keys --
-- A page of a brand's API keys, or of those of one of its dealers.
select id, name, kind, dealer_id, node_ids, permissions, created_at, expires_at, revoked_at
from platform.api_keys($1, $2, $3, $4)

-- agreements --
-- A page of a brand's agreements, or the one with a dealer.
select id, dealer_id, dealer_code, dealer_name, starts_on, ends_on, ended_at
from platform.agreements($1, $2, $3, $4)

-- dealer_by_code --
-- The id of a dealer, whichever brand brought it here.
select platform.dealer_by_code($1)

-- group_by_code --
-- The id of a group.
select platform.group_by_code($1)

-- today_of_brand --
-- The day it is where a brand works.
select (clock_timestamp() at time zone b.time_zone)::date from platform.brands() as b
where b.id = $1

-- save_department --
-- Write a department, which begins where its code is new.
select platform.save_department($1, $2, $3, $4, $5, $6)

-- departments --
-- The departments of an organisation.
select id, code, name, parent_id from platform.departments($1, $2)

-- lock_departments --
-- Lock the tree of an organisation.
select platform.lock_departments($1, $2)

-- delete_department --
-- Delete a department with nothing below it and nobody in it.
select platform.delete_department($1, $2, $3, $4)

-- save_role --
-- Write a role, which begins where its code is new.
select platform.save_role($1, $2, $3, $4, $5, $6)

-- roles --
-- The roles of an organisation.
select id, code, name, permissions from platform.roles($1, $2)

-- give_post --
-- Give a member a role for a time.
select platform.give_post($1, $2, $3, $4, $5, $6, $7)

-- end_post --
-- Let somebody have a role until a day.
select platform.end_post($1, $2, $3)

-- posts --
-- Who has which role, by post, after one.
select id, membership_id, email, user_name, role_id, role_code, department_id, department_code,
       starts_on, ends_on, deputy_for
from platform.posts($1, $2, $3, $4)
