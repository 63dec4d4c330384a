"""The pure-Python twins in place of the compiled core."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from core_ext import parcel_cost_twin, planner_twin, reservation_twin, stock_book_twin

PLACES = {
    "backend.orders.accept.reserve": reservation_twin.reserve,
    "backend.orders.plan_on_locked.StockBook": stock_book_twin.StockBook,
    "backend.routing.tenant_book.StockBook": stock_book_twin.StockBook,
    "backend.routing.plan_orders.plan": planner_twin.plan,
    "backend.routing.compile_policy.Policy": parcel_cost_twin.Policy,
}


@contextmanager
def twin_core() -> Iterator[None]:
    """Let the product plan and reserve with the twins, which answer the same."""
    with ExitStack() as stack:
        for name, twin in PLACES.items():
            stack.enter_context(patch(name, twin))
        yield
