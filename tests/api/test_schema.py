"""The schema as it is written down, and what must hold for all of it."""

from pathlib import Path

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, get_named_type

from graphql_schema.schema import build_schema, schema_text

ROOT = Path(__file__).parents[2]


def test_the_schema_is_the_one_checked_in() -> None:
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == schema_text()


def test_every_mutation_refuses_with_user_errors() -> None:
    schema = build_schema()._schema
    user_error = schema.get_type("UserError")
    assert isinstance(user_error, GraphQLInterfaceType)
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLUnionType), name
        members = [member for member in payload.types if isinstance(member, GraphQLObjectType)]
        assert any(user_error in member.interfaces for member in members), name
        assert sum(user_error not in member.interfaces for member in members) == 1, name
        assert list(field.args) == ["input"], name
