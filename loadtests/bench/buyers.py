"""Buyers of one SKU through the pipeline: `python -m loadtests.bench.buyers COUNT NUMBER`.

And, where it is not the brand's, in which shop, and what they are refused with: `SHOP CODE`.
"""

import asyncio
import gc
import sys
from typing import NamedTuple

import uvloop

from backend.catalog.model import SkuDraft
from backend.environment import Servers
from backend.inventory.model import LevelKey
from backend.logs import set_up_logs
from backend.network.model import NodeDraft, NodeKind
from backend.orders.errors import InsufficientStock, TooBusy
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Placed
from backend.runtime import Runtime, open_runtime
from backend.settings import read_settings
from loadtests.bench.brands import BRAND
from loadtests.bench.crowd import Tally, say, wait_for_the_word
from loadtests.fresh_brand import SHOP, create_fresh_brand
from loadtests.receive_stock import receive_stock
from tenants.principal import Principal, system_principal

SKU = "HOT"
SHANGHAI = 310104
GC_THRESHOLDS = (100_000, 20, 20)


async def create_sale(where: Servers, database_url: str, units: int) -> None:
    """Create a brand with one node, one SKU and some units of it."""
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        node = NodeDraft(code="node", name="Node", kind=NodeKind.WAREHOUSE, region_code=SHANGHAI)
        brand = await create_fresh_brand(
            runtime, BRAND, [node], [SkuDraft(code=SKU, name=SKU, weight_g=300)]
        )
        key = LevelKey(brand.warehouses["node"], brand.skus[SKU])
        await receive_stock(runtime, brand.principal, {key: units}, "opening")


def order_of(buyer: str, shop: str = SHOP) -> OrderDraft:
    """Return a buyer's order of one unit."""
    return OrderDraft(
        shop=shop,
        address=AddressDraft(detail="x", region_code=SHANGHAI),
        lines=(LineDraft(SKU, 1, 9_900),),
        idempotency_key=buyer,
    )


class Sale(NamedTuple):
    """Where is sold, and what one is refused with who gets nothing."""

    shop: str = SHOP
    refusal: str = InsufficientStock.code


async def _buy(
    runtime: Runtime, principal: Principal, buyer: str, tally: Tally, sale: Sale
) -> None:
    """Buy, and ask again where the queue is full."""
    while True:
        outcome = await runtime.intake.place(order_of(buyer, sale.shop), principal)
        if isinstance(outcome, Placed):
            tally.placed()
            return
        if outcome.code != TooBusy.code:
            assert outcome.code == sale.refusal, outcome
            tally.refused()
            return
        await asyncio.sleep(outcome.detail["retryAfterSeconds"])


async def _main(count: int, number: str, *of_sale: str) -> None:
    settings = read_settings()
    set_up_logs(settings.log_level, for_people=False)
    async with open_runtime(
        settings.database_url, settings.valkey_url, settings.jwt_secret, with_maintenance=False
    ) as runtime:
        tenant = (await runtime.brands.all())[0].id
        await runtime.admission.ensure_warm(tenant)
        principal = system_principal(tenant, "buyers")
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        await wait_for_the_word()
        tally, sale = Tally(), Sale(*of_sale)
        await asyncio.gather(
            *(_buy(runtime, principal, f"{number}-{buyer}", tally, sale) for buyer in range(count))
        )
        say(tally.bought)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), *sys.argv[2:]))
