"""Queries for every field that can be reached from a root field, made from the schema.

Each field of each type is selected below each root that leads there, by the shortest way; what is
too much for one document by the API's limits is spread over several. Arguments are found by their
names and types among what exists.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import cycle, groupby
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)

from graphql_schema.documents import DEPTH_MAX, TOKENS_MAX
from graphql_schema.limits import COST_MAX, LIST_SIZE
from graphql_schema.paging import PAGE_MAX, id_of
from graphql_schema.schema import schema_text
from tests.api.marked_rows import DEALERS, NOW, OURS, SHANGHAI, Maker, marks_in

PAGES = (12, 5, 2, 1)
"""How many items of a page are asked for: as many as the cost allows, and enough to have some of
everybody's. Where only ids are asked for it is all of them.
"""
TOKEN = re.compile(r"\w+|[^\w\s,]")
Place = tuple[str, str]
"""A type, and a field of it."""
Tree = dict[str, Any]
"""Field -> what is selected of it; None of a leaf."""


class Group(NamedTuple):
    """The leaves of one object, and the way there from the root field."""

    way: tuple[str, ...]
    leaves: tuple[str, ...]


class Document(NamedTuple):
    """A query of one root field."""

    root: str
    member: str | None
    """The type of an interface that it asks about."""
    text: str
    places: frozenset[Place]


def read_schema() -> GraphQLSchema:
    """Return the schema, without its resolvers."""
    return build_schema(schema_text())


def root_fields(schema: GraphQLSchema) -> dict[str, GraphQLField]:
    assert schema.query_type is not None
    fields: dict[str, GraphQLField] = schema.query_type.fields
    return fields


def is_paged(field: GraphQLField) -> bool:
    return "first" in field.args


def object_named(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.get_type(name)
    assert isinstance(found, GraphQLObjectType), name
    return found


def members_of(schema: GraphQLSchema, kind: Any) -> list[GraphQLObjectType]:
    """Return the object types that something of a type may be of."""
    if isinstance(kind, GraphQLObjectType):
        return [kind]
    return list(schema.get_possible_types(kind))


def all_places(schema: GraphQLSchema) -> set[Place]:
    """Return every field of every object type that can be reached from Query."""
    assert schema.query_type is not None
    places: set[Place] = set()
    waiting: list[GraphQLObjectType] = [schema.query_type]
    known = {schema.query_type.name}
    while waiting:
        kind = waiting.pop()
        for name, field in kind.fields.items():
            places.add((kind.name, name))
            inner = get_named_type(field.type)
            if not is_leaf_type(inner):
                new = [one for one in members_of(schema, inner) if one.name not in known]
                known |= {one.name for one in new}
                waiting += new
    return places


class Writer:
    """Writes the documents of a schema; with `leaf`, of fields of that name alone."""

    def __init__(self, schema: GraphQLSchema, leaf: str | None = None) -> None:
        self._schema, self._leaf = schema, leaf
        self._pages = (PAGE_MAX, *PAGES) if leaf else PAGES

    def documents(self) -> Iterator[Document]:
        """Yield documents for all root fields."""
        for root, field in root_fields(self._schema).items():
            kind = get_named_type(field.type)
            if is_leaf_type(kind):
                yield self._document(root, None, {}, 1)
                continue
            is_open = isinstance(kind, GraphQLInterfaceType)
            for member in members_of(self._schema, kind):
                name = member.name if is_open else None
                yield from self._packed(root, name, self._groups(member))

    def _groups(self, start: GraphQLObjectType) -> list[Group]:
        """Return what can be reached from a type, each field on the shortest way to it."""
        groups = []
        taken: set[Place] = set()
        waiting: deque[tuple[tuple[str, ...], GraphQLObjectType]] = deque([((), start)])
        while waiting:
            way, kind = waiting.popleft()
            leaves = []
            for name, field in kind.fields.items():
                inner = get_named_type(field.type)
                if is_leaf_type(inner):
                    if self._leaf in (None, name):
                        leaves.append(name)
                elif (kind.name, name) not in taken and len(way) + 3 <= DEPTH_MAX:
                    taken.add((kind.name, name))
                    assert isinstance(inner, GraphQLObjectType), "no unions below the roots yet"
                    waiting.append(((*way, name), inner))
            if leaves:
                groups.append(Group(way, tuple(leaves)))
        return groups

    def _packed(self, root: str, member: str | None, groups: list[Group]) -> Iterator[Document]:
        """Yield as few documents as hold the groups, those of equally long pages together."""
        by_page: dict[int, list[Group]] = {}
        for group in groups:
            page = next(n for n in self._pages if self._fits(root, member, tree_of([group]), n))
            by_page.setdefault(page, []).append(group)
        for page, fellows in by_page.items():
            taken: list[Group] = []
            for group in fellows:
                if taken and not self._fits(root, member, tree_of([*taken, group]), page):
                    yield self._document(root, member, tree_of(taken), page)
                    taken = []
                taken.append(group)
            yield self._document(root, member, tree_of(taken), page)

    def _fits(self, root: str, member: str | None, tree: Tree, page: int) -> bool:
        kind = self._type_of(root, member)
        field = root_fields(self._schema)[root]
        below = cost(kind, tree, page, is_page=is_paged(field))
        whole = 1 + _size(field, page, is_page=False) * below
        text = self._text(root, member, tree, page)
        return whole <= COST_MAX and len(TOKEN.findall(text)) < TOKENS_MAX

    def _document(self, root: str, member: str | None, tree: Tree, page: int) -> Document:
        places = {("Query", root)}
        if tree:
            places |= places_of(self._type_of(root, member), tree)
        text = self._text(root, member, tree, page)
        return Document(root, member, text, frozenset(places))

    def _type_of(self, root: str, member: str | None) -> GraphQLObjectType:
        kind = get_named_type(root_fields(self._schema)[root].type)
        return object_named(self._schema, member or kind.name)

    def _text(self, root: str, member: str | None, tree: Tree, page: int) -> str:
        field = root_fields(self._schema)[root]
        given = {name: argument for name, argument in field.args.items() if name != "first"}
        declared = ", ".join(f"${name}: {_variable(one)}" for name, one in given.items())
        arguments = [f"{name}: ${name}" for name in given]
        if is_paged(field):
            arguments.append(f"first: {page}")
        inner = ""
        if tree:
            inner = selection(self._type_of(root, member), tree, page)
            inner = f" {{ ... on {member} {inner} }}" if member else f" {inner}"
        listed = f"({', '.join(arguments)})" if arguments else ""
        return f"query{f' ({declared})' if declared else ''} {{ {root}{listed}{inner} }}"


def _variable(argument: GraphQLArgument) -> str:
    """Return the type of a variable for an argument: left out, the argument's default holds."""
    return str(argument.type).removesuffix("" if is_required_argument(argument) else "!")


