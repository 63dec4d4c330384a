"""Documents: parsed and validated once, and known by their text from then on.

Strawberry's own caches do not help here: the one of validated documents hashes the whole document
for each request, and tells it apart by rules that its own limiters make anew (strawberry 0.341).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, parse
from strawberry.extensions import MaxAliasesLimiter, QueryDepthLimiter, SchemaExtension
from strawberry.schema.schema import validate_document

DEPTH_MAX = 12
ALIASES_MAX = 30
TOKENS_MAX = 4_000
DOCUMENTS_CACHED = 500
RULES = (
    *QueryDepthLimiter(DEPTH_MAX).validation_rules,
    *MaxAliasesLimiter(ALIASES_MAX).validation_rules,
)


class _Known:
    """A document, and what is wrong with it once somebody has looked."""

    __slots__ = ("document", "errors")

    def __init__(self, document: DocumentNode) -> None:
        self.document = document
        self.errors: list[GraphQLError] | None = None


@lru_cache(maxsize=DOCUMENTS_CACHED)
def _known(_: Any, text: str) -> _Known:
    """Return the parsed document of a text, for one schema; raises GraphQLSyntaxError."""
    return _Known(parse(text, max_tokens=TOKENS_MAX))


class Documents(SchemaExtension):
    """Refuses documents with too many tokens or aliases, or too deep, and remembers the others."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.query:
            context.graphql_document = _known(context.schema, context.query).document
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        assert context.query, "an operation without a text is refused before"
        known = _known(context.schema, context.query)
        if known.errors is None:
            rules = (*context.validation_rules, *RULES)
            known.errors = validate_document(context.schema._schema, known.document, rules)
        context.pre_execution_errors = list(known.errors)
        yield
