"""From a policy document to the planner's compiled policy."""

from array import array
from collections.abc import Sequence

from backend.routing.criteria import CRITERIA
from backend.routing.model import InvalidPolicy, Objective, PolicyDocument
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext import Policy
from core_ext.limits import MAX_SPLIT_NODES
from core_ext.policy import Kind, Limits, Term, pack_lexicographic

BAND_MAX = 1 << 62


def check_policy(document: PolicyDocument) -> None:
    """Raise InvalidPolicy where a document names no criterion that exists, or a bound is off."""
    if not document.objectives:
        raise InvalidPolicy("A policy needs at least one objective.", path=("objectives",))
    for index, objective in enumerate(document.objectives):
        if objective.criterion not in CRITERIA:
            known = ", ".join(sorted(CRITERIA))
            raise InvalidPolicy(
                f"There is no criterion {objective.criterion!r}; there are {known}.",
                path=("objectives", index, "criterion"),
            )
        if objective.band is not None and not 1 <= objective.band <= BAND_MAX:
            raise InvalidPolicy(
                f"A band lies between 1 and {BAND_MAX}.", path=("objectives", index, "band")
            )
    if len({objective.criterion for objective in document.objectives}) < len(document.objectives):
        raise InvalidPolicy("A criterion stands once in a policy.", path=("objectives",))
    _check_widths(document)
    if not 1 <= document.max_nodes <= MAX_SPLIT_NODES:
        raise InvalidPolicy(f"max_nodes lies between 1 and {MAX_SPLIT_NODES}.", path=("maxNodes",))


def _check_widths(document: PolicyDocument) -> None:
    fields = [
        Term(kind=Kind.DEPTH, values=array("i"), limit=_limit(objective))
        for objective in document.objectives
    ]
    try:
        pack_lexicographic(fields)
    except ValueError as error:
        raise InvalidPolicy(
            "The objectives together are too fine for one number; give them wider bands.",
            path=("objectives",),
        ) from error


def _limit(objective: Objective) -> int:
    """Return the largest banded value that is told apart."""
    return max(1, CRITERIA[objective.criterion].limit // (objective.band or 1))


def compile_policy(
    document: PolicyDocument,
    view: NetworkView,
    places: Places,
    dealer_ids: Sequence[int | None],
) -> Policy:
    """Return the policy for orders to `places`, with one node filter for each of `dealer_ids`."""
    terms = []
    for objective in document.objectives:
        criterion = CRITERIA[objective.criterion]
        term = criterion.term(view, places)
        terms.append(
            type(term)(
                kind=term.kind,
                values=term.values,
                rates=term.rates,
                step=term.step,
                band=objective.band or 1,
                limit=_limit(objective),
            )
        )
    return Policy(
        node_count=len(view.nodes),
        place_count=len(places),
        terms=pack_lexicographic(terms),
        filters=b"".join(view.serving(dealer_id) for dealer_id in dealer_ids),
        limits=Limits(max_nodes=document.max_nodes),
    )
