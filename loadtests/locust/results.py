"""What came out of Locust's process."""

from pathlib import Path

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of one name."""

    name: str
    count: int
    wrong: int = 0
    """Answers with a wrong content, or with a status of failure."""
    lost: int = 0
    """Requests without an answer: the transport failed; they are sent again."""
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A run as Locust saw it."""

    seconds: float
    asked: tuple[Asked, ...]
    bought: int
    """Buyers of the flash sale who got a unit."""
    missed: int
    """Buyers who were told that it is sold out."""
    orders: int
    """Placed by anybody, and answered."""
    errors: tuple[str, ...] = ()
    """The texts of what failed, the most frequent first."""

    def save(self, path: str) -> None:
        Path(path).write_bytes(msgspec.json.encode(self))


def load_results(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)
