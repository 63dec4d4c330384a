"""Versions of documents, as the API shows them."""

from datetime import datetime
from typing import Any

import msgspec
import strawberry
from strawberry import relay
from strawberry.scalars import JSON

from backend.db.versions import Version, VersionStatus

NEWEST = 2**31 - 1
"""Below this version there is everything."""

strawberry.enum(VersionStatus, name="VersionStatus", description="Draft, active or archived.")


@strawberry.type
class VersionNode(relay.Node):
    """What every kind of document has; kinds inherit it."""

    number: relay.NodeID[int]
    version: int
    based_on: int = strawberry.field(description="The version that was active then; 0 for none.")
    status: VersionStatus
    document: JSON = strawberry.field(description="As it was proposed.")
    comment: str
    proposed_by: str
    proposed_at: datetime
    activated_by: str | None
    activated_at: datetime | None


def fields_of(found: Version[Any]) -> dict[str, Any]:
    """Return the fields of a version."""
    return {
        "number": found.version,
        "version": found.version,
        "based_on": found.based_on,
        "status": found.status,
        "document": JSON(msgspec.to_builtins(found.document)),
        "comment": found.comment,
        "proposed_by": found.proposed_by,
        "proposed_at": found.proposed_at,
        "activated_by": found.activated_by,
        "activated_at": found.activated_at,
    }
