"""Times at which waves are released by themselves."""

from typing import Annotated

import strawberry

from backend.fulfilment import wave_times as cases
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.paging import number_of
from tenants.principal import Permission


@strawberry.type(description="A time of the day at which what is ready is released (波次时刻).")
class WaveTime:
    node_id: strawberry.Private[int | None]
    minute: int = strawberry.field(description="Since midnight where the brand is.")
    with_waiting: bool

    @strawberry.field(description="Of which location; null: of all.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)


@strawberry.input
class WaveTimeInput:
    minute: int
    location_id: strawberry.ID | None = None
    with_waiting: bool = strawberry.field(
        default=False,
        description="Also what is there of orders of which other units wait for stock.",
    )


@strawberry.input
class WaveTimesSetInput:
    idempotency_key: str
    times: list[WaveTimeInput]


@strawberry.type
class WaveTimesSaved:
    times: list[WaveTime]


WaveTimesSetPayload = Annotated[
    WaveTimesSaved | InputRefused | PermissionDenied, strawberry.union("WaveTimesSetPayload")
]


def wave_time_from(one: cases.WaveTime) -> WaveTime:
    return WaveTime(node_id=one.node_id, minute=one.minute, with_waiting=one.with_waiting)


@strawberry.type
class WaveTimesQuery:
    @strawberry.field(description="When waves are released by themselves.")
    async def wave_times(self, info: YipanInfo) -> list[WaveTime]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [wave_time_from(one) for one in await cases.list_wave_times(tx)]


@strawberry.type
class WaveTimesMutation:
    @strawberry.mutation(
        description="Replace all times: at each what was placed before it, and is ready, is "
        "released. A time that is over for today is one from tomorrow on."
    )
    async def wave_times_set(
        self, info: YipanInfo, input: WaveTimesSetInput
    ) -> WaveTimesSetPayload:
        times = [
            cases.WaveTime(
                one.minute,
                None if one.location_id is None else number_of("Location", one.location_id),
                one.with_waiting,
            )
            for one in input.times
        ]
        local = await info.context.local_time()
        async with info.context.writing() as tx:
            saved = await cases.set_wave_times(tx, times, local, input.idempotency_key)
        return WaveTimesSaved(times=[wave_time_from(one) for one in saved])
