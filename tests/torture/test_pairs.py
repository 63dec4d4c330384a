"""A part of all pairs of commands, and of all cuts, comes to a good end; a defect is found."""

from collections.abc import AsyncIterator

import pytest

from loadtests.torture.effects import Fault
from loadtests.torture.pairs import OVER, Play, Scene, open_scene, play_all
from tests.catalogue import Connection

SHARE, SEED = 1, 20261126


@pytest.fixture
async def scene(database_url: str, valkey_url: str) -> AsyncIterator[Scene]:
    async with open_scene(database_url, valkey_url) as opened:
        yield opened


async def test_a_part_of_all_comes_to_a_good_end(scene: Scene) -> None:
    played, bad = await play_all(scene, SHARE, SEED)
    assert bad == []
    assert played > 50


STATES = {
    "release": "reserved",
    "ship": "pack",
    "stop": "intercepted",
    "make_ready": "asked",
    "hand_one_over": "ready",
    "elsewhere": "accepted",
    "inspect": "back",
}


@pytest.mark.parametrize("name", STATES)
async def test_a_cut_at_each_statement_is_healed_by_asking_again(scene: Scene, name: str) -> None:
    state = STATES[name]
    for fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
        at = 1
        while (found := await scene.play(Play(state, (name,), fault, at))) != [OVER]:
            assert found == [], (fault, at)
            at += 1
        assert at > 5, "nothing was cut off"
    assert await scene.differences() == []


async def test_a_status_that_does_not_follow_from_its_units_is_found(
    scene: Scene, admin: Connection
) -> None:
    await admin.execute(
        "create function spoil() returns trigger language plpgsql as $$ begin"
        " new.status := 'shipped'; return new; end $$;"
        " create trigger spoil before update on orders for each row execute function spoil()"
    )
    (finding,) = await scene.play(Play("reserved", ("release", "release")))
    assert finding == "the order is shipped, its lines say in_fulfilment"
