"""Every pair of commands at once on one order, and every command cut off at every statement.

`python -m loadtests.torture.pairs [--share PER_CENT] [--seed N]`, on real servers, from every state
that an order may stand in. At once: in two processes; the order's status must follow from its
units. Cut off: the connection is lost before or after a statement, and whoever asked asks again
with the same key; the order must stand as one that nobody cut off. Then the audit finds nothing.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import combinations_with_replacement, count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import asyncpg
import msgspec

from backend.after_sales.exchanging import exchanges_by_returns
from backend.after_sales.model import RepairStatus, TradeInStatus
from backend.after_sales.repairs import page_of_repairs
from backend.after_sales.standing import refunds_of_orders, returns_of_orders
from backend.after_sales.trade_ins import page_of_trade_ins
from backend.audit.audit import audit
from backend.catalog.model import SkuDraft
from backend.db.errors import YipanError
from backend.db.migrate import migrate
from backend.db.pool import APPLICATION_ROLE, SESSION_SETTINGS
from backend.embedded.services import EmbeddedServices
from backend.fulfilment.carriers.accounts import set_carrier_account
from backend.fulfilment.collections.model import CollectionStatus
from backend.fulfilment.collections.standing import page_of_collections
from backend.inventory.counters import Counters
from backend.inventory.model import LevelKey
from backend.inventory.warehouses import create_warehouse
from backend.network.model import (
    Capability,
    Condition,
    NodeDraft,
    NodeKind,
    NodeTerms,
    WarehouseDraft,
)
from backend.network.node_terms import set_node_terms
from backend.network.nodes import list_nodes, load_regions
from backend.orders.deposits.deposits import deposits_of_orders
from backend.orders.find_orders import (
    fulfilments_of_orders,
    holds_of_orders,
    lines_of_orders,
    orders_by_ids,
)
from backend.orders.model import AddressDraft, Deposit, LineDraft, OrderDraft, Pickup, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.states import derive_status
from backend.orders.step import line_outcome
from backend.pickups.codes import codes_of_order
from backend.pickups.standing import pickups_of_orders
from backend.runtime import Runtime, open_runtime
from loadtests.fresh_brand import SHOP, BrandDraft, FreshBrand, create_fresh_brand
from loadtests.receive_stock import receive_stock
from loadtests.saying import say
from loadtests.torture import door_commands
from loadtests.torture.commands import COMMANDS, STATES
from loadtests.torture.effects import Effects, Fault
from loadtests.torture.faulty import FaultyDatabase
from loadtests.torture.run import quiet
from loadtests.torture.target import FAR, NEAR, OTHER_SKU, SKU, SPARE, Target

SECRET = "a secret of the torture, of more than 32 characters"
BRAND = BrandDraft("pairs", "Pairs", "CNY", "Asia/Shanghai", "direct")
REGIONS = {NEAR: 310104, SPARE: 330106, FAR: 110105}
HANDS_OVER = NodeTerms(capabilities=frozenset({Capability.HANDS_OVER}))
UNITS = 3
DEEP = 10**8
CUTS = (Fault.LOST_BEFORE, Fault.LOST_AFTER)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
STATEMENTS_MAX = 60
"""Of one command; the longest has some thirty."""
WHOLE = 100
PROGRESS_EVERY = 200
ALL = 100


class Standing(NamedTuple):
    """How an order stands: what two ways to it must agree in."""

    status: str
    lines: tuple[Any, ...]
    fulfilments: tuple[tuple[int, str], ...]
    pickup: str
    returns: tuple[str, ...]
    refunds: tuple[tuple[str, int], ...]
    exchanges: tuple[tuple[str, int, str], ...]
    """Each with what is due, and how its replacement stands."""
    deposit: str
    units: tuple[str, ...]
    """How its repairs, its trade-ins and its collections stand."""


class Play(NamedTuple):
    """One thing to be played: from a state, these commands; cut off at a statement, or at once."""

    state: str
    commands: tuple[str, ...]
    fault: Fault | None = None
    at: int = 0

    def __str__(self) -> str:
        how = f", {self.fault} statement {self.at}" if self.fault else " at once"
        return f"{' and '.join(self.commands)} of what is {self.state}{how}"


class Scene:
    """A brand with endless stock, whose orders come from two nodes, served by two processes."""

    def __init__(
        self, processes: Sequence[Runtime], pool: Any, brand: FreshBrand, other_node: int
    ) -> None:
        """`pool` has the connections that are cut off; a second node sends the other SKU."""
        self._other_node = other_node
        self.processes = processes
        self._pool = pool
        self._brand = brand
        self._keys = count()

    async def play(self, play: Play) -> list[str]:
        """Play it on a fresh order; returns what is wrong."""
        target = await self._target(play.state)
        if play.fault is not None:
            return await self._cut_off(play, target)
        outcomes = await asyncio.gather(
            *(
                self._run(self.processes[number], name, target)
                for number, name in enumerate(play.commands)
            ),
            return_exceptions=True,
        )
        found = [
            f"{name} raised {outcome!r}"
            for name, outcome in zip(play.commands, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]
        return found + await self._look(target)

    async def _cut_off(self, play: Play, target: Target) -> list[str]:
        """Lose the connection at a statement, ask again, and compare with who was not cut off."""
        (name,) = play.commands
        assert play.fault is not None
        key, spared = f"k{next(self._keys)}", await self._target(play.state)
        effects = Effects("cut", Random(0), {play.at: play.fault}, [])
        with suppress(Exception):  # what it hears of does not matter: it asks again
            await COMMANDS[name](FaultyDatabase(self._pool, effects), target, key)
        await self._run(self.processes[0], name, target, key)
        if effects.count < play.at:
            return [OVER]
        await self._run(self.processes[0], name, spared)
        await self.processes[0].settle()
        found = await self._look(target)
        was, would = await self._standing(target), await self._standing(spared)
        if was != would:
            found.append(f"it stands as {was}, and would as {would}")
        return found

    async def _target(self, state: str) -> Target:
        """Return a fresh order that stands in a state."""
        process, wanted = self.processes[0], STATES[state]
        lines = (LineDraft(SKU, UNITS, 1_000), LineDraft(OTHER_SKU, 1, 1_000))
        draft = OrderDraft(
            shop=SHOP,
            external_id=f"o{next(self._keys)}",
            is_paid=wanted.is_paid,
            deposit=msgspec.UNSET if wanted.is_paid else Deposit(500, LATER),
            address=AddressDraft(detail="x", region_code=REGIONS[NEAR]),
            lines=lines[:1] if wanted.is_fetched else lines,
            freight_minor=800,
            pickup=Pickup(NEAR) if wanted.is_fetched else msgspec.UNSET,
        )
        placed = await process.intake.place(draft, self._brand.principal)
        assert isinstance(placed, Placed), placed
        async with self._reading() as tx:
            found = (await fulfilments_of_orders(tx, [placed.order_id]))[placed.order_id]
        sent = next(row for row in found if row["node_id"] != self._other_node)
        key = FulfilmentKey(placed.order_id, sent["fulfilment_no"])
        target = Target(key, sent["node_id"], self._brand.principal, intake=process.intake)
        for name in wanted.steps:
            await COMMANDS[name](process.database, target, f"s{next(self._keys)}")
        if "make_ready" in wanted.steps:
            codes = await codes_of_order(process.database, target.principal, placed.order_id)
            return target._replace(token=codes[0].token or "")
        return target

    async def _run(self, process: Runtime, name: str, target: Target, key: str = "") -> None:
        """Carry a command out, and tell everybody of what changed; a refusal is an answer."""
        try:
            changed = await COMMANDS[name](process.database, target, key or f"k{next(self._keys)}")
        except YipanError:
            return
        if isinstance(changed, Counters):
            await process.publish_counters(self._brand.tenant_id, changed)

    async def _look(self, target: Target) -> list[str]:
        """Return what is wrong with how an order stands."""
        async with self._reading() as tx:
            ids = [target.key.order_id]
            order = (await orders_by_ids(tx, ids))[ids[0]]
            rows = (await lines_of_orders(tx, ids))[ids[0]]
            holds = (await holds_of_orders(tx, ids)).get(ids[0], [])
        is_held = any(hold["released_at"] is None for hold in holds)
        status = derive_status([line_outcome(row) for row in rows], is_held=is_held)
        if status == order["status"]:
            return []
        return [f"the order is {order['status']}, its lines say {status}"]

    async def _standing(self, target: Target) -> Standing:
        async with self._reading() as tx:
            ids = [target.key.order_id]
            order = (await orders_by_ids(tx, ids))[ids[0]]
            rows = (await lines_of_orders(tx, ids))[ids[0]]
            sent = (await fulfilments_of_orders(tx, ids))[ids[0]]
            pickups = await pickups_of_orders(tx, ids)
            returns = (await returns_of_orders(tx, ids)).get(ids[0], [])
            refunds = (await refunds_of_orders(tx, ids)).get(ids[0], [])
            exchanges = await exchanges_by_returns(tx, [one.id for one in returns])
            replacing = await orders_by_ids(
                tx, [one.replacement_id for one in exchanges.values() if one.replacement_id]
            )
            deposits = (await deposits_of_orders(tx, ids)).get(ids[0], [])
            of = (None, ids[0])
            repairs = await page_of_repairs(tx, of, RepairStatus, 0, ALL)
            trade_ins = await page_of_trade_ins(tx, of, TradeInStatus, 0, ALL)
            collections = await page_of_collections(tx, of, CollectionStatus, 0, ALL)
        return Standing(
            order["status"],
            tuple(line_outcome(row) for row in rows),
            tuple((one["node_id"], one["status"]) for one in sent),
            pickups[ids[0]].status if pickups else "",
            tuple(one.status for one in returns),
            tuple((one.status, one.amount_minor) for one in refunds),
            tuple(
                (
                    one.status,
                    one.due_minor,
                    replacing[one.replacement_id]["status"] if one.replacement_id else "",
                )
                for _, one in sorted(exchanges.items())
            ),
            deposits[0]["status"] if deposits else "",
            (
                *(one.status for one in repairs),
                *(one.status for one in trade_ins),
                *(one.status for one in collections),
            ),
        )

    async def differences(self) -> list[str]:
        """Return what the audit finds."""
        process = self.processes[0]
        for each in self.processes:
            await each.settle()
        # Who was cut off after a commit leaves telling of it to the sweep.
        await process.maintenance.reap()
        await process.maintenance.sweep()
        report = await audit(
            process.database, process.admission, process.counters, self._brand.tenant_id
        )
        return [str(one) for one in report.differences]

    def _reading(self) -> Any:
        return self.processes[0].database.tenant_transaction(self._brand.principal, read_only=True)


OVER = "the command has fewer statements"


@asynccontextmanager
async def open_scene(database_url: str, valkey_url: str) -> AsyncIterator[Scene]:
    """Open two processes and a door that is cut off, on a fresh brand."""
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(
                open_runtime(database_url, valkey_url, SECRET, with_maintenance=False)
            )
            for _ in range(2)
        ]
        nodes = [
            NodeDraft(code=code, name=code, kind=NodeKind.WAREHOUSE, region_code=region)
            for code, region in REGIONS.items()
        ]
        skus = [SkuDraft(code=code, name=code, weight_g=1_000) for code in (SKU, OTHER_SKU)]
        brand = await create_fresh_brand(processes[0], BRAND, nodes, skus)
        levels = {
            LevelKey(brand.warehouses[node], brand.skus[sku]): DEEP
            for node, sku in ((NEAR, SKU), (SPARE, SKU), (FAR, OTHER_SKU))
        }
        await receive_stock(processes[0], brand.principal, levels, "opening")
        settings = {"role": APPLICATION_ROLE, **SESSION_SETTINGS}
        pool = await asyncpg.create_pool(  # door-ok: the door with faults in it
            database_url, min_size=0, max_size=1, server_settings=settings
        )
        stack.push_async_callback(pool.close)
        async with processes[0].database.tenant_transaction(brand.principal) as tx:
            account = (door_commands.CARRIER, "sim", "http://127.0.0.1:9", SECRET)
            await set_carrier_account(tx, *account, is_active=True, key="carrier")
            listed = {node.code: node.id for node in await list_nodes(tx)}
            for code in (NEAR, SPARE):
                await set_node_terms(tx, code, HANDS_OVER)
                room = WarehouseDraft(
                    node_id=listed[code], code=f"{code}-back", condition=Condition.INSPECTION
                )
                await create_warehouse(tx, room)
        yield Scene(processes, pool, brand, listed[FAR])


def pairs() -> Iterator[Play]:
    """Yield every pair of the commands of every state, each with itself among them."""
    for name, state in STATES.items():
        for pair in combinations_with_replacement(state.commands, 2):
            yield Play(name, pair)


async def play_all(scene: Scene, share: int, seed: int) -> tuple[int, list[str]]:
    """Play a share (per cent) of everything; returns how much, and what came to a bad end."""
    random, played, bad = Random(seed), 0, list[str]()

    async def one(play: Play) -> bool:
        """Play it; returns False where the command has no such statement."""
        nonlocal played
        found = await scene.play(play)
        if OVER in found:
            return False
        played += 1
        bad.extend(f"{play}: {finding}" for finding in found)
        if played % PROGRESS_EVERY == 0:
            say(f"{played:7,} played, {len(bad)} bad")
        return True

    for pair in pairs():
        if random.randrange(WHOLE) < share:
            await one(pair)
    for state, standing in STATES.items():
        for name in standing.commands:
            for fault in CUTS:
                if random.randrange(WHOLE) < share:
                    at = 1
                    while at <= STATEMENTS_MAX and await one(Play(state, (name,), fault, at)):
                        at += 1
    bad += await scene.differences()
    return played, bad


async def _main(share: int, seed: int, folder: Path) -> int:
    started = time.monotonic()
    with EmbeddedServices(folder) as services:
        await migrate(services.database_url, load_regions)
        async with open_scene(services.database_url, services.valkey_url) as scene:
            played, bad = await play_all(scene, share, seed)
    for finding in bad:
        say(finding)
    minutes = (time.monotonic() - started) / 60
    say(f"{played:,} pairs and cut-off commands in {minutes:.1f} minutes, {len(bad)} bad")
    return 1 if bad else 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Play commands at once, and cut off.")
    parser.add_argument("--share", type=int, default=WHOLE, help="per cent of what there is")
    parser.add_argument("--seed", type=int, default=0, help="which part of it")
    options = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory(prefix="yipan-pairs-") as folder:
        sys.exit(asyncio.run(_main(options.share, options.seed, Path(folder))))


if __name__ == "__main__":
    main()
