"""Carriers: how they are reached, and what they told of parcels that nobody knows."""

from datetime import datetime
from typing import Annotated

import strawberry

from backend.fulfilment.carriers.accounts import carrier_accounts, set_carrier_account
from backend.fulfilment.carriers.change_carrier import change_carrier
from backend.fulfilment.carriers.voids import answer_void
from backend.fulfilment.find import open_voids, unknown_tracking
from backend.fulfilment.model import VoidStatus
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import number_of
from tenants.principal import Permission


@strawberry.type(description="How a carrier is reached; its secret is never shown.")
class CarrierAccount:
    code: str
    name: str
    url: str = strawberry.field(description="Where waybills are asked for; empty: it gives none.")
    is_active: bool


strawberry.enum(VoidStatus, name="VoidStatus", description="Where a waybill nobody uses stands.")


@strawberry.type(description="A waybill that nobody uses, and that is not void yet (运单作废).")
class WaybillVoid:
    carrier: str
    waybill: str
    status: VoidStatus
    said: str
    due_at: datetime


@strawberry.type(description="What a carrier told of a waybill that is none of ours.")
class UnknownTracking:
    carrier: str
    waybill: str
    kind: str
    happened_at: datetime
    received_at: datetime
    place: str
    text: str


@strawberry.input(
    description="What it tells goes to POST /carriers/TENANT/CODE/events, signed with the secret."
)
class CarrierAccountSetInput:
    idempotency_key: str
    code: str
    name: str
    url: str = ""
    secret: str | None = strawberry.field(
        default=None, description="16 ASCII characters or more; left out: the one that it has."
    )
    is_active: bool = True


@strawberry.type
class CarrierAccountSaved:
    code: str
    events_path: str = strawberry.field(description="Where the carrier sends what it tells.")


CarrierAccountSetPayload = Annotated[
    CarrierAccountSaved | InputRefused | PermissionDenied,
    strawberry.union("CarrierAccountSetPayload"),
]


@strawberry.input
class ParcelCarrierSetInput:
    idempotency_key: str
    parcel_id: strawberry.ID
    carrier: str = strawberry.field(description="Another one, or the same to ask it anew.")


@strawberry.type
class ParcelCarrierSaved:
    parcel_id: strawberry.ID


ParcelCarrierSetPayload = Annotated[
    ParcelCarrierSaved | InputRefused | PermissionDenied,
    strawberry.union("ParcelCarrierSetPayload"),
]


@strawberry.input
class WaybillVoidAnswerInput:
    idempotency_key: str
    carrier: str
    waybill: str
    tells_again: bool = strawberry.field(
        description="Its carrier is told once more; otherwise it is settled."
    )
    note: str = strawberry.field(description="What was agreed with the carrier.")


@strawberry.type
class WaybillVoidAnswered:
    status: VoidStatus


WaybillVoidAnswerPayload = Annotated[
    WaybillVoidAnswered | InputRefused | PermissionDenied,
    strawberry.union("WaybillVoidAnswerPayload"),
]


@strawberry.type
class CarriersQuery:
    @strawberry.field(description="The carriers of the brand.")
    async def carrier_accounts(self, info: YipanInfo) -> list[CarrierAccount]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [CarrierAccount(**row) for row in await carrier_accounts(tx)]

    @strawberry.field(
        description="The last 100 things that carriers told of waybills that nobody knows."
    )
    async def unknown_tracking(self, info: YipanInfo) -> list[UnknownTracking]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [UnknownTracking(**row) for row in await unknown_tracking(tx)]

    @strawberry.field(
        description="The last 100 waybills that nobody uses and that carriers have not voided."
    )
    async def waybill_voids(self, info: YipanInfo) -> list[WaybillVoid]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [
                WaybillVoid(**{**row, "status": VoidStatus(row["status"])})
                for row in await open_voids(tx)
            ]


@strawberry.type
class CarriersMutation:
    @strawberry.mutation(description="Say how a carrier is reached, or that it gives no waybills.")
    async def carrier_account_set(
        self, info: YipanInfo, input: CarrierAccountSetInput
    ) -> CarrierAccountSetPayload:
        async with info.context.writing() as tx:
            code = await set_carrier_account(
                tx,
                input.code,
                input.name,
                input.url,
                input.secret,
                is_active=input.is_active,
                key=input.idempotency_key,
            )
        tenant_id = info.context.principal.tenant_id
        return CarrierAccountSaved(code=code, events_path=f"/carriers/{tenant_id}/{code}/events")

    @strawberry.mutation(description="Let another carrier take a parcel, or ask the same anew.")
    async def parcel_carrier_set(
        self, info: YipanInfo, input: ParcelCarrierSetInput
    ) -> ParcelCarrierSetPayload:
        await change_carrier(
            info.context.services.database,
            info.context.principal,
            number_of("Parcel", input.parcel_id),
            input.carrier,
            input.idempotency_key,
        )
        return ParcelCarrierSaved(parcel_id=input.parcel_id)

    @strawberry.mutation(
        description="Say what becomes of a waybill that its carrier has not voided."
    )
    async def waybill_void_answer(
        self, info: YipanInfo, input: WaybillVoidAnswerInput
    ) -> WaybillVoidAnswerPayload:
        async with info.context.writing() as tx:
            status = await answer_void(
                tx,
                (input.carrier, input.waybill),
                tells_again=input.tells_again,
                note=input.note,
                key=input.idempotency_key,
            )
        return WaybillVoidAnswered(status=status)
