"""What Locust loads: who plays, how many of them when, and where the results go."""

from time import monotonic
from typing import Any

from locust import LoadTestShape, events

from loadtests.locust.brand_user import BrandUser
from loadtests.locust.curve import users_at
from loadtests.locust.dealer_user import DealerUser
from loadtests.locust.flash_sale_user import FlashSaleUser
from loadtests.locust.platform_user import PlatformUser
from loadtests.locust.results import Asked, Results
from loadtests.locust.scenario import Scenario, load_scenario
from loadtests.locust.store_user import StoreUser
from loadtests.locust.tallies import TALLIES

__all__ = [
    "BrandUser",
    "Curve",
    "DealerUser",
    "FlashSaleUser",
    "PlatformUser",
    "StoreUser",
]
BUYERS_PER_SECOND = 50
"""Buyers of the flash sale who come in a second: they only wait."""


class Curve(LoadTestShape):
    """As many users as the scenario's stages say, beside the buyers who wait for the sale."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None, "Locust sets it before it asks"
        scenario = _scenario(self.runner.environment)
        minute = self.get_run_time() / 60
        if minute >= scenario.minutes:
            return None
        buyers = scenario.sale.buyers
        if self.get_current_user_count() < buyers:
            return buyers, BUYERS_PER_SECOND
        users = users_at(scenario.stages, scenario.normal_users, minute)
        return users + buyers, scenario.arrivals_per_second


def _scenario(environment: Any) -> Scenario:
    return load_scenario(environment.parsed_options.scenario)


@events.init_command_line_parser.add_listener
def _add_option(parser: Any) -> None:
    parser.add_argument("--scenario", required=True, help="A file that `run` has written.")


@events.init.add_listener
def _set_buyers(environment: Any, **_: Any) -> None:
    FlashSaleUser.fixed_count = _scenario(environment).sale.buyers


@events.test_start.add_listener
def _set_opening(environment: Any, **_: Any) -> None:
    FlashSaleUser.opens_at = monotonic() + _scenario(environment).sale.minute * 60


@events.quitting.add_listener
def _save_results(environment: Any, **_: Any) -> None:
    stats = environment.stats
    asked = tuple(_asked(entry) for entry in stats.entries.values())
    errors = sorted(stats.errors.values(), key=lambda error: -error.occurrences)
    results = Results(
        seconds=max(1.0, (stats.last_request_timestamp or 0) - stats.start_time),
        asked=asked,
        bought=TALLIES.bought,
        missed=TALLIES.missed,
        orders=TALLIES.orders,
        errors=tuple(f"{e.occurrences} × {e.name}: {e.error}" for e in errors),
    )
    results.save(_scenario(environment).results)


def _asked(entry: Any) -> Asked:
    return Asked(
        name=entry.name,
        count=entry.num_requests,
        wrong=TALLIES.wrong[entry.name],
        lost=TALLIES.lost[entry.name],
        p50_ms=entry.get_response_time_percentile(0.5),
        p95_ms=entry.get_response_time_percentile(0.95),
        p99_ms=entry.get_response_time_percentile(0.99),
        max_ms=entry.max_response_time,
    )
