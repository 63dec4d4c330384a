"""On which days of a month, counted from 0, terms change: always in the morning."""

from typing import NamedTuple

from loadtests.month.dealers import Shape


class Calendar(NamedTuple):
    """The days of what happens to dealers."""

    replaced: int
    """Agreements are replaced from the next day on."""
    listed: int
    """Price lists end, and others begin the next day."""
    last_before_pause: int
    """The last day on which the agreements of some dealers bind."""
    resumed: int
    """They have others, from the next day on."""
    suspended: int
    back: int
    left: int
    last: int
    """The last day on which the agreements of others bind."""

    @classmethod
    def of(cls, days: int) -> "Calendar":
        """Return the calendar of a month of so many days; 6 are the fewest."""
        pause, suspended = int(days * 0.35), int(days * 0.4)
        return cls(
            replaced=int(days * 0.3),
            listed=int(days * 0.5),
            last_before_pause=pause,
            resumed=max(int(days * 0.55), pause + 2),
            suspended=suspended,
            back=max(int(days * 0.6), suspended + 1),
            left=int(days * 0.62),
            last=int(days * 0.7),
        )

    def is_out(self, shape: Shape, day: int) -> bool:
        """Whether a dealer may not sell on the afternoon of a day: nothing binds it, or it left."""
        match shape:
            case Shape.PAUSED:
                return self.last_before_pause < day <= self.resumed
            case Shape.SUSPENDED:
                return self.suspended <= day < self.back
            case Shape.ENDED:
                return day > self.last
            case Shape.LEAVES:
                return day >= self.left
        return False
