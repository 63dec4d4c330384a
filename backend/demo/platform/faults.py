"""Faults on demand: which call goes wrong, and how."""

from random import Random
from typing import Any

from backend.demo.platform import limits
from backend.demo.platform.refusal import Refusal, invalid
from backend.demo.platform.wire import FaultDraft, FaultKind, Operation

OF_PUSHES = frozenset({FaultKind.FORGET, FaultKind.OTHER_NUMBER, FaultKind.SILENT_OTHER_NUMBER})
"""What can go wrong only where a number is stored."""


class Fault:
    """A fault that was ordered, and how many calls it has befallen."""

    def __init__(self, draft: FaultDraft, now: float) -> None:
        self.draft = draft
        self.calls = 0
        self._until = None if draft.seconds is None else now + draft.seconds

    def is_over(self, now: float) -> bool:
        is_late = self._until is not None and now >= self._until
        return is_late or self.calls == self.draft.calls

    def concerns(self, shop: str, operation: Operation) -> bool:
        """Tell whether a call of this shop may go wrong this way."""
        draft = self.draft
        if draft.kind in OF_PUSHES and operation is not Operation.PUSH:
            return False
        return draft.shop in (None, shop) and draft.operation in (None, operation)


class Faults:
    """The faults of a platform; a call has at most one, the oldest that strikes."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, draft: FaultDraft, now: float) -> None:
        """Add a fault; raises Refusal for one that can never strike, and for too many."""
        self._ordered = [fault for fault in self._ordered if not fault.is_over(now)]
        if draft.kind in OF_PUSHES and draft.operation not in (None, Operation.PUSH):
            raise invalid("operation", f"{draft.kind} befalls pushes alone")
        if len(self._ordered) >= limits.FAULTS_MAX:
            raise Refusal(409, "full", f"at most {limits.FAULTS_MAX} faults at a time")
        self._ordered.append(Fault(draft, now))

    def clear(self) -> None:
        self._ordered.clear()

    def strike(
        self, shop: str, operation: Operation, random: Random, now: float
    ) -> FaultDraft | None:
        """Return the fault that this call has, if any; `random` is drawn for true shares only."""
        for fault in self._ordered:
            if fault.is_over(now) or not fault.concerns(shop, operation):
                continue
            share = fault.draft.share
            if share < limits.BASIS_POINTS and random.randrange(limits.BASIS_POINTS) >= share:
                continue
            fault.calls += 1
            return fault.draft
        return None

    def state(self, now: float) -> list[dict[str, Any]]:
        return [
            {"fault": fault.draft, "calls": fault.calls}
            for fault in self._ordered
            if not fault.is_over(now)
        ]
