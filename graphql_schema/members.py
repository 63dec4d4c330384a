"""Who works for the brand and its dealers: members, API keys, dealers and their agreements."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Self

import strawberry
from strawberry import relay

from backend.db.pool import TenantTransaction
from backend.network.nodes import list_nodes
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    numbers_of,
    page_size,
)
from graphql_schema.principals import Kind, Permission
from tenants import api_keys, dealers, members
from tenants.errors import MemberScope
from tenants.principal import Principal

PageOf = Callable[[TenantTransaction, Principal, int, int], Awaitable[Sequence[Any]]]


async def _page(info: YipanInfo, page: PageOf, first: int, after: str | None) -> Sequence[Any]:
    limit = page_size(first)
    (start,) = key_of(after, (0,))
    async with info.context.reading() as tx:
        return await page(tx, info.context.principal, start, limit)


async def _each(info: YipanInfo, page: PageOf, node_ids: Iterable[str]) -> list[Any]:
    """Return the rows with these ids, None for one that the principal's organisation lacks."""
    rows = []
    async with info.context.reading() as tx:
        for number in numbers_of(node_ids):
            found = await page(tx, info.context.principal, number - 1, 1)
            rows.append(found[0] if found and found[0].id == number else None)
    return rows


@strawberry.type(description="Somebody who may log in, and as what.")
class Member(relay.Node):
    number: relay.NodeID[int]
    email: str
    name: str
    kind: Kind
    permissions: list[Permission]
    location_ids: list[strawberry.ID]
    dealer_id: strawberry.ID | None
    is_disabled: bool

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        rows = await _each(info, members.list_members, node_ids)
        return [member_from(row) if row else None for row in rows]  # type: ignore[misc]


@strawberry.type(description="A key with which a program acts.")
class ApiKey(relay.Node):
    number: relay.NodeID[int]
    name: str
    kind: Kind
    permissions: list[Permission]
    location_ids: list[strawberry.ID]
    dealer_id: strawberry.ID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        rows = await _each(info, api_keys.list_api_keys, node_ids)
        return [api_key_from(row) if row else None for row in rows]  # type: ignore[misc]


@strawberry.type(description="What joins a dealer (经销商) to the brand, and for how long.")
class Agreement(relay.Node):
    number: relay.NodeID[int]
    dealer_id: strawberry.ID
    dealer_code: str
    dealer_name: str
    starts_on: date
    ends_on: date | None
    ended_at: datetime | None = strawberry.field(description="Ended before its time.")

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        rows = await _each(info, dealers.list_agreements, node_ids)
        return [agreement_from(row) if row else None for row in rows]  # type: ignore[misc]


def _scope(row: members.Member | api_keys.ApiKey) -> dict[str, Any]:
    return {
        "number": row.id,
        "name": row.name,
        "kind": Kind(row.kind),
        "permissions": [Permission(name) for name in row.permissions],
        "location_ids": [strawberry.ID(id_of("Location", node_id)) for node_id in row.node_ids],
        "dealer_id": None if row.dealer_id is None else _dealer_id(row.dealer_id),
    }


def _dealer_id(number: int) -> strawberry.ID:
    return strawberry.ID(id_of("Dealer", number))


def member_from(row: members.Member) -> Member:
    return Member(**_scope(row), email=row.email, is_disabled=row.is_disabled)


