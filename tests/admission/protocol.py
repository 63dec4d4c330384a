"""The protocol of admission in a few lines, and the same steps against it and the real one."""

from typing import Any, NamedTuple

from backend.admission.model import ADMITTED, COLD, Base, Refused, Request


class Protocol:
    """What admission holds of a warm tenant."""

    def __init__(self) -> None:
        self.bases: dict[str, Base] = {}
        self.tokens: dict[str, Request] = {}

    def pending(self, counter: str) -> int:
        takes = (take for request in self.tokens.values() for take in request.takes)
        return sum(take.quantity for take in takes if take.counter == counter)

    def admit(self, requests: list[Request]) -> list[object]:
        return [self._admit(request) for request in requests]

    def _admit(self, request: Request) -> object:
        own: dict[str, int] = {}
        for counter, quantity in request.takes:
            if counter not in self.bases:
                return COLD
            pending = self.pending(counter) + own.get(counter, 0)
            left = self.bases[counter].free - pending
            if left < quantity:
                return Refused(counter, max(left, 0), pending)
            own[counter] = own.get(counter, 0) + quantity
        self.tokens[request.token] = request
        return ADMITTED

    def finish(self, tokens: list[str], bases: list[Base]) -> list[Base]:
        """Return what was newer."""
        for token in tokens:
            self.tokens.pop(token, None)
        news = []
        for base in bases:
            known = self.bases.get(base.counter)
            if known is None or known.version < base.version:
                self.bases[base.counter] = base
                news.append(base)
        return news

    def look(self, counters: list[str]) -> list[Any]:
        return [
            (self.bases[name].free, self.bases[name].version, self.pending(name))
            if name in self.bases
            else None
            for name in counters
        ]


class Admit(NamedTuple):
    """A batch asks; the tokens are numbered as they come."""

    batches: list[list[tuple[str, int]]]


class Finish(NamedTuple):
    """Tokens, by their number, are dropped, and bases set."""

    numbers: list[int]
    bases: list[Base]


class Reap(NamedTuple):
    """Everything that is pending is given up, after the counters have become these."""

    bases: list[Base]


Step = Admit | Finish | Reap
