"""A principal may do what it was given, and no more; a group writes nothing whatever it holds."""

import pytest

from backend.db.errors import WriteRefused
from backend.db.pool import Database
from backend.inventory.change_stock import StockReceive, change_stock
from tenants.principal import (
    WRITERS,
    Kind,
    Permission,
    PermissionMissing,
    Principal,
    stock_writer,
    system_principal,
)
from tests.catalogue import Connection, contents
from tests.world import World, fresh_key


def holder(*permissions: Permission, subject: str = "user:1") -> Principal:
    return Principal(
        tenant_id=1, kind=Kind.BRAND, subject=subject, permissions=frozenset(permissions)
    )


@pytest.mark.parametrize("permission", Permission)
def test_who_holds_a_permission_may(permission: Permission) -> None:
    holder(permission).require(permission)


@pytest.mark.parametrize("permission", Permission)
def test_who_lacks_it_may_not_even_with_all_others(permission: Permission) -> None:
    others = holder(*(set(Permission) - {permission}))
    with pytest.raises(PermissionMissing, match=f"needs the permission {permission}") as refusal:
        others.require(permission)
    assert refusal.value.extensions == {
        "code": "PERMISSION_MISSING",
        "permission": permission.value,
    }


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SYSTEM])
def test_no_kind_implies_a_permission(kind: Kind) -> None:
    nobody = Principal(tenant_id=1, kind=kind, subject="user:1")
    with pytest.raises(PermissionMissing):
        nobody.require(Permission.ORDERS_READ)


@pytest.mark.parametrize("permission", Permission)
def test_our_own_processes_may_everything(permission: Permission) -> None:
    reaper = system_principal(1, "reaper")
    assert (reaper.kind, reaper.subject) == (Kind.SYSTEM, "system:reaper")
    reaper.require(permission)


@pytest.mark.parametrize("kind", Kind)
def test_a_group_alone_is_read_only(kind: Kind) -> None:
    who = Principal(tenant_id=1, kind=kind, subject="user:1")
    assert who.is_read_only == (kind is Kind.GROUP)


@pytest.mark.parametrize(
    ("subject", "user_id", "key_id"),
    [
        ("user:7", 7, None),
        ("key:3", None, 3),
        ("system:reaper", None, None),
        ("system:user:7", None, None),
    ],
)
def test_the_subject_says_who_it_is(subject: str, user_id: int | None, key_id: int | None) -> None:
    who = holder(subject=subject)
    assert (who.user_id, who.key_id) == (user_id, key_id)


@pytest.mark.parametrize("name", ["group", "dealer", "store"])
async def test_who_only_reads_writes_nothing_with_every_permission(
    still: Database, ready_world: World, still_admin: Connection, name: str
) -> None:
    who: Principal = getattr(ready_world, name)
    assert who.permissions == frozenset(Permission)
    assert who.kind not in WRITERS
    before = await contents(still_admin)
    with pytest.raises(WriteRefused) as refusal:
        async with still.tenant_transaction(who) as tx:
            await change_stock(tx, StockReceive(warehouse="wh", sku="A", quantity=1), fresh_key())
    assert refusal.value.code == "WRITE_REFUSED"
    assert await contents(still_admin) == before


def test_the_system_writes_stock_for_whom_the_policies_do_not_let() -> None:
    for kind in (Kind.BRAND, Kind.GROUP, Kind.SYSTEM):
        who = Principal(tenant_id=1, kind=kind, subject="user:1")
        assert stock_writer(who) is who
    store = Principal(tenant_id=1, kind=Kind.STORE, subject="user:1", node_ids=(4,))
    writer = stock_writer(store)
    assert (writer.kind, writer.subject, writer.node_ids) == (Kind.SYSTEM, "user:1", ())
    with pytest.raises(PermissionMissing):
        writer.require(Permission.STOCK_WRITE)


@pytest.mark.parametrize(
    ("kind", "own", "others", "dealers"),
    [
        (Kind.BRAND, True, True, True),
        (Kind.STORE, True, False, False),
        (Kind.DEALER, False, False, True),
    ],
)
def test_who_writes_where(kind: Kind, own: bool, others: bool, dealers: bool) -> None:
    who = Principal(tenant_id=1, kind=kind, subject="user:1", node_ids=(4,), dealer_id=2)
    for each in (who, stock_writer(who)):
        assert each.may_work_at(4, None) == own
        assert each.may_work_at(5, None) == others
        assert each.may_work_at(5, 2) == dealers
        assert each.may_work_at(5, 3) == (kind is Kind.BRAND)
