"""Ready to be distributed by tenant_id: what Citus asks of tables, keys and policies."""

from tests.catalogue import Connection, names, tenant_tables
from tests.test_tidy import report

REFERENCE_TABLES = {"region", "event_mark"}
"""The same for every tenant; copied to every machine."""
KEYS = """
    select c.relname as table, i.relname as key,
           (select a.attname from pg_attribute a
            where a.attrelid = x.indrelid and a.attnum = x.indkey[0]) as leading
    from pg_index x
    join pg_class c on c.oid = x.indrelid
    join pg_class i on i.oid = x.indexrelid
    where c.relname = any($1) and c.relnamespace = 'public'::regnamespace
"""
FOREIGN_KEYS = """
    select r.conname as name, r.conrelid::regclass::text as table,
           r.confrelid::regclass::text as target,
           (select array_agg(a.attname::text order by k.n)
            from unnest(r.conkey) with ordinality as k(attnum, n)
            join pg_attribute a on a.attrelid = r.conrelid and a.attnum = k.attnum) as columns
    from pg_constraint r
    where r.contype = 'f' and r.connamespace = 'public'::regnamespace and r.conparentid = 0
"""


async def test_the_tenant_leads_every_key_and_index(admin: Connection) -> None:
    keys = await admin.fetch(KEYS, await tenant_tables(admin))
    assert len(keys) > 20
    report(
        f"{key['table']}: {key['key']} begins with {key['leading']}"
        for key in keys
        if key["leading"] != "tenant_id"
    )


async def test_every_tenant_table_has_a_primary_key(admin: Connection) -> None:
    keyed = "select conrelid::regclass::text from pg_constraint where contype = 'p'"
    assert set(await tenant_tables(admin)) <= set(await names(admin, keyed))


async def test_the_tenant_leads_every_foreign_key(admin: Connection) -> None:
    tables = await tenant_tables(admin)
    keys = [key for key in await admin.fetch(FOREIGN_KEYS) if key["table"] in tables]
    assert len(keys) > 5
    report(
        f"{key['table']}: {key['name']} begins with {key['columns'][0]}"
        for key in keys
        if key["target"] not in REFERENCE_TABLES and key["columns"][0] != "tenant_id"
    )


async def test_foreign_keys_stay_among_tenant_and_reference_tables(admin: Connection) -> None:
    known = {*await tenant_tables(admin), *REFERENCE_TABLES}
    targets = {key["target"] for key in await admin.fetch(FOREIGN_KEYS)}
    assert targets <= known


async def test_a_table_is_a_tenants_or_reference(admin: Connection) -> None:
    public = "select tablename from pg_tables where schemaname = 'public'"
    partitions = "select relname from pg_class where relispartition and relkind = 'r'"
    others = set(await names(admin, public)) - set(await names(admin, partitions))
    assert others - set(await tenant_tables(admin)) == REFERENCE_TABLES | {"migration"}


async def test_no_policy_looks_into_a_table(admin: Connection) -> None:
    policies = await admin.fetch("select tablename, qual, with_check from pg_policies")
    assert len(policies) >= 4 * len(await tenant_tables(admin))
    for policy in policies:
        said = f"{policy['qual']} {policy['with_check']}".lower()
        assert "select" not in said, policy["tablename"]
        assert " from " not in said, policy["tablename"]


async def test_identity_columns_are_wide(admin: Connection) -> None:
    identity = """
        select a.attrelid::regclass::text || '.' || a.attname from pg_attribute a
        where a.attidentity <> '' and a.atttypid <> 'bigint'::regtype
    """
    assert await names(admin, identity) == []
    sequences = "select seqrelid::regclass from pg_sequence where seqtypid <> 'bigint'::regtype"
    assert await names(admin, sequences) == []
