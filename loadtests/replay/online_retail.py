"""The replay of the online retailer: months of wholesale invoices, day by day.

Of each day, receipts come first, then its sales in the order of their time, then its cancellations:
so a cancellation always finds the order that it cancels.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

from backend.catalog.model import SkuDraft
from backend.orders.cancel_orders import CancelLine
from backend.runtime import Runtime
from loadtests.fresh_brand import BrandDraft, FreshBrand, create_fresh_brand
from loadtests.receive_stock import receive_stock
from loadtests.replay.cancel import Wanted, cancel_many
from loadtests.replay.cancellations import Match, OpenSales
from loadtests.replay.close_replay import close_replay
from loadtests.replay.rejects import RejectsFile
from loadtests.replay.report import NoProgress, Progress, ReplayReport, Tally
from loadtests.replay.retail_invoices import Invoice, gather_invoices, order_of
from loadtests.replay.retail_lines import (
    COLUMNS,
    InvoiceKind,
    RetailLine,
    UnreadableLine,
    read_lines,
)
from loadtests.replay.retail_rules import ProductNames, Reason, unit_price_minor, why_not
from loadtests.replay.retail_stock import (
    Supply,
    demo_nodes,
    plan_supply,
    spread_opening,
    spread_receipt,
)
from loadtests.replay.ship_to import draw_regions

SEED = 20_101_201
"""The first day of the data."""
REPLAY = "online-retail"
BRAND = BrandDraft(f"replay-{REPLAY}", "Online Retail", "GBP", "Europe/London", "wholesale")
DISTRICTS = ("CN", 3)
"""Ship-to: the districts of China, since the demo's nodes stand there."""


async def replay_online_retail(
    runtime: Runtime,
    folder: Path,
    *,
    rejects: Path,
    seed: int = SEED,
    progress: Progress | None = None,
    brand_code: str | None = None,
) -> ReplayReport:
    """Push every invoice of the folder's files through the pipeline of a fresh brand.

    With the code of a brand it goes on with what an interrupted run has left there.

    Each line is counted in exactly one of placed, cancelled, fees and rejected; the rejected ones
    are written to `rejects` with their reason. Raises NotTheData, TooManyRuns,
    DatabaseUnavailable.
    """
    with RejectsFile(rejects, COLUMNS) as rejected:
        tally = Tally(REPLAY, seed, rejected)
        with tally.timed("reading"):
            invoices = _sift(read_lines(folder), tally)
            supply = plan_supply(invoices)
        replay = _Replay(runtime, tally, progress or NoProgress())
        await replay.set_up(invoices, supply, brand_code)
        await replay.run(invoices, supply)
        return await close_replay(runtime, replay.brand.principal, tally)


def _sift(lines: Sequence[RetailLine | UnreadableLine], tally: Tally) -> list[Invoice]:
    """Reject what cannot be part of an order, and return the invoices of the rest."""
    readable = [line for line in lines if isinstance(line, RetailLine)]
    names = ProductNames(readable)
    good = []
    for line in lines:
        reason = Reason.UNREADABLE if isinstance(line, UnreadableLine) else why_not(line, names)
        if reason is not None:
            tally.reject(line, reason)
        elif isinstance(line, RetailLine):
            good.append(line)
    numbers = {line.raw[0] for line in lines if line.raw}
    cancellations = sum(number.startswith(InvoiceKind.CANCELLATION) for number in numbers)
    tally.report.lines_read = len(lines)
    tally.report.cancellations_read = cancellations
    tally.report.invoices_read = len(numbers) - cancellations
    return gather_invoices(good)


