"""Terms that cannot be kept are refused with where the fault lies, and leave no trace."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.network.channel_terms import CHANNEL_TERMS_MAX
from backend.network.dealer_terms import TERRITORY_MAX
from backend.network.lanes import STEP_G_MAX, TRANSIT_MINUTES_MAX
from backend.network.model import ChannelTerms
from backend.network.ranges import MONEY_MINOR_MAX
from tenants.principal import Permission
from tests.catalogue import Connection
from tests.network import terms as given
from tests.network.drafts import NOBODY, NODE, add_node
from tests.network.terms import LANE, TERMS, TODAY, commission, dealer_terms
from tests.network.test_terms import WRITES, Put
from tests.refusals import Refused, refused
from tests.world import World, fresh_key

Fault = tuple[dict[str, Any], str, tuple[str | int, ...]]
"""What is changed of good terms, the code of the refusal, and its path."""
NO_REGION = 7

BAD_NODE_TERMS: dict[str, Fault] = {
    "a cut-off before the day": ({"cut_off_minute": -1}, "OUT_OF_RANGE", ("cutOffMinute",)),
    "a cut-off after the day": ({"cut_off_minute": 1_440}, "OUT_OF_RANGE", ("cutOffMinute",)),
    "no working day": ({"working_days": 0}, "OUT_OF_RANGE", ("workingDays",)),
    "an eighth working day": ({"working_days": 128}, "OUT_OF_RANGE", ("workingDays",)),
    "a level below 0": ({"service_level": -1}, "OUT_OF_RANGE", ("serviceLevel",)),
    "a level above 9": ({"service_level": 10}, "OUT_OF_RANGE", ("serviceLevel",)),
    "handling below 0": ({"handling_minor": -1}, "OUT_OF_RANGE", ("handlingMinor",)),
    "too dear": ({"handling_minor": MONEY_MINOR_MAX + 1}, "OUT_OF_RANGE", ("handlingMinor",)),
}
BAD_LANES: dict[str, Fault] = {
    "an unknown node": ({"node": "z"}, "UNKNOWN_NODE", ("location",)),
    "no carrier": ({"carrier": " "}, "INVALID_TERMS", ("carrier",)),
    "too long a carrier": ({"carrier": "c" * 65}, "INVALID_TERMS", ("carrier",)),
    "a carrier with a NUL": ({"carrier": "a\0"}, "INVALID_TERMS", ("carrier",)),
    "an unknown region": ({"region_code": NO_REGION}, "UNKNOWN_REGION", ("regionCode",)),
    "a base below 0": ({"base_minor": -1}, "OUT_OF_RANGE", ("baseMinor",)),
    "too high a base": ({"base_minor": MONEY_MINOR_MAX + 1}, "OUT_OF_RANGE", ("baseMinor",)),
    "a step below 0": ({"step_minor": -1}, "OUT_OF_RANGE", ("stepMinor",)),
    "too high a step": ({"step_minor": MONEY_MINOR_MAX + 1}, "OUT_OF_RANGE", ("stepMinor",)),
    "a step of nothing": ({"step_g": 0}, "OUT_OF_RANGE", ("stepG",)),
    "too large a step": ({"step_g": STEP_G_MAX + 1}, "OUT_OF_RANGE", ("stepG",)),
    "faster than light": ({"transit_minutes": -1}, "OUT_OF_RANGE", ("transitMinutes",)),
    "too slow": (
        {"transit_minutes": TRANSIT_MINUTES_MAX + 1},
        "OUT_OF_RANGE",
        ("transitMinutes",),
    ),
}
BAD_DEALER_TERMS: dict[str, Fault] = {
    "an unknown dealer": ({"dealer_id": NOBODY}, "UNKNOWN_DEALER", ()),
    "an unknown region": (
        {"territory": (330000, NO_REGION)},
        "UNKNOWN_REGION",
        ("territory", 1),
    ),
    "too many regions": (
        {"territory": (330000,) * (TERRITORY_MAX + 1)},
        "INVALID_TERMS",
        ("territory",),
    ),
    "worse than nothing": ({"performance_bp": -1}, "OUT_OF_RANGE", ("performanceBp",)),
    "better than all": ({"performance_bp": 10_001}, "OUT_OF_RANGE", ("performanceBp",)),
    "a fee below 0": ({"service_fee_minor": -1}, "OUT_OF_RANGE", ("serviceFeeMinor",)),
    "too high a fee": (
        {"service_fee_minor": MONEY_MINOR_MAX + 1},
        "OUT_OF_RANGE",
        ("serviceFeeMinor",),
    ),
}
BAD_CHANNEL_TERMS: dict[str, tuple[list[ChannelTerms], str, tuple[str | int, ...]]] = {
    "none": ([], "INVALID_TERMS", ("terms",)),
    "too many": (
        [commission(f"c{number}") for number in range(CHANNEL_TERMS_MAX + 1)],
        "INVALID_TERMS",
        ("terms",),
    ),
    "one twice": ([commission(), commission(bp=1)], "INVALID_TERMS", ("terms",)),
    "no channel": (
        [commission(), commission("")],
        "INVALID_TERMS",
        ("terms", 1, "channel"),
    ),
    "below 0": ([commission(bp=-1)], "OUT_OF_RANGE", ("terms", 0, "commissionBp")),
    "above all": ([commission(bp=10_001)], "OUT_OF_RANGE", ("terms", 0, "commissionBp")),
}


def path_of(seen: Refused) -> tuple[str | int, ...]:
    assert isinstance(seen.error, YipanError)
    return seen.error.path


@pytest.mark.parametrize("name", BAD_NODE_TERMS)
async def test_bad_terms_of_a_node_are_not_kept(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code, path = BAD_NODE_TERMS[name]
    async with refused(still_admin, code) as seen:
        await given.put_node_terms(still, ready_world.brand, replace(TERMS, **changes))
    assert path_of(seen) == ("terms", *path)
    async with refused(still_admin, code):
        await add_node(still, ready_world.brand, replace(NODE, **changes))


async def test_an_unknown_node_has_no_terms_and_no_days(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_NODE") as seen:
        await given.put_node_terms(still, ready_world.brand, code="z")
    assert path_of(seen) == ("code",)
    for is_closed in (True, False):
        async with refused(still_admin, "UNKNOWN_NODE") as seen:
            await given.put_closed_days(still, ready_world.brand, code="z", is_closed=is_closed)
        assert path_of(seen) == ("code",)


@pytest.mark.parametrize("last", [TODAY - timedelta(days=1), TODAY + timedelta(days=400), date.max])
async def test_days_are_given_in_order_and_not_too_many(
    still: Database, still_admin: Connection, ready_world: World, last: date
) -> None:
    async with refused(still_admin, "OUT_OF_RANGE") as seen:
        await given.put_closed_days(still, ready_world.brand, TODAY, last)
    assert path_of(seen) == ("lastDay",)


@pytest.mark.parametrize("name", BAD_LANES)
async def test_a_bad_lane_keeps_the_good_ones_out(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code, path = BAD_LANES[name]
    lanes = [replace(LANE, carrier="good"), replace(LANE, **changes)]
    async with refused(still_admin, code) as seen:
        await given.put_lanes(still, ready_world.brand, lanes)
    assert path_of(seen) == ("lanes", 1, *path)


async def test_a_lane_stands_there_once(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    lanes = [LANE, replace(LANE, carrier="other"), replace(LANE, base_minor=1)]
    async with refused(still_admin, "INVALID_TERMS") as seen:
        await given.put_lanes(still, ready_world.brand, lanes)
    assert path_of(seen) == ("lanes", 2)
    async with refused(still_admin, "INVALID_TERMS"):
        await given.put_lanes(still, ready_world.brand, [])


@pytest.mark.parametrize("name", BAD_DEALER_TERMS)
async def test_bad_terms_of_a_dealer_are_not_kept(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code, path = BAD_DEALER_TERMS[name]
    async with refused(still_admin, code) as seen:
        await given.put_dealer_terms(still, ready_world.brand, dealer_terms(ready_world, **changes))
    assert path_of(seen) == path


async def test_a_dealer_without_an_agreement_has_no_terms(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_DEALER"):
        await given.put_dealer_terms(still, ready_world.other_brand, dealer_terms(ready_world))


@pytest.mark.parametrize("name", BAD_CHANNEL_TERMS)
async def test_bad_terms_of_a_channel_are_not_kept(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    terms, code, path = BAD_CHANNEL_TERMS[name]
    async with refused(still_admin, code) as seen:
        await given.put_channel_terms(still, ready_world.brand, terms)
    assert path_of(seen) == path


@pytest.mark.parametrize("put", WRITES, ids=lambda put: put.__name__)
@pytest.mark.parametrize("who", ["dealer", "store", "group"])
async def test_who_may_only_read_sets_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str, put: Put
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await put(still, getattr(ready_world, who), ready_world, fresh_key())


@pytest.mark.parametrize("put", WRITES, ids=lambda put: put.__name__)
async def test_who_lacks_the_permission_sets_nothing(
    still: Database, still_admin: Connection, ready_world: World, put: Put
) -> None:
    others = ready_world.brand.permissions - {Permission.NETWORK_WRITE}
    without = replace(ready_world.brand, permissions=others)
    async with refused(still_admin, "PERMISSION_MISSING"):
        await put(still, without, ready_world, fresh_key())
