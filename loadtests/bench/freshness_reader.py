"""A process that follows one brand's numbers and notes when it could read each of them.

python -m loadtests.bench.freshness_reader TENANT_ID OUTPUT; servers from the environment. Prints
"ready" once it hears; on SIGTERM writes, per line, SKU, number of the first shop, and the time in
nanoseconds since the epoch at which it could be read.
"""

import asyncio
import signal
import sys
import time
from array import array
from contextlib import suppress
from pathlib import Path

import uvloop

from backend.environment import servers
from backend.routing.live_book import FRESH_SECONDS
from backend.runtime import open_runtime
from backend.settings import read_settings
from loadtests.waiting import until


async def follow(tenant_id: int) -> list[tuple[int, int, int]]:
    """Return every number that changed until SIGTERM: SKU, number, nanoseconds."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    noted: list[tuple[int, int, int]] = []
    with servers(read_settings()) as where:
        async with open_runtime(
            where.database_url, where.valkey_url, where.secret, with_maintenance=False
        ) as runtime:
            live = await runtime.books.open(tenant_id)
            await live.freshen()
            pools = live.book.pools
            assert pools is not None, "the brand has a layout"
            shop_id = pools.layout.shops[0].id

            def note(sku_ids: "array[int]") -> None:
                at = time.time_ns()
                known = live.book.pools
                assert known is not None, "the layout stays"
                noted.extend((sku, known.of_shop(sku, shop_id) or 0, at) for sku in sku_ids)

            live.book.listeners.append(note)
            await until(lambda: runtime.announcements.hearing is not None)
            await live.freshen()
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            while not stopped.is_set():
                await live.freshen()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), FRESH_SECONDS)
    return noted


def main() -> None:
    """Follow the brand of the command line, and write what was noted."""
    noted = uvloop.run(follow(int(sys.argv[1])))
    rows = (f"{sku} {number} {at}\n" for sku, number, at in noted)
    Path(sys.argv[2]).write_text("".join(rows))


if __name__ == "__main__":
    main()
