"""What is agreed with the dealers that own nodes."""

from backend.network.model import DealerTerms, Node
from backend.routing.network_view import NetworkView


def terms_of(view: NetworkView, node: Node) -> DealerTerms | None:
    """Return what is agreed with the dealer that owns a node; None for the brand's own nodes."""
    if node.dealer_id is None or view.terms is None:
        return None
    return view.terms.dealers.get(node.dealer_id)


def is_outside_territory(view: NetworkView, node: Node, region_code: int) -> bool:
    """Whether a region lies outside the territory of the dealer that owns a node."""
    terms = terms_of(view, node)
    if terms is None or not terms.territory:
        return False
    return all(region.code not in terms.territory for region in view.regions.ancestors(region_code))
