"""Who does what in an organisation: departments, roles by name, posts and deputies (组织设置)."""

from datetime import date
from typing import Annotated

import strawberry

from backend.db.pool import TenantTransaction
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.members import command
from graphql_schema.paging import PAGE_DEFAULT, id_of, number_of, page_size
from graphql_schema.principals import Permission
from tenants import posts
from tenants.principal import Principal


@strawberry.type(description="A part of an organisation (部门).")
class Department:
    department_id: strawberry.ID
    code: str
    name: str
    parent_id: strawberry.ID | None


@strawberry.type(description="What somebody may do, by a name (角色).")
class Role:
    role_id: strawberry.ID
    code: str
    name: str
    permissions: list[Permission]


@strawberry.type(description="Who has which role, where and for how long (任职).")
class Post:
    post_id: strawberry.ID
    member_id: strawberry.ID
    email: str
    name: str
    role: str
    department: str | None
    starts_on: date
    ends_on: date | None
    deputy_for_post_id: strawberry.ID | None = strawberry.field(
        description="The post whose holder it stands in for (代理); it ends with that."
    )


def _id(kind: str, number: int | None) -> strawberry.ID | None:
    return None if number is None else strawberry.ID(id_of(kind, number))


def department_from(found: posts.Department) -> Department:
    return Department(
        department_id=strawberry.ID(id_of("Department", found.id)),
        code=found.code,
        name=found.name,
        parent_id=_id("Department", found.parent_id),
    )


def role_from(found: posts.NamedRole) -> Role:
    return Role(
        role_id=strawberry.ID(id_of("Role", found.id)),
        code=found.code,
        name=found.name,
        permissions=[Permission(name) for name in found.permissions],
    )


def post_from(found: posts.Post) -> Post:
    return Post(
        post_id=strawberry.ID(id_of("Post", found.id)),
        member_id=strawberry.ID(id_of("Member", found.member_id)),
        email=found.email,
        name=found.user_name,
        role=found.role_code,
        department=found.department_code,
        starts_on=found.starts_on,
        ends_on=found.ends_on,
        deputy_for_post_id=_id("Post", found.deputy_for),
    )


@strawberry.input
class DepartmentSaveInput:
    idempotency_key: str
    code: str
    name: str
    parent: str | None = strawberry.field(default=None, description="The code of what it lies in.")


@strawberry.input
class DepartmentDeleteInput:
    idempotency_key: str
    code: str


@strawberry.input
class RoleSaveInput:
    idempotency_key: str
    code: str
    name: str
    permissions: list[Permission]


@strawberry.input
class PostGiveInput:
    idempotency_key: str
    member_id: strawberry.ID
    role: str
    starts_on: date
    ends_on: date | None = None
    department: str | None = None


@strawberry.input
class PostStandInInput:
    idempotency_key: str
    post_id: strawberry.ID
    member_id: strawberry.ID
    starts_on: date
    ends_on: date


@strawberry.input
class PostEndInput:
    idempotency_key: str
    post_id: strawberry.ID
    last_day: date


@strawberry.type
class OrganisationChanged:
    changed_id: strawberry.ID


OrganisationPayload = Annotated[
    OrganisationChanged | InputRefused | PermissionDenied, strawberry.union("OrganisationPayload")
]


def _changed(kind: str, number: int) -> OrganisationChanged:
    return OrganisationChanged(changed_id=strawberry.ID(id_of(kind, number)))


@strawberry.type
class OrganisationQuery:
    @strawberry.field(description="The departments of your organisation (组织架构).")
    async def departments(self, info: YipanInfo) -> list[Department]:
        async with info.context.reading() as tx:
            found = await posts.list_departments(tx, info.context.principal)
        return [department_from(one) for one in found]

    @strawberry.field(description="The roles of your organisation.")
    async def roles(self, info: YipanInfo) -> list[Role]:
        async with info.context.reading() as tx:
            return [role_from(one) for one in await posts.list_roles(tx, info.context.principal)]

    @strawberry.field(description="Who has which role, by post; up to 100 after one.")
    async def posts(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> list[Post]:
        limit = page_size(first) - 1
        start = 0 if after is None else number_of("Post", after)
        async with info.context.reading() as tx:
            found = await posts.list_posts(tx, info.context.principal, start, limit)
        return [post_from(one) for one in found]


@strawberry.type
class OrganisationMutation:
    @strawberry.mutation(description="Write a department, new or in the place of that code's.")
    async def department_save(
        self, info: YipanInfo, input: DepartmentSaveInput
    ) -> OrganisationPayload:
        given = (input.code, input.name, input.parent)
        number = await command(
            info,
            input.idempotency_key,
            ("departmentSave", *given),
            lambda tx, who: posts.save_department(tx, who, *given),
        )
        return _changed("Department", number)

    @strawberry.mutation(description="Delete a department that is empty.")
    async def department_delete(
        self, info: YipanInfo, input: DepartmentDeleteInput
    ) -> OrganisationPayload:
        async def delete(tx: TenantTransaction, who: Principal) -> int:
            known = {one.code: one.id for one in await posts.list_departments(tx, who)}
            await posts.delete_department(tx, who, input.code)
            return known[input.code]

        content = ("departmentDelete", input.code)
        number = await command(info, input.idempotency_key, content, delete)
        return _changed("Department", number)

    @strawberry.mutation(description="Write a role; who has it may do what it says now.")
    async def role_save(self, info: YipanInfo, input: RoleSaveInput) -> OrganisationPayload:
        given = (input.code, input.name, frozenset(input.permissions))
        number = await command(
            info,
            input.idempotency_key,
            ("roleSave", input.code, input.name, sorted(input.permissions)),
            lambda tx, who: posts.save_role(tx, who, *given),
        )
        return _changed("Role", number)

    @strawberry.mutation(description="Give a member a role for a time.")
    async def post_give(self, info: YipanInfo, input: PostGiveInput) -> OrganisationPayload:
        draft = posts.PostDraft(
            number_of("Member", input.member_id),
            input.role,
            input.starts_on,
            input.ends_on,
            input.department,
        )
        number = await command(
            info,
            input.idempotency_key,
            ("postGive", *draft),
            lambda tx, who: posts.give_post(tx, who, draft),
        )
        return _changed("Post", number)

    @strawberry.mutation(description="Let a member stand in for who holds a post (代理).")
    async def post_stand_in(self, info: YipanInfo, input: PostStandInInput) -> OrganisationPayload:
        given = (
            number_of("Post", input.post_id),
            number_of("Member", input.member_id),
            input.starts_on,
            input.ends_on,
        )
        number = await command(
            info,
            input.idempotency_key,
            ("postStandIn", *given),
            lambda tx, who: posts.stand_in(tx, who, *given),
            permission=None,
        )
        return _changed("Post", number)

    @strawberry.mutation(description="Let somebody have a role until a day.")
    async def post_end(self, info: YipanInfo, input: PostEndInput) -> OrganisationPayload:
        number = number_of("Post", input.post_id)

        async def end(tx: TenantTransaction, who: Principal) -> int:
            await posts.end_post(tx, who, number, input.last_day)
            return number

        content = ("postEnd", number, input.last_day)
        await command(info, input.idempotency_key, content, end)
        return _changed("Post", number)
