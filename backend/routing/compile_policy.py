"""From a policy document to the planner's compiled policies: one for each strategy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.conditions.compile import Check, attributes_of, compile_condition
from backend.conditions.model import Condition
from backend.routing.attributes import (
    NODE_ATTRIBUTES,
    ORDER_ATTRIBUTES,
    PLACE_FIELDS_OF_NODE_ATTRIBUTES,
    facts_of_nodes,
    facts_of_order,
)
from backend.routing.criteria import CRITERIA
from backend.routing.model import (
    NO_STRATEGY,
    Otherwise,
    PlanRequest,
    PolicyDocument,
    Remainder,
    Strategy,
)
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from backend.routing.terms import pack, parcels_of, terms_of
from core_ext import Policy
from core_ext.policy import Limits

ALWAYS_LOOKED_AT = frozenset({"dealer_id"})
"""Fields of a place that decide which nodes serve it, under any policy."""


class CompiledStrategy:
    """A strategy that orders can be planned by."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.parts = pack(strategy)
        self.matches = _compiled(strategy.when, ORDER_ATTRIBUTES)
        self.may_send = _compiled(strategy.nodes, NODE_ATTRIBUTES)
        self.limits = Limits(
            max_nodes=strategy.max_nodes,
            max_parcels=parcels_of(strategy),
            least_value=strategy.least_parcel_minor,
            takes_part=not strategy.whole_only,
        )
        self.remainder = _remainder(strategy)
        self.looks_at = {
            field for part in self.parts for field in CRITERIA[part.criterion].looks_at
        }
        if strategy.nodes is not None:
            fields = PLACE_FIELDS_OF_NODE_ATTRIBUTES
            self.looks_at |= {fields[n] for n in attributes_of(strategy.nodes) if n in fields}

    def filter_row(self, serving: bytes, facts: Sequence[dict[str, Any]]) -> bytes:
        """Return, per node, 1 where it may send."""
        if self.may_send is None:
            return serving
        return bytes(
            may_serve and self.may_send(about)
            for may_serve, about in zip(serving, facts, strict=True)
        )


def _compiled(condition: Condition | None, attributes: Any) -> Check | None:
    return None if condition is None else compile_condition(condition, attributes)


def _remainder(strategy: Strategy) -> Remainder | None:
    """Return what happens to what a strategy leaves; None where the next one has its turn."""
    if strategy.otherwise is Otherwise.NEXT:
        return None
    return Remainder(strategy.otherwise, strategy.name, strategy.queue, strategy.cancel_after_days)


class CompiledPolicy:
    """A policy in one network, with tables for the places and goods that were asked for so far."""

    def __init__(self, document: PolicyDocument, view: NetworkView) -> None:
        self._view = view
        self.strategies = [CompiledStrategy(strategy) for strategy in document.strategies]
        self.asked = frozenset(
            name for s in document.strategies if s.when for name in attributes_of(s.when)
        )
        self.looks_at = ALWAYS_LOOKED_AT.union(*(strategy.looks_at for strategy in self.strategies))
        """The fields of places that some strategy looks at."""
        self.policies: list[Policy] = []
        self._filters = [bytearray() for _ in self.strategies]
        self._filtered = 0

    def grow(self, tables: Tables) -> None:
        """Take over the places and goods that are new in the tables."""
        self._filter_new_places(tables)
        places, goods = len(tables.places), len(tables.goods)
        for number, strategy in enumerate(self.strategies):
            terms = terms_of(strategy.parts, self._view, tables)
            filters = bytes(self._filters[number])
            if number < len(self.policies):
                self.policies[number].grow(places, goods, terms, filters)
            else:
                self.policies.append(
                    Policy(
                        node_count=len(self._view.nodes),
                        place_count=places,
                        terms=terms,
                        filters=filters,
                        limits=strategy.limits,
                        goods_count=goods,
                    )
                )

    def _filter_new_places(self, tables: Tables) -> None:
        has_conditions = any(strategy.may_send for strategy in self.strategies)
        for place in tables.places.keys_from(self._filtered):
            serving = self._view.serving(place.dealer_id)
            facts = facts_of_nodes(self._view, place) if has_conditions else ()
            for strategy, rows in zip(self.strategies, self._filters, strict=True):
                rows += strategy.filter_row(serving, facts)
        self._filtered = len(tables.places)

    def set_loads(self) -> None:
        """Take over the loads of the nodes from the view."""
        for strategy, policy in zip(self.strategies, self.policies, strict=True):
            for index, part in enumerate(strategy.parts):
                if part.criterion == "node_load":
                    policy.set_node_values(index, self._view.load_permille)

    def chain(self, request: PlanRequest, local: datetime | None) -> tuple[list[int], Remainder]:
        """Return the strategies that an order goes through, by number, and what becomes of the
        rest.
        """
        facts = facts_of_order(self.asked, request, self._view, local) if self.asked else {}
        found: list[int] = []
        for number, strategy in enumerate(self.strategies):
            if strategy.matches is None or strategy.matches(facts):
                found.append(number)
                if strategy.remainder is not None:
                    return found, strategy.remainder
        return found, NO_STRATEGY
