"""Finding things by their Relay ids, in one question for all of a kind."""

from collections.abc import Awaitable, Callable, Iterable
from operator import attrgetter
from typing import Any, TypeVar

from backend.db.pool import TenantTransaction
from graphql_schema.context import YipanInfo
from graphql_schema.paging import composite_key
from tenants.principal import Permission

KeyT = TypeVar("KeyT")
FoundT = TypeVar("FoundT")
Key = tuple[int, ...]


async def nodes_by_numbers(
    info: YipanInfo,
    node_ids: Iterable[str],
    find: Callable[[TenantTransaction, list[int]], Awaitable[Iterable[Any]]],
    node: Callable[[Any], Any],
    *,
    permission: Permission = Permission.STOCK_READ,
    number: Callable[[Any], int] = attrgetter("id"),
) -> list[Any]:
    """Return what has the numbers, by its `id`, as nodes in the order given; None where not seen.

    Raises PermissionMissing, and InvalidId for what is no number.
    """

    async def by_key(tx: TenantTransaction, keys: list[Key]) -> dict[Key, Any]:
        return {(number(one),): one for one in await find(tx, [wanted for (wanted,) in keys])}

    return await nodes_by_keys(info, node_ids, 1, by_key, node, permission=permission)


async def nodes_of_orders(
    info: YipanInfo,
    node_ids: Iterable[str],
    find: Callable[[TenantTransaction, list[int]], Awaitable[dict[int, FoundT]]],
    node: Callable[[FoundT], Any],
) -> list[Any]:
    """Return what belongs to orders, by its number, as `nodes_by_keys` does."""

    async def by_key(tx: TenantTransaction, keys: list[Key]) -> dict[Key, FoundT]:
        found = await find(tx, [wanted for (wanted,) in keys])
        return {(number,): one for number, one in found.items()}

    orders = Permission.ORDERS_READ
    return await nodes_by_keys(info, node_ids, 1, by_key, node, permission=orders)


async def nodes_by_keys(
    info: YipanInfo,
    node_ids: Iterable[str],
    width: int,
    find: Callable[[TenantTransaction, list[Key]], Awaitable[dict[Key, FoundT]]],
    node: Callable[[FoundT], Any],
    *,
    permission: Permission = Permission.STOCK_READ,
) -> list[Any]:
    """Return what has the keys of `width` numbers each, as nodes in the order given.

    None where not seen. Raises PermissionMissing, and InvalidId for what is no key.
    """
    info.context.principal.require(permission)
    keys = [composite_key(node_id, width) for node_id in node_ids]
    async with info.context.reading() as tx:
        found = await find(tx, keys)
    return [node(found[key]) if key in found else None for key in keys]
