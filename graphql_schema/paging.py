"""Keyset paging: pages of at most 100, cursors that are keys, ids that are Relay's."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from strawberry.relay import Connection, Edge, Node, PageInfo
from strawberry.relay.utils import from_base64, to_base64

from backend.db.errors import YipanError

PAGE_MAX = 100
PAGE_DEFAULT = 20
NUMBER_MAX = 2**63 - 1
"""Of ids: whoever pages from the newest on begins below it."""

NodeT = TypeVar("NodeT", bound=Node)
RowT = TypeVar("RowT")


class InvalidPage(YipanError):
    """A page has 1 to 100 items; ask for the next one with its end cursor."""

    code = "INVALID_PAGE"


class InvalidId(YipanError):
    """This is not an id of the kind that is wanted here."""

    code = "INVALID_ID"


def page_size(first: int) -> int:
    """Return how many rows to fetch: one more than asked for tells whether there is a next page."""
    if not 1 <= first <= PAGE_MAX:
        raise InvalidPage
    return first + 1


def connection(
    rows: Sequence[RowT],
    first: int,
    node: Callable[[RowT], NodeT],
    cursor: Callable[[RowT], str],
) -> Connection[NodeT]:
    """Return a page from the `first + 1` rows that were fetched for it."""
    edges = [Edge(cursor=cursor(row), node=node(row)) for row in rows[:first]]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > first,
            has_previous_page=False,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def cursor_of(*key: int) -> str:
    return to_base64("after", "-".join(map(str, key)))


def key_of(cursor: str | None, start: tuple[int, ...]) -> tuple[int, ...]:
    """Return the key of a cursor, or `start` without one; raises InvalidPage."""
    if cursor is None:
        return start
    try:
        kind, text = from_base64(cursor)
        key = tuple(int(part) for part in text.split("-"))
    except ValueError as error:
        raise InvalidPage("The cursor is not one of ours.") from error
    if kind != "after" or len(key) != len(start) or any(part >= 2**63 for part in key):
        raise InvalidPage("The cursor is not one of ours.")
    return key


def composite_key(text: str, width: int) -> tuple[int, ...]:
    """Return the numbers in the id of something that has so many; raises InvalidId."""
    parts = text.split("-")
    if len(parts) != width or not all(part.isdecimal() and len(part) <= 19 for part in parts):
        raise InvalidId
    key = tuple(int(part) for part in parts)
    if max(key) > NUMBER_MAX:
        raise InvalidId
    return key


def numbers_of(node_ids: Iterable[str]) -> list[int]:
    """Return the numbers that are the ids of something; raises InvalidId."""
    return [composite_key(node_id, 1)[0] for node_id in node_ids]


def id_of(kind: str, number: int) -> str:
    """Return the Relay id of something."""
    return to_base64(kind, str(number))


def key_of_id(kind: str, global_id: str, width: int) -> tuple[int, ...]:
    """Return the numbers in a Relay id of a kind that has so many; raises InvalidId."""
    try:
        found, text = from_base64(global_id)
    except ValueError as error:
        raise InvalidId from error
    if found != kind:
        raise InvalidId
    return composite_key(text, width)


def number_of(kind: str, global_id: str) -> int:
    """Return the number in a Relay id of a kind; raises InvalidId."""
    try:
        found, text = from_base64(global_id)
        number = int(text)
    except ValueError as error:
        raise InvalidId from error
    if found != kind or not 0 <= number <= NUMBER_MAX:
        raise InvalidId
    return number