def api_key_from(row: api_keys.ApiKey) -> ApiKey:
    return ApiKey(
        **_scope(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def agreement_from(row: dealers.Agreement) -> Agreement:
    return Agreement(
        number=row.id,
        dealer_id=_dealer_id(row.dealer_id),
        dealer_code=row.dealer_code,
        dealer_name=row.dealer_name,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        ended_at=row.ended_at,
    )


@strawberry.input(description="As what: a store's role names its locations, a dealer's its dealer.")
class RoleInput:
    kind: Kind
    permissions: list[Permission]
    location_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    dealer_id: strawberry.ID | None = None


@strawberry.input
class MemberAddInput:
    idempotency_key: str
    email: str
    name: str
    password: str
    role: RoleInput


@strawberry.input
class MemberRevokeInput:
    idempotency_key: str
    member_id: strawberry.ID


@strawberry.input
class ApiKeyIssueInput:
    idempotency_key: str
    name: str
    role: RoleInput
    expires_at: datetime | None = None


@strawberry.input
class ApiKeyRevokeInput:
    idempotency_key: str
    api_key_id: strawberry.ID


@strawberry.input(description="With a name: a dealer that is new here. Without: one that is known.")
class AgreementSignInput:
    idempotency_key: str
    dealer_code: str
    dealer_name: str | None = None
    starts_on: date
    ends_on: date | None = None


@strawberry.input
class AgreementEndInput:
    idempotency_key: str
    dealer_id: strawberry.ID


@strawberry.type
class MemberAdded:
    member_id: strawberry.ID


@strawberry.type
class MemberRevoked:
    member_id: strawberry.ID


@strawberry.type
class ApiKeyIssued:
    api_key_id: strawberry.ID
    key: str | None = strawberry.field(
        description="Shown once: an answer that is given again lacks it."
    )


@strawberry.type
class ApiKeyRevoked:
    api_key_id: strawberry.ID


@strawberry.type
class AgreementSigned:
    dealer_id: strawberry.ID


@strawberry.type
class AgreementEnded:
    dealer_id: strawberry.ID


MemberAddPayload = Annotated[
    MemberAdded | InputRefused | PermissionDenied, strawberry.union("MemberAddPayload")
]
MemberRevokePayload = Annotated[
    MemberRevoked | InputRefused | PermissionDenied, strawberry.union("MemberRevokePayload")
]
ApiKeyIssuePayload = Annotated[
    ApiKeyIssued | InputRefused | PermissionDenied, strawberry.union("ApiKeyIssuePayload")
]
ApiKeyRevokePayload = Annotated[
    ApiKeyRevoked | InputRefused | PermissionDenied, strawberry.union("ApiKeyRevokePayload")
]
AgreementSignPayload = Annotated[
    AgreementSigned | InputRefused | PermissionDenied, strawberry.union("AgreementSignPayload")
]
AgreementEndPayload = Annotated[
    AgreementEnded | InputRefused | PermissionDenied, strawberry.union("AgreementEndPayload")
]


async def _role(context: Context, role: RoleInput) -> members.Role:
    """Return the role, with whose its locations are; raises MemberScope for a location unseen."""
    node_ids = tuple(number_of("Location", location_id) for location_id in role.location_ids)
    dealer_id = None if role.dealer_id is None else number_of("Dealer", role.dealer_id)
    if node_ids:
        async with context.reading() as tx:
            owners = {node.id: node.dealer_id for node in await list_nodes(tx)}
        owner = {owners.get(node_id, -1) for node_id in node_ids}
        if len(owner) > 1 or -1 in owner or dealer_id not in (None, *owner):
            raise MemberScope("A store's role names locations of one owner that you may see.")
        dealer_id = next(iter(owner))
    return members.Role(role.kind, frozenset(role.permissions), dealer_id, node_ids)


async def command(
    info: YipanInfo,
    key: str,
    content: object,
    work: Callable[[TenantTransaction, Principal], Awaitable[int]],
    *,
    permission: Permission | None = Permission.MEMBERS_WRITE,
) -> int:
    """Carry out a command of whoever manages members, once; else `work` says who may."""
    context = info.context
    return await context.apply_once(
        permission,
        key,
        content,
        int,
        lambda tx: work(tx, context.principal),
        door=context.acting(),
    )


@strawberry.type
class MembersQuery:
    @strawberry.field(description="The members of your organisation.")
    async def members(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Member]:
        rows = await _page(info, members.list_members, first, after)
        return connection(rows, first, member_from, lambda row: cursor_of(row.id))

    @strawberry.field(description="The API keys of your organisation, revoked ones too.")
    async def api_keys(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[ApiKey]:
        rows = await _page(info, api_keys.list_api_keys, first, after)
        return connection(rows, first, api_key_from, lambda row: cursor_of(row.id))

    @strawberry.field(description="The agreements of the brand; a dealer sees its own.")
    async def agreements(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Agreement]:
        rows = await _page(info, dealers.list_agreements, first, after)
        return connection(rows, first, agreement_from, lambda row: cursor_of(row.id))


@strawberry.type
class MembersMutation:
    @strawberry.mutation(description="Give somebody new a log-in and a role.")
    async def member_add(self, info: YipanInfo, input: MemberAddInput) -> MemberAddPayload:
        role = await _role(info.context, input.role)
        user = members.NewUser(input.email.strip(), input.name, input.password)
        member_id = await command(
            info,
            input.idempotency_key,
            ("memberAdd", user.email, user.name, role.kind, sorted(role.permissions), role[2:]),
            lambda tx, principal: members.add_member(tx, principal, user, role),
        )
        return MemberAdded(member_id=strawberry.ID(id_of("Member", member_id)))

    @strawberry.mutation(description="Take a role back; it ends within seconds.")
    async def member_revoke(self, info: YipanInfo, input: MemberRevokeInput) -> MemberRevokePayload:
        number = number_of("Member", input.member_id)

        async def revoke(tx: TenantTransaction, principal: Principal) -> int:
            await members.revoke_membership(tx, principal, number)
            return number

        await command(info, input.idempotency_key, ("memberRevoke", number), revoke)
        return MemberRevoked(member_id=input.member_id)

    @strawberry.mutation(description="Issue a key with which a program acts in the brand.")
    async def api_key_issue(self, info: YipanInfo, input: ApiKeyIssueInput) -> ApiKeyIssuePayload:
        role = await _role(info.context, input.role)
        shown: list[str] = []

        async def issue(tx: TenantTransaction, principal: Principal) -> int:
            number, key = await api_keys.issue_key(
                tx, principal, input.name, role, input.expires_at
            )
            shown.append(key)
            return number

        number = await command(
            info,
            input.idempotency_key,
            ("apiKeyIssue", input.name, role.kind, sorted(role.permissions), role[2:]),
            issue,
        )
        return ApiKeyIssued(
            api_key_id=strawberry.ID(id_of("ApiKey", number)), key=shown[0] if shown else None
        )

    @strawberry.mutation(description="Take a key back; it ends within seconds.")
    async def api_key_revoke(
        self, info: YipanInfo, input: ApiKeyRevokeInput
    ) -> ApiKeyRevokePayload:
        number = number_of("ApiKey", input.api_key_id)

        async def revoke(tx: TenantTransaction, principal: Principal) -> int:
            await api_keys.revoke_key(tx, principal, number)
            return number

        await command(info, input.idempotency_key, ("apiKeyRevoke", number), revoke)
        return ApiKeyRevoked(api_key_id=input.api_key_id)

    @strawberry.mutation(description="Join a dealer to the brand for a time (签约).")
    async def agreement_sign(
        self, info: YipanInfo, input: AgreementSignInput
    ) -> AgreementSignPayload:
        period = dealers.Period(input.starts_on, input.ends_on)
        sign = (
            partial(dealers.sign_with_dealer, code=input.dealer_code, period=period)
            if input.dealer_name is None
            else partial(
                dealers.bring_dealer, code=input.dealer_code, name=input.dealer_name, period=period
            )
        )
        content = ("agreementSign", input.dealer_code, input.dealer_name, period)
        number = await command(info, input.idempotency_key, content, sign)
        return AgreementSigned(dealer_id=_dealer_id(number))

    @strawberry.mutation(description="End an agreement at once; what was ordered stays ordered.")
    async def agreement_end(self, info: YipanInfo, input: AgreementEndInput) -> AgreementEndPayload:
        number = number_of("Dealer", input.dealer_id)

        async def end(tx: TenantTransaction, principal: Principal) -> int:
            await dealers.end_with_dealer(tx, principal, number)
            return number

        await command(info, input.idempotency_key, ("agreementEnd", number), end)
        return AgreementEnded(dealer_id=input.dealer_id)
