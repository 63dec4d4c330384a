"""Who does what in an organisation: departments, roles by name, and who has them for how long.

A brand keeps its own, a dealer its own whatever brands it works for. Nobody hands out a permission
that it lacks. What changes holds within seconds, as for members.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from backend.db.errors import YipanError
from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.errors import UnknownMember
from tenants.members import require_manager
from tenants.principal import Kind, Permission, Principal

TEXT_MAX = 100
DEPTH_MAX = 20
"""Departments above one another."""
DEPARTMENTS_MAX = 10_000
ROLES_MAX = 1_000
LOOK_AT = 100_000
"""Posts of an organisation."""


class InvalidOrganisation(YipanError):
    """The department, role or post cannot be kept so; the message says which part."""

    code = "INVALID_ORGANISATION"


class Department(NamedTuple):
    """A part of an organisation (部门)."""

    id: int
    code: str
    name: str
    parent_id: int | None


class NamedRole(NamedTuple):
    """What somebody may do, by a name (角色)."""

    id: int
    code: str
    name: str
    permissions: Sequence[str]


class Post(NamedTuple):
    """Who has which role, where and for how long (任职)."""

    id: int
    member_id: int
    email: str
    user_name: str
    role_id: int
    role_code: str
    department_id: int | None
    department_code: str | None
    starts_on: date
    ends_on: date | None
    deputy_for: int | None
    """The post whose holder it stands in for (代理): it ends with that."""


class PostDraft(NamedTuple):
    """A role to be given to a member."""

    member_id: int
    role: str
    starts_on: date
    ends_on: date | None = None
    department: str | None = None


Owner = tuple[int | None, int | None]
"""A brand, or a dealer."""


def owner_of(principal: Principal) -> Owner:
    """Return whose organisation a principal manages; raises PermissionMissing."""
    require_manager(principal)
    return _owner(principal)


async def list_departments(tx: Transaction, principal: Principal) -> list[Department]:
    """Return the departments of the principal's organisation, by id."""
    return [Department(*row) for row in await tx.fetch(SQL.departments, *owner_of(principal))]


async def save_department(
    tx: Transaction, principal: Principal, code: str, name: str, parent: str | None
) -> int:
    """Write a department, new or in the place of that code's, and return its id.

    Locks the tree. Raises PermissionMissing, InvalidOrganisation for a parent that is none, would
    lie below itself, or lies too deep; then nothing has changed.
    """
    owner = owner_of(principal)
    _check_texts(code, name)
    await tx.execute(SQL.lock_departments, *owner)
    known = {one.code: one for one in await list_departments(tx, principal)}
    if code not in known and len(known) >= DEPARTMENTS_MAX:
        raise InvalidOrganisation(f"There are {DEPARTMENTS_MAX:,} departments at most.")
    parent_id = None
    if parent is not None:
        if parent not in known:
            raise InvalidOrganisation(f"There is no department {parent!r}.", path=("parent",))
        _check_tree(known, code, parent)
        parent_id = known[parent].id
    saved = await tx.fetch_value(
        SQL.save_department, principal.subject, *owner, code, name, parent_id
    )
    return int(saved)


async def delete_department(tx: Transaction, principal: Principal, code: str) -> None:
    """Delete a department that is empty; raises PermissionMissing, InvalidOrganisation."""
    owner = owner_of(principal)
    await tx.execute(SQL.lock_departments, *owner)
    if not await tx.fetch_value(SQL.delete_department, principal.subject, *owner, code):
        raise InvalidOrganisation(
            "There is no such department, or something lies below it, or somebody is in it.",
            path=("code",),
        )


async def list_roles(tx: Transaction, principal: Principal) -> list[NamedRole]:
    """Return the roles of the principal's organisation, by id."""
    return [NamedRole(*row) for row in await tx.fetch(SQL.roles, *owner_of(principal))]


async def save_role(
    tx: Transaction,
    principal: Principal,
    code: str,
    name: str,
    permissions: frozenset[Permission],
) -> int:
    """Write a role, new or in the place of that code's, and return its id.

    Who has it may do what it says now. Raises PermissionMissing, also for a permission that the
    principal lacks, InvalidOrganisation; then nothing has changed.
    """
    owner = owner_of(principal)
    _check_texts(code, name)
    _check_given(principal, permissions)
    known = {one.code: one for one in await list_roles(tx, principal)}
    if code in known:  # nobody takes away either what it could not give
        _check_given(principal, frozenset(map(Permission, known[code].permissions)))
    elif len(known) >= ROLES_MAX:
        raise InvalidOrganisation(f"There are {ROLES_MAX:,} roles at most.")
    saved = await tx.fetch_value(
        SQL.save_role, principal.subject, *owner, code, name, sorted(permissions)
    )
    return int(saved)


async def list_posts(tx: Transaction, principal: Principal, after: int, limit: int) -> list[Post]:
    """Return up to `limit` posts of the principal's organisation with ids above `after`."""
    rows = await tx.fetch(SQL.posts, *owner_of(principal), after, limit)
    return [Post(*row) for row in rows]


