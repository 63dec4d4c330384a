"""Commands on many fulfilments: each is answered by itself, and all of it happens once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from backend.db.commands import apply_once
from backend.db.errors import WriteRefused, YipanError
from backend.db.pool import Database, TenantTransaction
from backend.fulfilment.errors import InvalidFulfilmentInput
from backend.fulfilment.model import BULK_MAX, Answered
from backend.inventory.counters import Counters
from backend.orders.move_fulfilments import FulfilmentKey, Moved
from tenants.principal import Kind, Permission, Principal, stock_writer


class Done(NamedTuple):
    """An answer a fulfilment, in the order given; counters are to be published after the commit.

    Of a command that was carried out before there are none: the sweep has told of them.
    """

    answers: Sequence[Answered]
    counters: Counters


Work = Callable[[TenantTransaction], Awaitable[Moved]]


@asynccontextmanager
async def working(database: Database, principal: Principal) -> AsyncIterator[TenantTransaction]:
    """Open the door to work on fulfilments: as who writes stock in the principal's name.

    In a dealer's node its people work, who log in as those of a store. Raises PermissionMissing,
    WriteRefused for who may only read, and for the dealer itself.
    """
    principal.require(Permission.FULFILMENT_WRITE)
    if principal.is_read_only or principal.kind is Kind.DEALER:
        raise WriteRefused
    async with database.tenant_transaction(stock_writer(principal)) as tx:
        yield tx


async def carry_out(
    database: Database,
    principal: Principal,
    key: str,
    content: tuple[str, object],
    keys: Sequence[FulfilmentKey],
    work: Work,
) -> Done:
    """Do `work` on fulfilments once, in one transaction, and answer for each of `keys`.

    Raises PermissionMissing, WriteRefused, InvalidFulfilmentInput for none or too many, and
    CommandConflict.
    """
    check_size(keys, BULK_MAX)
    counters = Counters()
    async with working(database, principal) as tx:

        async def once() -> tuple[Answered, ...]:
            nonlocal counters
            moved = await work(tx)
            counters = moved.counters
            return answers_of(keys, moved)

        answers = await apply_once(tx, key, content, tuple[Answered, ...], once)
    return Done(answers, counters)


def check_size(keys: Sequence[FulfilmentKey], most: int) -> None:
    """Raise InvalidFulfilmentInput for no fulfilment, for more than `most`, and for one twice."""
    if not 0 < len(keys) <= most:
        raise InvalidFulfilmentInput(f"Name 1 to {most} fulfilments.", path=("fulfilments",))
    if len(set(keys)) < len(keys):
        raise InvalidFulfilmentInput("A fulfilment stands there twice.", path=("fulfilments",))


def answers_of(keys: Sequence[FulfilmentKey], moved: Moved) -> tuple[Answered, ...]:
    """Return the answer of each key: done, or why it was refused."""
    return tuple(_answer(key, moved.refused.get(key)) for key in keys)


def _answer(key: FulfilmentKey, error: YipanError | None) -> Answered:
    return Answered(key) if error is None else Answered(key, error.code, error.message)
