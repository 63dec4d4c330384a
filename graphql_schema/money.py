"""Amounts of money."""

import strawberry

from graphql_schema.scalars import BigInt


@strawberry.type(description="An amount of money.")
class Money:
    amount_minor: BigInt
    currency: str
