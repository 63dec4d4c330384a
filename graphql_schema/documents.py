"""Documents: parsed and validated once, and known by their text from then on.

Strawberry's own caches do not help here: the one of validated documents hashes the whole document
for each request, and tells it apart by rules that its own limiters make anew (strawberry 0.341).
"""

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


class Known:
    """A document, what is wrong with it once somebody has looked, and what its operations cost."""

    __slots__ = ("costs", "document", "errors")

    def __init__(self, document: DocumentNode) -> None:
        self.document = document
        self.errors: list[GraphQLError] | None = None
        self.costs: dict[str | None, int] = {}
        """By the operation's name, of those whose cost no variable changes."""


@lru_cache(maxsize=DOCUMENTS_CACHED)
def known(_: Any, text: str) -> Known:
    """Return the parsed document of a text, for one schema; raises GraphQLSyntaxError."""
    return Known(parse(text, max_tokens=TOKENS_MAX))


class Documents(SchemaExtension):
    """Refuses documents with too many tokens or aliases, or too deep, and remembers the others."""

    def parse(self) -> None:
        """Give the context its document. Raises GraphQLSyntaxError."""
        context = self.execution_context
        if context.query:
            context.graphql_document = known(context.schema, context.query).document

    def validate(self) -> None:
        """Give the context what is wrong with its document."""
        context = self.execution_context
        assert context.query, "an operation without a text is refused before"
        found = known(context.schema, context.query)
        if found.errors is None:
            rules = (*context.validation_rules, *RULES)
            found.errors = validate_document(context.schema._schema, found.document, rules)
        context.pre_execution_errors = list(found.errors)
