"""The client calls the functions that it was built with, and the keys of a tenant stay together."""

import asyncio
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.admission import model, valkey
from backend.admission.keys import KINDS, ages_key, epoch_keys, function_keys, warm_key, warming_key
from backend.admission.model import Base
from backend.admission.valkey import Valkey, ValkeyAway, connect_valkey, pack, unpack
from tests.admission.accidents import forget_functions
from tests.admission.authority import Process
from tests.admission.conftest import Another

OLD = "0123456789ab"


async def test_functions_of_two_versions_stand_side_by_side(
    process: Process, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.warm(Base("a", 5, 1))
    async with another() as older:
        with monkeypatch.context() as patched:
            patched.setattr(valkey, "VERSION", OLD)
            patched.setattr(valkey, "LIBRARY", valkey.FUNCTIONS.replace("VERSION", OLD))
            assert await older.look("a") == [None]
        assert await process.look("a") == [(5, 1, 0)]
    listed = str(await process.valkey.command("FUNCTION", "LIST"))
    assert f"yipan_look_{OLD}" in listed
    assert f"yipan_look_{valkey.VERSION}" in listed


async def test_many_calls_at_once_find_lost_functions(process: Process, valkey_url: str) -> None:
    await process.warm(Base("a", 5, 1))
    forget_functions(valkey_url)
    assert await asyncio.gather(*(process.look("a") for _ in range(20))) == [[(5, 1, 0)]] * 20


@pytest.mark.parametrize("prefix", ["redis", "valkey"])
async def test_both_names_of_the_scheme_are_understood(prefix: str) -> None:
    client = connect_valkey(f"{prefix}://127.0.0.1:1")
    with pytest.raises(ValkeyAway, match=r"127\.0\.0\.1:1"):
        await client.command("PING")
    await client.close()


async def test_plain_commands_go_in_one_go_and_are_answered_in_order(process: Process) -> None:
    key = warm_key(process.tenant_id)
    sent = [("SET", key, 7), ("GET", key), ("DEL", key), ("GET", key)]
    assert await process.valkey.commands(sent) == [True, b"7", 1, None]
    assert await process.valkey.commands([]) == []


async def test_a_server_says_which_one_it_is(process: Process, server_urls: list[str]) -> None:
    others = [Valkey(url) for url in server_urls]
    named = [await each.identity("") for each in (process.valkey, *others, *others)]
    assert len(set(named)) == 3
    assert named[1:3] == named[3:]
    for each in others:
        await each.close()


packed = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=9,
)


@given(packed)
def test_what_is_packed_is_unpacked(value: object) -> None:
    assert unpack(pack(value)) == value


# ------------------------------------------------------------------------------------- names


@given(st.integers(1, 2**62), st.integers(1, 2**62))
def test_counters_of_levels_are_read_back(warehouse_id: int, sku_id: int) -> None:
    name = model.stock_counter(warehouse_id, sku_id)
    assert model.parse_stock_counter(name) == (warehouse_id, sku_id, 0)
    assert model.parse_capacity_counter(name) is None


@given(st.integers(1, 2**62), st.integers(1, 2**62), st.integers(1, 2**62))
def test_counters_of_earmarks_are_read_back(warehouse_id: int, sku_id: int, mark: int) -> None:
    name = model.stock_counter(warehouse_id, sku_id, mark)
    assert model.parse_stock_counter(name) == (warehouse_id, sku_id, mark)
    assert model.parse_capacity_counter(name) is None


@given(st.integers(1, 2**62), st.dates())
def test_counters_of_capacities_are_read_back(node_id: int, day: date) -> None:
    name = model.capacity_counter(node_id, day)
    assert model.parse_capacity_counter(name) == (node_id, day)
    assert model.parse_stock_counter(name) is None


def test_the_keys_of_a_tenant_carry_its_tag_and_those_of_an_epoch_its_number() -> None:
    keys = function_keys(7, 3)
    assert keys == (warm_key(7), *epoch_keys(7, 3), warming_key(7))
    assert all(key.startswith("y:{7}:") for key in keys)
    assert not set(epoch_keys(7, 3)) & {*epoch_keys(7, 4), *epoch_keys(8, 3)}
    assert ages_key(7, 3) == keys[1 + KINDS.index("ages")]
