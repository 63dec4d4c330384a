"""A sample of the histories on real servers: `python -m loadtests.torture.real [--histories N]`.

The same people, processes, faults and checks as on the simulated servers, by the clock on the wall:
what happens when is chance, so a bad end may not come twice. A PostgreSQL for all, which accidents
restart under everybody; a database and a Valkey for each history.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import msgspec
import psutil

from backend.admission.valkey import Valkey
from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.migrate import migrate
from backend.db.pool import (
    APPLICATION_ROLE,
    CONNECTION_LOST,
    SESSION_SETTINGS,
    Database,
    TenantTransaction,
)
from backend.embedded.folders import remove_runtime_folders
from backend.embedded.postgres import PostgresServer
from backend.embedded.valkey import ValkeyServer
from backend.inventory.change_stock import StockReceive, change_stock
from backend.inventory.warehouses import create_warehouse
from backend.network.model import (
    NodeDraft,
    NodeKind,
    SlotKind,
    SlotProviderDraft,
    SlotWindow,
    WarehouseDraft,
)
from backend.network.nodes import create_node, load_regions
from backend.network.regions.table import bundled_regions
from backend.network.slots import set_slot_provider, set_slots
from backend.routing.policies import activate_policy, propose_policy
from loadtests.saying import say
from loadtests.torture.accidents import PAUSE_SECONDS, RESTART_SECONDS, Accident
from loadtests.torture.effects import Effects, Fault
from loadtests.torture.faulty import FaultyDatabase, FaultyValkey
from loadtests.torture.fill import REROUTING
from loadtests.torture.history import (
    HALVES,
    INSTALLED,
    SKUS,
    SLOT_DAY,
    History,
    NodeAt,
    make_history,
)
from loadtests.torture.loop import quietly
from loadtests.torture.play import LATENCY_SEED, Player
from loadtests.torture.played import BRAND, Played
from loadtests.torture.run import Bad, print_bad, quiet
from tenants import organisation
from tenants.principal import Kind, Permission, system_principal

HISTORIES = 60
AT_ONCE = 10
TABLES = (
    "stock_movement",
    "reservation",
    "stock_hold",
    "stock_hold_part",
    "stock_level",
    "order_line",
    "order_hold",
    "order_appointment",
    "slot",
    "orders",
    "fulfilment",
    "node_capacity",
    "outbox",
    "node",
    "refund",
)
ACTOR = "torture"
TEMPLATE = "history"
DATABASE_AWAY_SECONDS = 0.5
CONNECTIONS_MAX = 8


class Stored:
    """The rows of a database, as they were read last."""

    def __init__(self) -> None:
        self.tables: Mapping[str, Mapping[Any, dict[str, Any]]] = {}
        self.deadlocks = 0
        self.on_commit: list[Any] = []


class RealServers:
    """The servers of one history."""

    sees_commits = False
    healing_turns = 5
    """Seconds are long on a busy machine."""

    def __init__(self, ground: "Ground", seed: int, url: str, valkey: ValkeyServer) -> None:
        self.chance = Random(seed ^ LATENCY_SEED)
        self.trace: list[str] = []
        self.database = Stored()
        self._ground = ground
        self._url = url
        self._valkey = valkey
        self._one_at_a_time = asyncio.Lock()

    async def connect(self, effects: Effects) -> tuple[Database, Valkey]:
        settings = {"role": APPLICATION_ROLE, **SESSION_SETTINGS}
        while True:
            pool = asyncpg.create_pool(  # door-ok: the door with faults in it
                self._url, min_size=0, max_size=CONNECTIONS_MAX, server_settings=settings
            )
            try:
                await pool
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(RESTART_SECONDS)
            else:
                return FaultyDatabase(pool, effects), FaultyValkey(self._valkey.url, effects)

    async def happen(self, accident: Accident) -> None:
        """Let an accident happen; a replica that is behind is not among the servers here."""
        async with self._one_at_a_time:
            await self._happen(accident)

    async def _happen(self, accident: Accident) -> None:
        process = psutil.Process(self._valkey.process_id)
        match accident:
            case Accident.VALKEY_FLUSHED:
                valkey = Valkey(self._valkey.url)
                await valkey.command("FLUSHALL")
                await valkey.close()
            case Accident.VALKEY_RESTARTED | Accident.VALKEY_FAILED_OVER:
                process.kill()
                await asyncio.to_thread(self._valkey.stop)
                await asyncio.sleep(RESTART_SECONDS)
                await asyncio.to_thread(self._valkey.start)
            case Accident.VALKEY_PAUSED:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(PAUSE_SECONDS)
                process.send_signal(signal.SIGCONT)
            case Accident.DATABASE_RESTARTED:
                await self._ground.restart_postgres()

    async def read(self) -> None:
        """Read every table that the checks look at, in one snapshot."""
        while True:
            try:
                self.database.tables = await self._tables()
            except (*CONNECTION_LOST, OSError, asyncpg.PostgresError):
                await asyncio.sleep(RESTART_SECONDS)
            else:
                return

    async def _tables(self) -> dict[str, dict[Any, dict[str, Any]]]:
        connection = await asyncpg.connect(self._url)  # door-ok: the superuser looks only
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return {
                    table: {
                        number: dict(row)
                        for number, row in enumerate(
                            await connection.fetch(f"table {table}")  # sql-ok: looks only
                        )
                    }
                    for table in TABLES
                }
        finally:
            await connection.close()


class Ground:
    """The PostgreSQL of all histories, and the template of their databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.postgres = PostgresServer(folder)
        self._turn = asyncio.Lock()
        """Only one accident at a time restarts PostgreSQL, and nobody clones a database then."""

    async def prepare(self) -> None:
        await self._sql(f"create database {TEMPLATE}")  # sql-ok: ours
        await migrate(self._url_of(TEMPLATE), load_regions)
        database = await Database.connect(self._url_of(TEMPLATE))
        try:
            await _create_brand(database)
        finally:
            await database.close()

    async def play(self, history: History) -> Bad | None:
        """Play a history; returns it with what was found, if anything was."""
        history = _as_far_as_real(history)
        name = f"history_{history.seed}"
        async with self._turn:
            await self._sql(f"create database {name} template {TEMPLATE}")  # sql-ok: ours
            await _fill(self._url_of(name), history)
        folder = self._folder / name
        folder.mkdir()
        valkey = ValkeyServer(folder)
        await asyncio.to_thread(valkey.start)
        try:
            servers = RealServers(self, history.seed, self._url_of(name), valkey)
            played = Played(history, servers)
            await servers.read()
            played.observer.begin()
            await Player(played).run()
        except Exception as error:
            return Bad(history, [f"it raised {error!r}"])
        finally:
            await asyncio.to_thread(valkey.stop)
            remove_runtime_folders(folder)
            async with self._turn:
                await self._sql(f"drop database {name} with (force)")  # sql-ok: ours
        return Bad(history, played.findings) if played.findings else None

    async def restart_postgres(self) -> None:
        async with self._turn:
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.sleep(DATABASE_AWAY_SECONDS)
            await asyncio.to_thread(self.postgres.start)

    async def _sql(self, text: str) -> None:
        admin = await asyncpg.connect(self.postgres.url)  # door-ok: makes databases
        try:
            await admin.execute(text)  # sql-ok: ours
        finally:
            await admin.close()

    def _url_of(self, database: str) -> str:
        return self.postgres.url.replace("/postgres?", f"/{database}?")


