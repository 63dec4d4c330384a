"""What the type of a column alone does not say, of what is agreed with dealers."""

from datetime import date, timedelta
from typing import Any

SINCE = date(2020, 1, 1)
APPROVED = 1
"""Which of the rows of an agreement, or a price list, is approved."""

OF_DEALERS: dict[tuple[str, str], Any] = {
    ("dealer_agreement", "starts_on"): SINCE,
    ("dealer_agreement", "ends_on"): lambda maker, cell, k: (
        None if k == APPROVED else SINCE + timedelta(days=k)
    ),
    ("dealer_agreement", "product_lines"): lambda maker, cell, k: (
        [] if k == APPROVED else [maker.code("dealer_agreement", "product_lines", cell, k)]
    ),
    ("dealer_agreement", "added_skus"): lambda maker, cell, k: (
        [] if k == APPROVED else [maker.id("sku", cell, k)]
    ),
    ("dealer_agreement", "excluded_skus"): lambda maker, cell, k: (
        [] if k == APPROVED else [maker.id("sku", cell, k)]
    ),
    ("dealer_price_list", "starts_on"): SINCE,
    ("dealer_price_list", "ends_on"): lambda maker, cell, k: (
        None if k == APPROVED else SINCE + timedelta(days=k)
    ),
    ("dealer_price", "price_list_id"): lambda maker, cell, k: maker.id(
        "dealer_price_list", cell, APPROVED if k else 0
    ),
    ("dealer_price", "min_resale_minor"): 0,
    ("dealer_agreement", "settlement"): lambda maker, cell, k: {"depositMinor": maker.number()},
    ("dealer_agreement", "replaces_id"): lambda maker, cell, k: (
        maker.id("dealer_agreement", cell, 0) if k % 2 else None
    ),
    ("dealer_price_list", "level"): lambda maker, cell, k: maker.code(
        "dealer_price_list", "level", cell, k
    ),
    ("document", "content"): lambda maker, cell, k: {
        "facts": [["about", maker.code("document", "content", cell, k)]],
        "lines": [
            {
                "text": maker.code("document", "content", cell, k),
                "quantity": maker.number(),
                "unitMinor": maker.number(),
                "amountMinor": maker.number(),
            }
        ],
    },
    ("dealer_profile", "is_suspended"): False,
    ("quota_account", "warn_bp"): [2_000],
}
"""By table and column: a value, or who makes it for a cell and the number of a row."""
