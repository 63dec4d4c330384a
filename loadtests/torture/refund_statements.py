"""What is paid back of orders: what its statement does."""

from loadtests.torture.database_server import Session
from loadtests.torture.order_statements import of_orders
from loadtests.torture.rows import Row, row
from loadtests.torture.statement import Statements, Value

STATEMENTS = Statements()


@STATEMENTS.add
async def owe_refund(
    session: Session,
    tenant: int,
    order_id: int,
    line_nos: Value,
    quantities: Value,
    amount_minor: int,
    cause: str,
    return_id: int | None,
    reason: str,
) -> list[Row]:
    order = session.find("orders", order_id)
    assert order is not None
    before = list(of_orders(session, "refund", [order_id]))
    wanted = dict(zip(line_nos, quantities, strict=True))
    owed = amount_minor
    for line in of_orders(session, "order_line", [order_id]):
        units = wanted.get(line["line_no"], 0)
        paid = sum(each["lines"].get(line["line_no"], 0) for each in before)
        worth, quantity = max(0, line["amount_minor"]), line["quantity"]
        owed += worth * (paid + units) // quantity - worth * paid // quantity
    owed = min(owed, order["total_minor"] - sum(each["amount_minor"] for each in before))
    if owed <= 0 and not wanted:
        return []
    owed = max(0, owed)
    number = len(before) + 1
    fields = {
        "order_id": order_id,
        "refund_no": number,
        "amount_minor": owed,
        "status": "due",
        "lines": wanted,
    }
    assert await session.insert("refund", (order_id, number), fields)
    return [row(refund_no=number, amount_minor=owed)]
