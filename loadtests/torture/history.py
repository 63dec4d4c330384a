"""A history: a small world, what its people do when, and what goes wrong, all from one seed."""

from datetime import date
from enum import StrEnum
from random import Random

import msgspec

from backend.inventory.change_stock import StockAdjust, StockCommand, StockReceive, StockTransfer
from backend.orders.model import AddressDraft, Appointment, LineDraft, OrderDraft, Shortage
from loadtests.torture.accidents import Accident
from loadtests.torture.effects import Fault

LASTS_SECONDS = 0.4
"""In which everybody comes; most of them at once."""
REGIONS = (310104, 330106, 110105, 440106)
SHORTAGES = (Shortage.REFUSE, Shortage.PARTIAL, Shortage.BACKORDER)
"""What orders want: the twins know no supplies."""
SKUS = ("A", "B", "C")
FAULTS_MAX = 3
WARM_SHARE = 0.7
KEEPING_SEED = 0xCA57
"""Who has units kept is decided apart: seeds from before there were holds go on as they did."""
KEPT_SHARE = 0.3
"""Of the levels, in every third history: what an earmark has of them."""
KEPT_SEED = 0xEA27
"""So that a history with an earmark is otherwise that of its seed."""
AGREED_SEED = 0x5107
"""So that a history with appointments is otherwise that of its seed."""
AGREED_SHARE = 0.5
"""Of the orders, in every third history: those that are to come at a time."""
REROUTED_SEED = 0x2E20
"""So that a history in which orders are given to other nodes is otherwise that of its seed."""
SLOT_DAY = date(2099, 1, 1)
HALVES = ((540, 720), (780, 1_020))
"""Windows in which visits are made."""
INSTALLED = "C"
"""The SKU that somebody has to install."""
EFFECTS = 160
"""Effects of a process in a usual history: a fault strikes one of these."""


class Then(StrEnum):
    """What somebody does who has units kept."""

    ORDER = "order"
    ORDER_TWICE = "order_twice"
    RELEASE = "release"
    FORGET = "forget"


class NodeAt(msgspec.Struct, frozen=True):
    """A node with a functional warehouse of its own code."""

    code: str
    region_code: int
    daily_capacity: int | None


class Order(msgspec.Struct, frozen=True):
    """Somebody orders, and asks again until there is an answer."""

    at: float
    machine: int
    draft: OrderDraft


class Change(msgspec.Struct, frozen=True):
    """Somebody changes stock, and asks again until it is done, or does not care."""

    at: float
    machine: int
    command: StockCommand
    key: str
    insists: bool


class Cancel(msgspec.Struct, frozen=True):
    """Somebody cancels an order once it is placed, and asks again until it is done."""

    at: float
    machine: int
    order: int
    """Which of the history's orders."""
    key: str


class Keeping(msgspec.Struct, frozen=True):
    """Somebody has units kept, and asks again until there is an answer; then does something."""

    at: float
    machine: int
    draft: OrderDraft
    seconds: int
    then: Then
    after: float
    """How long it takes until then; it may be late."""


class Agree(msgspec.Struct, frozen=True):
    """Somebody agrees with an order on a time once it is placed, and asks until it is done."""

    at: float
    machine: int
    order: int
    """Which of the history's orders."""
    time: Appointment
    key: str


