"""Dealers' terms and quotas: nobody deals with dealers here, so their statements find nothing."""

from datetime import date, datetime

from loadtests.torture.database_server import Session
from loadtests.torture.rows import Row
from loadtests.torture.statement import Statements

STATEMENTS = Statements()


@STATEMENTS.add
async def dealing_version(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def changed_quotas(session: Session, tenant: int, since: datetime) -> list[Row]:
    return []


@STATEMENTS.add
async def free_of_all_quotas(session: Session, tenant: int) -> list[Row]:
    return []


@STATEMENTS.add
async def ended_increases(session: Session, tenant: int, limit: int) -> list[Row]:
    return []


@STATEMENTS.add
async def late_accounts(session: Session, tenant: int, today: date) -> list[Row]:
    return []


@STATEMENTS.add
async def accounts_to_warn(session: Session, tenant: int, limit: int) -> list[Row]:
    return []
