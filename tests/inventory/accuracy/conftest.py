"""A process that looks at everything anew whenever it is asked to."""

from tests.inventory.pools.living import live

__all__ = ["live"]