def _size(field: GraphQLField, page: int, *, is_page: bool) -> int:
    """Return how many items the API takes a field to have."""
    if is_paged(field):
        return page
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return LIST_SIZE if is_list_type(kind) and not is_page else 1


def tree_of(groups: list[Group]) -> Tree:
    """Return the selection that holds some groups."""
    tree: Tree = {}
    for group in groups:
        at = tree
        for step in group.way:
            at = at.setdefault(step, {})
        at.update(dict.fromkeys(group.leaves))
    return tree


def cost(kind: GraphQLObjectType, tree: Tree, page: int, *, is_page: bool) -> int:
    """Return what the API takes a selection to cost."""
    total = 0
    for name, below in tree.items():
        total += 1
        if below is not None:
            field = kind.fields[name]
            inner = get_named_type(field.type)
            assert isinstance(inner, GraphQLObjectType)
            size = _size(field, page, is_page=is_page)
            total += size * cost(inner, below, page, is_page=is_paged(field))
    return total


def selection(kind: GraphQLObjectType, tree: Tree, page: int) -> str:
    """Write a selection."""
    parts = []
    for name, below in tree.items():
        field = kind.fields[name]
        text = f"{name}(first: {page})" if is_paged(field) else name
        if below is not None:
            inner = get_named_type(field.type)
            assert isinstance(inner, GraphQLObjectType)
            text += f" {selection(inner, below, page)}"
        parts.append(text)
    return f"{{ {' '.join(parts)} }}"


