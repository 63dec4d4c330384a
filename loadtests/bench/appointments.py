"""Appointments: buyers at once in one process, each wants a delivery and an installation at a time.

16 nodes with a dock each, 5 installers, 10 days of 4 windows; so many installations in a window
that every second buyer finds one. Underbooked is what is free of a window in which somebody was
refused; overbooked what was taken beyond a limit.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

import uvloop

from backend.catalog.model import SkuDraft
from backend.environment import Servers
from backend.inventory.model import LevelKey
from backend.network.model import NodeDraft, NodeKind, Slot, SlotKind, SlotProviderDraft, SlotWindow
from backend.network.regions.table import bundled_regions
from backend.network.slots import (
    list_slot_providers,
    set_slot_provider,
    set_slots,
    slots_of_days,
)
from backend.orders.errors import NoAppointment, TooBusy
from backend.orders.model import AddressDraft, Appointment, LineDraft, OrderDraft, Placed
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import BRAND, districts
from loadtests.bench.ground import bench_servers, fresh_database
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from loadtests.fresh_brand import SHOP, create_fresh_brand
from loadtests.receive_stock import receive_stock
from tenants.principal import Principal, system_principal

NODES, INSTALLERS, DAYS = 16, 5, 10
WINDOWS = ((480, 660), (660, 840), (840, 1_020), (1_020, 1_200))
INSTALLATIONS = 20
"""Of each installer in each window."""
DELIVERIES = 100
"""Of each dock in each window: the installers are the scarce ones."""
BUYERS = 2 * INSTALLATIONS * INSTALLERS * len(WINDOWS) * DAYS
AT_ONCE = 500
SKU = "COOLER"
FIRST_DAY = timedelta(days=30)


class Booked(NamedTuple):
    """What the slots say in the end."""

    installations: int
    overbooked: int
    underbooked: int


def run(options: Options) -> BenchReport:
    """Measure attempts per second, and what was booked of what there was."""
    report = BenchReport(name="appointments", metrics={}, seconds=0.0, seed=options.seed)
    with bench_servers() as ground:

        async def fill(database_url: str) -> None:
            await _create(ground.where, database_url, options.seed)

        async def measure() -> None:
            setting_up = Stopwatch()
            async with (
                fresh_database(ground, "appointments", fill) as own,
                open_runtime(
                    own.where.database_url,
                    own.where.valkey_url,
                    own.where.secret,
                    with_maintenance=False,
                ) as runtime,
            ):
                report.set_up_seconds = setting_up.seconds
                await _measure(runtime, options, report)

        uvloop.run(measure())
    return report


async def _measure(runtime: Runtime, options: Options, report: BenchReport) -> None:
    tenant = (await runtime.brands.all())[0].id
    principal = system_principal(tenant, "buyers")
    first = (await runtime.brands.get(tenant)).today() + FIRST_DAY
    random, codes = Random(options.seed), districts()
    drafts = [_order(random, codes, first, number) for number in range(BUYERS)]
    room, refused = asyncio.Semaphore(AT_ONCE), Counter[Appointment]()

    async def buy(draft: OrderDraft) -> None:
        async with room:
            while not isinstance(outcome := await runtime.intake.place(draft, principal), Placed):
                if outcome.code != TooBusy.code:
                    assert outcome.code == NoAppointment.code, outcome
                    assert draft.agreed is not None
                    refused[draft.agreed] += 1
                    return
                await asyncio.sleep(outcome.detail["retryAfterSeconds"])

    await runtime.admission.ensure_warm(tenant)
    processor, measured = Processor(), Stopwatch()
    with processor.measured():
        await asyncio.gather(*map(buy, drafts))
    seconds = measured.seconds
    booked = await _booked(runtime, principal, first, refused)
    report.seconds, report.cpu_seconds = round(seconds, 3), processor.seconds
    report.metrics = {
        "attempts_per_second": round(BUYERS / seconds, 1),
        "booked_per_second": round(booked.installations / seconds, 1),
        "refused": refused.total(),
        **booked._asdict(),
    }


async def _booked(
    runtime: Runtime, principal: Principal, first: date, refused: Counter[Appointment]
) -> Booked:
    async with runtime.database.tenant_transaction(principal, read_only=True) as tx:
        slots = await slots_of_days(tx, first, first + timedelta(days=DAYS))
        kinds = {one.id: one.kind for one in await list_slot_providers(tx)}
    installing = [slot for slot in slots if kinds[slot.provider_id] is SlotKind.INSTALLATION]
    return Booked(
        sum(slot.limit_visits - slot.free for slot in installing),
        sum(max(0, -slot.free) for slot in slots),
        sum(slot.free for slot in installing if refused[_time(slot)]),
    )


def _time(slot: Slot) -> Appointment:
    return Appointment(slot.day, slot.first_minute, slot.end_minute)


def _order(random: Random, codes: Sequence[int], first: date, number: int) -> OrderDraft:
    day = first + timedelta(days=random.randrange(DAYS))
    return OrderDraft(
        shop=SHOP,
        address=AddressDraft(detail="x", region_code=random.choice(codes)),
        lines=(LineDraft(SKU, 1, 299_900),),
        idempotency_key=f"buyer-{number}",
        appointment=Appointment(day, *random.choice(WINDOWS)),
    )


async def _create(where: Servers, database_url: str, seed: int) -> None:
    """Create a brand whose nodes deliver, and whose installers install, at agreed times."""
    random = Random(seed)
    nodes = [
        NodeDraft(code=f"n{n}", name=f"n{n}", kind=NodeKind.WAREHOUSE, region_code=code)
        for n, code in enumerate(random.sample(districts(), NODES))
    ]
    cooler = SkuDraft(code=SKU, name=SKU, category="ac", weight_g=28_000, needs_installation=True)
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        brand = await create_fresh_brand(runtime, BRAND, nodes, [cooler])
        levels = {
            LevelKey(warehouse, brand.skus[SKU]): BUYERS for warehouse in brand.warehouses.values()
        }
        await receive_stock(runtime, brand.principal, levels, "opening")
        providers = [
            SlotProviderDraft(
                code=f"dock-{node.code}", name=node.code, kind=SlotKind.DELIVERY, node=node.code
            )
            for node in nodes
        ] + [
            SlotProviderDraft(code=f"installer-{n}", name=f"{n}", kind=SlotKind.INSTALLATION)
            for n in range(INSTALLERS)
        ]
        today = (await runtime.brands.get(brand.tenant_id)).today()
        days = (today, today + FIRST_DAY + timedelta(days=3 * DAYS))
        async with runtime.database.tenant_transaction(brand.principal) as tx:
            for provider in providers:
                is_dock = provider.kind is SlotKind.DELIVERY
                windows = [
                    SlotWindow(
                        first_minute=begin,
                        end_minute=end,
                        visits=DELIVERIES if is_dock else INSTALLATIONS,
                    )
                    for begin, end in WINDOWS
                ]
                key = provider.code
                await set_slot_provider(tx, provider, key=key, regions=bundled_regions())
                await set_slots(tx, key, days, windows, key=f"slots-{key}")
