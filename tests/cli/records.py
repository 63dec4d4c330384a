"""Orders as they are written in a file for the import."""

import json
from typing import Any

from tests.world import SHANGHAI


def record(number: int, quantity: int = 1, **changes: Any) -> str:
    """Return a line: a paid order of a platform, for units of "A"."""
    values = {
        "shop": "shop",
        "externalId": f"e{number}",
        "address": {"detail": "某路 1 号", "regionCode": SHANGHAI},
        "lines": [{"sku": "A", "quantity": quantity}],
    }
    return json.dumps(values | changes)
