"""Says a database's schema as lines of text, so that two of them can be compared."""

from tests.catalogue import Connection, names

PARTS = {
    "schema": """
        select n.nspname, owner.rolname, acl.said
        from pg_namespace n join pg_roles owner on owner.oid = n.nspowner
        cross join lateral (select string_agg(a::text, ',' order by a::text) as said
                            from unnest(n.nspacl) a) acl
        where n.nspname in ('public', 'platform')
    """,
    "relation": """
        select c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
               c.relforcerowsecurity, c.reloptions, owner.rolname, acl.said,
               pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid)
        from pg_class c join pg_roles owner on owner.oid = c.relowner
        cross join lateral (select string_agg(a::text, ',' order by a::text) as said
                            from unnest(c.relacl) a) acl
        where c.relnamespace::regnamespace::text in ('public', 'platform')
    """,
    "column": """
        select a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attcollation,
               a.attacl
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace::regnamespace::text in ('public', 'platform')
          and a.attnum > 0 and not a.attisdropped
    """,
    "constraint": """
        select r.conrelid::regclass, r.conname, pg_get_constraintdef(r.oid), r.convalidated
        from pg_constraint r
        where r.connamespace::regnamespace::text in ('public', 'platform')
    """,
    "index": """
        select pg_get_indexdef(i.indexrelid), i.indisvalid from pg_index i
        join pg_class c on c.oid = i.indexrelid
        where c.relnamespace::regnamespace::text in ('public', 'platform')
    """,
    "policy": """
        select p.schemaname, p.tablename, p.policyname, p.permissive, p.roles, p.cmd, p.qual,
               p.with_check
        from pg_policies p
    """,
    "routine": """
        select pg_get_functiondef(p.oid), owner.rolname, acl.said
        from pg_proc p join pg_roles owner on owner.oid = p.proowner
        cross join lateral (select string_agg(a::text, ',' order by a::text) as said
                            from unnest(p.proacl) a) acl
        where p.pronamespace::regnamespace::text in ('public', 'platform')
    """,
    "sequence": """
        select s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqcycle
        from pg_sequence s
    """,
    "view": """
        select v.schemaname, v.viewname, v.definition from pg_views v
        where v.schemaname in ('public', 'platform')
    """,
    "trigger": """
        select pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
    """,
}
"""What is compared. The order of columns is not: a migration can only add at the end."""


async def describe(connection: Connection) -> set[str]:
    """Return a line for everything that a schema is made of."""
    await connection.execute("set search_path = pg_catalog")
    lines = set()
    for part, query in PARTS.items():
        found = await names(connection, f"select x::text from ({query}) x")  # noqa: S608
        lines |= {f"{part} {line}" for line in found}
    await connection.execute("reset search_path")
    assert len(lines) > 500, "the schema was not found"
    return lines
