"""Valkey, with the admission functions as their twin in Python: see `functions.lua`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError, ResponseError

from backend.admission.valkey import pack, unpack

Keys = Sequence[str]
ADMITTED, COLD_EPOCH, UNKNOWN_COUNTER = 0, 2, 3


class ValkeyServer:
    """One server's memory; a life ends with its run id."""

    def __init__(self) -> None:
        self.is_up = True
        self.paused_until = 0.0
        self.lives = 0
        self.subscribers: dict[asyncio.Queue[dict[str, Any] | Exception], None] = {}
        self._past: list[tuple[dict[str, Any], dict[str, float]]] = []
        self.begin_life()

    # ------------------------------------------------------------- lives and accidents

    def begin_life(self) -> None:
        """Start with nothing, as another server."""
        self.lives += 1
        self.run_id, self.replication_id = f"run-{self.lives}", f"replication-{self.lives}"
        self.values: dict[str, Any] = {}
        self.expires: dict[str, float] = {}
        self.has_functions = False
        self._lose_connections()

    def flush(self) -> None:
        self.values, self.expires = {}, {}

    def keep_replica(self) -> None:
        """A replica has got this far."""
        values = {name: _copy(value) for name, value in self.values.items()}
        self._past.append((values, dict(self.expires)))

    def fail_over(self) -> None:
        """A replica takes over that has not heard of the latest."""
        behind = self._past[-1] if self._past else ({}, {})
        self.lives += 1
        self.run_id, self.replication_id = f"run-{self.lives}", f"replication-{self.lives}"
        self.values, self.expires = behind
        self._lose_connections()

    def _lose_connections(self) -> None:
        for queue in self.subscribers:
            queue.put_nowait(ConnectionError("the server has gone"))
        self.subscribers = {}

    def kill(self) -> None:
        self.is_up = False
        self._lose_connections()

    def start(self) -> None:
        self.begin_life()
        self.is_up = True

    # ------------------------------------------------------------- plain commands

    def command(self, name: str, *arguments: Any) -> Any:
        self._expire()
        return getattr(self, f"_{name.lower()}")(*arguments)

    def _info(self, section: str) -> dict[str, str]:
        return {"run_id": self.run_id, "master_replid": self.replication_id}

    def _function(self, *arguments: Any) -> bytes:
        self.has_functions = True
        return b"OK"

    def _get(self, name: str) -> bytes | None:
        value = self.values.get(name)
        return None if value is None else str(value).encode()

    def _set(self, name: str, value: Any, *options: Any) -> bytes | None:
        assert options[:1] in ((), ("NX",)), "the only way in which keys are set"
        if name in self.values and options:
            return None
        self.values[name] = value
        if options:
            self.expires[name] = _now() + options[2] / 1000
        return b"OK"

    def _del(self, *names: str) -> int:
        for name in names:
            self.values.pop(name, None)
            self.expires.pop(name, None)
        return len(names)

    _unlink = _del

    def _zcard(self, name: str) -> int:
        return len(self.values.get(name, {}))

    def _publish(self, channel: str, data: bytes | str) -> int:
        content = data.encode() if isinstance(data, str) else data
        message = {"type": "pmessage", "channel": channel.encode(), "data": content}
        for queue in self.subscribers:
            queue.put_nowait(message)
        return len(self.subscribers)

    def _expire(self) -> None:
        for name in [name for name, at in self.expires.items() if at <= _now()]:
            self._del(name)

    # ------------------------------------------------------------- functions

    def call(self, function: str, keys: Keys, arguments: Sequence[Any]) -> Any:
        self._expire()
        name = function.rpartition("_")[0].removeprefix("yipan_")
        if not self.has_functions:
            raise ResponseError("Function not found")
        functions: dict[str, Callable[..., Any]] = {
            "admit": self._admit,
            "finish": self._finish,
            "fill": self._fill,
            "warm": self._warm,
            "stale": self._stale,
            "look": self._look,
        }
        return functions[name](keys, *arguments)

    def _hash(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.values.setdefault(name, {})
        return found

    def _admit(self, keys: Keys, epoch: int, request: bytes) -> bytes:
        names, orders = unpack(request)
        if str(self.values.get(keys[0])) != str(epoch):
            return pack([COLD_EPOCH] * len(orders))
        base, pending = self._hash(keys[1]), self._hash(keys[3])
        answers: list[Any] = []
        for token, *flat in orders:
            takes = [(names[flat[at] - 1], flat[at + 1]) for at in range(0, len(flat), 2)]
            numbers = flat[::2]
            taken: list[tuple[str, int]] = []
            answer: Any = ADMITTED
            for number, (name, quantity) in zip(numbers, takes, strict=True):
                if name not in base:
                    answer = UNKNOWN_COUNTER
                    break
                left = base[name] - pending.get(name, 0)
                if left < quantity:
                    answer = [number, max(left, 0), pending.get(name, 0)]
                    break
                pending[name] = pending.get(name, 0) + quantity
                taken.append((name, quantity))
            if answer == ADMITTED:
                self._hash(keys[4])[token] = takes
                self._hash(keys[5])[token] = _now()
            else:
                for name, quantity in taken:
                    _lower(pending, name, quantity)
            answers.append(answer)
        return pack(answers)

    def _drop(self, keys: Keys, tokens: Sequence[str]) -> None:
        for token in tokens:
            self._hash(keys[5]).pop(token, None)
            for name, quantity in self._hash(keys[4]).pop(token, ()):
                _lower(self._hash(keys[3]), name, quantity)

    def _set_newer(self, keys: Keys, bases: Sequence[Sequence[Any]]) -> list[list[Any]]:
        base, version, news = self._hash(keys[1]), self._hash(keys[2]), []
        for name, free, at in zip(*bases, strict=True):
            if name not in version or version[name] < at:
                base[name], version[name] = free, at
                news.append([name, free, at])
        return news

    def _finish(self, keys: Keys, epoch: int, request: bytes, channel: str) -> bytes | None:
        tokens, *bases = unpack(request)
        self._drop(keys, tokens)
        current = self.values.get(keys[6]) or self.values.get(keys[0])
        news: list[list[Any]] = []
        if current is None:
            news = [list(each) for each in zip(*bases, strict=True)]
        elif str(current) == str(epoch):
            news = self._set_newer(keys, bases)
        if news and channel:
            self._publish(channel, pack(news))
        return None if current is None else str(current).encode()

    def _fill(self, keys: Keys, epoch: int, milliseconds: int, chunk: bytes) -> int:
        if str(self.values.get(keys[6])) != str(epoch):
            return 0
        self.expires[keys[6]] = _now() + milliseconds / 1000
        self._set_newer(keys, unpack(chunk))
        return 1

    def _warm(self, keys: Keys, epoch: int) -> int:
        if str(self.values.get(keys[6])) != str(epoch):
            return 0
        self.values[keys[0]] = epoch
        self._del(keys[6])
        return 1

    def _stale(self, keys: Keys, age_ms: int, limit: int) -> bytes:
        ages = sorted(self._hash(keys[5]).items(), key=lambda item: item[1])
        oldest = [token for token, at in ages if at <= _now() - age_ms / 1000][:limit]
        takes = self._hash(keys[4])
        return pack(
            [[token, *(part for take in takes.get(token, ()) for part in take)] for token in oldest]
        )

    def _look(self, keys: Keys, names: bytes) -> bytes:
        base, version, pending = (self._hash(keys[at]) for at in (1, 2, 3))
        return pack(
            [
                [base[name], version[name], pending.get(name, 0)] if name in base else False
                for name in unpack(names)
            ]
        )


def _lower(pending: dict[str, int], name: str, quantity: int) -> None:
    left = pending.get(name, 0) - quantity
    if left > 0:
        pending[name] = left
    else:
        pending.pop(name, None)


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _now() -> float:
    return asyncio.get_running_loop().time()