def _as_far_as_real(history: History) -> History:
    """Return the history without what is not done here: earmarks, which need a layout of pools,
    and connections that break and are still at work."""
    faults = tuple(
        (machine, at, Fault.LOST_AFTER if fault is Fault.LOST_MEANWHILE else fault)
        for machine, at, fault in history.faults
    )
    return msgspec.structs.replace(history, faults=faults, kept=())


async def _create_brand(database: Database) -> None:
    """Create the brand of all histories, with the same ids as on the simulated servers."""
    async with database.platform_transaction() as tx:
        brand_id = await organisation.register_brand(
            tx, ACTOR, code="acme", name="Acme", currency="CNY", time_zone="Asia/Shanghai"
        )
        user_id = await organisation.register_user(tx, ACTOR, "a@b.example", "A", "correct horse")
        await organisation.grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, frozenset(Permission), brand_id=brand_id
        )
    async with database.tenant_transaction(system_principal(brand_id, ACTOR)) as tx:
        await create_shop(tx, ShopDraft("shop", "Shop", "tmall"))
        await save_skus(tx, [_sku(code) for code in SKUS])
    if (brand_id, f"user:{user_id}") != (BRAND.tenant_id, BRAND.subject):
        raise RuntimeError("the brand has other ids than on the simulated servers")


