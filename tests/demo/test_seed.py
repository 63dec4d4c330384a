"""The demo's brand is whole: what the README promises is there, and is there once."""

from typing import Any

import pytest

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.demo import brand as demo
from backend.demo import seed
from backend.demo.seed import BRAND_USER, DEALER_USER, STORE_USER, seed_demo
from backend.runtime import Runtime
from tenants.brands import BrandDirectory
from tenants.principal import Kind, Permission
from tests.catalogue import Connection, contents

PROMISED = {
    "select count(*) from platform.brand": 1,
    "select count(*) from platform.agreement": 4,
    "select count(*) from node where kind = 'warehouse'": 3,
    "select count(*) from node where kind = 'store'": 12,
    "select count(*) from node where kind = 'dealer'": 4,
    "select count(*) from node where daily_capacity is null or region_code is null": 0,
    "select count(distinct dealer_id) from node": 4,
    "select count(*) from sku": 200,
    "select count(*) from sku where weight_g > 0 and length_mm > 0 and category > ''": 200,
    "select count(*) from shop where dealer_id is null": 4,
    "select count(distinct dealer_id) from shop": 4,
    "select count(*) from orders": 0,
    "select count(*) from carrier_lane": 3 * 2 * 34,
    "select count(distinct region_code) from carrier_lane": 34,
    "select count(*) from dealer_terms where territory <> '{}'": 4,
    "select count(distinct channel) from channel_terms": 3,
    "select count(*) from node where cut_off_minute is null or handling_minor = 0": 0,
    "select count(*) from node_closed_day": 0,
}
NODES_WITH_STOCK = """
    select count(distinct w.node_id) from functional_warehouse w
    join stock_level l on l.functional_warehouse_id = w.id where l.on_hand > 0
"""
UNITS_WITHOUT_MOVEMENT = """
    select (select sum(on_hand) from stock_level) - (select sum(quantity) from stock_movement)
"""
LOG_INS = {
    BRAND_USER: (Kind.BRAND, set(Permission)),
    DEALER_USER: (
        Kind.DEALER,
        {
            Permission.ORDERS_READ,
            Permission.ORDERS_PLACE,
            Permission.ORDERS_CANCEL,
            Permission.STOCK_READ,
        },
    ),
    STORE_USER: (
        Kind.STORE,
        {
            Permission.ORDERS_READ,
            Permission.STOCK_READ,
            Permission.STOCK_WRITE,
            Permission.FULFILMENT_WRITE,
        },
    ),
}


@pytest.mark.usefixtures("demo_id")
async def test_everything_promised_is_there(admin: Connection) -> None:
    assert {query: await admin.fetchval(query) for query in PROMISED} == PROMISED


@pytest.mark.usefixtures("demo_id")
async def test_every_node_has_stock_and_every_unit_a_movement(admin: Connection) -> None:
    assert await admin.fetchval(NODES_WITH_STOCK) == len(demo.NODES)
    assert await admin.fetchval(UNITS_WITHOUT_MOVEMENT) == 0


@pytest.mark.parametrize("email", LOG_INS)
async def test_each_log_in_works_and_may_what_it_should(
    runtime: Runtime, demo_id: int, email: str
) -> None:
    session, name = await runtime.authenticator.log_in(email, demo.PASSWORD, None)
    principal = await runtime.authenticator.principal_of(session.token)
    assert (principal.tenant_id, session.brand_code) == (demo_id, demo.BRAND_CODE)
    assert (principal.kind, set(principal.permissions)) == LOG_INS[email]
    assert name


async def test_a_dealer_and_a_store_have_their_place(
    runtime: Runtime, demo_id: int, admin: Connection
) -> None:
    dealer, store = [
        (await runtime.authenticator.log_in(email, demo.PASSWORD, None))[0].principal
        for email in (DEALER_USER, STORE_USER)
    ]
    huadong = "select id from platform.dealer where code = 'dealer-huadong'"
    assert dealer.dealer_id == await admin.fetchval(huadong)
    xuhui = "select id from node where name = '上海徐汇店'"
    assert store.node_ids == (await admin.fetchval(xuhui),)


async def test_the_second_time_nothing_is_done(
    database: Database, demo_id: int, admin: Connection
) -> None:
    before = await contents(admin)
    assert await seed_demo(database, BrandDirectory(database)) == demo_id
    assert await contents(admin) == before


async def test_what_was_broken_off_is_completed(
    database: Database, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(*_: Any) -> None:
        raise YipanError

    with monkeypatch.context() as patch:
        patch.setattr(seed, "_users", break_off)
        with pytest.raises(YipanError):
            await seed_demo(database, BrandDirectory(database))
    assert await admin.fetchval("select count(*) from node") == 0
    await seed_demo(database, BrandDirectory(database))
    assert {query: await admin.fetchval(query) for query in PROMISED} == PROMISED
    assert await admin.fetchval("select count(*) from platform.membership") == len(LOG_INS)


def test_every_machine_has_the_same_goods() -> None:
    assert demo.demo_skus() == demo.demo_skus()
    assert len({draft.code for draft, _ in demo.demo_skus()}) == 200
