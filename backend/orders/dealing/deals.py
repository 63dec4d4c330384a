"""By what a dealer sells the lines of an order: the deal of each, or what it is held for."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from backend.dropship.dealings import DealerTerms, FaultKind, Sold, ancestors_of
from backend.network.regions.table import RegionTable
from backend.orders.dealing.errors import refusal_of
from backend.orders.intake import Hold, IntakeLine
from backend.orders.model import HoldKind


def deal_with(
    lines: Sequence[IntakeLine],
    terms: DealerTerms,
    region_code: int | None,
    regions: RegionTable,
    *,
    is_paid: bool,
) -> tuple[tuple[IntakeLine, ...], list[Hold]]:
    """Return the lines with their deals, and what the order is held for because of them.

    What is not known yet, of a SKU or of where it goes, is dealt with once it is. Raises the
    refusal of the first fault of an order that is not paid.
    """
    if region_code is None:
        return tuple(lines), []
    ancestors = ancestors_of(region_code, regions)
    dealt: list[IntakeLine] = []
    holds: dict[tuple[HoldKind, int | None], Hold] = {}
    for index, line in enumerate(lines):
        if line.sku is None:
            dealt.append(line)
            continue
        sold = Sold(line.sku, ancestors, line.quantity, line.amount_minor)
        deal, faults = terms.judge(sold)
        if faults and not is_paid:
            raise refusal_of(faults[0], index)
        dealt.append(line if deal is None else replace(line, deal=deal))
        for fault in faults:
            hold = hold_of(fault.kind, fault.message, line.line_no)
            holds.setdefault((hold.kind, hold.line_no), hold)
    return tuple(dealt), list(holds.values())


def hold_of(kind: FaultKind, message: str, line_no: int) -> Hold:
    """Return what an order is held for because of a fault of a line."""
    return Hold(HoldKind(kind.value), message, None if kind.is_of_the_order else line_no)


def quota_of(lines: Iterable[IntakeLine], units: Mapping[int, int] | None = None) -> dict[int, int]:
    """Return what lines take of quota accounts: for all their units, or so many by line."""
    needs: dict[int, int] = {}
    for line in lines:
        deal = line.deal
        if deal is not None and deal.account_id is not None:
            quantity = line.quantity if units is None else units.get(line.line_no, 0)
            taken = quantity * deal.price_minor
            needs[deal.account_id] = needs.get(deal.account_id, 0) + taken
    return needs


def waived_of(
    released: Iterable[tuple[HoldKind, int | None]], line_no: int
) -> Collection[FaultKind]:
    """Return the faults of a line for which the brand has released the order already."""
    faults = {fault.value: fault for fault in FaultKind if fault.may_be_waived}
    return {
        faults[kind.value]
        for kind, of_line in released
        if kind.value in faults and of_line in (None, line_no)
    }