def _sku(code: str) -> SkuDraft:
    return SkuDraft(code=code, name=code, weight_g=1_000, needs_installation=code == INSTALLED)


async def _fill(url: str, history: History) -> None:
    database = await Database.connect(url)
    try:
        async with database.tenant_transaction(system_principal(BRAND.tenant_id, ACTOR)) as tx:
            for node in history.nodes:
                await _create_node(tx, node.code, node.region_code, node.daily_capacity)
            if history.reroutes:
                await _route(tx)
            for number, visits in enumerate(history.visits, 1):
                await _create_provider(tx, history.nodes, number, visits)
            for number, (code, sku, units) in enumerate(history.stock):
                if units:
                    command = StockReceive(warehouse=code, sku=sku, quantity=units)
                    await change_stock(tx, command, f"opening-{number}")
    finally:
        await database.close()


async def _create_node(
    tx: TenantTransaction, code: str, region_code: int, daily_capacity: int | None
) -> None:
    node = NodeDraft(
        code=code,
        name=code,
        kind=NodeKind.WAREHOUSE,
        region_code=region_code,
        daily_capacity=daily_capacity,
    )
    node_id = await create_node(tx, node, bundled_regions())
    await create_warehouse(tx, WarehouseDraft(node_id=node_id, code=code))


async def _route(tx: TenantTransaction) -> None:
    """Put the policy in force by which orders are given to other nodes."""
    proposed = await propose_policy(
        tx, REROUTING, regions=bundled_regions(), based_on=0, key="policy", comment=""
    )
    await activate_policy(tx, proposed.version, regions=bundled_regions(), key="active")


async def _create_provider(
    tx: TenantTransaction, nodes: Sequence[NodeAt], number: int, visits: Sequence[int]
) -> None:
    is_installer = number > len(nodes)
    provider = SlotProviderDraft(
        code=f"p{number}",
        name="p",
        kind=SlotKind.INSTALLATION if is_installer else SlotKind.DELIVERY,
        node=None if is_installer else nodes[number - 1].code,
    )
    await set_slot_provider(tx, provider, key=provider.code, regions=bundled_regions())
    windows = [
        SlotWindow(first_minute=first, end_minute=end, visits=limit)
        for (first, end), limit in zip(HALVES, visits, strict=True)
    ]
    days = (SLOT_DAY, SLOT_DAY)
    await set_slots(tx, provider.code, days, windows, key=f"s{number}")


@contextmanager
def real_ground() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="yipan-torture-") as folder:
        ground = Ground(Path(folder))
        ground.postgres.start()
        try:
            yield ground
        finally:
            ground.postgres.stop()
            remove_runtime_folders(Path(folder))


async def play_all(ground: Ground, seeds: Sequence[int]) -> list[Bad]:
    """Play histories, some at a time; returns those that came to a bad end."""
    asyncio.get_running_loop().set_exception_handler(quietly)
    await ground.prepare()
    room = asyncio.Semaphore(AT_ONCE)

    async def play(seed: int) -> Bad | None:
        async with room:
            return await ground.play(make_history(seed))

    return [bad for bad in await asyncio.gather(*map(play, seeds)) if bad is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Play histories on real servers.")
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    options = parser.parse_args()
    quiet()
    started = time.monotonic()
    with real_ground() as ground:
        seeds = range(options.first, options.first + options.histories)
        bad = asyncio.run(play_all(ground, seeds))
    for each in bad:
        print_bad(each)
    minutes = (time.monotonic() - started) / 60
    say(f"{options.histories:,} histories on real servers in {minutes:.1f} minutes, {len(bad)} bad")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
