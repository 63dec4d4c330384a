"""How fast a shop's channel may be called: a token bucket that learns what the channel takes.

The channel's limit is its own secret and changes. So we begin at what we hope for and listen: a
refusal (429) says for how long to wait, and that we were too fast; a while without one lets us try
a little more. Times are seconds of one clock, given by the caller.
"""

CALLS_PER_SECOND = 20.0
"""What we hope for: more than a shop needs in peace."""
CALLS_PER_SECOND_MIN = 0.1
"""However often we are refused: a call in ten seconds, else a shop would never recover."""
SLOWER = 0.75
"""What a refusal leaves of the rate: a few refusals find any limit, none costs much."""
FASTER = 1.1
FASTER_AFTER_SECONDS = 10.0
"""A tenth more after ten seconds without refusal: one refused call in ten seconds, at the limit."""
TOKEN_SECONDS_MAX = 1.0
"""A shorter wait is that for the next token, and tells the rate; a longer one is a punishment."""
LOST_TO_ROUNDING = 1e-9
"""Of a token; whoever waited as long as told is not sent back for it."""


class Pace:
    """The pace of one shop. Holds at most one second's worth of calls, and at least one call."""

    def __init__(self, now: float, calls_per_second: float = CALLS_PER_SECOND) -> None:
        assert calls_per_second >= CALLS_PER_SECOND_MIN
        self._rate_max = calls_per_second
        self._rate = calls_per_second
        self._tokens = max(1.0, calls_per_second)
        self._filled_at = now
        self._resumes_at = now
        """Nothing is called before: a refusal said so."""
        self._changed_at = now
        """Since when there was neither a refusal nor a change of the rate."""

    @property
    def calls_per_second(self) -> float:
        """What the channel is believed to take."""
        return self._rate

    def may_call(self, now: float) -> float:
        """Return 0 if a call may go out now, else in how many seconds; changes nothing."""
        missing = 1.0 - self._tokens_at(now)
        until_token = missing / self._rate if missing > LOST_TO_ROUNDING else 0.0
        return max(0.0, self._resumes_at - now, until_token)

    def called(self, now: float) -> None:
        """Note a call that goes out, whether it was due or not."""
        if now - self._changed_at >= FASTER_AFTER_SECONDS and self._rate < self._rate_max:
            self._set_rate(now, min(self._rate_max, self._rate * FASTER))
        self._fill(now)
        # A caller in a hurry is in debt for a second's worth at most.
        self._tokens = max(self._tokens - 1.0, min(self._tokens, -self._capacity))

    def refused(self, now: float, retry_after_seconds: float) -> None:
        """Note that the channel refused a call and said for how long to wait.

        Calls that were under way together are refused together: the rate falls once for them.
        """
        assert retry_after_seconds >= 0
        is_news = now >= self._resumes_at
        rate = self._rate * SLOWER if is_news else self._rate
        if 0 < retry_after_seconds <= TOKEN_SECONDS_MAX:
            # A bucket that is not quite empty names less than a token takes, never more.
            rate = min(rate, 1.0 / retry_after_seconds)
        self._set_rate(now, max(CALLS_PER_SECOND_MIN, rate))
        self._resumes_at = max(self._resumes_at, now + retry_after_seconds)
        # Silence teaches nothing: the time without refusal begins after the wait.
        self._changed_at = self._resumes_at
        # The wait that was named is the wait for a token.
        self._tokens = 1.0 - self._rate * (self._resumes_at - now)

    @property
    def _capacity(self) -> float:
        return max(1.0, self._rate)

    def _set_rate(self, now: float, rate: float) -> None:
        self._fill(now)
        self._rate = rate
        self._changed_at = now
        self._tokens = min(self._tokens, self._capacity)

    def _fill(self, now: float) -> None:
        self._tokens = self._tokens_at(now)
        self._filled_at = max(self._filled_at, now)

    def _tokens_at(self, now: float) -> float:
        # A clock that goes back fills nothing.
        elapsed_seconds = max(0.0, now - self._filled_at)
        return min(self._capacity, self._tokens + elapsed_seconds * self._rate)
