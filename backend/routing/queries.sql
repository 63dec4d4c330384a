-- active_policy --
-- The policy in force.
select version, document from routing_policy where tenant_id = $1 and status = 'active'
