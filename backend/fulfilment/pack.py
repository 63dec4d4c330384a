"""Packing (打包): what was picked goes into parcels, all of it and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import Done, carry_out
from backend.fulfilment.errors import InvalidFulfilmentInput, ParcelsDoNotAddUp
from backend.fulfilment.events import FulfilmentPacked
from backend.fulfilment.model import PARCELS_MAX, TEXT_MAX, WEIGHT_G_MAX, Packing, ParcelDraft
from backend.fulfilment.waves import SQL
from backend.orders.find_work import UnitsToSend, units_to_send
from backend.orders.move_fulfilments import (
    FulfilmentKey,
    Moved,
    lock_orders_of,
    move_fulfilments,
)
from backend.orders.states import FULFILMENT
from tenants.principal import Principal

PACK = FULFILMENT.step("pack")


class _Line(NamedTuple):
    """Units of a line of a SKU: what a parcel holds."""

    line_no: int
    sku_id: int
    quantity: int


async def pack_fulfilments(
    database: Database, principal: Principal, packings: Sequence[Packing], key: str
) -> Done:
    """Note how picked fulfilments are packed, once; each is answered by itself.

    Locks the key, then the orders. Emits `fulfilment.packed`. Refused, one by one: what
    `move_fulfilments` refuses, ParcelsDoNotAddUp. Raises what `carry_out` does.
    """
    for index, packing in enumerate(packings):
        _check(packing, ("fulfilments", index))
    keys = [packing.key for packing in packings]
    by_key = {packing.key: packing for packing in packings}
    return await carry_out(
        database, principal, key, ("pack", packings), keys, lambda tx: pack(tx, by_key)
    )


async def pack(tx: TenantTransaction, packings: Mapping[FulfilmentKey, Packing]) -> Moved:
    """Pack fulfilments in a transaction; what `pack_fulfilments` does under its key."""
    units: defaultdict[FulfilmentKey, list[UnitsToSend]] = defaultdict(list)

    def tell(row: Record) -> Payload:
        packing = packings[_key_of(row)]
        where = row["order_id"], row["fulfilment_no"], row["node_id"]
        return FulfilmentPacked(*where, packing.carrier, len(packing.parcels) or 1)

    def does_not_add_up(row: Record) -> YipanError | None:
        key = _key_of(row)
        return _difference(packings[key], units[key])

    await lock_orders_of(tx, packings)
    for unit in await units_to_send(tx, list(packings)):
        units[unit.key].append(unit)
    moved = await move_fulfilments(tx, PACK, packings, tell, check=does_not_add_up)
    await _store(tx, moved.done, packings, units)
    return moved


async def _store(
    tx: TenantTransaction,
    done: Sequence[Record],
    packings: Mapping[FulfilmentKey, Packing],
    units: Mapping[FulfilmentKey, Sequence[UnitsToSend]],
) -> None:
    sku_ids = {unit.sku_id for row in done for unit in units[_key_of(row)]}
    skus = await skus_by_ids(tx, list(sku_ids))
    parcels, contents = [], []
    for row in done:
        packing = packings[_key_of(row)]
        for lines, weight_g in _parcels(packing, units[_key_of(row)], skus):
            where = row["order_id"], row["fulfilment_no"], row["node_id"], row["dealer_id"]
            parcels.append((*where, packing.carrier, weight_g))
            contents.append((lines, row["node_id"], row["dealer_id"]))
    if not parcels:
        return
    ids = await tx.fetch(SQL.insert_parcels, tx.tenant_id, *zip(*parcels, strict=True))
    rows = [
        (parcel["id"], line.line_no, line.sku_id, node_id, dealer_id, line.quantity)
        for parcel, (lines, node_id, dealer_id) in zip(ids, contents, strict=True)
        for line in lines
    ]
    await tx.execute(SQL.insert_parcel_lines, tx.tenant_id, *zip(*rows, strict=True))


def _parcels(
    packing: Packing, units: Sequence[UnitsToSend], skus: Mapping[int, Sku]
) -> list[tuple[list[_Line], int]]:
    """Return the parcels of a fulfilment: what is in each, and its weight in grams."""
    left: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for unit in units:
        left[unit.line_no][unit.sku_id] += unit.quantity
    drafts = packing.parcels or (None,)
    found = []
    for draft in drafts:
        lines = _all_of(left) if draft is None else _some_of(left, draft)
        weight_g = sum(line.quantity * skus[line.sku_id].weight_g for line in lines)
        if draft is not None and draft.weight_g is not None:
            weight_g = draft.weight_g
        found.append((lines, weight_g))
    return found


def _all_of(left: Mapping[int, Counter[int]]) -> list[_Line]:
    return [
        _Line(line_no, sku_id, quantity)
        for line_no, by_sku in left.items()
        for sku_id, quantity in by_sku.items()
    ]


def _some_of(left: Mapping[int, Counter[int]], draft: ParcelDraft) -> list[_Line]:
    lines = []
    for part in draft.lines:
        wanted, by_sku = part.quantity, left[part.line_no]
        for sku_id, there in by_sku.items():
            taken = min(wanted, there)
            wanted -= taken
            by_sku[sku_id] -= taken
            if taken:
                lines.append(_Line(part.line_no, sku_id, taken))
    return lines


def _difference(packing: Packing, units: Sequence[UnitsToSend]) -> YipanError | None:
    """Say where parcels hold something else than was picked."""
    if not packing.parcels:
        return None
    packed: Counter[int] = Counter()
    for parcel in packing.parcels:
        for line in parcel.lines:
            packed[line.line_no] += line.quantity
    picked: Counter[int] = Counter()
    for unit in units:
        picked[unit.line_no] += unit.quantity
    for line_no in sorted(packed.keys() | picked.keys()):
        if packed[line_no] != picked[line_no]:
            return ParcelsDoNotAddUp(
                f"Of line {line_no} {picked[line_no]} units were picked, and the parcels hold "
                f"{packed[line_no]}."
            )
    return None


def _check(packing: Packing, path: tuple[str | int, ...]) -> None:
    if not 0 < len(packing.carrier) <= TEXT_MAX:
        raise InvalidFulfilmentInput("Say who carries it.", path=(*path, "carrier"))
    if len(packing.parcels) > PARCELS_MAX:
        raise InvalidFulfilmentInput(f"At most {PARCELS_MAX} parcels.", path=(*path, "parcels"))
    for number, parcel in enumerate(packing.parcels):
        where = (*path, "parcels", number)
        if not parcel.lines or any(line.quantity < 1 for line in parcel.lines):
            raise InvalidFulfilmentInput("A parcel holds 1 unit or more.", path=(*where, "lines"))
        if len({line.line_no for line in parcel.lines}) < len(parcel.lines):
            raise InvalidFulfilmentInput("A line stands there twice.", path=(*where, "lines"))
        if parcel.weight_g is not None and not 0 <= parcel.weight_g <= WEIGHT_G_MAX:
            raise InvalidFulfilmentInput(
                f"A parcel weighs 0 to {WEIGHT_G_MAX} g.", path=(*where, "weightG")
            )


def _key_of(row: Record) -> FulfilmentKey:
    return FulfilmentKey(row["order_id"], row["fulfilment_no"])
