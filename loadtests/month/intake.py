"""How orders of the month come, and whether each is answered as its dealer's terms say."""

from datetime import date

from backend.inventory.change_stock import StockReceive, change_stock
from backend.orders.model import HoldKind, Outcome, Placed
from loadtests.month.dealers import SCARCE
from loadtests.month.month import Month
from loadtests.month.plan import Fate, Planned
from loadtests.month.terms import Terms

CODES = {
    HoldKind.AGREEMENT: "NO_DEALER_AGREEMENT",
    HoldKind.ASSORTMENT: "NOT_IN_ASSORTMENT",
    HoldKind.TERRITORY: "OUTSIDE_TERRITORY",
    HoldKind.DEALER_PRICE: "NO_DEALER_PRICE",
    HoldKind.RESALE_PRICE: "BELOW_RESALE_PRICE",
}
"""What who has not paid is refused with for what who has is held for."""
FOR_WANT = {"QUOTA_EXCEEDED", "INSUFFICIENT_STOCK"}
WHERE = "wh-shanghai"
"""Where what is scarce comes to."""
UNKNOWN = {Fate.NO_SKU: HoldKind.SKU_UNKNOWN, Fate.NO_REGION: HoldKind.ADDRESS_UNRESOLVED}


class Intake:
    """Places orders: the paid ones as platforms tell of them, the others as dealers do."""

    def __init__(self, month: Month, terms: Terms, scarce_units: int) -> None:
        self._month = month
        self._terms = terms
        self._scarce_units = scarce_units
        """Of what is scarce, so many come at once."""

    async def place(self, planned: Planned, day: int) -> Outcome:
        """Place an order; a fault where it is held, or refused, for something else than it is."""
        month, draft, dealer = self._month, planned.draft, planned.dealer
        who = month.system if draft.is_paid or dealer is None else month.as_dealer(dealer)
        answer = await month.runtime.intake.place(draft, who)
        self._judge(planned, answer, month.date_of(day))
        if planned.fate is Fate.AGAIN:
            again = await month.runtime.intake.place(draft, who)
            if again != answer:
                month.faults.append(f"{draft.external_id} was answered anew: {again}")
            month.done["orders told twice"] += 1
        return answer

    def _judge(self, planned: Planned, answer: Outcome, today: date) -> None:
        month, draft, dealer = self._month, planned.draft, planned.dealer
        wrong = [] if dealer is None else self._terms.wrong(dealer, draft, today)
        paid = "paid" if draft.is_paid else "unpaid"
        if isinstance(answer, Placed):
            expected = {kind.value for kind, _ in wrong}
            if planned.fate in UNKNOWN:
                expected.add(UNKNOWN[planned.fate].value)
            if set(answer.holds) - {HoldKind.QUOTA.value} != expected:
                month.faults.append(
                    f"{draft.external_id} is held for {answer.holds}, not for {sorted(expected)}"
                )
            month.done[f"placed: {'of the brand' if dealer is None else paid}"] += 1
            if dealer is not None and dealer.code in self._terms.left:
                month.done["placed: paid, of a dealer that left the platform"] += 1
                if not draft.is_paid:
                    month.faults.append(f"{draft.external_id} was placed by a dealer that left")
            for hold in answer.holds:
                month.done[f"held: {hold}"] += 1
        else:
            expected = {CODES[wrong[0][0]]} if wrong else set(FOR_WANT)
            if dealer is not None and dealer.code in self._terms.left:
                expected.add("NOT_AUTHORISED")
            if draft.is_paid or answer.code not in expected:
                month.faults.append(f"{draft.external_id} was refused: {answer.message}")
            month.done[f"refused: {answer.code}"] += 1

    async def receive_scarce(self) -> None:
        """Let some of what is scarce come; who waits is given it."""
        month = self._month
        for sku in SCARCE:
            units = StockReceive(warehouse=WHERE, sku=sku, quantity=self._scarce_units)
            async with month.database.tenant_transaction(month.clerk) as tx:
                levels = await change_stock(tx, units, month.key())
            await month.runtime.publish_levels(month.tenant_id, levels)
            await month.runtime.settle()
        month.done["receipts of what is scarce"] += 1
