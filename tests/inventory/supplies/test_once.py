"""Supplies are kept once for a key, and by one of those who saw the same version."""

import asyncio

from backend.db.pool import Database
from backend.inventory.supplies.dispatch import Dispatch, Dispatched, dispatch
from backend.inventory.supplies.model import Supply, SupplyDraft
from backend.inventory.supplies.supplies import (
    close_supply,
    lock_open_supplies,
    page_of_supplies,
    set_supplies,
)
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, all_at_once, all_wait, start
from tests.inventory.stock import Figures, figures, ledger
from tests.orders.supplies.coming import LATER, LATEST, SOON, supply
from tests.refusals import refused
from tests.world import World, fresh_key, receive


async def keep(
    database: Database, world: World, *drafts: SupplyDraft, key: str | None = None
) -> list[Supply]:
    async with database.tenant_transaction(world.brand) as tx:
        return await set_supplies(tx, drafts, key=key or fresh_key())


async def close(database: Database, world: World, key: str) -> Supply:
    async with database.tenant_transaction(world.brand) as tx:
        return await close_supply(tx, "PO-1", 1, key=key)


async def send(
    database: Database, world: World, quantity: int, code: str = "TO-1", key: str | None = None
) -> Dispatched:
    command = Dispatch(
        code=code, source="wh", destination="far", sku="A", quantity=quantity, arrives_on=LATER
    )
    async with database.tenant_transaction(world.brand) as tx:
        return await dispatch(tx, command, key=key or fresh_key())


async def listed(database: Database, world: World, *, only_open: bool = False) -> list[Supply]:
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        return await page_of_supplies(tx, (SOON, 0), 100, only_open=only_open)


async def test_again_it_is_answered_as_the_first_time(
    database: Database, world: World, admin: Connection
) -> None:
    first = await keep(database, world, supply(3), key="k")
    closed = await close(database, world, key="c")
    before = await contents(admin)
    assert await keep(database, world, supply(3), key="k") == first
    assert await close(database, world, key="c") == closed
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await keep(database, world, supply(4), key="k")
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await close(database, world, key="k")


async def test_a_change_is_a_new_version_by_whoever_made_it(
    database: Database, world: World
) -> None:
    (first,) = await keep(database, world, supply(3, compare_version=0))
    changed = supply(4, expected_on=LATEST, confidence_bp=9_000, compare_version=1)
    (second,) = await keep(database, world, changed)
    assert (first.version, second.version, second.id) == (1, 2, first.id)
    assert (second.quantity, second.expected_on, second.confidence_bp) == (4, LATEST, 9_000)
    assert (second.set_by, second.received, second.promised) == (world.brand.subject, 0, 0)


async def test_what_was_closed_is_opened_by_who_expects_it_again(
    database: Database, world: World
) -> None:
    await keep(database, world, supply(3))
    await close(database, world, key="c")
    assert await listed(database, world, only_open=True) == []
    (again,) = await keep(database, world, supply(3))
    assert (again.is_open, again.version) == (True, 3)


async def test_what_is_no_more_than_has_come_is_closed(
    database: Database, world: World, admin: Connection
) -> None:
    await keep(database, world, supply(3))
    await admin.execute("update supply set received = 2")
    (found,) = await keep(database, world, supply(2))
    assert (found.is_open, found.outstanding) == (False, 0)
    (again,) = await keep(database, world, supply(3))
    assert (again.is_open, again.outstanding) == (True, 1)


async def test_of_managers_who_saw_the_same_one_wins(
    database: Database, world: World, admin: Connection
) -> None:
    await keep(database, world, supply(3))
    works = (keep(database, world, supply(10 + n, compare_version=1)) for n in range(CROWD))
    done, codes = await all_at_once(admin, works, "supply")
    assert codes == ["SUPPLY_CHANGED"] * (CROWD - 1)
    assert [one.version for one in done[0]] == [2]
    assert await listed(database, world) == done[0]


