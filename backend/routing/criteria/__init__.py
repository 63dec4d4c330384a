"""The criteria of routing: one file each, and its line here."""

from backend.routing.criteria import (
    distance,
    freight,
    lead_time,
    legal_entity,
    node_load,
    node_priority,
    split,
    stock_depth,
)
from backend.routing.criteria.criterion import Criterion

CRITERIA: dict[str, Criterion] = {
    module.CRITERION.name: module.CRITERION
    for module in (
        distance,
        freight,
        lead_time,
        legal_entity,
        node_load,
        node_priority,
        split,
        stock_depth,
    )
}
