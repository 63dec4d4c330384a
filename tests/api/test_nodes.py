"""`node(id)` finds anything that has an id, for whom it concerns, and says so of what is none."""

import base64
from typing import Any

import pytest

from graphql_schema.schema import build_schema
from tests.api.client import Api
from tests.world import World

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
WIDTHS = {
    "EarmarkLevel": 3,
    "Fulfilment": 2,
    "ShopFloor": 2,
    "ShownNumber": 2,
    "StockLevel": 2,
}


def kinds() -> list[str]:
    """Return every type of the schema that is a node."""
    schema = build_schema()._schema
    node: Any = schema.type_map["Node"]
    return sorted(kind.name for kind in schema.get_possible_types(node))


def global_id(kind: str, key: str) -> str:
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


@pytest.mark.parametrize("kind", kinds())
async def test_what_is_not_there_is_null(api: Api, world: World, kind: str) -> None:
    key = "-".join(["999999"] * WIDTHS.get(kind, 1))
    assert await api.data(NODE, world.brand, id=global_id(kind, key)) == {"node": None}


@pytest.mark.parametrize("kind", kinds())
async def test_what_is_no_key_is_refused(api: Api, world: World, kind: str) -> None:
    for key in ("x", "1-x", "", "-1", "9" * 30):
        answer = await api.ask(NODE, world.brand, id=global_id(kind, key))
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "INVALID_ID", error
