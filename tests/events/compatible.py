"""Whether whoever reads yesterday's events can read today's."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return what a reader of the old schema would stumble over in data of the new one.

    New fields and new values of an enumeration are no break: readers skip what they do not know.
    """
    return list(_breaks(old, new, _whole(old, old), _whole(new, new), "$"))


def _whole(schema: Schema, at: Schema) -> Schema:
    """Return a part of a schema with its reference, if it is one, followed."""
    reference = at.get("$ref")
    if reference is None:
        return at
    found: Schema = schema["$defs"][reference.rpartition("/")[2]]
    return found


def _breaks(old: Schema, new: Schema, was: Schema, now: Schema, where: str) -> Iterator[str]:
    if was.get("type") != now.get("type"):
        yield f"{where} was {was.get('type')} and is {now.get('type')}"
    for name, part in was.get("properties", {}).items():
        inside = f"{where}.{name}"
        if name not in now.get("properties", {}):
            yield f"{inside} is gone"
            continue
        if name in was.get("required", ()) and name not in now.get("required", ()):
            yield f"{inside} may be missing"
        yield from _breaks(
            old, new, _whole(old, part), _whole(new, now["properties"][name]), inside
        )
    if "items" in was:
        yield from _breaks(
            old, new, _whole(old, was["items"]), _whole(new, now.get("items", {})), f"{where}[]"
        )
    if gone := set(was.get("enum", ())) - set(now.get("enum", ())):
        yield f"{where} loses {', '.join(sorted(map(str, gone)))}"
    if _kinds(now) - _kinds(was):
        yield f"{where} may be of another type"


def _kinds(part: Schema) -> set[str]:
    return {choice.get("type", choice.get("$ref", "")) for choice in part.get("anyOf", ())}
