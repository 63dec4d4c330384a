"""What people and systems do to one order, as it is played at once and cut off."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from backend.db.pool import Database
from backend.fulfilment.intercepts import answer_intercept, ask_intercept
from backend.fulfilment.model import Packing
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import (
    PickListDraft,
    create_pick_list,
    pick_fulfilments,
    scan_pick,
)
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_fulfilments, release_wave
from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.counters import Counters
from backend.network.regions.table import bundled_regions
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.hold_orders import hold_order
from backend.orders.release_holds import Resolution, release_hold
from backend.orders.report_shortage import ShortPick, report_shortage
from loadtests.torture import (
    deposit_commands,
    door_commands,
    edit_commands,
    exchange_commands,
    fetch_commands,
    return_commands,
    unit_commands,
)
from loadtests.torture.target import SKU, Command, Target

REGIONS = bundled_regions()
NOON = datetime.fromisoformat("2030-01-31T12:00:00+08:00")


async def _cancel(database: Database, at: Target, key: str) -> Counters:
    done = await cancel_order(database, at.principal, at.key.order_id, None, key)
    return done.counters


async def _cancel_one(database: Database, at: Target, key: str) -> Counters:
    one = [CancelLine(1, 1)]
    return (await cancel_order(database, at.principal, at.key.order_id, one, key)).counters


async def _short(database: Database, at: Target, key: str) -> Counters:
    missing, cause = [ShortPick(1, 1)], ShortageCause.DAMAGED
    return (await report_shortage(database, at.principal, at.key, missing, cause, key)).counters


async def _wave(database: Database, at: Target, key: str) -> None:
    await release_wave(database, at.principal, WaveDraft(at.node_id), NOON, key)


async def _release(database: Database, at: Target, key: str) -> None:
    await release_fulfilments(database, at.principal, [at.key], key)


async def _start(database: Database, at: Target, key: str) -> None:
    await create_pick_list(database, at.principal, PickListDraft(at.node_id, (at.key,)), key)


async def _scan(database: Database, at: Target, key: str) -> None:
    await scan_pick(database, at.principal, at.key, SKU, 1, key)


async def _pick(database: Database, at: Target, key: str) -> None:
    await pick_fulfilments(database, at.principal, [at.key], key)


async def _pack(database: Database, at: Target, key: str) -> None:
    await pack_fulfilments(database, at.principal, [Packing(at.key, "own")], key)


async def _ship(database: Database, at: Target, key: str) -> Counters:
    return (await ship_fulfilments(database, at.principal, [at.key], key)).counters


async def _deliver(database: Database, at: Target, key: str) -> None:
    await deliver_fulfilments(database, at.principal, [at.key], key)


async def _intercept(database: Database, at: Target, key: str) -> None:
    await ask_intercept(database, at.principal, at.key, "changed mind", key)


async def _stop(database: Database, at: Target, key: str) -> Counters:
    done = await answer_intercept(
        database, at.principal, at.key, stops=True, answer="", command_key=key
    )
    return done.counters


async def _go_on(database: Database, at: Target, key: str) -> Counters:
    done = await answer_intercept(
        database, at.principal, at.key, stops=False, answer="", command_key=key
    )
    return done.counters


async def _hold(database: Database, at: Target, key: str) -> None:
    await hold_order(database, at.principal, at.key.order_id, "risk", None, key)


async def _let_go(database: Database, at: Target, key: str) -> None:
    resolution = Resolution(1)
    await release_hold(database, at.principal, at.key.order_id, resolution, REGIONS, key)


SENDING: dict[str, Command] = {
    "hold": _hold,
    "let_go": _let_go,
    "cancel": _cancel,
    "cancel_one": _cancel_one,
    "short": _short,
    "wave": _wave,
    "release": _release,
    "start": _start,
    "scan": _scan,
    "pick": _pick,
    "pack": _pack,
    "ship": _ship,
    "deliver": _deliver,
    "intercept": _intercept,
    "stop": _stop,
    "go_on": _go_on,
    "fetch": fetch_commands.fetch,
    **edit_commands.COMMANDS,
}
AT_A_STORE = ("hold", "let_go", "cancel", "cancel_one", "short", "release", "start", "scan", "pick")
STOPPING = ("intercept", "stop", "go_on")
FETCHING: dict[str, Command] = {
    **{name: SENDING[name] for name in (*AT_A_STORE, *STOPPING)},
    **fetch_commands.COMMANDS,
}
RETURNING: dict[str, Command] = return_commands.COMMANDS
ON_ITS_WAY: dict[str, Command] = {
    **{name: SENDING[name] for name in ("deliver", "cancel", "hold")},
    **{name: RETURNING[name] for name in ("take_in", "claim", "approve", "grant")},
}
EXCHANGING: dict[str, Command] = {
    **{name: RETURNING[name] for name in ("approve", "decline", "receive", "inspect", "pay")},
    **exchange_commands.COMMANDS,
}
AT_THE_DOOR: dict[str, Command] = {
    **{name: RETURNING[name] for name in ("approve", "decline", "receive", "inspect")},
    **door_commands.COMMANDS,
}
MENDING: dict[str, Command] = {
    **{name: RETURNING[name] for name in ("ask", "take_back")},
    **unit_commands.REPAIRS,
}
TRADING_IN: dict[str, Command] = {
    **{name: RETURNING[name] for name in ("ask", "take_back")},
    **unit_commands.TRADE_INS,
}
PAYING: dict[str, Command] = {
    **{
        name: SENDING[name]
        for name in ("hold", "let_go", "cancel", "cancel_one", "release", "edit", "split")
    },
    **deposit_commands.COMMANDS,
}
BOUGHT: dict[str, Command] = {
    **{name: SENDING[name] for name in ("cancel", "cancel_one", "edit", "short")},
    **{name: unit_commands.TRADE_INS[name] for name in ("old", "old_cancel", "old_receive")},
    **{name: unit_commands.TRADE_INS[name] for name in ("old_grade", "old_less", "old_accept")},
}
"""What is done with an old unit while the new one is still to be sent."""
COMMANDS: dict[str, Command] = {
    **SENDING,
    **FETCHING,
    **RETURNING,
    **exchange_commands.COMMANDS,
    **deposit_commands.COMMANDS,
    **AT_THE_DOOR,
    **MENDING,
    **TRADING_IN,
    **BOUGHT,
}


class State(NamedTuple):
    """Where an order may stand when it happens: what has led there, and what may happen."""

    steps: tuple[str, ...]
    commands: Mapping[str, Command] = SENDING
    is_fetched: bool = False
    is_paid: bool = True
    """Or something of it only, ahead."""


LIFE = ("release", "start", "pick", "pack", "ship")
ARRIVED = (*LIFE, "deliver")
STATES: dict[str, State] = {
    "reserved": State(()),
    **{name: State(LIFE[:number]) for number, name in enumerate(LIFE, 1)},
    "intercepted": State((*LIFE[:4], "intercept")),
    "scanned": State((*LIFE[:2], "scan")),
    "held": State((*LIFE[:4], "hold")),
    "asked": State((), FETCHING, is_fetched=True),
    "accepted": State(("accept",), FETCHING, is_fetched=True),
    "rejected": State(("reject",), FETCHING, is_fetched=True),
    "ready": State(("make_ready",), FETCHING, is_fetched=True),
    "ready_but": State(("make_ready", "intercept"), FETCHING, is_fetched=True),
    "on_its_way": State(LIFE, ON_ITS_WAY),
    "paid_ahead": State((), PAYING, is_paid=False),
    "to_be_exchanged": State((*ARRIVED, "swap"), EXCHANGING),
    "exchanged_for_more": State((*ARRIVED, "swap", "approve", "receive", "inspect"), EXCHANGING),
    "arrived": State(ARRIVED, RETURNING),
    "wanted_back": State((*ARRIVED, "ask"), RETURNING),
    "coming_back": State((*ARRIVED, "ask", "approve"), RETURNING),
    "to_be_fetched": State((*ARRIVED, "ask", "approve", "fetch_at_door"), AT_THE_DOOR),
    "fetched_soon": State((*ARRIVED, "ask", "approve", "fetch_at_door", "come"), AT_THE_DOOR),
    "in_repair": State((*ARRIVED, "mend", "mend_receive"), MENDING),
    "priced": State((*ARRIVED, "mend", "mend_receive", "mend_quote"), MENDING),
    "old_promised": State(("old",), BOUGHT),
    "old_here": State((*ARRIVED, "old", "old_receive"), TRADING_IN),
    "old_worn": State((*ARRIVED, "old", "old_receive", "old_less"), TRADING_IN),
    "back": State((*ARRIVED, "ask", "approve", "receive"), RETURNING),
    "owed": State((*ARRIVED, "ask", "approve", "receive", "inspect"), RETURNING),
}
