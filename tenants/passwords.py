"""Passwords: argon2id with the library's current parameters (RFC 9106), off the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

LENGTH_MIN = 8
LENGTH_MAX = 1_000
"""Hashing reads all of a password; nobody's needs a megabyte."""
PARALLEL_MAX = 1
"""Hashes computed at once in a process: each takes 64 MiB and some 50 ms of a core."""

_hasher = PasswordHasher(parallelism=1)
_nobody = _hasher.hash("nobody has this password")
_threads = ThreadPoolExecutor(PARALLEL_MAX, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """Return the hash to be stored."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify_password(password: str, stored: str | None) -> bool:
    """Return whether a password belongs to a stored hash; as slow for a user who does not exist."""
    loop = asyncio.get_running_loop()
    is_right = await loop.run_in_executor(_threads, _verify, password, stored or _nobody)
    return is_right and stored is not None


def _verify(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, ValueError):  # a hash that is none, or text that is no UTF-8
        return False
