"""What the brand's office does: it looks at what is held, and pays back what is owed."""

from backend.after_sales.model import RefundStatus
from backend.after_sales.pay_back import move_refund
from backend.after_sales.standing import page_of_refunds
from backend.orders.find_orders import holds_of_orders
from backend.orders.hold_orders import page_of_held_orders, release_holds
from backend.orders.model import HoldKind
from backend.orders.release_holds import Resolution
from loadtests.week.week import Week

AT_ONCE = 100
FAILS_OF = 20
"""Of so many payments, one comes back."""
REFERENCE = "PAY"


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
