"""How operations are executed: as Strawberry does, but plain answers are not walked through."""

from typing import Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graphql_schema.shapers import Shapers

SHAPERS = Shapers()


class Execution(StrawberryGraphQLCoreExecutionContext):
    """Shapes plain answers at once, and lets go of itself when it is done.

    graphql-core 3.3 keeps in each execution two of its own bound methods, a cycle that holds all
    that the execution made until the garbage collector finds it: 80 objects a request, and a tenth
    of a second's pause every thousand requests.
    """

    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        if position_context is None:
            shape = SHAPERS.shaper_of(self, return_type, field_details_list)
            if shape is not None:
                try:
                    return shape(result)
                except Exception:  # the walk below meets it too, and reports it
                    pass
        return super().collect_and_execute_subfields(
            return_type, field_details_list, path, result, position_context
        )

    def build_response(self, data: dict[str, Any] | None) -> Any:
        response = super().build_response(data)
        del self.async_helpers
        return response
