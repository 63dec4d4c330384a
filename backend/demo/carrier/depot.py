"""What the carrier knows: its parcels, and what goes wrong."""

import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime
from random import Random
from typing import Any

WEIGHT_G_MAX = 30_000
"""What one person carries."""
PLACES = ("发件网点", "转运中心", "目的地网点")
HAS_IT = {"picked_up", "in_transit", "out_for_delivery", "delivered"}
STORY = ("picked_up", "in_transit", "out_for_delivery", "delivered")


class Refusal(Exception):
    """The carrier does not do that."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Depot:
    """The carrier's books. One seed decides what is told twice and what out of order."""

    def __init__(self, secret: str, seed: int) -> None:
        self.secret = secret
        self.callback = ""
        self.faults: list[str] = []
        """What the next calls come to: `error`, `garbage` or `lost` (done, and not answered)."""
        self._random = Random(seed)
        self._numbers = itertools.count(1)
        self._series = datetime.now(UTC).strftime("%m%d%H%M%S")
        """Its numbers begin anew with it, and are not given twice all the same."""
        self._events = itertools.count(1)
        self._by_reference: dict[str, dict[str, Any]] = {}
        self.parcels: dict[str, dict[str, Any]] = {}
        self._picked_up: set[str] = set()

    def forget(self) -> None:
        self._by_reference.clear()
        self.parcels.clear()
        self._picked_up.clear()
        self.faults.clear()

    def collect(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the waybill of what is to be fetched; the same reference gets the same."""
        if str(asked.get("untilAt")) <= datetime.now(UTC).isoformat():
            raise Refusal(422, "too_late", "Nobody can come then any more.")
        return self.book({**asked, "to": asked.get("sender")})

    def book(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the waybill of a parcel; the same reference gets the same."""
        reference, weight_g = asked.get("reference"), asked.get("weightG")
        if not isinstance(reference, str) or not reference or not isinstance(weight_g, int):
            raise Refusal(422, "invalid", "A parcel has a reference and a weight.")
        known = self._by_reference.get(reference)
        if known is not None:
            return known
        if weight_g > WEIGHT_G_MAX:
            raise Refusal(422, "too_heavy", f"At most {WEIGHT_G_MAX} g; this has {weight_g} g.")
        if not (asked.get("to") or {}).get("regionCode"):
            raise Refusal(422, "no_region", "Nobody knows where that is.")
        waybill = f"SIM{self._series}{next(self._numbers):06}"
        booked = {"waybill": waybill, "labelUrl": f"https://labels.invalid/{waybill}.pdf"}
        self._by_reference[reference] = booked
        self.parcels[waybill] = asked
        return booked

    def void(self, waybill: str) -> None:
        """Forget a parcel that was not picked up; its reference gets another waybill then."""
        if waybill not in self.parcels:
            raise Refusal(404, "unknown_waybill", f"There is no {waybill}.")
        if waybill in self._picked_up:
            raise Refusal(409, "picked_up", "It is on its way.")
        asked = self.parcels.pop(waybill)
        del self._by_reference[asked["reference"]]

    def story(self, waybills: list[str], kinds: list[str] | None) -> list[dict[str, Any]]:
        """Return what befalls parcels from now on, in the order in which it happens."""
        unknown = [one for one in waybills if one not in self.parcels]
        if unknown:
            raise Refusal(404, "unknown_waybill", f"There is no {unknown[0]}.")
        if not kinds or HAS_IT & set(kinds):
            self._picked_up.update(waybills)
        return [
            self.event(waybill, kind, number)
            for number, kind in enumerate(kinds or STORY)
            for waybill in waybills
        ]

    def event(self, waybill: str, kind: str, number: int = 0) -> dict[str, Any]:
        """Return an event of now, with an id of its own."""
        at = datetime.now(UTC).timestamp() + number
        return {
            "id": f"{self._series}-{next(self._events)}",
            "waybill": waybill,
            "kind": kind,
            "happenedAt": datetime.fromtimestamp(at, UTC).isoformat(),
            "place": PLACES[min(number, len(PLACES) - 1)],
            "text": kind.replace("_", " "),
        }

    def messages(
        self, events: list[dict[str, Any]], *, is_tidy: bool
    ) -> list[list[dict[str, Any]]]:
        """Return events as they are sent: tidy, or some twice and none in order."""
        if is_tidy:
            return [events]
        told = [*events, *self._random.choices(events, k=len(events))]
        self._random.shuffle(told)
        size = max(1, len(told) // 3)
        return [told[first : first + size] for first in range(0, len(told), size)]

    def signed(self, events: list[dict[str, Any]]) -> tuple[bytes, str]:
        """Return a message and its signature."""
        body = json.dumps(events, ensure_ascii=False).encode()
        return body, hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
