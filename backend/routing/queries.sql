-- active_policy --
-- The policy in force.
select version, document from routing_policy where tenant_id = $1 and status = 'active'

-- lock_policies --
-- Let one transaction at a time give a tenant's policies versions and states.
select pg_advisory_xact_lock(hashtext('yipan.routing_policy'), ($1::bigint % 2147483647)::integer)

-- insert_policy --
-- Add a draft as the newest version.
insert into routing_policy (tenant_id, version, based_on, status, document, comment, proposed_by)
select $1::bigint, coalesce(max(version), 0) + 1, $2::integer, 'draft', $3::jsonb, $4::text,
       $5::text
from routing_policy where tenant_id = $1
returning version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
          activated_by, activated_at

-- policy --
-- One version.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version = $2

-- policies_by_versions --
-- The given versions.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version = any($2::integer[])

-- page_of_policies --
-- Versions, the newest first, below a version.
select version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
       activated_by, activated_at
from routing_policy where tenant_id = $1 and version < $2 order by version desc limit $3

-- archive_active_policy --
-- Let the active version be an earlier one.
update routing_policy set status = 'archived' where tenant_id = $1 and status = 'active'

-- activate_policy --
-- Make a draft the active version.
update routing_policy
set status = 'active', activated_by = $3, activated_at = clock_timestamp()
where tenant_id = $1 and version = $2
returning version, based_on, status, document, comment, proposed_by, created_at as proposed_at,
          activated_by, activated_at
