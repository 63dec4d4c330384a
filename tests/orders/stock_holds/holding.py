"""Taking, ending and converting stock holds, and what PostgreSQL has of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from backend.orders.model import Held, HoldOutcome, OrderDraft, Outcome
from backend.orders.normalise import NOWHERE
from backend.orders.stock_holds import change_holds as cases
from backend.orders.stock_holds.change_holds import HoldChanged
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.world import draft, fresh_key

HOLDS = """
    select h.state, h.order_id, h.ended_at is null as is_open,
           coalesce((select sum(p.quantity) from stock_hold_part p
                     where p.tenant_id = h.tenant_id and p.hold_id = h.id), 0)::bigint as units
    from stock_hold h where h.id = $1
"""
RESERVED = """
    select coalesce(sum(l.reserved), 0)::bigint from stock_level l
    join sku s on s.tenant_id = l.tenant_id and s.id = l.sku_id where s.code = $1
"""
LATE = """
    update stock_hold set expires_at = clock_timestamp() - interval '1 second' where id = any($1)
"""
CART = HoldTerms(StockHoldKind.CART, 600)


class State(NamedTuple):
    """How a hold stands: for which order it ended, and the units that it had."""

    state: str
    order_id: int | None
    units: int


def wanted(lines: Mapping[str, int] | None = None, **changes: Any) -> OrderDraft:
    """Return what is to be kept, for "shop", wherever it will go."""
    return draft(lines, **({"address": NOWHERE} | changes))


async def ask(
    live: Living,
    lines: Mapping[str, int] | None = None,
    *,
    terms: HoldTerms = CART,
    who: Principal | None = None,
    **changes: Any,
) -> HoldOutcome:
    """Ask for units to be kept."""
    return await live.runtime.intake.take_hold(wanted(lines, **changes), terms, who or live.brand)


async def take(live: Living, units: int = 1, shop: str = "shop", **changes: Any) -> int:
    """Take units of "A"; returns the hold."""
    return held(await ask(live, {"A": units}, shop=shop, **changes)).hold_id


def held(outcome: HoldOutcome) -> Held:
    assert isinstance(outcome, Held), outcome
    return outcome


async def convert(
    live: Living, hold_id: int, lines: Mapping[str, int] | int, **changes: Any
) -> Outcome:
    """Order some units, of "A" where no SKU is named, and take over a hold."""
    lines = {"A": lines} if isinstance(lines, int) else lines
    return await live.runtime.intake.place(draft(lines, hold=hold_id, **changes), live.brand)


async def release(
    live: Living, hold_id: int, *, who: Principal | None = None, key: str | None = None
) -> HoldChanged:
    """Release a hold, and tell everybody."""
    runtime = live.runtime
    done = await cases.release_stock_hold(
        runtime.database, who or live.brand, hold_id, key=key or fresh_key()
    )
    await runtime.publish_counters(live.world.tenant_id, done.counters)
    await runtime.settle()
    return done


async def extend(
    live: Living,
    hold_id: int,
    seconds: int,
    *,
    who: Principal | None = None,
    key: str | None = None,
) -> HoldChanged:
    return await cases.extend_hold(
        live.runtime.database, who or live.brand, hold_id, seconds, key=key or fresh_key()
    )


async def make_late(admin: Connection, *hold_ids: int) -> None:
    """Let the time of holds be over."""
    await admin.execute(LATE, hold_ids)


async def expire(live: Living) -> None:
    """Do what the maintenance does once a second."""
    await live.runtime.maintenance.expire_holds()
    await live.runtime.settle()


async def state(admin: Connection, hold_id: int) -> State:
    row = await admin.fetchrow(HOLDS, hold_id)
    assert row is not None
    assert row["is_open"] == (row["state"] == "active")
    return State(row["state"], row["order_id"], row["units"])


async def reserved(admin: Connection, sku: str = "A") -> int:
    """Return how many units of a SKU are reserved, wherever they are."""
    return int(await admin.fetchval(RESERVED, sku))
