"""A brand whose orders somebody splits by hand."""

from tests.inventory.pools.conftest import live
from tests.orders.rerouting.conftest import moving

__all__ = ["live", "moving"]
