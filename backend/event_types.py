"""Every event there is, with the payload it carries; a centre with events of its own joins here."""

import msgspec

from backend.after_sales import events as after_sales
from backend.dropship import events as dropship
from backend.events.model import Payload
from backend.fulfilment import events as fulfilment
from backend.orders import events as orders
from backend.pickups import events as pickups
from backend.replenishment import events as replenishment

PAYLOADS: dict[str, type[Payload]] = {
    payload.TYPE: payload
    for centre in (orders, fulfilment, pickups, after_sales, replenishment, dropship)
    for payload in centre.PAYLOADS
}


def payload_schema(payload: type[Payload]) -> bytes:
    """Return the JSON Schema (2020-12) of a payload, as it is checked in (docs/reference/events).

    It only ever grows by optional fields: whoever reads today's events reads those of tomorrow.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:yipan:event:{payload.TYPE}",
        **msgspec.json.schema(payload),
    }
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"
