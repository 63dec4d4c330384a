"""Watching every commit: whether a counter ever goes beyond its limit, and what was free when."""

import asyncio
from collections import defaultdict
from typing import NamedTuple

from loadtests.torture.database_server import Place
from loadtests.torture.machine import Rows
from loadtests.torture.rows import Fields
from loadtests.torture.stock_statements import free

MEMORY_SECONDS = 0.25
"""A refusal may repeat what was true so long ago."""


WATCHED = {"stock_level": "", "node_capacity": "limit_parcels", "slot": "limit_visits"}
"""Tables of counters; with the name of the limit, where that is stored beside what is taken."""


class Moment(NamedTuple):
    """What could be sold of each SKU from a moment on."""

    at: float
    sellable: dict[int, int]


class Observer:
    """Sees what each transaction changed."""

    def __init__(self, server: Rows) -> None:
        self.findings: list[str] = []
        self.moments: list[Moment] = []
        self._server = server
        self._seen: dict[Place, Fields] = {}
        self._created: defaultdict[int, list[float]] = defaultdict(list)
        """When levels of a SKU were created."""
        server.on_commit.append(self._look)

    def begin(self) -> None:
        """Take what is stored as the beginning."""
        for table in WATCHED:
            stored = self._server.tables.get(table, {})
            self._seen |= {(table, key): fields for key, fields in stored.items()}
        self.note(0.0)

    def note(self, at: float) -> None:
        """Remember what can be sold at this moment."""
        self.moments.append(Moment(at, self._sellable()))

    def could_be_sold(self, sku_id: int, since: float, until: float) -> bool:
        """Whether there was a unit of a SKU all the time, as far back as a refusal may look.

        A level that did not exist yet cannot be locked: who refuses while one is being created
        comes before it.
        """
        begin = since - MEMORY_SECONDS
        if any(begin < at <= until for at in self._created.get(sku_id, ())):
            return False
        before = [moment for moment in self.moments if moment.at <= begin][-1:] or self.moments[:1]
        during = [moment for moment in self.moments if begin < moment.at <= until]
        return all(moment.sellable.get(sku_id, 0) > 0 for moment in (*before, *during))

    def _look(self, written: dict[Place, Fields | None]) -> None:
        for place, fields in written.items():
            if fields is None or place[0] not in WATCHED:
                continue
            before = self._seen.get(place)
            self._seen[place] = fields
            if place[0] == "stock_level":
                self._look_at_level(place, before, fields)
            elif fields["taken"] > max(before["taken"] if before else 0, fields[WATCHED[place[0]]]):
                self.findings.append(f"{place} takes more than it may: {fields}")
        self.note(asyncio.get_running_loop().time())

    def _look_at_level(self, place: Place, before: Fields | None, after: Fields) -> None:
        if before is None:
            self._created[after["sku_id"]].append(asyncio.get_running_loop().time())
        reserved = before["reserved"] if before else 0
        if after["reserved"] > reserved and free(after) < 0:
            self.findings.append(f"{place} is oversold: {after}")
        if before is not None and after["version"] <= before["version"]:
            self.findings.append(f"{place} goes back from version {before['version']}")

    def _sellable(self) -> dict[int, int]:
        tables = self._server.tables
        open_nodes = set()
        for node in tables["node"].values():
            left = [
                capacity["limit_parcels"] - capacity["taken"]
                for capacity in tables["node_capacity"].values()
                if capacity["node_id"] == node["id"]
            ]
            limit = left[0] if left else node["daily_capacity"]
            if node["is_active"] and (limit is None or limit > 0):
                open_nodes.add(node["id"])
        sellable: dict[int, int] = {}
        for level in tables["stock_level"].values():
            if level["node_id"] in open_nodes:
                units = max(0, free(level))
                sellable[level["sku_id"]] = sellable.get(level["sku_id"], 0) + units
        return sellable
