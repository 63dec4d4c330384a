"""Events as they are read and followed."""

from collections.abc import AsyncGenerator
from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from backend.events.log import cursor_of, position_of
from backend.events.model import Event
from graphql_schema.context import YipanInfo
from graphql_schema.paging import id_of
from tenants.principal import Kind, Permission


@strawberry.type(description="Something that happened.")
class OrderEvent:
    id: strawberry.ID = strawberry.field(description="The same for every delivery of the event.")
    cursor: str = strawberry.field(description="Give it as `after` to go on behind this event.")
    type: str
    order_id: strawberry.ID | None
    sequence: int = strawberry.field(description="Rises by one within an order.")
    recorded_at: datetime
    payload: JSON
    done_by: strawberry.Private[str | None]

    @strawberry.field(description="Who did it: user:7, key:3, or a process; for the brand alone.")
    def actor(self, info: YipanInfo) -> str | None:
        sees = info.context.principal.kind in (Kind.BRAND, Kind.GROUP)
        return self.done_by if sees else None


def order_event_from(event: Event) -> OrderEvent:
    return OrderEvent(
        id=strawberry.ID(event.event_id),
        cursor=cursor_of(event.position),
        type=event.type,
        order_id=strawberry.ID(id_of("Order", event.order_id)) if event.order_id else None,
        sequence=event.sequence,
        recorded_at=event.recorded_at,
        payload=JSON(event.payload),
        done_by=event.actor,
    )


@strawberry.type
class EventsSubscription:
    @strawberry.subscription(
        description="Events of orders that you may see, in order per order, from now on or `after`."
    )
    async def order_events(
        self, info: YipanInfo, after: str | None = None
    ) -> AsyncGenerator[OrderEvent, None]:
        principal = info.context.principal
        principal.require(Permission.ORDERS_READ)
        position = None if after is None else position_of(after)
        async for event in info.context.services.events.follow(principal, position):
            if event.order_id is not None:
                yield order_event_from(event)
