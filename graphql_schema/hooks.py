"""The hooks that every request goes through: those that we have, and nothing else.

Strawberry looks through all extensions for each hook of each request, and wraps each of them in a
generator (strawberry 0.341): a twentieth of a checkout's time, for four calls.
"""

from collections.abc import Callable
from typing import Any

from strawberry.extensions import MaskErrors, SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext

from graphql_schema.documents import Documents
from graphql_schema.limits import CostLimit


class Masking(MaskErrors):
    """Masks what is our own fault, and spends nothing on answers without errors.

    Strawberry asks of every answer whether it looks like one with errors, which takes longer than
    all that follows.
    """

    def _process_result(self, result: object) -> None:
        if getattr(result, "errors", None):
            super()._process_result(result)

    def finish(self) -> None:
        """Mask the answer of an operation; those of a stream were masked one by one."""
        if not self._stream_result_processed:
            self._process_result(self.execution_context.result)


class Hooks(SchemaExtensionsRunner):
    """Runs documents, cost and masking, in this order; results of a stream as Strawberry does."""

    def __init__(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> None:
        super().__init__(execution_context, extensions)
        documents, cost, masking = extensions
        assert isinstance(documents, Documents)
        assert isinstance(cost, CostLimit)
        assert isinstance(masking, Masking)
        self._documents, self._cost, self._masking = documents, cost, masking

    def operation(self) -> Any:
        return _Around(after=self._masking.finish)

    def parsing(self) -> Any:
        return _Around(before=self._documents.parse)

    def validation(self) -> Any:
        return _Around(before=self._validate)

    def executing(self) -> Any:
        return NOTHING

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        return dict(ctx.extensions_results)

    def _validate(self) -> None:
        self._documents.validate()
        self._cost.judge()


class _Around:
    """Calls something before a phase, or after it."""

    __slots__ = ("_after", "_before")

    def __init__(
        self, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None
    ) -> None:
        self._before = before
        self._after = after

    async def __aenter__(self) -> None:
        if self._before is not None:
            self._before()

    async def __aexit__(self, *_: object) -> None:
        if self._after is not None:
            self._after()


NOTHING = _Around()
