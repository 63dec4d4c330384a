"""A database for the refusals, who leave it as it is; and a simulated platform with a new shop."""

import itertools
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from backend.channels.http_platform import channel_client
from tests.channels.marketplace import Shopfront, platform_process
from tests.refusals import still, still_admin, still_url

__all__ = ["still", "still_admin", "still_url"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def platform_url() -> Iterator[str]:
    """The address of a platform that all tests share, each with a shop of its own."""
    with platform_process("--rate", "1000", "--seed", "7") as platform:
        yield platform.url


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with channel_client() as client:
        yield client


@pytest.fixture
async def shop(platform_url: str, http: httpx2.AsyncClient) -> Shopfront:
    """A new shop, with the listings A, B and C, that shows nothing for sale."""
    opened = Shopfront(platform_url, f"shop-{next(_numbers)}", http)
    await opened.open()
    await opened.list_articles("A", "B", "C")
    return opened
