"""Times of waves over the API."""

from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.world import World, fresh_key

SET = """mutation ($input: WaveTimesSetInput!) { waveTimesSet(input: $input) { __typename
    ... on WaveTimesSaved { times { minute withWaiting location { code } } }
    ... on UserError { code path } } }"""


async def test_times_are_set_shown_and_refused(api: Api, world: World) -> None:
    times = [{"minute": 600}, {"minute": 960, "locationId": id_of("Location", world.nodes["wh"])}]
    given = {"idempotencyKey": fresh_key(), "times": times}
    saved = (await api.data(SET, world.brand, input=given))["waveTimesSet"]
    shown = [
        {"minute": 600, "withWaiting": False, "location": None},
        {"minute": 960, "withWaiting": False, "location": {"code": "wh"}},
    ]
    assert saved == {"__typename": "WaveTimesSaved", "times": shown}
    query = "{ waveTimes { minute withWaiting location { code } } }"
    assert (await api.data(query, world.brand))["waveTimes"] == shown
    bad = given | {"idempotencyKey": fresh_key(), "times": [{"minute": 1_440}]}
    refused = (await api.data(SET, world.brand, input=bad))["waveTimesSet"]
    assert (refused["code"], refused["path"]) == (
        "INVALID_FULFILMENT_INPUT",
        ["times", "0", "minute"],
    )
    assert (await api.data(query, world.brand))["waveTimes"] == shown
