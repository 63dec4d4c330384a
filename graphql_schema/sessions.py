"""Logging in, and who one is."""

from typing import Annotated

import strawberry

from graphql_schema.context import YipanInfo
from graphql_schema.errors import BrandChoiceRequiredError, InputRefused
from graphql_schema.principals import Kind, Permission


@strawberry.type(description="A brand that a user may act in, and as what.")
class ViewerBrand:
    code: str
    name: str
    kind: Kind


@strawberry.type(description="Who asks.")
class Viewer:
    kind: Kind
    subject: str
    permissions: list[Permission]

    @strawberry.field(description="Where else the user may act; see `sessionSwitch`.")
    async def brands(self, info: YipanInfo) -> list[ViewerBrand]:
        context = info.context
        found = await context.services.authenticator.brands_of(context.principal)
        return [ViewerBrand(code=item.code, name=item.name, kind=item.kind) for item in found]


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
    kind: Kind


@strawberry.input
class SessionSwitchInput:
    brand: str


@strawberry.type(description="A token for another brand of the same user.")
class SessionSwitched:
    token: str
    brand: str
    kind: Kind


LogInPayload = Annotated[
    LoggedIn | BrandChoiceRequiredError | InputRefused, strawberry.union("LogInPayload")
]

SessionSwitchPayload = Annotated[
    SessionSwitched | BrandChoiceRequiredError | InputRefused,
    strawberry.union("SessionSwitchPayload"),
]


@strawberry.type
class SessionQuery:
    @strawberry.field
    async def viewer(self, info: YipanInfo) -> Viewer:
        principal = info.context.principal
        return Viewer(
            kind=principal.kind,
            subject=principal.subject,
            permissions=sorted(principal.permissions),
        )


@strawberry.type
class SessionMutation:
    @strawberry.mutation(description="Log in with e-mail address and password.")
    async def log_in(self, info: YipanInfo, input: LogInInput) -> LogInPayload:
        session, name = await info.context.services.authenticator.log_in(
            input.email, input.password, input.brand
        )
        return LoggedIn(
            token=session.token,
            name=name,
            brand=session.brand_code,
            kind=session.principal.kind,
        )

    @strawberry.mutation(description="Go on in another brand of yours, without the password.")
    async def session_switch(
        self, info: YipanInfo, input: SessionSwitchInput
    ) -> SessionSwitchPayload:
        context = info.context
        session = await context.services.authenticator.switch(context.principal, input.brand)
        return SessionSwitched(
            token=session.token, brand=session.brand_code, kind=session.principal.kind
        )
