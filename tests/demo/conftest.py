"""A database with the demo's brand in it, seeded once."""

import asyncio

import asyncpg
import pytest

from backend.db.pool import Database
from backend.demo.seed import seed_demo
from tenants.brands import BrandDirectory
from tests.conftest import TEMPLATE, Servers

DEMO_TEMPLATE = "yipan_demo"


@pytest.fixture(scope="session")
def demo_id(servers: Servers) -> int:
    """The demo's brand, created once, in a template of its own."""
    return asyncio.run(_make_demo(servers))


async def _make_demo(servers: Servers) -> int:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {DEMO_TEMPLATE} template {TEMPLATE}")
    await admin.close()
    database = await Database.connect(servers.url_of(DEMO_TEMPLATE))
    try:
        return await seed_demo(database, BrandDirectory(database))
    finally:
        await database.close()


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """What the test's database is cloned from: seeded where the test asks for the demo's brand."""
    if "demo_id" not in request.fixturenames:
        return TEMPLATE
    request.getfixturevalue("demo_id")
    return DEMO_TEMPLATE
