"""Histories with everything going wrong come to a good end; those of a broken pipeline do not."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from backend.db.pool import TenantTransaction
from backend.maintenance import Maintenance
from backend.orders.claim import SQL
from backend.orders.plan_reroutes import Move
from backend.orders.releasing import Releasing
from backend.orders.sold_out import SoldOut
from backend.orders.standing import Standing, standing_of
from backend.orders.step import lines_of_order
from backend.orders.work import Work
from loadtests.torture.history import make_history
from loadtests.torture.play import play
from loadtests.torture.run import check, quiet
from loadtests.torture.sweep import sweep
from loadtests.torture.twin_core import twin_core

HISTORIES = 200
SWEEP_STEP = 11
"""Of the faults of one history every so many are tried here; `make torture` tries them all."""
ENOUGH = 500
"""Histories in which a planted defect must show."""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet()


@pytest.mark.parametrize("first", range(0, HISTORIES, 50))
def test_histories_come_to_a_good_end(first: int) -> None:
    bad = [found for found in map(check, map(make_history, range(first, first + 50))) if found]
    assert bad == []


def test_every_kind_of_fault_at_every_kind_of_effect_is_survived() -> None:
    bad = [found for found in map(check, itertools.islice(sweep(1), 0, None, SWEEP_STEP)) if found]
    assert bad == []


@pytest.mark.parametrize("seed", [7, 38, 185])
def test_a_seed_is_played_the_same_each_time(seed: int) -> None:
    assert play(make_history(seed)).trace == play(make_history(seed)).trace


def test_the_twins_of_the_core_go_the_same_way() -> None:
    history = make_history(11)
    played = play(history)
    with twin_core():
        assert play(history).trace == played.trace


# ------------------------------------------------------------------------------ planted defects

Defect = Callable[[], AbstractContextManager[object]]


async def _nothing(*_: object, **__: object) -> Any:
    return None


async def _no_keys(tx: TenantTransaction, works: Sequence[Work]) -> dict[Work, Any]:
    return {}


def _everything(works: Sequence[Work], locked: object) -> tuple[list[Work], list[Work]]:
    return list(works), []


def _always(*_: object) -> bool:
    return True


DEFECTS: dict[str, Defect] = {
    "tokens are never reaped": lambda: patch("backend.maintenance.reap", _nothing),
    "keys are not claimed": lambda: patch("backend.orders.commit.claim_keys", _no_keys),
    "all is accepted": lambda: patch("backend.orders.commit.accept", _everything),
    "what the book says is final": lambda: patch.object(SoldOut, "explains", _always),
    "waiting orders are forgotten": lambda: patch(
        "backend.orders.allocate_backorders.allocate_backorders", _nothing
    ),
    "new stock repays no earmark": lambda: patch(
        "backend.inventory.ledger._repayments", _no_repayments
    ),
    "what is kept is kept for ever": lambda: patch.object(Maintenance, "expire_holds", _nothing),
    "parcels are not given back": lambda: patch(
        "backend.orders.releasing.Releasing._give_capacities_back", _no_capacities
    ),
    "an order is given away as it was": lambda: patch(
        "backend.orders.reroute_orders._lock_as_planned", _lock_and_go_on
    ),
    "what is given away is kept": lambda: patch.object(Releasing, "_release", _no_capacities),
    "visits are not given back": lambda: patch(
        "backend.orders.releasing.Releasing._give_slots_back", _nothing
    ),
    "visits are taken for granted": lambda: patch("backend.orders.commit.take_slots", _nothing),
    "a time is agreed without its visits": lambda: patch(
        "backend.orders.set_appointment.take_slots", _nothing
    ),
    "slots are not looked at": lambda: patch(
        "backend.routing.slot_book.SlotBook.without", _nowhere
    ),
}


async def _lock_and_go_on(tx: TenantTransaction, move: Move) -> Standing:
    (order,) = await tx.fetch(SQL.lock_orders, tx.tenant_id, [move.work.order_id])
    return standing_of(order, await lines_of_order(tx, order["id"]), is_held=False)


def _nowhere(*_: object) -> frozenset[int]:
    return frozenset()


async def _no_capacities(*_: object) -> list[object]:
    return []


async def _no_repayments(*_: object) -> list[object]:
    return []


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str) -> None:
    histories = itertools.chain(map(make_history, range(ENOUGH)), sweep(2))
    with DEFECTS[name]():
        assert any(check(history) for history in histories)
