"""The compiled core: stock book, planner, reservation kernel and availability engine.

Where the compiled modules are missing their pure-Python twins take over, and say so loudly.
"""

import warnings

from core_ext.pool_graph import PoolGraph
from core_ext.results import Plans

try:
    from core_ext.availability import Availability
    from core_ext.parcel_cost import Policy
    from core_ext.planner import plan
    from core_ext.reservation import give_back, reserve
    from core_ext.stock_book import StockBook
except ImportError:
    warnings.warn(
        "core_ext is not compiled: orders are planned hundreds of times slower; run `make test`",
        RuntimeWarning,
        stacklevel=2,
    )
    from core_ext.availability_twin import Availability  # type: ignore[assignment]
    from core_ext.parcel_cost_twin import Policy  # type: ignore[assignment]
    from core_ext.planner_twin import plan  # type: ignore[assignment]
    from core_ext.reservation_twin import give_back, reserve
    from core_ext.stock_book_twin import StockBook  # type: ignore[assignment]

__all__ = [
    "Availability",
    "Plans",
    "Policy",
    "PoolGraph",
    "StockBook",
    "give_back",
    "plan",
    "reserve",
]