class Closing(msgspec.Struct, frozen=True):
    """A node closes, or opens again."""

    at: float
    machine: int
    code: str
    is_active: bool


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is decided before it begins."""

    seed: int
    nodes: tuple[NodeAt, ...]
    stock: tuple[tuple[str, str, int], ...]
    """Functional warehouse, SKU, units."""
    kept: tuple[tuple[str, str, int, int], ...] = ()
    """Functional warehouse, SKU, and what an earmark has unused and lent of them; nobody who comes
    may use it, and what is received goes to it first."""
    visits: tuple[tuple[int, ...], ...] = ()
    """What each node's dock, and behind them an installer, makes of visits in each half."""
    machines: int
    is_warm: bool
    """Whether Valkey knows the counters when the first people come."""
    orders: tuple[Order, ...]
    changes: tuple[Change, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    agrees: tuple[Agree, ...] = ()
    reroutes: tuple[tuple[float, int], ...] = ()
    """When, and on which machine, somebody looks whether orders are sent for less from elsewhere;
    the policy says that they are, if any."""
    closings: tuple[Closing, ...] = ()
    keepings: tuple[Keeping, ...] = ()
    accidents: tuple[tuple[float, Accident], ...] = ()
    """When, and what happens to a server."""
    faults: tuple[tuple[int, int, Fault], ...] = ()
    """Machine, number of its effect, what goes wrong with it."""


def make_history(seed: int) -> History:
    """Return the history of a seed."""
    chance = Random(seed)
    nodes = _nodes(chance)
    machines = chance.choice((1, 2, 2, 3))
    orders = _orders(chance, machines)
    stock = tuple(
        (node.code, sku, chance.choice((0, 1, 1, 2, 3, 5)))
        for node in nodes
        for sku in SKUS
        if chance.random() < 0.7
    )
    history = History(
        seed=seed,
        nodes=nodes,
        stock=stock,
        kept=_kept(seed, stock),
        machines=machines,
        is_warm=chance.random() < WARM_SHARE,
        orders=orders,
        changes=_changes(chance, machines, nodes),
        cancels=tuple(
            Cancel(
                _moment(chance), chance.randrange(machines), chance.randrange(len(orders)), f"c{n}"
            )
            for n in range(chance.choice((0, 0, 1, 2)))
        ),
        closings=tuple(
            Closing(_moment(chance), chance.randrange(machines), nodes[0].code, is_active)
            for is_active in (False, True)
            if chance.random() < 0.1
        ),
        accidents=_accidents(chance),
        keepings=_keepings(Random(seed ^ KEEPING_SEED), machines),
        faults=tuple(
            (chance.randrange(machines), chance.randrange(1, EFFECTS), chance.choice(list(Fault)))
            for _ in range(chance.randrange(FAULTS_MAX + 1))
        ),
    )
    return _with_reroutes(_with_appointments(history))


def _with_reroutes(history: History) -> History:
    """Return a history in which, if it is a third one, orders are given to other nodes.

    More stock comes there, so that there is something to be gained.
    """
    chance = Random(history.seed ^ REROUTED_SEED)
    if chance.random() > 1 / 3:
        return history
    reroutes = tuple(
        (chance.uniform(0, 2 * LASTS_SECONDS), chance.randrange(history.machines))
        for _ in range(chance.choice((2, 4, 8)))
    )
    arriving = tuple(
        Change(
            chance.uniform(0, LASTS_SECONDS),
            chance.randrange(history.machines),
            StockReceive(warehouse=node.code, sku=sku, quantity=chance.choice((1, 2, 5))),
            f"r-{node.code}-{sku}",
            insists=True,
        )
        for node in history.nodes
        for sku in SKUS
        if chance.random() < 0.4
    )
    changes = history.changes + arriving
    return msgspec.structs.replace(history, reroutes=reroutes, changes=changes)


def _with_appointments(history: History) -> History:
    """Return a history in which, if it is a third one, some orders are to come at a time."""
    chance = Random(history.seed ^ AGREED_SEED)
    if chance.random() > 1 / 3:
        return history
    times: dict[str, Appointment | None] = {}
    orders = []
    for order in history.orders:
        draft = order.draft
        key = draft.external_id or draft.idempotency_key or ""
        if key not in times:
            times[key] = _time(chance) if chance.random() < AGREED_SHARE else None
        if agreed := times[key]:
            draft = msgspec.structs.replace(draft, appointment=agreed)
        orders.append(msgspec.structs.replace(order, draft=draft))
    agrees = tuple(
        Agree(
            _moment(chance),
            chance.randrange(history.machines),
            chance.randrange(len(orders)),
            _time(chance),
            f"a{number}",
        )
        for number in range(chance.choice((0, 1, 3)))
    )
    visits = tuple(
        tuple(chance.choice((0, 1, 1, 2)) for _ in HALVES) for _ in (*history.nodes, "installer")
    )
    return msgspec.structs.replace(history, orders=tuple(orders), agrees=agrees, visits=visits)


def _time(chance: Random) -> Appointment:
    return Appointment(SLOT_DAY, *chance.choice((*HALVES, (0, 1_440))))


def _kept(
    seed: int, stock: tuple[tuple[str, str, int], ...]
) -> tuple[tuple[str, str, int, int], ...]:
    chance = Random(seed ^ KEPT_SEED)
    if chance.random() > 1 / 3:
        return ()
    return tuple(
        (code, sku, chance.randrange(units + 1), chance.choice((0, 1, 2, 4)))
        for code, sku, units in stock
        if chance.random() < KEPT_SHARE
    )


def _keepings(chance: Random, machines: int) -> tuple[Keeping, ...]:
    """Return who has units kept: in every third history somebody."""
    if chance.random() < 2 / 3:
        return ()
    return tuple(
        Keeping(
            at=_moment(chance),
            machine=chance.randrange(machines),
            draft=msgspec.structs.replace(
                _draft(chance, number),
                external_id=None,
                idempotency_key=f"h-{number}",
                is_paid=False,
                shortage=chance.choice((None, Shortage.PARTIAL)),
            ),
            seconds=1,
            then=chance.choice(list(Then)),
            after=chance.choice((0.0, 0.1, 0.95, 1.0, 1.05, chance.uniform(0, 2))),
        )
        for number in range(chance.choice((1, 2, 4)))
    )


def _moment(chance: Random) -> float:
    """Return when somebody comes: in a crowd at the beginning, or at any time."""
    return chance.choice((0.0, 0.0, 0.01, chance.uniform(0, LASTS_SECONDS)))


def _nodes(chance: Random) -> tuple[NodeAt, ...]:
    return tuple(
        NodeAt(f"n{n}", REGIONS[n], chance.choice((None, None, 1, 4)))
        for n in range(chance.choice((1, 2, 2, 3)))
    )


def _orders(chance: Random, machines: int) -> tuple[Order, ...]:
    orders: list[Order] = []
    for number in range(chance.randrange(2, 11)):
        if orders and chance.random() < 0.15:
            draft = chance.choice(orders).draft
        else:
            draft = _draft(chance, number)
        orders.append(Order(_moment(chance), chance.randrange(machines), draft))
    return tuple(orders)


def _draft(chance: Random, number: int) -> OrderDraft:
    skus = chance.sample(SKUS, chance.choice((1, 1, 1, 2, 3)))
    is_paid = chance.random() < 0.3
    return OrderDraft(
        shop="shop",
        address=AddressDraft(detail="1", region_code=chance.choice(REGIONS), name="n", phone="1"),
        lines=tuple(LineDraft(sku, chance.choice((1, 1, 2, 3)), 100) for sku in skus),
        external_id=f"o-{number}" if is_paid else None,
        idempotency_key=None if is_paid else f"k-{number}",
        is_paid=is_paid,
        shortage=None if is_paid else chance.choice((None, None, *SHORTAGES)),
    )


def _changes(chance: Random, machines: int, nodes: tuple[NodeAt, ...]) -> tuple[Change, ...]:
    changes = []
    for number in range(chance.choice((0, 1, 2, 4))):
        code, sku = chance.choice(nodes).code, chance.choice(SKUS)
        units = chance.choice((1, 2, 5))
        command: StockCommand = StockReceive(warehouse=code, sku=sku, quantity=units)
        kind = chance.random()
        if kind < 0.2:
            command = StockAdjust(warehouse=code, sku=sku, quantity=-1, reason="count")
        elif kind < 0.4 and len(nodes) > 1:
            other = nodes[0].code if code != nodes[0].code else nodes[1].code
            command = StockTransfer(source=code, destination=other, sku=sku, quantity=1)
        insists = chance.random() < 0.6
        who = chance.randrange(machines)
        changes.append(Change(_moment(chance), who, command, f"s{number}", insists))
    return tuple(changes)


def _accidents(chance: Random) -> tuple[tuple[float, Accident], ...]:
    if chance.random() < 0.5:
        return ()
    return tuple(
        (chance.uniform(0, LASTS_SECONDS), chance.choice(list(Accident)))
        for _ in range(chance.choice((1, 1, 2)))
    )
