"""How many calls a shop may make: a token bucket that holds one second's worth."""

LOST_TO_ROUNDING = 1e-9
"""Of a token; a caller that waited exactly as long as it was told is not sent back for it."""


class Bucket:
    """Fills at a steady rate; each call takes one token."""

    def __init__(self, calls_per_second: int) -> None:
        self._rate = calls_per_second
        self._tokens = float(calls_per_second)
        self._filled_at = 0.0

    def take(self, now: float) -> float:
        """Take a token and return 0, or return in how many seconds there is one.

        `now` is in seconds and does not go back.
        """
        filled = self._tokens + (now - self._filled_at) * self._rate
        self._tokens = min(float(self._rate), filled)
        self._filled_at = now
        if self._tokens < 1 - LOST_TO_ROUNDING:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0
