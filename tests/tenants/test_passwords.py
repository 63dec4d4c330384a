"""A password opens its own hash alone, and who does not exist costs as much as who does."""

import asyncio

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from tenants import passwords
from tenants.passwords import hash_password, verify_password

RIGHT = "correct horse"


@pytest.fixture(scope="module")
def stored() -> str:
    return asyncio.run(hash_password(RIGHT))


async def test_the_right_password_is_right(stored: str) -> None:
    assert await verify_password(RIGHT, stored)


@pytest.mark.parametrize("given", ["", "correct hors", "Correct horse", "correct horse ", "\ud800"])
async def test_any_other_is_wrong(stored: str, given: str) -> None:
    assert not await verify_password(given, stored)


@pytest.mark.parametrize("given", ["密码密码密码密码", "café crème", "a\0b\0c\0d\0"])
async def test_any_text_may_be_a_password(given: str) -> None:
    stored = await hash_password(given)
    assert await verify_password(given, stored)
    assert not await verify_password(given[:-1], stored)


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$v=19$", "$2b$12$" + "x" * 53, "\ud800"])
async def test_a_hash_that_is_none_opens_for_nobody(stored: str) -> None:
    assert not await verify_password(RIGHT, stored)


async def test_nobodys_password_opens_nothing() -> None:
    assert not await verify_password("nobody has this password", None)


async def test_the_same_password_never_has_the_same_hash(stored: str) -> None:
    assert await hash_password(RIGHT) != stored


async def test_hashes_are_as_strong_as_the_rfc_says(stored: str) -> None:
    found = extract_parameters(stored)
    assert stored.startswith("$argon2id$")
    assert found.memory_cost >= RFC_9106_LOW_MEMORY.memory_cost
    assert found.time_cost >= RFC_9106_LOW_MEMORY.time_cost


async def test_who_does_not_exist_is_verified_like_everybody(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    real = passwords._verify

    def watched(password: str, against: str) -> bool:
        looked_at.append((password, extract_parameters(against)))
        return real(password, against)

    monkeypatch.setattr(passwords, "_verify", watched)
    for against in (stored, None):
        assert not await verify_password("wrong horse", against)
    assert looked_at == [("wrong horse", extract_parameters(stored))] * 2


async def test_others_go_on_while_a_hash_is_computed() -> None:
    hashing = asyncio.create_task(hash_password(RIGHT))
    verifying = asyncio.create_task(verify_password(RIGHT, None))
    await asyncio.sleep(0)
    assert not hashing.done()
    assert not verifying.done()
    await asyncio.gather(hashing, verifying)
