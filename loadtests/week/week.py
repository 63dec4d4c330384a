"""What everybody of the week shares: who they are, how the orders stand, and what was done."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TypeVar

from backend.db.errors import YipanError
from backend.db.pool import Record, TenantTransaction
from backend.fulfilment.bulk import Done
from backend.network.model import Node, NodeKind
from backend.network.nodes import list_nodes
from backend.orders.find_orders import fulfilments_of_orders, orders_by_ids
from backend.orders.model import FulfilmentStatus, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.pickups.model import Pickup, PickupStatus
from backend.pickups.standing import pickups_of_orders
from backend.runtime import Runtime
from loadtests.week.plan import Planned
from tenants.principal import Kind, Permission, Principal, system_principal

FINAL = (OrderStatus.DELIVERED, OrderStatus.COMPLETE, OrderStatus.CANCELLED)
GONE = (FulfilmentStatus.DELIVERED, FulfilmentStatus.CANCELLED)
BRAND_PEOPLE = 3
NODE_MAY = frozenset({Permission.ORDERS_READ, Permission.FULFILMENT_WRITE, Permission.STOCK_WRITE})

T = TypeVar("T")


class Fault(Exception):
    """Something happened that must not."""


class NotDone(YipanError):
    """A part of a bulk command was refused."""

    code = "NOT_DONE"


class Sold:
    """An order of the week, as it stood when it was last looked at."""

    def __init__(self, planned: Planned, order_id: int, seed: int) -> None:
        self.planned = planned
        self.id = order_id
        self.random: Random = planned.random(seed)
        self.status = OrderStatus.HELD
        self.version = 0
        self.fulfilments: list[Record] = []
        self.pickup: Pickup | None = None
        self.has_story = False
        """Whether more is to happen to it than to any other."""

    @property
    def is_fetched(self) -> bool:
        return self.pickup is not None and self.pickup.status is not PickupStatus.SENT

    @property
    def name(self) -> str:
        return f"{self.planned.draft.external_id} ({self.planned.fate})"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def sent_from(self) -> int:
        """The node that sent it, or a part of it: whose goods they are has a place there."""
        return next(
            int(row["node_id"])
            for row in self.fulfilments
            if row["status"] == FulfilmentStatus.DELIVERED
        )

    def keys(self, *statuses: FulfilmentStatus) -> list[FulfilmentKey]:
        """Return its fulfilments that stand somewhere."""
        return [
            FulfilmentKey(row["order_id"], row["fulfilment_no"])
            for row in self.fulfilments
            if row["status"] in statuses
        ]

    def node_of(self, key: FulfilmentKey) -> int:
        return next(
            int(row["node_id"])
            for row in self.fulfilments
            if row["fulfilment_no"] == key.fulfilment_no
        )


class Week:
    """The week so far."""

    def __init__(self, runtime: Runtime, tenant_id: int, seed: int) -> None:
        self.runtime = runtime
        self.database = runtime.database
        self.tenant_id = tenant_id
        self.seed = seed
        self.sold: dict[int, Sold] = {}
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self.nodes: dict[int, Node] = {}
        self._keys = itertools.count(1)
        self.system = system_principal(tenant_id, "week")
        self.people = [
            Principal(
                tenant_id=tenant_id,
                kind=Kind.BRAND,
                subject=f"user:{number}",
                permissions=frozenset(Permission),
            )
            for number in range(1, BRAND_PEOPLE + 1)
        ]
        """Of the brand: two clerks of the service, and who buys and pays."""

    async def open(self) -> None:
        """Learn which nodes there are."""
        async with self.reading() as tx:
            self.nodes = {node.id: node for node in await list_nodes(tx)}

    @property
    def clerk(self) -> Principal:
        return self.people[0]

    def worker(self, node_id: int) -> Principal:
        """Return who works in a node: the brand's people, or its own, who see nothing else."""
        if self.nodes[node_id].kind is NodeKind.WAREHOUSE:
            return self.people[2]
        return Principal(
            tenant_id=self.tenant_id,
            kind=Kind.STORE,
            subject=f"user:{1_000 + node_id}",
            node_ids=(node_id,),
            permissions=NODE_MAY,
        )

    def owners_of(self, sold: Sold) -> set[int | None]:
        """Return the dealers whose goods came of an order; None stands for the brand."""
        return {
            self.nodes[row["node_id"]].dealer_id
            for row in sold.fulfilments
            if row["status"] == FulfilmentStatus.DELIVERED
        }

    def node(self, code: str) -> int:
        return next(node.id for node in self.nodes.values() if node.code == code)

    def key(self) -> str:
        """Return an idempotency key of its own."""
        return f"week-{next(self._keys)}"

    def reading(self) -> AbstractAsyncContextManager[TenantTransaction]:
        return self.database.tenant_transaction(self.system, read_only=True)

    # ---------------------------------------------------------------------------- what is done

    async def do(self, what: str, command: Awaitable[T]) -> T:
        """Do something, publish what it changed, and count it; raises what it raises."""
        done = await command
        self.done[what] += 1
        await self.publish(done)
        return done

    async def publish(self, done: object) -> None:
        """Tell everybody of the counters that a command changed, and let what follows happen."""
        counters = getattr(done, "counters", None)
        if counters is not None:
            await self.runtime.publish_counters(self.tenant_id, counters)
            await self.runtime.settle()

    async def refused(self, what: str, code: str, command: Awaitable[object]) -> None:
        """Do what must be refused; a fault where it is not, or for another reason."""
        try:
            await command
        except YipanError as error:
            if error.code != code:
                raise Fault(f"{what}: refused with {error.code}") from error
        else:
            raise Fault(f"{what}: not refused")
        self.done[f"refused: {what}"] += 1

    async def at_once(self, what: str, *commands: Awaitable[T]) -> T:
        """Let several people do the same at once; exactly one of them does it."""
        answers = await asyncio.gather(*commands, return_exceptions=True)
        won: list[T] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                if not isinstance(answer, YipanError):
                    raise answer
            else:
                won.append(answer)
                await self.publish(answer)
        if len(won) != 1:
            raise Fault(f"{what}: done {len(won)} times")
        self.done[f"at once: {what}"] += 1
        return won[0]

    # ------------------------------------------------------------------------- how it stands

    async def look(self, orders: Iterable[Sold]) -> None:
        """See how orders stand now."""
        looked = [one for one in orders if not one.is_final]
        ids = [one.id for one in looked]
        async with self.reading() as tx:
            rows = await orders_by_ids(tx, ids)
            fulfilments = await fulfilments_of_orders(tx, ids)
            pickups = await pickups_of_orders(tx, ids)
        for one in looked:
            row = rows[one.id]
            one.status, one.version = OrderStatus(row["status"]), row["event_sequence"]
            one.fulfilments = fulfilments.get(one.id, [])
            one.pickup = pickups.get(one.id)

    async def until(self, sold: Sold, *statuses: OrderStatus) -> AsyncIterator[None]:
        """Wait, round by round, until an order stands somewhere, or has come to its end."""
        while sold.status not in statuses and not sold.is_final:
            yield

    async def until_at(self, sold: Sold, *statuses: FulfilmentStatus) -> AsyncIterator[None]:
        """Wait, round by round, until a node has come so far with an order, or it has ended."""
        while not sold.keys(*statuses) and not sold.is_final:
            yield


Act = Callable[[Week, Sold], Awaitable[None]]
Story = Callable[[Week, Sold], AsyncIterator[None]]


async def rounds(number: int) -> AsyncIterator[None]:
    """Wait for so many rounds."""
    for _ in range(number):
        yield


async def only(command: Awaitable[Done]) -> Done:
    """Do a bulk command of one part; raises NotDone where that was refused."""
    done = await command
    refused: Collection[str] = [answer.code for answer in done.answers if not answer.is_done]
    if refused:
        raise NotDone(", ".join(refused))
    return done
