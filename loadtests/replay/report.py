"""What a replay came to, counted while it runs."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec

from backend.orders.model import Outcome, Placed
from loadtests.replay.rejects import RejectsFile, SourceLine


class Progress(Protocol):
    """Whoever shows how far a replay is."""

    def advance(self, lines: int, total: int) -> None:
        """`lines` more of `total` lines are done."""


class NoProgress:
    """Shows nothing."""

    def advance(self, lines: int, total: int) -> None:
        return


class ReplayReport(msgspec.Struct, kw_only=True):
    """The counts of one replay; docs/how-to/replay.md explains each.

    `lines_read` is `lines_placed + lines_cancelled + lines_fees + lines_rejected`.
    """

    replay: str
    brand: str
    seed: int
    lines_read: int = 0
    invoices_read: int = 0
    cancellations_read: int = 0
    lines_placed: int = 0
    lines_cancelled: int = 0
    lines_fees: int = 0
    lines_rejected: int = 0
    rejected_by_reason: dict[str, int] = {}
    lines_backordered: int = 0
    lines_waiting: int = 0
    orders_placed: int = 0
    orders_backordered: int = 0
    orders_held: int = 0
    orders_cancelled: int = 0
    payments_differing: int = 0
    units: int = 0
    units_cancelled: int = 0
    units_waiting: int = 0
    parcels: int = 0
    parcels_per_order: float = 0.0
    orders_per_second: float = 0.0
    seconds: float = 0.0
    seconds_by_part: dict[str, float] = {}
    audit_counters_compared: int = 0
    audit_differences: int = 0

    def to_json(self) -> str:
        """Return the report as one line."""
        return msgspec.json.encode(self).decode()


class Tally:
    """The counts of a replay that runs."""

    def __init__(self, replay: str, seed: int, rejects: RejectsFile) -> None:
        self.report = ReplayReport(replay=replay, brand="", seed=seed)
        self.order_ids: list[int] = []
        self._rejects = rejects
        self._reasons: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started = time.perf_counter()

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time spent inside to a part of the replay."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[part] += time.perf_counter() - started

    def read(self, lines: int) -> None:
        self.report.lines_read += lines

    def reject(self, line: SourceLine, reason: str) -> None:
        """Count a line as rejected, and write it to the rejects file with its reason."""
        self.report.lines_rejected += 1
        self._reasons[reason] += 1
        self._rejects.write(line, reason)

    def settle(
        self, outcome: Outcome, goods: Sequence[SourceLine], fees: Sequence[SourceLine]
    ) -> Placed | None:
        """Count what became of an order made of these lines; returns it if it was placed."""
        if not isinstance(outcome, Placed):
            for line in (*goods, *fees):
                self.reject(line, f"refused_{outcome.code.lower()}")
            return None
        report = self.report
        waiting = sum(line.backordered > 0 for line in outcome.lines)
        report.orders_placed += 1
        report.orders_backordered += waiting > 0
        report.orders_held += bool(outcome.holds)
        report.lines_placed += len(goods)
        report.lines_fees += len(fees)
        report.lines_backordered += waiting
        report.units += sum(
            line.reserved + line.backordered + line.held + line.cancelled for line in outcome.lines
        )
        self.order_ids.append(outcome.order_id)
        return outcome

    def finish(self) -> ReplayReport:
        """Return the report, with everything that follows from the counts."""
        report = self.report
        report.rejected_by_reason = dict(sorted(self._reasons.items()))
        report.seconds = round(time.perf_counter() - self._started, 3)
        report.seconds_by_part = {
            part: round(seconds, 3) for part, seconds in sorted(self._seconds.items())
        }
        placing = self._seconds["placing"]
        report.orders_per_second = round(report.orders_placed / placing, 1) if placing else 0.0
        return report
