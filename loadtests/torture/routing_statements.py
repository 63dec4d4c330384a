"""What routing asks beside orders and stock, as statements on rows.

The brands of these histories have no terms, and a policy of their own only if it reroutes.
"""

from collections.abc import Sequence
from datetime import date, datetime

from loadtests.torture.database_server import Session
from loadtests.torture.order_statements import SHOP, SKU
from loadtests.torture.rows import Row, chosen, row
from loadtests.torture.statement import Statements

STATEMENTS = Statements()


@STATEMENTS.add
async def weights(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def terms_version(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def closed_days(session: Session, tenant: int, first: date, last: date) -> list[Row]:
    return []


@STATEMENTS.add
async def lanes(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def dealer_terms(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def channel_terms(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def active_policy(session: Session, tenant: int) -> list[Row]:
    names = "version based_on status document comment proposed_by proposed_at activated_by"
    return chosen(session.scan("routing_policy"), f"{names} activated_at")


@STATEMENTS.add
async def running_rollout(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def overdue_orders(session: Session, tenant: int, day: date, limit: int) -> list[Row]:
    return []


@STATEMENTS.add
async def give_simulations_up(session: Session, tenant: int, attempts: int, error: str) -> int:
    return 0


@STATEMENTS.add
async def claim_simulation(session: Session, tenant: int, claim: str, seconds: int) -> list[Row]:
    return []


@STATEMENTS.add
async def skus_by_ids(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return chosen((each for each in session.scan("sku") if each["id"] in ids), SKU)


@STATEMENTS.add
async def shops_by_ids(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return chosen((each for each in session.scan("shop") if each["id"] in ids), SHOP)


@STATEMENTS.add
async def allocated_orders(
    session: Session, tenant: int, after_time: datetime, after_id: int, limit: int
) -> list[Row]:
    positions = sorted(
        (order["placed_at"], order["id"])
        for order in session.scan("orders")
        if order["status"] == "allocated"
    )
    found = [at for at in positions if at > (after_time, after_id)][:limit]
    return [row(placed_at=at, id=order_id) for at, order_id in found]


@STATEMENTS.add
async def decisions_of_orders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    found = (each for each in session.scan("routing_decision") if each["order_id"] in ids)
    return chosen(found, "order_id recorded_at")
