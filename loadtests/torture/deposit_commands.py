"""What happens to the deposit of an order, as it is played at once and cut off."""

from backend.db.pool import Database
from backend.inventory.counters import Counters
from backend.orders.deposits.deposits import deposits_of_orders, end_deposit, pay_rest
from loadtests.torture.target import Command, Target


async def _pay(database: Database, at: Target, key: str) -> None:
    order_id = at.key.order_id
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        due = (await deposits_of_orders(tx, [order_id]))[order_id][0]["due_minor"]
    await pay_rest(database, at.principal, order_id, due, "paid", key)


async def _end(database: Database, at: Target, _: str) -> Counters:
    return await end_deposit(database, at.principal.tenant_id, at.key.order_id)


COMMANDS: dict[str, Command] = {"pay_rest": _pay, "end_deposit": _end}
