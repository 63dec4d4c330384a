"""Everybody asks for everything: generated queries over a world in which every value is marked.

Whatever field somebody asks for, with whosever ids: a marked value is answered only if it stands
in a row that the policies let them read. And what is answered does not depend on the figures of
rows that they may not read: no sum, cost or count tells of them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from backend.app import Api as Endpoint
from backend.runtime import open_runtime
from graphql_schema import limits
from tests.api.client import Api
from tests.api.generated_queries import (
    Place,
    Request,
    Samples,
    all_places,
    is_leaf,
    object_named,
    read_schema,
    requests,
    values_in,
)
from tests.api.marked_rows import Mark, marks_in
from tests.api.marked_world import (
    Reader,
    World,
    change_unseen,
    fill,
    may_see,
    read_policies,
)
from tests.conftest import SECRET, TEMPLATE, Servers

MARKED_TEMPLATE = "yipan_marked"
SCHEMA = read_schema()
QUERY = object_named(SCHEMA, "Query")
REFUSALS = ("PERMISSION_MISSING", "NO_PICKUP", "UNKNOWN_")
"""Beginnings of the codes that refuse what is not the asker's."""

SHOWN: dict[tuple[str, Place], str] = {
    ("deliveryPromise", ("Location", "code")): "customers choose where they fetch it",
    ("deliveryPromise", ("Location", "name")): "customers choose where they fetch it",
}
"""What is shown of rows that the asker does not read, and why."""

SHOWN_AT_HOME: dict[tuple[str, Place], str] = {
    ("storeReservations", ("StoreReservation", "externalId")): "by it a store finds what it keeps",
}
"""The same, but of the asker's own places alone."""

DEPENDENT: dict[Place, str] = {
    ("AvailabilityExplanation", "at"): "it is now",
    ("AvailabilityExplanation", "number"): "what a shop may offer is computed from all stock",
    ("AvailabilityExplanation", "shown"): "what a shop may offer is computed from all stock",
    ("ShopAvailability", "number"): "what a shop may offer is computed from all stock",
    ("ShopAvailability", "shown"): "what a shop may offer is computed from all stock",
}
"""What may differ where nothing has changed that the asker reads, and why."""

EMPTY: dict[str, set[Place]] = {
    "an agreement that has ended leaves no dealer": {("Agreement", "endedAt")},
    "visits that are free before, behind and with what an order takes need a day of their own": {
        ("AppointmentTime", "day"),
        ("AppointmentTime", "fromMinute"),
        ("AppointmentTime", "toMinute"),
        ("DeliveryPromise", "times"),
        ("PromiseTime", "day"),
        ("PromiseTime", "fromMinute"),
        ("PromiseTime", "locations"),
        ("PromiseTime", "toMinute"),
        ("Query", "installationTimes"),
        ("Query", "orderAppointmentTimes"),
    },
}
"""Fields that are null, or empty, all over the world; and why."""


class Answer(NamedTuple):
    """What was asked, and what was said."""

    request: Request
    text: str

    @property
    def root(self) -> str:
        return self.request.document.root

    @property
    def values(self) -> list[tuple[Place, Any]]:
        """All that it says, field by field."""
        return list(values_in(QUERY, json.loads(self.text)["data"] or {}))

    @property
    def unexpected(self) -> list[str]:
        """The errors that are no refusals."""
        errors = json.loads(self.text).get("errors", ())
        return [
            f"{self.root}: {error['message']}"
            for error in errors
            if not str(error.get("extensions", {}).get("code")).startswith(REFUSALS)
        ]


# ------------------------------------------------------------------------------- the surroundings


async def _make_template(servers: Servers) -> World:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {MARKED_TEMPLATE} template {TEMPLATE}")
    await admin.close()
    return await fill(servers.url_of(MARKED_TEMPLATE))


@pytest.fixture(scope="module")
def marked(servers: Servers) -> World:
    """The marked world: made once, cloned for each test."""
    return asyncio.run(_make_template(servers))


@pytest.fixture
def template(marked: World) -> str:
    return MARKED_TEMPLATE


