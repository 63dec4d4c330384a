"""Deadlines of steps over the API."""

from typing import Any

from backend.runtime import Runtime
from tests.api.client import Api
from tests.catalogue import Connection
from tests.fulfilment.timed import Timed
from tests.fulfilment.working import Working
from tests.world import World

SET = """mutation ($input: StepDeadlinesSetInput!) { stepDeadlinesSet(input: $input) {
    __typename ... on StepDeadlinesSaved { deadlines { status nodeKind warnMinutes lateMinutes } }
    ... on UserError { code path } ... on PermissionDenied { permission } } }"""
DUE = """query ($late: Boolean!) { dueFulfilments(onlyLate: $late) {
    edges { node { id status deadline { warnAt lateAt } } } } }"""


async def test_over_the_api(api: Api, world: World, runtime: Runtime, admin: Connection) -> None:
    timed = Timed(Working(runtime, world), admin)
    given: dict[str, Any] = {"status": "RELEASED", "warnMinutes": 5, "lateMinutes": 9}
    asked = {"idempotencyKey": "k", "deadlines": [given]}
    saved = (await api.data(SET, world.brand, input=asked))["stepDeadlinesSet"]
    assert saved["deadlines"] == [given | {"nodeKind": None}]
    refusal = (await api.data(SET, world.store, input=asked | {"idempotencyKey": "l"})).popitem()
    assert refusal[1]["__typename"] == "InputRefused"
    await timed.until(await timed.sold(3), "release")
    await timed.wait(6)
    await timed.tell()
    for who, late, count in (
        (world.store, False, 1),
        (world.store, True, 0),
        (world.dealer, False, 0),
    ):
        edges = (await api.data(DUE, who, late=late))["dueFulfilments"]["edges"]
        assert len(edges) == count
        assert all(edge["node"]["deadline"]["lateAt"] for edge in edges)
