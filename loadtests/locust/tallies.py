"""What is counted in Locust's process beside its own table."""

from collections import Counter


class Tallies:
    """Counts of one run."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        """Wrong answers by the name of the request."""
        self.lost: Counter[str] = Counter()
        """Requests without an answer, by name."""
        self.bought = 0
        self.missed = 0
        self.orders = 0
        self._users = 0

    def next_user(self) -> int:
        """Return the number of a user who comes in."""
        self._users += 1
        return self._users


TALLIES = Tallies()
