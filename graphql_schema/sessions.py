"""Logging in, and who one is."""

from typing import Annotated

import strawberry

from graphql_schema.context import YipanInfo
from graphql_schema.errors import BrandChoiceRequiredError, InputRefused


@strawberry.type(description="Who asks.")
class Viewer:
    kind: str
    subject: str
    permissions: list[str]


@strawberry.input
class LogInInput:
    email: str
    password: str
    brand: str | None = strawberry.field(
        default=None, description="Needed where the user works for several brands."
    )


@strawberry.type(description="Send the token as `Authorization: Bearer …`; it lasts eight hours.")
class LoggedIn:
    token: str
    name: str
    brand: str
    kind: str


LogInPayload = Annotated[
    LoggedIn | BrandChoiceRequiredError | InputRefused, strawberry.union("LogInPayload")
]


@strawberry.type
class SessionQuery:
    @strawberry.field
    async def viewer(self, info: YipanInfo) -> Viewer:
        principal = info.context.principal
        return Viewer(
            kind=principal.kind.value,
            subject=principal.subject,
            permissions=sorted(permission.value for permission in principal.permissions),
        )


@strawberry.type
class SessionMutation:
    @strawberry.mutation(description="Log in with e-mail address and password.")
    async def log_in(self, info: YipanInfo, input: LogInInput) -> LogInPayload:
        session = await info.context.services.authenticator.log_in(
            input.email, input.password, input.brand
        )
        return LoggedIn(
            token=session.token,
            name=session.name,
            brand=session.brand_code,
            kind=session.principal.kind.value,
        )
