"""`yipan demo`: everything in one process, with living data, until Ctrl-C."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from backend.app import create_app
from backend.demo import brand as demo
from backend.demo.marketplace import Marketplace, marketplace
from backend.demo.seed import BRAND_USER, DEALER_USER, STORE_USER, seed_demo
from backend.demo.staff import Staff, carrier
from backend.demo.stream import DemoStream, Tally
from backend.environment import Servers, prepare
from backend.runtime import Runtime, end_task, open_runtime
from backend.server import Server, open_socket
from backend.settings import Settings

REFRESH_SECONDS = 0.5
STATUS_LINE_SECONDS = 10.0
"""Between two lines where the output is no terminal."""


async def run_demo(settings: Settings, where: Servers, console: Console) -> None:
    """Migrate, seed, serve and let orders arrive; returns after Ctrl-C."""
    listening = open_socket(settings.host, settings.port)
    await prepare(where)
    async with marketplace() as market, carrier() as account:
        await _live_in(settings, where, console, listening, market, account)


async def _live_in(
    settings: Settings,
    where: Servers,
    console: Console,
    listening: socket.socket,
    market: Marketplace,
    account: tuple[str, str],
) -> None:
    ready: asyncio.Future[Runtime] = asyncio.get_running_loop().create_future()
    customers: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[Runtime]:
        async with open_runtime(where.database_url, where.valkey_url, where.secret) as runtime:
            await seed_demo(runtime.database, runtime.brands)
            ready.set_result(runtime)
            try:
                yield runtime
            finally:
                # The customers go before what they order from does.
                await asyncio.gather(*map(end_task, customers))

    server = Server(create_app(opened(), is_development=True), listening)
    serving = asyncio.create_task(server.serve())
    waited: list[asyncio.Future[Any]] = [serving, ready]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
        return
    await server.started()
    _greet(settings, console, market)
    tally = Tally()
    runtime = ready.result()
    brand_id = next(
        brand.id for brand in await runtime.brands.all() if brand.code == demo.BRAND_CODE
    )
    stream, buyers = await _customers(runtime, brand_id, tally, market)
    staff = Staff(runtime, brand_id, *account, tally).run(_own_url(settings))
    customers += (stream, buyers, asyncio.create_task(staff))
    await _live(tally, stream, serving, console)
    console.print("\nStopped. The data stays in", f"[b]{settings.data}[/b].")


async def _customers(
    runtime: Runtime, brand_id: int, tally: Tally, market: Marketplace
) -> "tuple[asyncio.Task[None], asyncio.Task[None]]":
    """Let customers come, through the API and on the platform."""
    await market.open_shops(runtime, brand_id)
    stream = DemoStream(runtime, brand_id, tally).run()
    buyers = market.buy_for_ever(demo.districts(runtime.regions), tally)
    return asyncio.create_task(stream), asyncio.create_task(buyers)


async def _live(
    tally: Tally,
    stream: "asyncio.Task[None]",
    serving: "asyncio.Task[None]",
    console: Console,
) -> None:
    """Show what happens until the server ends."""
    if console.is_terminal:
        with Live(tally.line(), console=console, auto_refresh=False) as live:
            while not serving.done():
                live.update(tally.line(), refresh=True)
                await asyncio.wait([serving, stream], timeout=REFRESH_SECONDS)
    else:
        while not serving.done():
            await asyncio.wait([serving], timeout=STATUS_LINE_SECONDS)
            console.print(tally.line(), soft_wrap=True)
    await serving


def _own_url(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def _greet(settings: Settings, console: Console, market: Marketplace) -> None:
    base = _own_url(settings)
    urls = Table("what", "where", title="Yipan (一盘) is running")
    urls.add_row("GraphiQL", f"{base}/graphql")
    urls.add_row("orders as NDJSON", f"POST {base}/intake/orders")
    urls.add_row("health", f"{base}/healthz, {base}/readyz")
    urls.add_row("metrics", f"{base}/metrics")
    urls.add_row("simulated platform", f"{market.url}/control/state")
    console.print(urls)
    users = Table("who", "e-mail", "password", title="Log in with the mutation logIn")
    users.add_row(f"brand {demo.BRAND_NAME}", BRAND_USER, demo.PASSWORD)
    users.add_row("dealer 华东家电经销", DEALER_USER, demo.PASSWORD)
    users.add_row("store 上海徐汇店", STORE_USER, demo.PASSWORD)
    console.print(users)
    console.print("Orders arrive now. Ctrl-C stops everything.", style="dim")