async def give_post(tx: Transaction, principal: Principal, draft: PostDraft) -> int:
    """Give a member of the principal's organisation a role for a time; returns the post's id.

    Raises PermissionMissing, also for a permission that the principal lacks, UnknownMember,
    InvalidOrganisation; then nothing has changed.
    """
    role = await _role(tx, principal, draft.role)
    await _require_member(tx, principal, draft.member_id)
    department_id = None
    if draft.department is not None:
        known = {one.code: one.id for one in await list_departments(tx, principal)}
        if draft.department not in known:
            raise InvalidOrganisation(
                f"There is no department {draft.department!r}.", path=("department",)
            )
        department_id = known[draft.department]
    _check_period(draft.starts_on, draft.ends_on)
    given = (draft.member_id, role.id, department_id, draft.starts_on, draft.ends_on, None)
    return int(await tx.fetch_value(SQL.give_post, principal.subject, *given))


async def stand_in(
    tx: Transaction, principal: Principal, post_id: int, member_id: int, first: date, last: date
) -> int:
    """Let a member stand in for who holds a post, from a day to another (代理); returns the post.

    Who holds a post names its own deputy; who manages members, anybody's. Raises as `give_post`.
    """
    owner = _owner(principal)
    post = await _post(tx, owner, post_id)
    members = await _members(tx, principal)
    holders = {user_id for id_, user_id in members.items() if id_ == post.member_id}
    if principal.user_id not in holders:
        require_manager(principal)
        await _role(tx, principal, post.role_code)
    if member_id not in members or member_id == post.member_id:
        raise UnknownMember
    if post.deputy_for is not None:
        raise InvalidOrganisation("A deputy has no deputy; name one for the post itself.")
    _check_period(first, last)
    given = (member_id, post.role_id, post.department_id, first, last, post.id)
    return int(await tx.fetch_value(SQL.give_post, principal.subject, *given))


async def end_post(tx: Transaction, principal: Principal, post_id: int, last_day: date) -> None:
    """Let somebody have a role until a day, never longer than it was given.

    Raises PermissionMissing, InvalidOrganisation; then nothing has changed.
    """
    await _post(tx, owner_of(principal), post_id)
    await tx.execute(SQL.end_post, principal.subject, post_id, last_day)


def _owner(principal: Principal) -> Owner:
    if principal.kind is Kind.DEALER:
        return None, principal.dealer_id
    return principal.tenant_id, None


async def _role(tx: Transaction, principal: Principal, code: str) -> NamedRole:
    found = next((one for one in await list_roles(tx, principal) if one.code == code), None)
    if found is None:
        raise InvalidOrganisation(f"There is no role {code!r}.", path=("role",))
    _check_given(principal, frozenset(map(Permission, found.permissions)))
    return found


async def _post(tx: Transaction, owner: Owner, post_id: int) -> Post:
    rows = await tx.fetch(SQL.posts, *owner, post_id - 1, 1)
    found = [Post(*row) for row in rows if row["id"] == post_id]
    if not found:
        raise InvalidOrganisation("There is no such post.", path=("postId",))
    return found[0]


async def _members(tx: Transaction, principal: Principal) -> dict[int, int]:
    """Return the members of the principal's organisation: their users."""
    of = (principal.tenant_id, principal.dealer_id)
    rows = await tx.fetch(SQL.members, *of, 0, LOOK_AT)
    return {row["id"]: row["user_id"] for row in rows}


async def _require_member(tx: Transaction, principal: Principal, member_id: int) -> None:
    if member_id not in await _members(tx, principal):
        raise UnknownMember


def _check_given(principal: Principal, permissions: frozenset[Permission]) -> None:
    for permission in sorted(permissions):
        principal.require(permission)


def _check_texts(code: str, name: str) -> None:
    for field, text in (("code", code), ("name", name)):
        if not 0 < len(text.strip()) <= len(text) <= TEXT_MAX or not text.isprintable():
            raise InvalidOrganisation(f"{field} has 1 to {TEXT_MAX} characters.", path=(field,))


def _check_period(first: date, last: date | None) -> None:
    if last is not None and last < first:
        raise InvalidOrganisation("It ends before it begins.", path=("endsOn",))


def _check_tree(known: dict[str, Department], code: str, parent: str) -> None:
    """Raise InvalidOrganisation where a department would lie below itself, or anything too deep."""
    by_id = {one.id: one for one in known.values()}
    above: Department | None = known[parent]
    height = _height(known, code)
    while above is not None:
        height += 1
        if above.code == code:
            raise InvalidOrganisation("A department lies not below itself.", path=("parent",))
        if height > DEPTH_MAX:
            raise InvalidOrganisation(f"{DEPTH_MAX} departments lie in one at most.")
        above = None if above.parent_id is None else by_id.get(above.parent_id)


def _height(known: dict[str, Department], code: str) -> int:
    """Return how many departments lie in each other from this one downwards; 1 of one alone."""
    level = {known[code].id} if code in known else set()
    height = 0
    while level and height <= DEPTH_MAX:
        height += 1
        level = {one.id for one in known.values() if one.parent_id in level}
    return max(1, height)
