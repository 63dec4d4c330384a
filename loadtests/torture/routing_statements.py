"""What routing asks beside orders and stock, as statements on rows.

The brands of these histories have neither terms nor policies of their own.
"""

from collections.abc import Sequence
from datetime import date

from loadtests.torture.database_server import Session
from loadtests.torture.order_statements import SHOP, SKU
from loadtests.torture.rows import Row, chosen
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
    return []


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
