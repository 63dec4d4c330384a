"""Answers shaped at once are those of the walk, field by field, with the same errors."""

import enum
from dataclasses import replace
from typing import Annotated, Any

import pytest
import strawberry
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.extensions import ParserCache
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graphql_schema import execution
from graphql_schema.execution import Execution
from graphql_schema.scalars import BigInt, schema_config
from graphql_schema.shapers import Shapers


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Thing:
    name: str


@strawberry.type
class Box(Thing):
    weight: int
    price: BigInt
    is_open: bool
    note: str | None
    colour: Colour
    tags: list[str]
    content: "list[Piece | None]"


@strawberry.type
class Bag(Thing):
    colour: Colour | None

    @strawberry.field
    def label(self) -> str:
        return f"bag {self.name}"


@strawberry.type
class Piece:
    key: strawberry.ID
    share: float
    inside: Box | None = None
    thing: Thing | None = None


Answer = Annotated[Box | Bag | Piece, strawberry.union("Answer")]
ROOT: list[Any] = []


@strawberry.type
class Query:
    @strawberry.field
    def answers(self) -> list[Answer | None]:
        return ROOT

    @strawberry.field
    async def maybe(self) -> Answer | None:
        return ROOT[0] if ROOT else None


class Quiet(strawberry.Schema):
    def process_errors(self, *_: Any) -> None:
        """Say nothing of errors; they are what is compared."""


def schema_with(context: type) -> strawberry.Schema:
    return Quiet(
        query=Query,
        types=[Box, Bag],
        config=schema_config(is_sorted=False),
        execution_context_class=context,
        extensions=[ParserCache],
    )


BOX = Box(
    name="box",
    weight=1,
    price=2,
    is_open=True,
    note=None,
    colour=Colour.RED,
    tags=[],
    content=[Piece(key=strawberry.ID("k"), share=0.5)],
)

SHAPED = schema_with(Execution)
WALKED = schema_with(StrawberryGraphQLCoreExecutionContext)

texts = st.text(max_size=3)
odd: st.SearchStrategy[Any] = st.sampled_from([None, 2**40, 1.5, ValueError("odd"), object(), "x"])


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 7).flatmap(lambda number: usual if number else odd)


def boxes(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        Box,
        name=mostly(texts),
        weight=mostly(st.sampled_from([-(2**31), 0, 2**31 - 1, 2**31])),
        price=mostly(st.integers(-(2**53), 2**53)),
        is_open=mostly(st.booleans()),
        note=mostly(st.none() | texts),
        colour=mostly(st.sampled_from(Colour)),
        tags=mostly(st.lists(mostly(texts), max_size=2)),
        content=mostly(st.lists(st.none() | content, max_size=2)),
    )


bags = st.builds(Bag, name=mostly(texts), colour=mostly(st.none() | st.sampled_from(Colour)))
pieces = st.recursive(
    st.builds(Piece, key=mostly(texts), share=mostly(st.floats(allow_nan=False))),
    lambda inner: st.builds(
        Piece,
        key=texts,
        share=st.just(0.5),
        inside=mostly(st.none() | boxes(inner)),
        thing=mostly(boxes(inner) | bags),
    ),
    max_leaves=3,
)
answers = st.lists(boxes(pieces) | bags | pieces, min_size=1, max_size=3)

FIELDS = {
    "Thing": ["name", "__typename", "called: name"],
    "Box": [
        "name",
        "weight",
        "heavy: weight",
        "price",
        "isOpen",
        "note",
        "colour",
        "tags",
        "__typename",
        "...OfBox",
    ],
    "Bag": ["name", "shade: colour", "label", "... on Thing { __typename also: name }"],
    "Piece": ["key", "share", "__typename", "sometimes: share @include(if: $yes)", "...OfPiece"],
}
FRAGMENTS = """
query Other { answers { ...OfBox ...OfPiece } }
fragment OfBox on Box { price note content { key } }
fragment OfPiece on Piece { key inside { weight tags ... on Box { isOpen } } }
"""


def selections(of: str, depth: int = 2) -> st.SearchStrategy[str]:
    """Selections on a type, of plain fields mostly, some of them nested."""
    leaves = st.lists(st.sampled_from(FIELDS[of]), min_size=1, max_size=4)
    if depth == 0:
        return leaves.map(" ".join)
    nested = {
        "Box": selections("Piece", depth - 1).map("content {{ {} }}".format),
        "Piece": st.one_of(
            selections("Box", depth - 1).map("inside {{ {} }}".format),
            st.builds(
                "thing {{ {} ... on Box {{ {} }} ... on Bag {{ {} }} }}".format,
                selections("Thing", 0),
                selections("Box", depth - 1),
                selections("Bag", 0),
            ),
        ),
    }.get(of, st.just("__typename"))
    return st.builds("{} {}".format, leaves.map(" ".join), nested)


documents = st.builds(
    (
        "query Q($yes: Boolean!) {{ {} {{ __typename ... on Box {{ {} }} ... on Bag {{ {} }} "
        "... on Piece {{ {} }} }} use: __typename @include(if: $yes) }}"
    ).format,
    st.sampled_from(["answers", "maybe"]),
    selections("Box"),
    selections("Bag"),
    selections("Piece"),
)


@settings(max_examples=250)
@given(document=documents, root=answers)
async def test_shaped_answers_are_those_of_the_walk(document: str, root: list[Any]) -> None:
    await compare(document + FRAGMENTS, root)


@pytest.mark.parametrize(
    ("selection", "answer"),
    [
        ("... on Box { weight }", {"weight": 2**31}),
        ("... on Box { weight }", {"weight": -(2**31)}),
        ("... on Box { weight }", {"weight": True}),
        ("... on Box { note }", {"note": ValueError("odd")}),
        ("... on Box { tags }", {"tags": ["a", None]}),
        ("... on Box { colour }", {"colour": "red"}),
        ("... on Box { price @include(if: $yes) name }", {}),
        ("... on Box { content { key share @skip(if: $yes) } }", {}),
    ],
)
async def test_what_is_not_plain_is_walked(selection: str, answer: dict[str, Any]) -> None:
    await compare(
        f"query Q($yes: Boolean!) {{ answers {{ {selection} }} use: __typename @skip(if: $yes) }}",
        [replace(BOX, **answer)],
    )


async def compare(document: str, root: list[Any]) -> None:
    """Ask twice for the same, once with each value of the variable."""
    ROOT[:] = root
    for yes in (True, False):
        shaped, walked = [
            await schema.execute(document, {"yes": yes}, operation_name="Q")
            for schema in (SHAPED, WALKED)
        ]
        assert walked.data or (walked.errors and walked.errors[0].path), "the document is valid"
        assert shaped.data == walked.data
        assert told(shaped.errors) == told(walked.errors)


def told(errors: Any) -> list[tuple[str, Any]]:
    return [(error.message.split(" at 0x")[0], error.path) for error in errors or ()]


async def test_plain_selections_are_shaped_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    shapers = Shapers()
    monkeypatch.setattr(execution, "SHAPERS", shapers)
    ROOT[:] = [BOX, Bag(name="bag", colour=None)]
    document = "{ answers { ... on Box { content { key } } ... on Bag { label } } }"
    found = await SHAPED.execute(document)
    assert found.data == {"answers": [{"content": [{"key": "k"}]}, {"label": "bag bag"}]}
    assert [
        (kind.name, compiled.shaper is not None) for (_, kind), compiled in shapers.compiled.items()
    ] == [
        ("Box", True),
        ("Bag", False),
    ]
