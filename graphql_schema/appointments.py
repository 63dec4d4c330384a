"""Agreeing with orders on a time."""

from datetime import date
from typing import Annotated

import strawberry

from backend.inventory.counters import Counters
from backend.orders.model import Appointment, OrderStatus
from backend.orders.set_appointment import appointment_times, set_appointment
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import number_of


@strawberry.input(description="A day, and minutes since its midnight where the brand is.")
class AppointmentInput:
    day: date
    from_minute: int
    to_minute: int


@strawberry.input
class OrderAppointmentSetInput:
    idempotency_key: str
    order_id: strawberry.ID
    appointment: AppointmentInput


@strawberry.type(description="Its deliveries and its installation are booked.")
class OrderAppointmentSet:
    number: strawberry.Private[int]
    status: OrderStatus

    @strawberry.field
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


OrderAppointmentSetPayload = Annotated[
    OrderAppointmentSet | InputRefused | PermissionDenied,
    strawberry.union("OrderAppointmentSetPayload"),
]


@strawberry.type(description="A time that can be agreed, in minutes since the day's midnight.")
class AppointmentTime:
    day: date
    from_minute: int
    to_minute: int


@strawberry.type
class AppointmentsQuery:
    @strawberry.field(
        description="When an order can be delivered by its nodes, and installed where it needs "
        "that, the earliest first; its own visits count as free."
    )
    async def order_appointment_times(
        self, info: YipanInfo, order: strawberry.ID
    ) -> list[AppointmentTime]:
        context = info.context
        windows = await appointment_times(
            context.services.database,
            context.principal,
            number_of("Order", order),
            (await context.book()).planner,
        )
        return [AppointmentTime(day=day, from_minute=a, to_minute=b) for day, a, b in windows]


@strawberry.type
class AppointmentsMutation:
    @strawberry.mutation(
        description="Agree with an order on a time to deliver and to install it (送装一体), or on "
        "another one: all visits that it takes are booked, or nothing changes."
    )
    async def order_appointment_set(
        self, info: YipanInfo, input: OrderAppointmentSetInput
    ) -> OrderAppointmentSetPayload:
        context, agreed = info.context, input.appointment
        number = number_of("Order", input.order_id)
        status = await set_appointment(
            context.services.database,
            context.principal,
            number,
            Appointment(agreed.day, agreed.from_minute, agreed.to_minute),
            (await context.book()).planner,
            input.idempotency_key,
        )
        await context.services.publish_counters(context.principal.tenant_id, Counters())
        return OrderAppointmentSet(number=number, status=status)
