"""Made-up dealers of a brand to measure with: each with shop, agreement, prices and quota."""

from collections.abc import Sequence
from datetime import date

from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.dropship.agreements import approve_agreement, save_agreement
from backend.dropship.model import AgreementDraft, PriceLine, PriceListDraft
from backend.dropship.price_lists import approve_price_list, save_price_list
from backend.dropship.quotas.accounts import open_account
from backend.dropship.quotas.model import AccountDraft, QuotaKind
from backend.inventory.allotments.model import LINES_MAX, AllotmentLine
from backend.inventory.allotments.set_allotments import set_allotments
from backend.runtime import Runtime
from tenants import organisation
from tenants.principal import system_principal

ACTOR = "system:loadtests"
SINCE = date(2020, 1, 1)


def dealer_code(number: int) -> str:
    """Return the code of a dealer, its shop, its agreement and its quota account."""
    return f"dealer-{number:03}"


async def create_dealers(
    runtime: Runtime,
    tenant_id: int,
    *,
    dealers: int,
    skus: Sequence[str],
    price_minor: int,
    limit_minor: int,
    allotted: int | None = None,
) -> None:
    """Create dealers who may sell all SKUs everywhere, at one price, each by a credit of its own.

    With `allotted` each may sell so many units of every SKU, and no more.
    """
    principal = system_principal(tenant_id, "loadtests")
    codes = [dealer_code(number) for number in range(dealers)]
    for code in codes:
        async with runtime.database.platform_transaction() as tx:
            dealer_id = await organisation.register_dealer(tx, ACTOR, code, code)
            await organisation.sign_agreement(tx, ACTOR, tenant_id, dealer_id, SINCE)
        async with runtime.database.tenant_transaction(principal) as tx:
            await create_shop(tx, ShopDraft(code, code, "app", dealer_id))
            account = AccountDraft(
                code=code, dealer=code, kind=QuotaKind.CREDIT, limit_minor=limit_minor
            )
            await open_account(tx, account, key=f"open-{code}")
            draft = AgreementDraft(code=code, dealer=code, starts_on=SINCE, quota_account=code)
            regions = runtime.regions
            saved = await save_agreement(tx, draft, key=f"save-{code}", regions=regions)
            await approve_agreement(tx, code, saved.version, key=f"approve-{code}", regions=regions)
        lines = [AllotmentLine(sku=sku, dealer=code, quantity=allotted or 0) for sku in skus]
        for first in range(0, len(lines) if allotted else 0, LINES_MAX):
            async with runtime.database.tenant_transaction(principal) as tx:
                part = lines[first : first + LINES_MAX]
                await set_allotments(tx, part, key=f"allot-{code}-{first}")
    async with runtime.database.tenant_transaction(principal) as tx:
        prices = [PriceLine(sku=sku, price_minor=price_minor) for sku in skus]
        draft_list = PriceListDraft(code="all", starts_on=SINCE, lines=prices)
        saved_list = await save_price_list(tx, draft_list, key="save-prices")
        await approve_price_list(tx, "all", saved_list.version, key="approve-prices")