def places_of(kind: GraphQLObjectType, tree: Tree) -> set[Place]:
    """Return the fields that a selection has."""
    places = set()
    for name, below in tree.items():
        places.add((kind.name, name))
        if below is not None:
            inner = get_named_type(kind.fields[name].type)
            assert isinstance(inner, GraphQLObjectType)
            places |= places_of(inner, below)
    return places


def is_leaf(schema: GraphQLSchema, place: Place) -> bool:
    """Whether a field has a value of its own, and nothing below it."""
    kind, name = place
    return is_leaf_type(get_named_type(object_named(schema, kind).fields[name].type))


def values_in(kind: GraphQLObjectType, answer: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Yield what an answer has, field by field: anything but null and empty lists."""
    for name, value in answer.items():
        if value is None or value == []:
            continue
        yield (kind.name, name), value
        inner = get_named_type(kind.fields[name].type)
        if isinstance(inner, GraphQLObjectType):
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    yield from values_in(inner, one)


KIND_OF_ID = {
    "afterSkuId": "Sku",
    "dealerId": "Dealer",
    "priceListId": "DealerPriceList",
    "quotaAccountId": "QuotaAccount",
    "locationId": "Location",
    "order": "Order",
    "orderId": "Order",
    "location": "Location",
    "shopId": "Shop",
    "skuId": "Sku",
}
CODE = {
    "buyer": ("orders", "buyer_name"),
    "earmark": ("earmark", "code"),
    "number": ("orders", "external_id"),
    "provider": ("slot_provider", "code"),
    "queue": ("routing_wait", "queue"),
    "shop": ("shop", "code"),
    "sku": ("sku", "code"),
    "skus": ("sku", "code"),
}
"""Which table's column a text is of, by the argument's name."""
TODAY = NOW.date()
PLAIN: dict[str, list[Any]] = {
    "month": [f"{TODAY:%Y-%m}"],
    "decision": [1, 2],
    "firstDay": [str(TODAY)],
    "lastDay": [str(TODAY + timedelta(days=10))],
    "until": [str(TODAY + timedelta(days=10))],
    "version": [2, 1],
}
LEFT_OUT = {"asOf", "first", "largest", "phone", "placedBefore", "placedFrom", "withinHours"}
"""Arguments that only say how much of the same is answered; where a page begins does as well."""
EACH = 1
"""How many ids of a type are tried of each owner at each place."""


class Samples:
    """What arguments may be: ids of every kind, and codes, each of everybody's."""

    def __init__(self, maker: Maker, ids: Iterable[tuple[str, str]] = ()) -> None:
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._ids["Dealer"] = [id_of("Dealer", dealer) for dealer in DEALERS.values()]
        tried: Counter[Any] = Counter()
        for kind, found in sorted(ids, key=_number):
            whose = max(
                (row[1:] for mark in marks_in(found) for row in maker.holders.get(mark, ())),
                key=lambda row: [str(part or "") for part in reversed(row)],
                default=None,
            )
            tried[kind, whose] += 1
            if tried[kind, whose] <= EACH:
                self._ids[kind].append(found)
        self._goods = [row["code"] for row in maker.rows["sku"] if row["tenant_id"] == OURS]
        self._codes = {name: list(_codes(maker.rows[of[0]], of[1])) for name, of in CODE.items()}

    def variables(self, field: GraphQLField, member: str | None) -> Iterator[dict[str, Any]]:
        """Yield what a root field is asked with: each argument takes each value, by itself."""
        own = {"id": member or get_named_type(field.type).name}
        values = {name: self._values(name, one, own) for name, one in field.args.items()}
        needed = [name for name, one in field.args.items() if is_required_argument(one)]
        if not all(values[name] for name in needed):
            return
        base = {name: values[name][0] for name in needed}
        yield base
        for name, found in values.items():
            for value in found:
                if base.get(name) != value:
                    yield base | {name: value}

    def _values(self, name: str, argument: Any, own: dict[str, str]) -> list[Any]:
        """Return what an argument, or a field of an input, may be."""
        kind = get_named_type(argument.type)
        given = argument.type
        is_list = is_list_type(given.of_type if isinstance(given, GraphQLNonNull) else given)
        if name in LEFT_OUT or name.startswith("after"):
            return []
        if isinstance(kind, GraphQLInputObjectType):
            return self._orders() if kind.name == "OrderPlaceInput" else self._inputs(kind, own)
        if isinstance(kind, GraphQLEnumType):
            found: list[Any] = list(kind.values)[: None if is_list else 1]
        elif kind.name == "Boolean":
            found = [True, False]
        elif kind.name == "ID":
            found = self._ids[KIND_OF_ID.get(name) or own[name]]
        elif name in CODE:
            found = self._codes[name]
            if is_list:
                return [list(some) for _, some in groupby(found, lambda code: code.split(".")[0])]
        else:
            found = PLAIN[name]
        return [found] if is_list and found else found

    def _inputs(self, kind: GraphQLInputObjectType, own: dict[str, str]) -> list[Any]:
        """Return an input for each value of each of its fields."""
        return [
            {name: value}
            for name, field in kind.fields.items()
            for value in self._values(name, field, own)
        ]

    def _orders(self) -> list[Any]:
        """Return carts for each shop: some of what nobody has, and some to be fetched somewhere."""
        carts = [
            {
                "shop": shop,
                "idempotencyKey": "a cart",
                "address": {"detail": "x", "regionCode": SHANGHAI},
                "lines": [{"sku": sku, "quantity": 1, "unitPriceMinor": 100}],
            }
            for shop, sku in zip(self._codes["shop"], cycle(self._goods), strict=False)
        ]
        places = self._ids["Location"]
        return carts + [
            cart | {"pickup": {"location": place}}
            for cart, place in zip(carts, places, strict=False)
        ]


def _number(found: tuple[str, str]) -> tuple[str, int]:
    """Return the type of an id, and the first number in it."""
    return found[0], next((mark for mark in marks_in(found[1]) if isinstance(mark, int)), 0)


def _codes(rows: list[dict[str, Any]], column: str) -> Iterator[str]:
    """Yield the first text of each owner at each place."""
    seen = set()
    for row in rows:
        whose = row["tenant_id"], row[column].rpartition(".")[0]
        if whose not in seen:
            seen.add(whose)
            yield row[column]


class Request(NamedTuple):
    """A document, and what it is asked with."""

    document: Document
    variables: dict[str, Any]


def requests(schema: GraphQLSchema, samples: Samples, leaf: str | None = None) -> list[Request]:
    """Return everything that is asked: each field of each thing that has to be named, and each
    choice of what is listed.
    """
    found = []
    asked: set[str] = set()
    for document in Writer(schema, leaf).documents():
        field = root_fields(schema)[document.root]
        is_named = any(
            is_required_argument(one) and is_leaf_type(get_named_type(one.type))
            for one in field.args.values()
        )
        is_first = is_named or document.root not in asked
        for variables in samples.variables(field, document.member):
            if is_first or not variables:
                found.append(Request(document, variables))
        asked.add(document.root)
    return found
