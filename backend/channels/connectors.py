"""Which connectors there are: a new one is a module, and its line in CHANNELS."""

from collections.abc import Callable
from typing import NamedTuple

import httpx2

from backend.channels.errors import ChannelRefused
from backend.channels.http_platform import HttpChannelStock
from backend.channels.platform import ChannelStock


class Access(NamedTuple):
    """How a shop's channel is reached. The token is a secret, and is not shown."""

    base_url: str
    shop: str
    token: str

    def __repr__(self) -> str:
        return f"Access({self.base_url!r}, {self.shop!r})"


Factory = Callable[[Access, httpx2.AsyncClient], ChannelStock]


def _simulated(access: Access, http: httpx2.AsyncClient) -> ChannelStock:
    return HttpChannelStock(access.base_url, access.shop, access.token, http)


CHANNELS: dict[str, Factory] = {"simulated": _simulated}
"""Kind of channel → what connects a shop on it."""


def connect(kind: str, access: Access, http: httpx2.AsyncClient) -> ChannelStock:
    """Return the connection of a shop, without a call; raises ChannelRefused for no such kind."""
    if kind not in CHANNELS:
        known = ", ".join(sorted(CHANNELS))
        raise ChannelRefused(f"There is no connector {kind!r}; there are: {known}.")
    return CHANNELS[kind](access, http)