class _Replay:
    """One run, with what it has to remember from day to day."""

    brand: FreshBrand

    def __init__(self, runtime: Runtime, tally: Tally, progress: Progress) -> None:
        self._runtime = runtime
        self._tally = tally
        self._progress = progress
        self._region_of = draw_regions(runtime.regions, *DISTRICTS, tally.report.seed)
        self._sales = OpenSales()

    async def set_up(
        self, invoices: Sequence[Invoice], supply: Supply, brand_code: str | None
    ) -> None:
        """Create the brand and its opening stock."""
        with self._tally.timed("setting_up"):
            self.brand = await create_fresh_brand(
                self._runtime, BRAND, demo_nodes(), _skus(invoices), code=brand_code
            )
            self._tally.report.brand = self.brand.code
            opening = spread_opening(supply.opening, self.brand.skus, self.brand.warehouses)
            await receive_stock(self._runtime, self.brand.principal, opening, "opening")

    async def run(self, invoices: Sequence[Invoice], supply: Supply) -> None:
        """Live through all days, and tell the progress."""
        total = self._tally.report.lines_read
        self._progress.advance(self._tally.report.lines_rejected, total)
        receipts = enumerate(supply.receipts)
        due = next(receipts, None)
        for day, todays in _days(invoices):
            while due is not None and due[1].day <= day:
                await self._receive(due[0], due[1].units)
                due = next(receipts, None)
            await self._place(todays)
            cancellations = [item for item in todays if item.kind is InvoiceKind.CANCELLATION]
            await self._cancel(cancellations)
            self._progress.advance(sum(invoice.lines for invoice in todays), total)
        while due is not None:
            await self._receive(due[0], due[1].units)
            due = next(receipts, None)

    async def _receive(self, turn: int, units: dict[str, int]) -> None:
        with self._tally.timed("receiving"):
            levels = spread_receipt(units, turn, self.brand.skus, self.brand.warehouses)
            await receive_stock(self._runtime, self.brand.principal, levels, f"receipt:{turn}")

    async def _place(self, invoices: Sequence[Invoice]) -> None:
        orders = [
            (invoice, draft)
            for invoice in invoices
            if (draft := order_of(invoice, self._region_of)) is not None
        ]
        with self._tally.timed("placing"):
            outcomes = await self._runtime.intake.place_many(
                [draft for _, draft in orders], self.brand.principal
            )
        for (invoice, _), outcome in zip(orders, outcomes, strict=True):
            goods = invoice.goods if invoice.kind is InvoiceKind.SALE else ()
            placed = self._tally.settle(outcome, goods, invoice.fees)
            for line_no, line in enumerate(goods if placed else (), 1):
                assert placed is not None, "no lines otherwise"
                self._sales.add(
                    invoice.customer,
                    line.sku,
                    order_id=placed.order_id,
                    line_no=line_no,
                    price_minor=unit_price_minor(line),
                    quantity=line.quantity,
                )

    async def _cancel(self, invoices: Sequence[Invoice]) -> None:
        """Cancel what can be matched; lines of which nothing or too little can are rejected."""
        matched: list[tuple[RetailLine, set[str]]] = []
        wanted: list[Wanted] = []
        for invoice in invoices:
            by_order: defaultdict[int, list[Match]] = defaultdict(list)
            for line in invoice.goods:
                found = self._sales.match(
                    line.customer, line.sku, unit_price_minor(line), -line.quantity
                )
                if isinstance(found, Reason):
                    self._tally.reject(line, found)
                    continue
                for match in found:
                    by_order[match.order_id].append(match)
                keys = {f"{invoice.number}:{match.order_id}" for match in found}
                matched.append((line, keys))
            wanted += [_wanted(invoice, *item) for item in by_order.items()]
        with self._tally.timed("cancelling"):
            errors = await cancel_many(self._runtime, self.brand.principal, wanted, self._tally)
        refused = {
            item.key: error for item, error in zip(wanted, errors, strict=True) if error is not None
        }
        for line, keys in matched:
            error = next((refused[key] for key in sorted(keys) if key in refused), None)
            if error is None:
                self._tally.report.lines_cancelled += 1
            else:
                self._tally.reject(line, f"refused_{error.code.lower()}")


def _wanted(invoice: Invoice, order_id: int, matches: Sequence[Match]) -> Wanted:
    lines = tuple(CancelLine(match.line_no, match.quantity) for match in matches)
    return Wanted(order_id, f"{invoice.number}:{order_id}", f"invoice {invoice.number}", lines)


def _days(invoices: Sequence[Invoice]) -> Iterator[tuple[date, list[Invoice]]]:
    for day, todays in groupby(invoices, key=lambda invoice: invoice.ordered_at.date()):
        yield day, list(todays)


def _skus(invoices: Sequence[Invoice]) -> list[SkuDraft]:
    """Return what is sold, each under the last description it was sold by."""
    names = {
        line.sku: line.description or line.sku
        for invoice in invoices
        if invoice.kind is InvoiceKind.SALE
        for line in invoice.goods
    }
    return [SkuDraft(code=code, name=name) for code, name in sorted(names.items())]
