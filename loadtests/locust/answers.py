"""What a right answer looks like. Anything else is a WrongAnswer, and so a failure in the table."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

Fields = dict[str, Any]
OK = 200
COME_BACK_CODES = frozenset({"RATE_LIMITED"})
SHOWN = 300
"""Characters of a wrong answer that are shown; Locust's table has a line for each text."""


class WrongAnswer(Exception):
    """The server answered, and not with what it should have said."""


class ComeBack(Exception):
    """A good answer: too much is going on, ask again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to come back in {seconds} s")
        self.seconds = seconds


class Page(NamedTuple):
    """A page of a connection."""

    nodes: list[Fields]
    after: str | None
    """Where the next page begins; None behind the last one."""


def expect(is_right: object, what: str) -> None:
    """Raise WrongAnswer unless something is as it should be."""
    if not is_right:
        raise WrongAnswer(what)


def data_of(status: int, body: bytes) -> Fields:
    """Return the data of a GraphQL answer; raises WrongAnswer, or ComeBack where it says so."""
    expect(status == OK, f"HTTP {status}")
    try:
        answer = msgspec.json.decode(body, type=Fields)
    except msgspec.MsgspecError as error:
        raise WrongAnswer("the answer is no JSON object") from error
    errors = answer.get("errors")
    if errors:
        _raise_come_back(errors)
        raise WrongAnswer(f"GraphQL errors: {str(errors)[:SHOWN]}")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise WrongAnswer("there is no data")
    return data


def _raise_come_back(errors: Sequence[Fields]) -> None:
    extensions = [error.get("extensions") or {} for error in errors]
    if all(found.get("code") in COME_BACK_CODES for found in extensions):
        raise ComeBack(max(_retry_after(found) for found in extensions))


def _retry_after(fields: Mapping[str, Any]) -> float:
    seconds = fields.get("retryAfterSeconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise WrongAnswer(f"come back, but when? {dict(fields)}")
    return float(seconds)


def outcome_of(data: Fields, field: str, *types: str) -> Fields:
    """Return what a mutation says, if it is one of some types of its union."""
    outcome = _object(data, field)
    found = outcome.get("__typename")
    if found == "TooBusy":
        raise ComeBack(_retry_after(outcome))
    expect(found in types, f"{field}: {found} {outcome.get('code')} {outcome.get('message')}")
    return outcome


def page_of(data: Fields, field: str, kind: str, first: int) -> Page:
    """Return a page of a connection, if it hangs together and has nodes of the kind."""
    found = _object(data, field)
    try:
        edges, info = found["edges"], found["pageInfo"]
        nodes = [edge["node"] for edge in edges]
        cursors = [edge["cursor"] for edge in edges]
        has_next, end = info["hasNextPage"], info["endCursor"]
        ids = [node["id"] for node in nodes]
    except (KeyError, TypeError) as error:
        raise WrongAnswer(f"{field}: no connection, {error!r}") from error
    expect(len(edges) <= first, f"{field}: {len(edges)} items on a page of {first}")
    expect(len(set(ids)) == len(ids), f"{field}: an item twice on a page")
    expect(all(kind_of(node_id) == kind for node_id in ids), f"{field}: an id that is no {kind}'s")
    expect(end == (cursors[-1] if cursors else None), f"{field}: the page ends elsewhere")
    expect(len(edges) == first or not has_next, f"{field}: a short page, and there is more")
    return Page(nodes, end if has_next else None)


def next_page_of(data: Fields, field: str, kind: str, first: int, seen: frozenset[str]) -> Page:
    """Return a page that repeats nothing of the one before."""
    page = page_of(data, field, kind, first)
    again = seen.intersection(ids_of(page))
    expect(not again, f"{field}: an item of the page before comes again")
    return page


def ids_of(page: Page) -> frozenset[str]:
    return frozenset(node["id"] for node in page.nodes)


def kind_of(global_id: object) -> str:
    """Return what a Relay id is an id of; empty where it is none."""
    try:
        return base64.b64decode(str(global_id), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _object(data: Fields, field: str) -> Fields:
    found = data.get(field)
    if not isinstance(found, dict):
        raise WrongAnswer(f"{field}: {str(found)[:SHOWN]} instead of an object")
    return found


Check = Callable[[Fields], Any]
"""Takes the data of an answer and returns what was wanted of it, or raises WrongAnswer."""


def checked(check: Check, data: Fields) -> Any:
    """Return what a check returns; an answer of another shape is a WrongAnswer as well."""
    try:
        return check(data)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise WrongAnswer(f"an answer of another shape: {error!r}") from error
