"""A day of one pool: `python -m loadtests.pool_day.run [--seconds N] [--failing N] [--seed N]`.

A brand with 40 shops on a platform, in 12 nodes. On the day there is a promotion with an earmark
that lends, two purchase orders come late and short, the platform fails for a while, carts are left
and paid late, goods are ordered ahead, counted, not found, sold at tills and sent to other nodes,
also by rule where they run low. In the evening no unit has been sold twice, none is lost, every
shop shows what is computed, and of what runs low somebody was told. Exit status 1 otherwise.
"""

import argparse
from random import Random

import httpx2
import uvloop

from backend.logs import set_up_logs
from backend.runtime import open_runtime
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.platform import platform_process
from loadtests.pool_day.brand import create_brand
from loadtests.pool_day.day import Day
from loadtests.pool_day.evening import judge
from loadtests.pool_day.platform import CALLS_PER_SECOND, Platform
from loadtests.processes import start_role
from loadtests.saying import end_with, say

SECONDS, FAILING_SECONDS = 660.0, 300.0
END_SECONDS = 30.0


async def run(ground: Ground, seconds: float, failing_seconds: float, seed: int) -> list[str]:
    """Play a day on servers of its own, with a worker as its own process; returns what is wrong."""
    random = Random(seed)
    async with (
        fresh_database(ground, "pool_day") as own,
        open_runtime(
            own.where.database_url, own.where.valkey_url, own.where.secret, with_maintenance=False
        ) as runtime,
        httpx2.AsyncClient(timeout=30) as http,
    ):
        brand = await create_brand(runtime)
        environment = own.environment(log_level="error")
        with platform_process(CALLS_PER_SECOND) as url:
            platform = Platform(url, http, random)
            await platform.open_shops(runtime, brand)
            worker = start_role("worker", environment)
            try:
                day = Day(runtime, brand, platform, random)
                await day.play(seconds, failing_seconds)
                faults = await judge(runtime, brand, platform, day.came)
            finally:
                worker.terminate()
                worker.wait(END_SECONDS)
        say(", ".join(f"{what} {count:,}" for what, count in sorted(day.done.items())))
        return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that the day lasts")
    parser.add_argument("--failing", type=float, default=FAILING_SECONDS, help="of the platform")
    parser.add_argument("--seed", type=int, default=1, help="for what is drawn by chance")
    given = parser.parse_args()
    set_up_logs("error", for_people=True)
    with bench_servers() as ground:
        faults = uvloop.run(run(ground, given.seconds, given.failing, given.seed))
    end_with(faults)


if __name__ == "__main__":
    main()
