"""The presets of strategies, as the objectives that they stand for."""

from backend.routing.model import Objective, Preset, SourcingWeights, Strategy, Weighed

NEAR_BAND_M = 10_000
FAST_BAND_MINUTES = 15

PRESETS: dict[Preset, tuple[Objective, ...]] = {
    Preset.NEAREST: (
        Objective("distance", band=20_000),
        Objective("split"),
        Objective("node_priority"),
        Objective("freight"),
    ),
    Preset.FEWEST_SPLITS: (
        Objective("split"),
        Objective("distance", band=50_000),
        Objective("node_priority"),
        Objective("freight"),
    ),
    Preset.STOCK_DEPTH: (
        Objective("stock_depth"),
        Objective("split"),
        Objective("distance", band=50_000),
        Objective("freight"),
    ),
    Preset.COST: (
        Objective(sum=(Weighed("freight"), Weighed("handling"), Weighed("dealer_margin"))),
        Objective("lead_time", band=240),
    ),
    Preset.TIME: (
        Objective("promised_date"),
        Objective("cut_off"),
        Objective("lead_time", band=60),
        Objective("split"),
        Objective("freight"),
    ),
}
"""All but SOURCING, whose weights belong to the strategy."""


def sourcing(weights: SourcingWeights) -> tuple[Objective, ...]:
    """Return the objective of SOURCING: near, cheap and fast in one sum of minor units."""
    parts = (
        Weighed("distance", weights.near, NEAR_BAND_M),
        Weighed("freight", weights.cheap),
        Weighed("dealer_margin", weights.cheap),
        Weighed("transit_time", weights.fast, FAST_BAND_MINUTES),
    )
    return (Objective(sum=tuple(part for part in parts if part.weight)),)


def objectives_of(strategy: Strategy) -> tuple[Objective, ...]:
    """Return what a strategy compares by: its preset first, then what it adds."""
    if strategy.preset is None:
        return strategy.objectives
    if strategy.preset is Preset.SOURCING:
        return sourcing(strategy.weights or SourcingWeights()) + strategy.objectives
    return PRESETS[strategy.preset] + strategy.objectives