async def test_of_managers_who_saw_none_one_wins(
    database: Database, world: World, admin: Connection
) -> None:
    async with admin.transaction():
        await admin.execute("lock table supply in share mode")
        works = (keep(database, world, supply(10 + n, compare_version=0)) for n in range(CROWD))
        tasks = await start(admin, works)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    done = [one for one in answers if not isinstance(one, BaseException)]
    codes = [getattr(one, "code", one) for one in answers if isinstance(one, BaseException)]
    assert codes == ["SUPPLY_CHANGED"] * (CROWD - 1)
    assert await listed(database, world) == done[0]


async def test_managers_who_compare_nothing_all_win(
    database: Database, world: World, admin: Connection
) -> None:
    async with admin.transaction():
        await admin.execute("lock table supply in share mode")
        tasks = await start(admin, (keep(database, world, supply(1 + n)) for n in range(CROWD)))
    versions = [(await task)[0].version for task in tasks]
    assert sorted(versions) == list(range(1, CROWD + 1))


async def test_managers_and_settlements_lock_in_one_order(
    database: Database, world: World, admin: Connection
) -> None:
    for code in ("PO-2", "PO-1"):  # the ids go against the codes
        await keep(database, world, supply(3, code=code))

    async def settle() -> None:
        async with database.tenant_transaction(world.system) as tx:
            assert len(await lock_open_supplies(tx, [world.skus["A"]])) == 2

    both = [supply(4, code="PO-1"), supply(4, code="PO-2")]
    async with admin.transaction():
        await admin.execute("select from supply where code = 'PO-2' for update")
        tasks = await start(admin, [settle()])  # would hold what comes first by id, but for us
        setting = await start(admin, [keep(database, world, *both)])
        await all_wait(admin, 2)
    await asyncio.gather(*tasks, *setting)


# ------------------------------------------------------------------------------------ dispatch


async def test_what_is_sent_is_on_its_way(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    sent = await send(database, world, 3)
    row = (await ledger(admin, world))[-1]
    assert (row.warehouse, row.type, row.on_hand, row.cause_kind) == (
        "wh",
        "moved_out",
        -3,
        "supply",
    )
    assert row.cause_id == sent.supply.id
    assert await figures(admin, world, "wh") == Figures(2, version=2)
    assert await figures(admin, world, "far") == Figures(0)
    assert await listed(database, world, only_open=True) == [sent.supply]
    assert (sent.supply.kind, sent.supply.outstanding) == ("transfer", 3)
    assert [level.on_hand for level in sent.levels] == [2]


async def test_the_same_dispatch_leaves_once(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    first = await send(database, world, 3, key="k")
    before = await contents(admin)
    assert await send(database, world, 3, key="k") == first
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await send(database, world, 2, key="k")


async def test_no_unit_is_sent_twice(database: Database, world: World, admin: Connection) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    works = (send(database, world, 2, f"TO-{n}") for n in range(CROWD))
    done, codes = await all_at_once(admin, works)
    assert (len(done), set(codes)) == (2, {"NOT_ENOUGH_TO_MOVE"})
    assert await figures(admin, world, "wh") == Figures(1, version=3)
    assert sum(one.outstanding for one in await listed(database, world)) == 4


async def test_dispatches_under_one_code_lose_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", CROWD)
    async with admin.transaction():
        await admin.execute("lock table supply in share mode")
        tasks = await start(admin, (send(database, world, 1) for _ in range(CROWD)))
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    codes = [getattr(one, "code", one) for one in answers if isinstance(one, BaseException)]
    assert codes == ["SUPPLY_CHANGED"] * (CROWD - 1)
    assert await figures(admin, world, "wh") == Figures(CROWD - 1, version=2)
    assert sum(one.outstanding for one in await listed(database, world)) == 1


async def test_within_a_node_nothing_is_on_its_way(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    await admin.execute(
        "insert into functional_warehouse (tenant_id, node_id, code, condition, purpose, rank)"
        " select tenant_id, node_id, 'aside', condition, 'event', 1 from functional_warehouse"
        " where tenant_id = $1 and code = 'wh'",
        world.tenant_id,
    )
    command = Dispatch(
        code="TO-1", source="wh", destination="aside", sku="A", quantity=1, arrives_on=LATER
    )
    async with (
        refused(admin, "INVALID_SUPPLY") as seen,
        database.tenant_transaction(world.brand) as tx,
    ):
        await dispatch(tx, command, key="k")
    assert getattr(seen.error, "path", None) == ("destination",)
