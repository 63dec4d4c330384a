"""Where another server answers, nothing is admitted before its counters were read anew."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.admission.keys import epoch_keys, warm_key
from backend.admission.model import ADMITTED, COLD, Base, Refused
from backend.admission.valkey import Valkey
from backend.embedded.valkey import ValkeyServer
from tests.admission.accidents import Address, change_replication
from tests.admission.authority import Process, order
from tests.admission.conftest import Another

A5 = Base("a", 5, 10)
FIRST, SECOND, THIRD = 2, 3, 4


async def leave_a_copy(url: str, tenant_id: int, epoch: int, free: int) -> None:
    """Put into a server what a replica would have: the epoch is warm, its values are old."""
    valkey = Valkey(url)
    base, version = epoch_keys(tenant_id, epoch)[:2]
    await valkey.command("SET", warm_key(tenant_id), epoch)
    await valkey.command("HSET", base, "a", free)
    await valkey.command("HSET", version, "a", 1)
    await valkey.close()


async def test_a_server_that_took_over_is_warmed_before_it_admits(
    follower: Process, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    await leave_a_copy(server_urls[1], follower.tenant_id, FIRST, 99)
    address.lead_to(server_urls[1])
    await follower.answered()
    assert await follower.admit(order("t", ("a", 6))) == [COLD]
    await follower.warmed()
    assert await follower.admit(order("t", ("a", 6))) == [Refused("a", 5, 0)]
    assert (await follower.epoch(), follower.authority.reads) == (SECOND, 2)


async def test_a_server_that_comes_back_is_warmed_anew(
    follower: Process, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(Base("a", 99, 1))
    address.lead_to(server_urls[1])
    await follower.answered()
    await follower.warm(A5)
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.admit(order("t", ("a", 6))) == [COLD]
    await follower.warmed()
    assert await follower.look("a") == [(5, 10, 0)]
    assert await follower.epoch() == THIRD


@pytest.mark.parametrize("in_rhythm", [True, False])
async def test_another_server_is_noticed_without_an_order(
    follower: Process, address: Address, server_urls: list[str], in_rhythm: bool
) -> None:
    await follower.warm(A5)
    await leave_a_copy(server_urls[1], follower.tenant_id, FIRST, 99)
    address.lead_to(server_urls[1])
    await follower.answered()
    if in_rhythm:
        used = await follower.admission.ensure_used([follower.tenant_id])
        assert used == [follower.tenant_id]
    else:
        await follower.warm()
    assert await follower.look("a") == [(5, 10, 0)]
    assert await follower.epoch() == SECOND


async def test_processes_that_see_different_servers_never_share_an_epoch(
    process: Process, another: Another, server_urls: list[str]
) -> None:
    await process.warm(A5)
    async with another(valkey_url=server_urls[0]) as elsewhere:
        await elsewhere.warm()
        assert await elsewhere.epoch() == SECOND
        await process.warm()
        assert await process.epoch() == THIRD
        assert await elsewhere.admit(order("t", ("a", 5))) == [ADMITTED]
    assert await process.look("a") == [(5, 10, 0)]


async def test_another_replication_id_is_another_server(
    follower: Process, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    change_replication(server_urls[0])
    await follower.answered()
    assert await follower.admission.ensure_used([follower.tenant_id]) == [follower.tenant_id]
    assert (await follower.epoch(), follower.authority.reads) == (SECOND, 2)


async def test_a_lost_connection_alone_is_no_other_server(
    follower: Process, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.admit(order("t", ("a", 5))) == [ADMITTED]
    assert (await follower.epoch(), follower.authority.reads) == (FIRST, 1)


# --------------------------------------------------------------------------------- restarts


@pytest.fixture
async def restarting(
    tmp_path: Path, another: Another
) -> AsyncIterator[tuple[Process, ValkeyServer]]:
    """A process on a server that may be stopped and started."""
    server = ValkeyServer(tmp_path)
    server.start()
    async with another(valkey_url=server.url) as opened:
        yield opened, server
    server.stop()


async def test_a_restarted_server_is_warmed_anew(
    restarting: tuple[Process, ValkeyServer],
) -> None:
    process, server = restarting
    await process.warm(A5)
    server.stop()
    assert await process.admit(order("t", ("a", 1))) == [COLD]
    server.start()
    await process.answered()
    assert await process.admit(order("t", ("a", 1))) == [COLD]
    await process.warmed()
    assert await process.admit(order("t", ("a", 5))) == [ADMITTED]
    assert (await process.epoch(), process.authority.reads) == (SECOND, 2)


async def test_what_a_stopped_server_was_not_told_the_new_one_reads(
    restarting: tuple[Process, ValkeyServer],
) -> None:
    process, server = restarting
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    server.stop()
    process.authority.set(Base("a", 2, 11))
    assert not await process.finish(["t"], [Base("a", 2, 11)])
    server.start()
    await process.answered()
    await process.warmed()
    assert await process.look("a") == [(2, 11, 0)]
