"""Sharing an amount over lines, to the last minor unit."""

from collections.abc import Sequence


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """Return shares of `amount` in proportion to `weights`, by largest remainder.

    The shares add up to `amount`; equal remainders go to the earlier line. Weights are 0 or more;
    where all are 0 the lines share equally. Needs at least one weight unless the amount is 0.
    """
    if not weights:
        if amount:
            raise ValueError("there is nothing to share the amount over")
        return []
    if not amount:
        return [0] * len(weights)
    total = sum(weights)
    if total == 0:
        weights, total = [1] * len(weights), len(weights)
    shares = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    left = amount - sum(shares)
    for index in sorted(range(len(weights)), key=lambda i: -remainders[i])[:left]:
        shares[index] += 1
    return shares
