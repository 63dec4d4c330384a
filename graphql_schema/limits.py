"""What a document may cost, before any of it runs.

Cost is fields: one for each, and for the fields below a page or a list as many times as it has
items (`first`, or LIST_SIZE for a plain list). It also feeds each client's budget.
"""

import time
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_list_type,
)
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from graphql_schema.documents import known
from graphql_schema.paging import PAGE_DEFAULT, PAGE_MAX

COST_MAX = 20_000
"""A page of 100 orders with lines, fulfilments and reservations costs about 15,000."""
LIST_SIZE = 5
"""What a plain list is taken to hold: an order has three lines on average."""
BUDGET_MAX = 400_000
"""What a client may spend at once."""
BUDGET_PER_SECOND = 40_000
CLIENTS_REMEMBERED_MAX = 20_000
OPERATIONS_REMEMBERED_MAX = 100
"""Of one document."""


class CostLimit(SchemaExtension):
    """Refuses a document that costs too much, or a client that has spent its budget."""

    def judge(self) -> None:
        """Judge what the validation has passed."""
        context = self.execution_context
        if context.graphql_document is not None and not context.pre_execution_errors:
            error = _refusal(context)
            if error is not None:
                context.pre_execution_errors = [error]


def _refusal(context: ExecutionContext) -> GraphQLError | None:
    cost = cost_of(context)
    if cost > COST_MAX:
        return GraphQLError(
            f"The document costs {cost}, and {COST_MAX} is the most. Ask for fewer items a page or "
            "fewer lists at once.",
            extensions={"code": "TOO_COSTLY", "cost": cost, "limit": COST_MAX},
        )
    wait = BUDGETS.spend(_client(context.context), cost)
    if wait > 0:
        return GraphQLError(
            f"Too many requests; try again in {wait:.1f} seconds.",
            extensions={"code": "RATE_LIMITED", "retryAfterSeconds": round(wait, 1)},
        )
    return None


class Budgets:
    """A bucket for each client that fills by itself."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, client: str, cost: int) -> float:
        """Take `cost`; returns 0, or after how many seconds there would be enough."""
        now = time.monotonic()
        if len(self._left) > CLIENTS_REMEMBERED_MAX:
            self._left.clear()
        left, at = self._left.get(client, (float(BUDGET_MAX), now))
        left = min(float(BUDGET_MAX), left + (now - at) * BUDGET_PER_SECOND)
        if left < cost:
            self._left[client] = (left, now)
            return (cost - left) / BUDGET_PER_SECOND
        self._left[client] = (left - cost, now)
        return 0.0


BUDGETS = Budgets()


def _client(context: Any) -> str:
    principal = context.known_principal
    if principal is not None:
        return f"{principal.tenant_id}:{principal.subject}"
    host = context.request.client
    return f"from {host.host}" if host else "from somewhere"


def cost_of(context: ExecutionContext) -> int:
    """Return the cost of the operation that will run."""
    assert context.query, "called after parsing"
    found = known(context.schema, context.query)
    cost = found.costs.get(context.operation_name)
    if cost is None:
        cost, is_fixed = _measure(context, found.document)
        if is_fixed and len(found.costs) < OPERATIONS_REMEMBERED_MAX:
            found.costs[context.operation_name] = cost
    return cost


def _measure(context: ExecutionContext, document: DocumentNode) -> tuple[int, bool]:
    """Return the cost of an operation, and whether it is the same whatever its variables are."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    schema = context.schema._schema
    walk = _Walk(schema, fragments, context.variables or {})
    operations = [
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    cost = max(
        (
            walk.cost(node.selection_set, schema.get_root_type(node.operation), is_page=False)
            for node in operations
            if context.operation_name in (None, node.name.value if node.name else None)
        ),
        default=0,
    )
    return cost, not walk.asked_variables


class _Walk:
    """Sums up selections; a sum that is too large already is not followed further."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: dict[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self.asked_variables = False

    def cost(self, selections: SelectionSetNode, parent: Any, *, is_page: bool) -> int:
        total = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total += self._field(node, parent, is_page=is_page)
            elif isinstance(node, InlineFragmentNode):
                name = node.type_condition.name.value if node.type_condition else None
                inner = self._schema.get_type(name) if name else parent
                total += self.cost(node.selection_set, inner, is_page=is_page)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                inner = self._schema.get_type(fragment.type_condition.name.value)
                total += self.cost(fragment.selection_set, inner, is_page=is_page)
            if total > COST_MAX * PAGE_MAX:
                return total
        return total

    def _field(self, node: FieldNode, parent: Any, *, is_page: bool) -> int:
        fields = parent.fields if isinstance(parent, GraphQLObjectType) else {}
        definition = fields.get(node.name.value) or getattr(parent, "fields", {}).get(
            node.name.value
        )
        if node.selection_set is None or definition is None:
            return 1
        is_paged = "first" in definition.args
        kind = definition.type
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        size = 1
        if is_paged:
            size = self._page_size(node)
        elif is_list_type(inner) and not is_page:
            size = LIST_SIZE
        below = self.cost(node.selection_set, get_named_type(kind), is_page=is_paged)
        return 1 + size * below

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return min(PAGE_MAX, max(1, int(value.value)))
                if isinstance(value, VariableNode):
                    self.asked_variables = True
                    given = self._variables.get(value.name.value, PAGE_MAX)
                    return min(PAGE_MAX, max(1, given)) if isinstance(given, int) else PAGE_MAX
        return PAGE_DEFAULT
