"""What the brand's office does: it looks at what is held, and pays back what is owed."""

from backend.after_sales.model import RefundStatus
from backend.after_sales.pay_back import move_refund
from backend.after_sales.standing import page_of_refunds
from backend.orders.find_orders import holds_of_orders
from backend.orders.hold_orders import page_of_held_orders, release_holds
from backend.orders.model import Held, HoldKind, LineDraft, OrderDraft, Pickup
from backend.orders.normalise import NOWHERE
from backend.orders.release_holds import Resolution
from backend.orders.stock_holds.change_holds import release_stock_hold
from backend.orders.stock_holds.in_store import sell_of_hold
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from loadtests.week.week import Week

AT_ONCE = 100
FAILS_OF = 20
"""Of so many payments, one comes back."""
REFERENCE = "PAY"
TRIED = (("store-01", "KETTLE-01"), ("store-02", "KETTLE-01"), ("store-03", "PURIFIER-01"))
"""What customers have kept at stores each day, to try it there."""


async def release_large(week: Week) -> None:
    """Let the large orders go that rules have held: all in one command, each by itself."""
    async with week.reading() as tx:
        rows = await page_of_held_orders(
            tx, kind=HoldKind.AUDIT, is_free=True, after=0, limit=AT_ONCE
        )
        ids = [row["id"] for row in rows if row["id"] in week.sold and not row["remark"]]
        holds = await holds_of_orders(tx, ids)
    resolutions = [
        (order_id, Resolution(hold["hold_no"]))
        for order_id in ids
        for hold in holds[order_id]
        if hold["released_at"] is None and hold["kind"] == HoldKind.AUDIT
    ]
    if not resolutions:
        return
    done = await release_holds(
        week.database, week.clerk, resolutions, week.runtime.regions, week.key()
    )
    for one in done:
        if one.error is not None:
            week.faults.append(f"order {one.order_id} was not released: {one.error.message}")
    week.done["released in bulk"] += len(done)


async def keep_in_stores(week: Week, day: int) -> list[int]:
    """Let customers have things kept at stores, to try them; returns the holds."""
    holds = []
    for number, (store, sku) in enumerate(TRIED):
        draft = OrderDraft(
            shop="app",
            address=NOWHERE,
            lines=(LineDraft(sku, 1),),
            external_id=f"try-{day}-{number}",
            pickup=Pickup(store),
        )
        terms = HoldTerms(StockHoldKind.IN_STORE, 12 * 3_600)
        kept = await week.runtime.intake.take_hold(draft, terms, week.system)
        if isinstance(kept, Held):
            holds.append(kept.hold_id)
            week.done["kept in a store to be tried"] += 1
        else:
            week.done[f"not kept in a store: {kept.code}"] += 1
    return holds


async def try_in_stores(week: Week, holds: list[int]) -> None:
    """Let every second customer buy what was kept at the till, and the others leave it."""
    for number, hold_id in enumerate(holds):
        if number % 2:
            left = release_stock_hold(week.database, week.clerk, hold_id, key=week.key())
            await week.do("tried, and left", left)
        else:
            node_id = week.node(TRIED[number][0])
            sold = sell_of_hold(
                week.database, week.worker(node_id), hold_id, None, "小票", key=week.key()
            )
            await week.do("tried, and bought at the till", sold)


async def pay_back(week: Week) -> None:
    """Pay back what is owed: asked of the bank one evening, paid the next, or failed."""
    steps = {RefundStatus.ASKED: "pay", RefundStatus.FAILED: "ask", RefundStatus.DUE: "ask"}
    async with week.reading() as tx:
        found = await page_of_refunds(tx, list(steps), (0, 0), 100_000)
    for number, refund in enumerate(found):
        step = steps[refund.status]
        if refund.status is RefundStatus.ASKED and number % FAILS_OF == 0:
            step = "fail"
        moved = move_refund(
            week.database,
            week.people[2],
            (refund.order_id, refund.refund_no),
            step,
            f"{REFERENCE}-{refund.order_id}-{refund.refund_no}" if step == "pay" else "",
            seen=refund.version,
            key=week.key(),
        )
        await week.do(f"refunds: {step}", moved)
