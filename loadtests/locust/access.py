"""Who may act in a run's database, and the goods of its flash sale."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from backend.catalog.find_skus import sku_id_by_code
from backend.inventory.levels import page_of_levels
from backend.inventory.model import Level, LevelKey
from backend.inventory.warehouses import list_warehouses
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import districts
from loadtests.bench.ground import Ground
from loadtests.fresh_brand import ACTOR, SHOP
from loadtests.locust.brand_set import (
    BRANDS,
    DEALER_MAY,
    MAIN,
    PASSWORD,
    PLATFORM_SHOPS,
    BrandSize,
    brand_code,
    person_email,
    skus_of,
    store_email,
)
from loadtests.locust.plays import Play
from loadtests.locust.scenario import Person, Program, Sale, Scenario
from loadtests.receive_stock import receive_stock
from tenants.organisation import dealers_of_brand, issue_api_key
from tenants.principal import Kind, Permission, Principal, system_principal

DISTRICTS = 300
"""Districts in which buyers live: a process plans with a table of the distances to each."""
LEVELS_MAX = 100


async def make_scenario(ground: Ground, play: Play, seed: int, results: str) -> Scenario:
    """Put the sale's goods into a database, issue keys in it, and return what is to be played."""
    async with _runtime(ground) as runtime:
        tenants = {brand.code: brand.id for brand in await runtime.brands.all()}
        await _put_on_sale(runtime, _seller(tenants), play.sale)
        platforms = tuple([await _platform(runtime, size, tenants) for size in BRANDS])
        dealers = await _dealers(runtime, tenants[brand_code(MAIN)])
    main_skus = skus_of(MAIN)
    return Scenario(
        stages=play.stages,
        minutes=play.minutes,
        normal_users=play.normal_users,
        arrivals_per_second=play.arrivals_per_second,
        people=tuple(person for size in BRANDS for person in _people(size)),
        stores=tuple(person for size in BRANDS for person in _store_people(size)),
        dealers=dealers,
        platforms=platforms,
        seller=Program(code="app", key=platforms[0].key, shops=(SHOP,), skus=main_skus),
        sale=play.sale,
        skus={brand_code(size): skus_of(size) for size in BRANDS},
        districts=tuple(Random(seed).sample(districts(), DISTRICTS)),
        seed=seed,
        results=results,
    )


async def tenants_of(ground: Ground) -> list[int]:
    """Return the ids of all brands in a database."""
    async with _runtime(ground) as runtime:
        return [brand.id for brand in await runtime.brands.all()]


async def units_sold(ground: Ground, sale: Sale) -> int:
    """Return how many units of the sale's SKU PostgreSQL has reserved."""
    async with _runtime(ground) as runtime:
        tenants = {brand.code: brand.id for brand in await runtime.brands.all()}
        return sum([level.reserved for level in await _levels(runtime, _seller(tenants), sale)])


@asynccontextmanager
async def _runtime(ground: Ground) -> AsyncIterator[Runtime]:
    where = ground.where
    async with open_runtime(
        where.database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        yield runtime


def _seller(tenants: dict[str, int]) -> Principal:
    return system_principal(tenants[brand_code(MAIN)], "load")


async def _put_on_sale(runtime: Runtime, seller: Principal, sale: Sale) -> None:
    async with runtime.database.tenant_transaction(seller, read_only=True) as tx:
        sku = await sku_id_by_code(tx, sale.sku)
        warehouse = (await list_warehouses(tx))[0].id
    await receive_stock(runtime, seller, {LevelKey(warehouse, sku): sale.units}, "flash sale")


async def _levels(runtime: Runtime, seller: Principal, sale: Sale) -> Sequence[Level]:
    async with runtime.database.tenant_transaction(seller, read_only=True) as tx:
        sku = await sku_id_by_code(tx, sale.sku)
        return await page_of_levels(
            tx, sku_id=sku, node_id=None, after=LevelKey(0, 0), limit=LEVELS_MAX
        )


async def _platform(runtime: Runtime, size: BrandSize, tenants: dict[str, int]) -> Program:
    key = await _issue(runtime, tenants[brand_code(size)], "platforms", Permission)
    return Program(code=size.code, key=key, shops=PLATFORM_SHOPS, skus=skus_of(size))


async def _dealers(runtime: Runtime, tenant: int) -> tuple[Program, ...]:
    async with runtime.database.platform_transaction(read_only=True) as tx:
        listed = await dealers_of_brand(tx, tenant)
    found = []
    for dealer in listed:
        scope = {"kind": Kind.DEALER, "dealer_id": dealer.id}
        key = await _issue(runtime, tenant, dealer.code, DEALER_MAY, **scope)
        found.append(Program(code=dealer.code, key=key, shops=(dealer.code,), skus=skus_of(MAIN)))
    return tuple(found)


async def _issue(runtime: Runtime, tenant: int, name: str, may: Any, **scope: Any) -> str:
    async with runtime.database.platform_transaction() as tx:
        _, key = await issue_api_key(tx, ACTOR, tenant, name, may, **scope)
    return key


def _people(size: BrandSize) -> list[Person]:
    return [
        Person(email=person_email(size, number), password=PASSWORD, brand=brand_code(size))
        for number in range(size.people)
    ]


def _store_people(size: BrandSize) -> list[Person]:
    codes = [f"store-{number:02}" for number in range(size.stores)]
    return [
        Person(
            email=store_email(size, code),
            password=PASSWORD,
            brand=brand_code(size),
            location=code,
        )
        for code in codes
    ]
