"""The clock that everything waits by: the event loop's, so that a simulation can turn it."""

import asyncio


def now() -> float:
    """Return seconds that only rise; their differences alone mean something."""
    return asyncio.get_running_loop().time()
