"""What orders cost: Yipan and the published policies on the same networks, orders and stock."""

from loadtests.bench.fulfilment.compare import run

__all__ = ["run"]