@pytest.fixture(autouse=True)
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much one client may ask for at a time is not what is tested here."""
    monkeypatch.setattr(limits, "BUDGET_MAX", 10**12)


@asynccontextmanager
async def opened(database_url: str, valkey_url: str) -> AsyncIterator[Api]:
    """Open the API as a fresh process would, without a socket: there are thousands of requests."""
    async with open_runtime(database_url, valkey_url, SECRET, with_maintenance=False) as runtime:
        app = Starlette(routes=[Route("/graphql", Endpoint(is_development=True))])
        app.state.runtime = runtime
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            yield Api(client, runtime.tokens, "")


async def ask_all(api: Api, reader: Reader, asked: Iterable[Request]) -> list[Answer]:
    headers = api.headers(reader.principal)
    answers = []
    for request in asked:
        body = {"query": request.document.text, "variables": request.variables}
        response = await api.client.post("/graphql", json=body, headers=headers)
        answers.append(Answer(request, response.text))
    return answers


_everything: list[Request] = []


async def everything(api: Api, marked: World) -> list[Request]:
    """Return all requests; their ids are those that the brands find, and they are found once."""
    if not _everything:
        ids: dict[tuple[str, str], None] = {}
        for name in ("brand", "other brand"):
            listing = requests(SCHEMA, Samples(marked.maker), leaf="id")
            for answer in await ask_all(api, marked.readers[name], listing):
                found = ((kind, value) for (kind, leaf), value in answer.values if leaf == "id")
                ids |= dict.fromkeys(found)
        _everything.extend(requests(SCHEMA, Samples(marked.maker, ids)))
    return _everything


# ------------------------------------------------------------------------------------- the rules


def is_at_home(reader: Reader, mark: Mark) -> bool:
    """Whether a text is of one of somebody's own places."""
    return isinstance(mark, str) and mark.split(".")[2] in reader.places


def leaks(marked: World, reader: Reader, answers: Iterable[Answer]) -> set[str]:
    """Return where an answer has a mark that stands in no row that somebody may read."""
    policies = read_policies()
    hidden: set[Mark] = {
        mark
        for mark, holders in marked.maker.holders.items()
        if not any(may_see(reader, row, policies) for row in holders)
    } - set(marks_in(reader.principal.subject))
    found = set()
    for answer in answers:
        foreign = hidden.intersection(marks_in(answer.text)) - {*marks_in(answer.request.variables)}
        for place, value in answer.values if foreign else ():
            shown = foreign.intersection(marks_in(value)) if is_leaf(SCHEMA, place) else set()
            if (answer.root, place) in SHOWN_AT_HOME:
                shown = {mark for mark in shown if not is_at_home(reader, mark)}
            if shown and (answer.root, place) not in SHOWN:
                found.add(f"{answer.root}: {'.'.join(place)}: {min(map(str, shown))}")
    return found


def check(marked: World, reader: Reader, answers: list[Answer]) -> None:
    """Check that somebody asked for everything, and was answered nothing but what is theirs."""
    asked = {place for answer in answers for place in answer.request.document.places}
    assert asked == all_places(SCHEMA)
    assert [text for answer in answers for text in answer.unexpected] == []
    assert leaks(marked, reader, answers) == set()


def differences(before: list[Answer], after: list[Answer]) -> set[str]:
    """Return where answers differ, but for what may."""
    found = set()
    for first, second in zip(before, after, strict=True):
        if first.text != second.text:
            leaves = [
                [(place, value) for place, value in answer.values if is_leaf(SCHEMA, place)]
                for answer in (first, second)
            ]
            if len(leaves[0]) != len(leaves[1]):
                found.add(f"{first.root}: how much there is")
            for (place, one), (_, other) in zip(*leaves, strict=False):
                if one != other and place not in DEPENDENT:
                    found.add(f"{first.root}: {'.'.join(place)}")
    return found


# ------------------------------------------------------------------------------------- the tests


async def test_the_brand_sees_something_of_everything_and_of_no_other(
    marked: World, database_url: str, valkey_url: str
) -> None:
    reader = marked.readers["brand"]
    async with opened(database_url, valkey_url) as api:
        answers = await ask_all(api, reader, await everything(api, marked))
    check(marked, reader, answers)
    seen = {place for answer in answers for place, _ in answer.values}
    assert all_places(SCHEMA) - seen == set().union(*EMPTY.values())


@pytest.mark.parametrize("name", ["group", "dealer b", "store of the brand"])
async def test_nobody_is_answered_what_they_may_not_read(
    marked: World, database_url: str, valkey_url: str, name: str
) -> None:
    async with opened(database_url, valkey_url) as api:
        answers = await ask_all(api, marked.readers[name], await everything(api, marked))
    check(marked, marked.readers[name], answers)


@pytest.mark.parametrize("name", ["dealer a", "store of dealer a", "other brand"])
async def test_no_answer_tells_of_what_they_may_not_read(
    marked: World, database_url: str, valkey_url: str, name: str
) -> None:
    reader = marked.readers[name]
    async with opened(database_url, valkey_url) as api:
        before = await ask_all(api, reader, await everything(api, marked))
    check(marked, reader, before)
    await change_unseen(database_url, reader, marked.maker)
    async with opened(database_url, valkey_url) as api:
        after = await ask_all(api, reader, await everything(api, marked))
    assert differences(before, after) == set()
