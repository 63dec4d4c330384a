"""The dealers of a brand, and the agreements that join them to it."""

from datetime import date, datetime
from typing import NamedTuple

from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.errors import MemberScope, UnknownDealer
from tenants.organisation import (
    dealers_of_brand,
    end_agreement,
    register_dealer,
    sign_agreement,
)
from tenants.principal import Kind, Permission, PermissionMissing, Principal


class Agreement(NamedTuple):
    """What joins a dealer to a brand, and for how long."""

    id: int
    dealer_id: int
    dealer_code: str
    dealer_name: str
    starts_on: date
    ends_on: date | None
    ended_at: datetime | None


class Period(NamedTuple):
    """From a day on, until a day or for good."""

    starts_on: date
    ends_on: date | None = None


async def list_agreements(
    tx: Transaction, principal: Principal, after: int, limit: int
) -> list[Agreement]:
    """Return up to `limit` agreements of the brand, or the dealer's own, with ids above `after`."""
    if principal.kind is Kind.STORE:
        raise PermissionMissing(Permission.MEMBERS_WRITE)
    rows = await tx.fetch(SQL.agreements, principal.tenant_id, principal.dealer_id, after, limit)
    return [Agreement(*row) for row in rows]


async def bring_dealer(
    tx: Transaction, principal: Principal, code: str, name: str, period: Period
) -> int:
    """Create a dealer with an agreement and return its id; raises AlreadyExists, OutOfRange."""
    _require_brand(principal)
    if not code.strip() or not name.strip():
        raise MemberScope("A dealer needs a code and a name.")
    dealer_id = await register_dealer(tx, principal.subject, code.strip(), name.strip())
    await sign_agreement(tx, principal.subject, principal.tenant_id, dealer_id, *period)
    return dealer_id


async def sign_with_dealer(tx: Transaction, principal: Principal, code: str, period: Period) -> int:
    """Join a dealer that is here already to the brand, by its code, and return its id.

    Raises UnknownDealer, AlreadyExists, OutOfRange.
    """
    _require_brand(principal)
    dealer_id = await tx.fetch_value(SQL.dealer_by_code, code)
    if dealer_id is None:
        raise UnknownDealer(f"There is no dealer {code!r}.")
    await sign_agreement(tx, principal.subject, principal.tenant_id, dealer_id, *period)
    return int(dealer_id)


async def end_with_dealer(tx: Transaction, principal: Principal, dealer_id: int) -> None:
    """End the agreement with a dealer at once; raises UnknownDealer where none is in force."""
    _require_brand(principal)
    if not await end_agreement(tx, principal.subject, principal.tenant_id, dealer_id):
        raise UnknownDealer("There is no agreement in force with this dealer.")


async def require_dealer(tx: Transaction, tenant_id: int, dealer_id: int | None) -> None:
    """Raise UnknownDealer unless the brand has, or had, an agreement with the dealer."""
    dealers = [] if dealer_id is None else await dealers_of_brand(tx, tenant_id)
    if dealer_id is not None and dealer_id not in {dealer.id for dealer in dealers}:
        raise UnknownDealer


def _require_brand(principal: Principal) -> None:
    if principal.kind not in (Kind.BRAND, Kind.SYSTEM):
        raise PermissionMissing(Permission.MEMBERS_WRITE)
    principal.require(Permission.MEMBERS_WRITE)
