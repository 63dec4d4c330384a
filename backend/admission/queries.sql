-- read_epoch --
-- The tenant's epoch, and the server that it belongs to.
select epoch, run_id, replication_id from admission_epoch where tenant_id = $1

-- create_epoch --
-- The first epoch of a tenant.
insert into admission_epoch (tenant_id, epoch, run_id, replication_id) values ($1, 1, '', '')
on conflict do nothing

-- raise_epoch --
-- Begin a new epoch on a server, if nobody has since the old one was read.
update admission_epoch set epoch = epoch + 1, run_id = $4, replication_id = $5
where tenant_id = $1 and epoch = $2 and (run_id, replication_id) = ($3::text, $6::text)
returning epoch
