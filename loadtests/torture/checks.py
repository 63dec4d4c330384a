"""What must hold at the end of every history."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

from backend.admission.model import capacity_counter, stock_counter
from backend.inventory.ledger import NEW_STOCK
from backend.orders.model import (
    AddressDraft,
    Held,
    LineDraft,
    LineOutcome,
    OrderDraft,
    Outcome,
    Placed,
)
from backend.orders.model import Refused as OrderRefused
from backend.orders.states import derive_status
from loadtests.torture.history import INSTALLED, REGIONS, SKUS
from loadtests.torture.machine import Machine
from loadtests.torture.played import TENANT, Played
from loadtests.torture.rows import Fields
from loadtests.torture.stock_statements import free, unreserved

Place = Callable[[int, OrderDraft], Awaitable[Outcome]]
SHORT = "INSUFFICIENT_STOCK"
"""The refusal that says that there is no unit."""
FINAL_ORDERS_MAX = 40


async def check_all(played: Played, machines: Sequence[Machine], place: Place) -> None:
    """Note what is wrong with a history that has been played and has healed."""
    await played.servers.read()
    played.observer.note(asyncio.get_running_loop().time())
    played.findings += played.observer.findings
    played.findings += await what_is_left(played, machines)
    played.findings += check_answers(played)
    played.findings += [line async for line in _ask_again(played, place)]
    played.findings += [line async for line in _sell_what_is_free(played, place)]
    await played.servers.read()
    played.findings += check_rows(played)


async def what_is_left(played: Played, machines: Sequence[Machine]) -> list[str]:
    """Return what has not healed, of what was read last of the rows, and of Valkey now."""
    return check_rows(played) + await check_admission(played, machines)


# --------------------------------------------------------------------------- counters


def check_rows(played: Played) -> list[str]:
    """Return what does not add up in the rows."""
    counters = [*_levels(played), *_earmarks(played), *_capacities(played), *_slots(played)]
    orders = [*_orders(played), *_refunds(played)]
    return [*counters, *_holds(played), *orders, *_events(played)]


def _table(played: Played, name: str) -> list[Fields]:
    return list(played.servers.database.tables.get(name, {}).values())


def _levels(played: Played) -> Iterator[str]:
    moved: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for move in _table(played, "stock_movement"):
        sums = moved[move["functional_warehouse_id"], move["sku_id"]]
        sums[0] += move["on_hand_delta"]
        sums[1] += move["reserved_delta"]
    active: defaultdict[tuple[int, int], int] = defaultdict(int)
    for held in _table(played, "reservation"):
        active[held["functional_warehouse_id"], held["sku_id"]] += held["active"]
        if not 0 <= held["active"] <= held["quantity"]:
            yield f"a reservation ends more than once: {held}"
    kept = {hold["id"] for hold in _table(played, "stock_hold") if hold["state"] == "active"}
    for part in _table(played, "stock_hold_part"):
        if part["hold_id"] in kept:
            active[part["functional_warehouse_id"], part["sku_id"]] += part["quantity"]
    for level in _table(played, "stock_level"):
        key = (level["functional_warehouse_id"], level["sku_id"])
        if [level["on_hand"], level["reserved"]] != moved[key]:
            yield f"level {key} is {level}, its movements say {moved[key]}"
        if level["reserved"] != active[key]:
            yield f"level {key} has {level['reserved']} reserved, of orders {active[key]}"


def _earmarks(played: Played) -> Iterator[str]:
    """Nobody uses an earmark here: it has what was put in, and is repaid before anybody else."""
    new: defaultdict[tuple[int, int], int] = defaultdict(int)
    unused: defaultdict[tuple[int, int], int] = defaultdict(int)
    for move in _table(played, "stock_movement"):
        if move.get("type") in NEW_STOCK:
            new[move["functional_warehouse_id"], move["sku_id"]] += move["quantity"]
    lent = {(code, sku): units for code, sku, _, units in played.history.kept}
    for kept in _table(played, "earmark_level"):
        key = (kept["functional_warehouse_id"], kept["sku_id"])
        unused[key] += kept["unused"]
        code = played.history.nodes[key[0] - 1].code
        if kept["lent"] != max(0, lent[code, SKUS[key[1] - 1]] - new[key]):
            yield f"{new[key]} units came, and an earmark is {kept}"
        if kept["filled"] != kept["unused"] + kept["lent"]:
            yield f"units of an earmark are lost: {kept}"
    for level in _table(played, "stock_level"):
        key = (level["functional_warehouse_id"], level["sku_id"])
        if level["earmark_unused"] != unused[key]:
            yield f"level {key} is {level}, its earmarks have {unused[key]}"


def _holds(played: Played) -> Iterator[str]:
    """Each hold was taken once, for who was told so, and has ended once."""
    moved: defaultdict[int, list[int]] = defaultdict(list)
    for move in _table(played, "stock_movement"):
        if move.get("cause_kind") == "hold":
            moved[move["cause_id"]].append(move["reserved_delta"])
    orders = {order["id"] for order in _table(played, "orders")}
    told = {held.hold_id for _, held in played.held if isinstance(held, Held)}
    holds = _table(played, "stock_hold")
    if {hold["id"] for hold in holds} != told:
        yield f"holds {[hold['id'] for hold in holds]} are stored, {sorted(told)} were answered"
    for hold in holds:
        taken = [units for units in moved[hold["id"]] if units > 0]
        given = [-units for units in moved[hold["id"]] if units < 0]
        if hold["state"] == "active":
            yield f"hold {hold['id']} has not ended"
        if not taken or sorted(taken) != sorted(given):
            yield f"hold {hold['id']} took {taken} and gave back {given}"
        if (hold["state"] == "converted") is not (hold["order_id"] in orders):
            yield f"hold {hold['id']} is {hold['state']}, with order {hold['order_id']}"


def _orders(played: Played) -> Iterator[str]:
    lines: defaultdict[int, list[Fields]] = defaultdict(list)
    for line in _table(played, "order_line"):
        lines[line["order_id"]].append(line)
    active: defaultdict[tuple[int, int], int] = defaultdict(int)
    for held in _table(played, "reservation"):
        active[held["order_id"], held["line_no"]] += held["active"]
    open_holds = [hold for hold in _table(played, "order_hold") if not hold["released_at"]]
    are_held = {hold["order_id"] for hold in open_holds}
    for order in _table(played, "orders"):
        outcomes = []
        for line in lines[order["id"]]:
            units = [line[name] for name in LineOutcome.__struct_fields__[1:]]
            outcomes.append(LineOutcome(line["line_no"], *units))
            if sum(units) != line["quantity"] or min(units) < 0:
                yield f"the units of a line do not add up: {line}"
            if line["reserved"] != active[order["id"], line["line_no"]]:
                yield f"a line and its reservations differ: {line}"
        if derive_status(outcomes, is_held=order["id"] in are_held) != order["status"]:
            yield f"order {order['id']} is {order['status']}, its lines say otherwise"


def _refunds(played: Played) -> Iterator[str]:
    """What is cancelled of what was paid is owed, and nothing else; never more than was paid."""
    owed: defaultdict[int, int] = defaultdict(int)
    for refund in _table(played, "refund"):
        owed[refund["order_id"]] += refund["amount_minor"]
    for order in _table(played, "orders"):
        most = order["total_minor"] if order["is_paid"] else 0
        is_whole = order["is_paid"] and order["status"] == "cancelled"
        if not (most if is_whole else 0) <= owed[order["id"]] <= most:
            yield f"{owed[order['id']]} is owed of {order}"


def _capacities(played: Played) -> Iterator[str]:
    parcels: defaultdict[tuple[int, object], int] = defaultdict(int)
    full: set[tuple[int, int]] = {
        (held["order_id"], held["fulfilment_no"])
        for held in _table(played, "reservation")
        if held["active"]
    }
    for parcel in _table(played, "fulfilment"):
        is_live = parcel["status"] == "reserved"
        if is_live and parcel["capacity_day"] is not None:
            parcels[parcel["node_id"], parcel["capacity_day"]] += 1
        if is_live is not ((parcel["order_id"], parcel["fulfilment_no"]) in full):
            yield f"a parcel stands without units, or has units and does not: {parcel}"
    for at in _table(played, "node_capacity"):
        if at["taken"] != parcels[at["node_id"], at["day"]]:
            yield f"capacity {at} is not {parcels[at['node_id'], at['day']]} parcels"


def _slots(played: Played) -> Iterator[str]:
    """What is booked is taken, all of an order or none."""
    visits: defaultdict[int, set[int]] = defaultdict(set)
    deliveries: defaultdict[int, list[Fields]] = defaultdict(list)
    for parcel in _table(played, "fulfilment"):
        if parcel["status"] == "reserved":
            deliveries[parcel["order_id"]].append(parcel)
            if parcel["slot_id"] is not None:
                visits[parcel["slot_id"]].add(parcel["order_id"])
    installed = {line["order_id"] for line in _table(played, "order_line") if _is_installed(line)}
    for agreed in _table(played, "order_appointment"):
        order_id, installation = agreed["order_id"], agreed["installation_slot_id"]
        if installation is not None:
            visits[installation].add(order_id)
        parcels = deliveries[order_id]
        delivered = [parcel["slot_id"] is not None for parcel in parcels]
        is_whole = bool(parcels) and all(delivered)
        is_whole &= (installation is not None) is (order_id in installed)
        is_none = not any(delivered) and installation is None
        if not (is_whole if agreed["is_booked"] else is_none):
            yield f"an appointment is half booked: {agreed}, {parcels}"
    for slot in _table(played, "slot"):
        if slot["taken"] != len(visits[slot["id"]]):
            yield f"slot {slot} is not {visits[slot['id']]}"


def _is_installed(line: Fields) -> bool:
    return bool(line["sku_code"] == INSTALLED and line["reserved"])


def _events(played: Played) -> Iterator[str]:
    sequences: defaultdict[int, list[int]] = defaultdict(list)
    for event in _table(played, "outbox"):
        sequences[event["order_id"]].append(event["sequence"])
    for order in _table(played, "orders"):
        if sequences[order["id"]] != list(range(1, order["event_sequence"] + 1)):
            yield f"order {order['id']} tells {sequences[order['id']]} of {order['event_sequence']}"


# -------------------------------------------------------------------------- admission


async def check_admission(played: Played, machines: Sequence[Machine]) -> list[str]:
    """Return where Valkey, once all is healed, is not what PostgreSQL says."""
    findings = []
    if played.servers.database.deadlocks:
        findings.append(f"{played.servers.database.deadlocks} deadlocks")
    admission = machines[0].runtime.admission
    if await admission.stale(TENANT, 0, 100):
        findings.append("tokens are left")
    wanted = {
        stock_counter(at["functional_warehouse_id"], at["sku_id"]): (free(at), at["version"])
        for at in _table(played, "stock_level")
    } | {
        capacity_counter(at["node_id"], at["day"]): (
            at["limit_parcels"] - at["taken"],
            at["version"],
        )
        for at in _table(played, "node_capacity")
    }
    wanted |= _usable(played)
    known = await admission.look(TENANT, list(wanted))
    for (counter, (base, version)), found in zip(wanted.items(), known, strict=True):
        if counter.startswith("e") and found is not None and found[::2] == (base, 0):
            continue  # what is used up no longer follows its level
        if found is not None and found != (base, version, 0):
            findings.append(f"counter {counter} is {found} and should be {(base, version, 0)}")
    return findings


def _usable(played: Played) -> dict[str, tuple[int, int]]:
    """Return what Valkey shall say of earmarks."""
    levels = {
        (at["functional_warehouse_id"], at["sku_id"]): at for at in _table(played, "stock_level")
    }
    found = {}
    for kept in _table(played, "earmark_level"):
        key = (kept["functional_warehouse_id"], kept["sku_id"])
        units = max(0, min(kept["unused"], unreserved(levels[key])))
        found[stock_counter(*key, kept["earmark_id"])] = (units, levels[key]["version"])
    return found


# ---------------------------------------------------------------------------- answers


def check_answers(played: Played) -> list[str]:
    """Return which answers are not what happened."""
    return [*_one_order_a_key(played), *_refused_wrongly(played), *_waits_for_nothing(played)]


def _key(draft: OrderDraft) -> str:
    return draft.external_id or draft.idempotency_key or ""


def _one_order_a_key(played: Played) -> Iterator[str]:
    ids: defaultdict[str, set[int]] = defaultdict(set)
    refused: set[str] = set()
    for answer in played.answers:
        if isinstance(answer.outcome, Placed):
            ids[_key(answer.draft)].add(answer.outcome.order_id)
        else:
            refused.add(_key(answer.draft))
            if answer.draft.is_paid:
                yield f"a paid order is refused: {answer.outcome}"
    stored = {order["id"] for order in _table(played, "orders")}
    told = {order_id for found in ids.values() for order_id in found}
    if stored != told:
        yield f"orders {sorted(stored)} are stored, {sorted(told)} were answered"
    for key, found in ids.items():
        if len(found) > 1:
            yield f"{key} gave orders {sorted(found)}"


def _refused_wrongly(played: Played) -> Iterator[str]:
    if not played.servers.sees_commits:
        return
    if played.history.closings:
        return  # who has not heard that a node is open again may refuse for a second
    for answer in played.answers:
        outcome, lines = answer.outcome, answer.draft.lines
        is_one = len(lines) == 1 and lines[0].quantity == 1
        if is_one and isinstance(outcome, OrderRefused) and outcome.code == SHORT:
            sku_id = SKUS.index(lines[0].sku) + 1
            if played.observer.could_be_sold(sku_id, answer.asked_at, answer.answered_at):
                yield f"{_key(answer.draft)} was refused while a unit was free"


def _waits_for_nothing(played: Played) -> Iterator[str]:
    sellable = played.observer.moments[-1].sellable
    for line in _table(played, "order_line"):
        if line["backordered"] and sellable.get(line["sku_id"], 0) > 0:
            yield f"a line waits although there is stock: {line}"


async def _ask_again(played: Played, place: Place) -> AsyncIterator[str]:
    """Ask once more under each key: what was placed is answered again."""
    for number, answer in enumerate(played.answers):
        if isinstance(answer.outcome, Placed):
            again = await place(number, answer.draft)
            if again != answer.outcome:
                yield f"{_key(answer.draft)} was {answer.outcome} and is {again}"


async def _sell_what_is_free(played: Played, place: Place) -> AsyncIterator[str]:
    """Sell every unit that is free, one by one, and one more."""
    if any(node.daily_capacity is not None for node in played.history.nodes):
        return
    for sku_id, units in sorted(played.observer.moments[-1].sellable.items()):
        for number in range(min(units, FINAL_ORDERS_MAX) + 1):
            outcome = await place(number, _one_unit(sku_id, number))
            if isinstance(outcome, Placed) is (number == units):
                yield f"unit {number + 1} of {units} free units of SKU {sku_id}: {outcome}"


def _one_unit(sku_id: int, number: int) -> OrderDraft:
    return OrderDraft(
        shop="shop",
        address=AddressDraft(detail="1", region_code=REGIONS[0], name="n", phone="1"),
        lines=(LineDraft(SKUS[sku_id - 1], 1, 100),),
        idempotency_key=f"last-{sku_id}-{number}",
    )
