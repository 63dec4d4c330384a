"""Commands on what nodes do for orders: release, pick, pack, ship, deliver, intercept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from backend.fulfilment.bulk import Done
from backend.fulfilment.intercepts import answer_intercept, ask_intercept
from backend.fulfilment.model import Answered, Packing, ParcelDraft, ParcelLine
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import (
    PickListDraft,
    create_pick_list,
    pick_fulfilments,
    scan_pick,
)
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_fulfilments, release_wave
from backend.orders.model import OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import id_of, number_of
from graphql_schema.parcels import fulfilment_id, fulfilment_key
from graphql_schema.scalars import BigInt


@strawberry.type(description="What became of one fulfilment: done where there is no code.")
class FulfilmentAnswer:
    fulfilment_id: strawberry.ID
    is_done: bool
    code: str | None
    message: str | None


def answer_from(answer: Answered) -> FulfilmentAnswer:
    return FulfilmentAnswer(
        fulfilment_id=fulfilment_id(answer.key),
        is_done=answer.is_done,
        code=answer.code or None,
        message=answer.message or None,
    )


@strawberry.input(
    description="What a wave releases; fulfilments by name, or what is ready: of a node or of all, "
    "of orders that were placed before a time."
)
class WaveReleaseInput:
    idempotency_key: str
    fulfilment_ids: list[strawberry.ID] | None = None
    location_id: strawberry.ID | None = None
    placed_before: datetime | None = None
    with_waiting: bool = strawberry.field(
        default=False, description="Also what is there of orders of which units wait for stock."
    )
    limit: int = strawberry.field(default=10_000, description="At most so many, 10,000 or fewer.")


@strawberry.type(description="The nodes may begin.")
class WaveReleased:
    wave_id: strawberry.ID
    fulfilments: int
    refused: list[FulfilmentAnswer] = strawberry.field(description="At most 100 of them.")


WaveReleasePayload = Annotated[
    WaveReleased | InputRefused | PermissionDenied, strawberry.union("WaveReleasePayload")
]


@strawberry.input(description="Fulfilments by name, or the oldest that a node was released.")
class PickListCreateInput:
    idempotency_key: str
    location_id: strawberry.ID
    fulfilment_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    first: int = strawberry.field(default=20, description="So many of the oldest; at most 200.")
    is_batch: bool = True
    picker: str = ""


@strawberry.type
class PickListCreated:
    pick_list_id: strawberry.ID
    fulfilments: int


PickListCreatePayload = Annotated[
    PickListCreated | InputRefused | PermissionDenied, strawberry.union("PickListCreatePayload")
]


@strawberry.input
class PickScanInput:
    idempotency_key: str
    fulfilment_id: strawberry.ID
    sku: str
    quantity: int = 1


@strawberry.type
class PickScanned:
    units_left: int = strawberry.field(description="To pick for this order; 0: it is picked.")


PickScanPayload = Annotated[
    PickScanned | InputRefused | PermissionDenied, strawberry.union("PickScanPayload")
]


@strawberry.input(description="At most 500 fulfilments; each is answered by itself.")
class FulfilmentsInput:
    idempotency_key: str
    fulfilment_ids: list[strawberry.ID]


@strawberry.input
class ParcelLineInput:
    line_no: int
    quantity: int


@strawberry.input
class ParcelInput:
    lines: list[ParcelLineInput]
    weight_g: BigInt | None = strawberry.field(
        default=None, description="Left out: that of its goods."
    )


@strawberry.input
class PackingInput:
    fulfilment_id: strawberry.ID
    carrier: str
    parcels: list[ParcelInput] = strawberry.field(
        default_factory=list, description="Left out: one parcel with all of it."
    )


@strawberry.input(description="At most 500 fulfilments; each is answered by itself.")
class FulfilmentsPackInput:
    idempotency_key: str
    fulfilments: list[PackingInput]


@strawberry.type(description="An answer a fulfilment, in the order given.")
class FulfilmentsAnswered:
    results: list[FulfilmentAnswer]


FulfilmentsPayload = Annotated[
    FulfilmentsAnswered | InputRefused | PermissionDenied, strawberry.union("FulfilmentsPayload")
]


@strawberry.input
class FulfilmentInterceptInput:
    idempotency_key: str
    fulfilment_id: strawberry.ID
    reason: str


@strawberry.type(description="The node is asked; until it answers, the parcels stay.")
class FulfilmentInterceptAsked:
    intercept_no: int


FulfilmentInterceptPayload = Annotated[
    FulfilmentInterceptAsked | InputRefused | PermissionDenied,
    strawberry.union("FulfilmentInterceptPayload"),
]


@strawberry.input
class FulfilmentInterceptAnswerInput:
    idempotency_key: str
    fulfilment_id: strawberry.ID
    stops: bool = strawberry.field(description="Whether it is stopped; else it goes on.")
    answer: str = ""


@strawberry.type
class FulfilmentInterceptAnswered:
    status: OrderStatus
    units: int = strawberry.field(description="Units that were stopped, and cancelled.")


FulfilmentInterceptAnswerPayload = Annotated[
    FulfilmentInterceptAnswered | InputRefused | PermissionDenied,
    strawberry.union("FulfilmentInterceptAnswerPayload"),
]


@strawberry.type
class FulfilmentMutation:
    @strawberry.mutation(description="Let nodes begin with what is ready for them, in a wave.")
    async def wave_release(self, info: YipanInfo, input: WaveReleaseInput) -> WaveReleasePayload:
        services, principal = info.context.services, info.context.principal
        if input.fulfilment_ids is not None:
            keys = [fulfilment_key(one) for one in input.fulfilment_ids]
            wave = await release_fulfilments(
                services.database, principal, keys, input.idempotency_key
            )
        else:
            node_id = None
            if input.location_id is not None:
                node_id = number_of("Location", input.location_id)
            wave = await release_wave(
                services.database,
                principal,
                WaveDraft(node_id, input.placed_before, input.with_waiting, input.limit),
                await info.context.local_time(),
                input.idempotency_key,
            )
        return WaveReleased(
            wave_id=strawberry.ID(id_of("Wave", wave.id)),
            fulfilments=wave.fulfilments,
            refused=[answer_from(answer) for answer in wave.refused],
        )

    @strawberry.mutation(description="Make a list of what is to be fetched in one round.")
    async def pick_list_create(
        self, info: YipanInfo, input: PickListCreateInput
    ) -> PickListCreatePayload:
        made = await create_pick_list(
            info.context.services.database,
            info.context.principal,
            PickListDraft(
                node_id=number_of("Location", input.location_id),
                keys=tuple(fulfilment_key(one) for one in input.fulfilment_ids),
                first=input.first,
                is_batch=input.is_batch,
                picker=input.picker,
            ),
            input.idempotency_key,
        )
        list_id = strawberry.ID(id_of("PickList", made.id))
        return PickListCreated(pick_list_id=list_id, fulfilments=made.fulfilments)

    @strawberry.mutation(description="Note that units were fetched; the last one ends picking.")
    async def pick_scan(self, info: YipanInfo, input: PickScanInput) -> PickScanPayload:
        scanned = await scan_pick(
            info.context.services.database,
            info.context.principal,
            fulfilment_key(input.fulfilment_id),
            input.sku,
            input.quantity,
            input.idempotency_key,
        )
        return PickScanned(units_left=scanned.units_left)

    @strawberry.mutation(description="Note that all of fulfilments is fetched, without scanning.")
    async def fulfilments_pick(
        self, info: YipanInfo, input: FulfilmentsInput
    ) -> FulfilmentsPayload:
        done = await pick_fulfilments(
            info.context.services.database,
            info.context.principal,
            _keys(input.fulfilment_ids),
            input.idempotency_key,
        )
        return await _answer(info, done)

    @strawberry.mutation(description="Note the parcels that fulfilments are packed in.")
    async def fulfilments_pack(
        self, info: YipanInfo, input: FulfilmentsPackInput
    ) -> FulfilmentsPayload:
        done = await pack_fulfilments(
            info.context.services.database,
            info.context.principal,
            [_packing(one) for one in input.fulfilments],
            input.idempotency_key,
        )
        return await _answer(info, done)

    @strawberry.mutation(
        description="Note that parcels were handed over (出库): their units leave the stock."
    )
    async def fulfilments_ship(
        self, info: YipanInfo, input: FulfilmentsInput
    ) -> FulfilmentsPayload:
        done = await ship_fulfilments(
            info.context.services.database,
            info.context.principal,
            _keys(input.fulfilment_ids),
            input.idempotency_key,
        )
        return await _answer(info, done)

    @strawberry.mutation(description="Note that fulfilments have arrived, where no carrier says.")
    async def fulfilments_deliver(
        self, info: YipanInfo, input: FulfilmentsInput
    ) -> FulfilmentsPayload:
        done = await deliver_fulfilments(
            info.context.services.database,
            info.context.principal,
            _keys(input.fulfilment_ids),
            input.idempotency_key,
        )
        return await _answer(info, done)

    @strawberry.mutation(description="Ask a node to stop what it has begun with (拦截).")
    async def fulfilment_intercept(
        self, info: YipanInfo, input: FulfilmentInterceptInput
    ) -> FulfilmentInterceptPayload:
        number = await ask_intercept(
            info.context.services.database,
            info.context.principal,
            fulfilment_key(input.fulfilment_id),
            input.reason,
            input.idempotency_key,
        )
        return FulfilmentInterceptAsked(intercept_no=number)

    @strawberry.mutation(description="Answer that it is stopped, or that it is too late.")
    async def fulfilment_intercept_answer(
        self, info: YipanInfo, input: FulfilmentInterceptAnswerInput
    ) -> FulfilmentInterceptAnswerPayload:
        services, principal = info.context.services, info.context.principal
        stopped = await answer_intercept(
            services.database,
            principal,
            fulfilment_key(input.fulfilment_id),
            stops=input.stops,
            answer=input.answer,
            command_key=input.idempotency_key,
        )
        await services.publish_counters(principal.tenant_id, stopped.counters)
        return FulfilmentInterceptAnswered(status=stopped.status, units=stopped.units)


def _keys(ids: Sequence[strawberry.ID]) -> list[FulfilmentKey]:
    return [fulfilment_key(one) for one in ids]


def _packing(packing: PackingInput) -> Packing:
    parcels = tuple(
        ParcelDraft(
            tuple(ParcelLine(line.line_no, line.quantity) for line in parcel.lines),
            parcel.weight_g,
        )
        for parcel in packing.parcels
    )
    return Packing(fulfilment_key(packing.fulfilment_id), packing.carrier, parcels)


async def _answer(info: YipanInfo, done: Done) -> FulfilmentsAnswered:
    """Tell everybody of the counters that changed, and answer for each fulfilment."""
    counters = done.counters
    if counters.has_any:
        tenant_id = info.context.principal.tenant_id
        await info.context.services.publish_counters(tenant_id, counters)
    return FulfilmentsAnswered(results=[answer_from(one) for one in done.answers])
