"""Deposits (定金): orders that are paid in part, and go when the rest is paid."""

from datetime import datetime
from typing import Annotated

import strawberry

from backend.db.pool import Record
from backend.orders.deposits.deposits import pay_rest
from backend.orders.model import DepositStatus
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import number_of
from graphql_schema.scalars import BigInt

strawberry.enum(DepositStatus, name="DepositStatus", description="Where paying in two stands.")


@strawberry.type(description="What was paid of an order ahead (定金).")
class OrderDeposit:
    amount_minor: BigInt
    pay_by: datetime
    is_kept: bool = strawberry.field(description="Where the rest is not paid; else it is owed.")
    status: DepositStatus
    due_minor: BigInt = strawberry.field(description="To be paid, as the order costs now.")
    reference: str = strawberry.field(description="What the payment of the rest is called.")


def deposit_from(row: Record) -> OrderDeposit:
    return OrderDeposit(
        amount_minor=row["amount_minor"],
        pay_by=row["pay_by"],
        is_kept=row["is_kept"],
        status=DepositStatus(row["status"]),
        due_minor=row["due_minor"],
        reference=row["reference"],
    )


@strawberry.input(description="What was paid of an order ahead; the rest follows.")
class OrderDepositInput:
    amount_minor: BigInt
    pay_by: datetime
    is_kept: bool = strawberry.field(
        default=True,
        description="Kept where the rest is not paid (定金不退); else it is paid back.",
    )


@strawberry.input
class OrderPayRestInput:
    idempotency_key: str
    order_id: strawberry.ID
    amount_minor: BigInt = strawberry.field(description="What was paid: all that is due now.")
    reference: str = strawberry.field(description="What the payment is called.")


@strawberry.type(description="The rest is paid: the order may be sent.")
class OrderRestPaid:
    order_id: strawberry.ID


OrderPayRestPayload = Annotated[
    OrderRestPaid | InputRefused | PermissionDenied, strawberry.union("OrderPayRestPayload")
]


@strawberry.type
class DepositsMutation:
    @strawberry.mutation(description="The rest of an order was paid (尾款).")
    async def order_pay_rest(
        self, info: YipanInfo, input: OrderPayRestInput
    ) -> OrderPayRestPayload:
        await pay_rest(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.amount_minor,
            input.reference,
            input.idempotency_key,
        )
        return OrderRestPaid(order_id=input.order_id)
