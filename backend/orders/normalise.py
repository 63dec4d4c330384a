"""The first step of the intake: validate, map SKUs, resolve the address, price the lines.

What an unpaid order has wrong is refused. A paid platform order is stored whatever it says, as
long as its shop, its external id and its lines can be read: what cannot be resolved becomes a hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from backend.catalog.errors import UnknownSku
from backend.catalog.model import Sku
from backend.channels.errors import UnknownShop
from backend.channels.model import Shop
from backend.db.commands import KEY_LENGTH_MAX, command_key, fingerprint_in_order
from backend.dropship.dealings import DealerTerms
from backend.dropship.items.model import DealerItem
from backend.moments import fault_of_time
from backend.network.model import Node, Region
from backend.network.ranges import MINUTES_A_DAY
from backend.network.regions.table import RegionTable
from backend.orders.apportion import apportion
from backend.orders.dealing.deals import deal_with
from backend.orders.dealing.items import NamedLine, by_skus
from backend.orders.errors import AddressUnresolved, AmountsDoNotAddUp, InvalidOrder, NoPickup
from backend.orders.intake import Amounts, Hold, Intake, IntakeLine, Key
from backend.orders.model import (
    AMOUNT_MINOR_MAX,
    LINES_MAX,
    LINES_MAX_BULK,
    QUANTITY_MAX,
    TEXT_MAX,
    AddressDraft,
    Appointment,
    Deposit,
    HoldKind,
    LineDraft,
    OrderDraft,
    Shortage,
)
from backend.orders.stock_holds.model import HoldTerms
from backend.routing.goods_needs import charged_weight_g
from backend.routing.traits import fault_of
from tenants.principal import Kind, Permission, Principal

NOWHERE = AddressDraft(detail="")
"""The address of who has not said yet where to."""


class Surroundings(NamedTuple):
    """What an order is understood by."""

    shops: Mapping[str, Shop]
    skus: Mapping[str, Sku]
    """Both by code, as far as they exist."""
    regions: RegionTable
    currency: str
    pickup_nodes: Mapping[str, Node] = {}
    """By code, those of the asked for that hand orders over."""
    dealers: Mapping[int, DealerTerms] = {}
    """What binds dealers, of those that an agreement binds."""
    items: Mapping[tuple[int, str], DealerItem] = {}
    """What dealers sell under their own names, by dealer and name."""
    dealing_version: int = 0
    """Of both."""


def normalise(
    draft: OrderDraft,
    principal: Principal,
    around: Surroundings,
    hold: HoldTerms | None = None,
    waits_for: Hold | None = None,
) -> Intake:
    """Return the order, of which `check_shape` has said that it can be read, as it will be stored.

    With the terms of a hold it need not say where to; `waits_for`: it is held for that. Raises
    PermissionMissing, UnknownShop, UnknownSku, AmountsDoNotAddUp, AddressUnresolved, and of a
    dealer's order NoDealerAgreement, NotInAssortment, OutsideTerritory, NoDealerPrice and
    BelowResalePrice.
    """
    principal.require(Permission.ORDERS_PLACE)
    shop = around.shops.get(draft.shop)
    if shop is None or not may_use(principal, shop):
        raise UnknownShop(f"There is no shop {draft.shop!r} that you may use.", path=("shop",))
    holds = [] if waits_for is None else [waits_for]
    pickup_at = _pickup_node(draft, shop, around, holds)
    named = _named_lines(draft, shop, around)
    skus = [
        _sku(draft, line, index if named is None else named[index].origin, index + 1, around, holds)
        for index, line in enumerate(_drafts_of(draft, named))
    ]
    is_placeless = hold is not None and draft.address == NOWHERE
    region_code = None if is_placeless else _region(draft, around.regions, holds)
    if named is None:
        lines, amounts = price(draft, skus)
    else:
        said = msgspec.structs.replace(draft, lines=_drafts_of(draft, named))
        lines, amounts = price(said, skus)
        lines = _with_names(lines, named)
    terms = None if shop.dealer_id is None else around.dealers.get(shop.dealer_id)
    if terms is not None and hold is None:
        lines, faults = deal_with(lines, terms, region_code, around.regions, is_paid=draft.is_paid)
        holds += faults
    if draft.total_minor is not None and draft.total_minor != amounts.total:
        mismatch = AmountsDoNotAddUp(draft.total_minor, amounts.total)
        if not draft.is_paid:
            raise mismatch
        holds.append(Hold(HoldKind.AMOUNT_MISMATCH, mismatch.message))
    if draft.paid_ahead is not None and hold is None:
        holds.append(_rest_to_pay(draft.paid_ahead, amounts))
    ordered_at = draft.ordered_at or datetime.now(UTC)
    return Intake(
        principal=principal,
        draft=draft,
        shop=shop,
        currency=around.currency,
        lines=lines,
        holds=tuple(holds),
        amounts=amounts,
        region_code=region_code,
        shortage=draft.wanted_shortage,
        keys=keys_of(draft, principal, shop, hold),
        ordered_at=ordered_at if ordered_at.tzinfo else ordered_at.replace(tzinfo=UTC),
        pickup_at=pickup_at,
        hold=hold,
        waits_for=waits_for,
        dealing_version=None if shop.dealer_id is None else around.dealing_version,
    )


def may_use(principal: Principal, shop: Shop) -> bool:
    """Return whether a principal may place orders in a shop: a dealer in its own only."""
    if principal.kind in (Kind.BRAND, Kind.SYSTEM):
        return True
    return principal.kind is Kind.DEALER and shop.dealer_id == principal.dealer_id


def check_shape(draft: OrderDraft, *, is_bulk: bool) -> None:
    """Raise InvalidOrder where the order cannot be read, paid or not."""
    lines_max = LINES_MAX_BULK if is_bulk else LINES_MAX
    if draft.external_id is None and draft.idempotency_key is None:
        raise InvalidOrder("An order needs an externalId or an idempotencyKey.")
    if draft.is_paid and draft.external_id is None:
        raise InvalidOrder("A paid platform order needs its externalId.", path=("externalId",))
    if not draft.lines and not draft.fees:
        raise InvalidOrder("An order needs at least one line.", path=("lines",))
    if len(draft.lines) > lines_max or len(draft.fees) > lines_max:
        raise InvalidOrder(f"An order here has at most {lines_max} lines.", path=("lines",))
    _check_texts(draft)
    for index, line in enumerate(draft.lines):
        if not 1 <= line.quantity <= QUANTITY_MAX:
            raise InvalidOrder(
                f"A quantity is a whole number from 1 to {QUANTITY_MAX:,}.",
                path=("lines", index, "quantity"),
            )
        if not 0 <= line.unit_price_minor <= AMOUNT_MINOR_MAX:
            raise InvalidOrder(
                "A unit price is 0 or more.", path=("lines", index, "unitPriceMinor")
            )
        if not 0 <= line.discount_minor <= line.quantity * line.unit_price_minor:
            raise InvalidOrder(
                "A line's discount lies between 0 and the price of the line.",
                path=("lines", index, "discountMinor"),
            )
    _check_amounts(draft)
    if fault := fault_of(draft.known_traits):
        raise InvalidOrder(fault, path=("traits",))
    if draft.agreed is not None:
        check_appointment(draft.agreed)
        if not draft.lines:
            raise InvalidOrder("What has no lines comes at no time.", path=("appointment",))
    if draft.fetched_at is not None:
        _check_pickup(draft)
    if draft.paid_ahead is not None:
        _check_deposit(draft, draft.paid_ahead)


def _check_deposit(draft: OrderDraft, deposit: Deposit) -> None:
    if draft.is_paid:
        raise InvalidOrder("What is paid has no deposit.", path=("deposit",))
    if not 0 < deposit.amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidOrder("A deposit is 1 or more.", path=("deposit", "amountMinor"))
    if fault := fault_of_time(deposit.pay_by):
        raise InvalidOrder(fault, path=("deposit", "payBy"))
    if not draft.lines:
        raise InvalidOrder("What has no lines has no deposit.", path=("deposit",))


def _rest_to_pay(deposit: Deposit, amounts: Amounts) -> Hold:
    """Return what an order with a deposit waits for; raises InvalidOrder."""
    if deposit.amount_minor >= amounts.total:
        raise InvalidOrder(
            "A deposit is less than the order costs.", path=("deposit", "amountMinor")
        )
    if deposit.pay_by <= datetime.now(UTC):
        raise InvalidOrder("The rest is to be paid later than now.", path=("deposit", "payBy"))
    return Hold(HoldKind.DEPOSIT, f"The rest is to be paid until {deposit.pay_by.isoformat()}.")


def _check_pickup(draft: OrderDraft) -> None:
    if not draft.lines:
        raise InvalidOrder("What has no lines is not fetched.", path=("pickup",))
    if draft.agreed is not None:
        raise InvalidOrder("What is fetched comes at no time.", path=("appointment",))
    if draft.shortage is Shortage.PRESALE:
        raise InvalidOrder("What is fetched is there, or waits for stock.", path=("shortage",))


def _pickup_node(
    draft: OrderDraft, shop: Shop, around: Surroundings, holds: list[Hold]
) -> int | None:
    """Return the node where an order is fetched; none, and a hold, where a paid one cannot be."""
    if draft.fetched_at is None:
        return None
    node = around.pickup_nodes.get(draft.fetched_at.location)
    if node is not None and node.hands_over_for(shop.dealer_id):
        return node.id
    error = NoPickup(draft.fetched_at.location)
    if not draft.is_paid:
        raise error
    holds.append(Hold(HoldKind.PICKUP, error.message))
    return None


def check_appointment(agreed: Appointment) -> None:
    """Raise InvalidOrder unless a time begins on its day, and ends there after it has begun."""
    if not 0 <= agreed.from_minute < agreed.to_minute <= MINUTES_A_DAY:
        raise InvalidOrder(
            f"A time begins at minute 0 or later and ends after that, by {MINUTES_A_DAY:,}.",
            path=("appointment",),
        )


def _check_texts(draft: OrderDraft) -> None:
    """Every text can be stored, and none is longer than it has a reason to be."""
    for name, key in (("externalId", draft.external_id), ("idempotencyKey", draft.idempotency_key)):
        if key is not None and not 0 < len(key) <= KEY_LENGTH_MAX:
            raise InvalidOrder(f"{name} has 1 to {KEY_LENGTH_MAX} characters.", path=(name,))
    texts = list(_texts(draft))
    everything = "".join([text for _, text in texts])
    if len(everything) > TEXT_MAX:
        _check_lengths(texts)
    if "\x00" in everything:
        raise InvalidOrder("A text here cannot contain the character NUL.")
    try:
        everything.encode()
    except UnicodeEncodeError as error:
        raise InvalidOrder("A text here contains half of a surrogate pair.") from error


def _check_lengths(texts: Iterable[tuple[str, str]]) -> None:
    for name, text in texts:
        if len(text) > TEXT_MAX:
            raise InvalidOrder(f"{name} has at most {TEXT_MAX} characters.", path=(name,))


def _texts(draft: OrderDraft) -> Iterator[tuple[str, str]]:
    """Yield every text of an order with the name of the field that it stands in."""
    address = draft.address
    yield "shop", draft.shop
    yield "externalId", draft.external_id or ""
    yield "idempotencyKey", draft.idempotency_key or ""
    yield "remark", draft.remark
    yield "address", address.detail + address.name + address.phone
    yield "address", " ".join(address.region_path)
    for line in draft.lines:
        yield "lines", line.sku
    for fee in draft.fees:
        yield "fees", fee.code + fee.description
    traits = draft.known_traits
    for label in (traits.order_type, traits.payment, *traits.tags, *traits.promotions):
        yield "traits", label


def _check_amounts(draft: OrderDraft) -> None:
    goods = sum([line.quantity * line.unit_price_minor for line in draft.lines])
    net = goods - sum([line.discount_minor for line in draft.lines])
    if not 0 <= draft.order_discount_minor <= net:
        raise InvalidOrder(
            "The order's discount lies between 0 and the price of its lines.",
            path=("orderDiscountMinor",),
        )
    if not 0 <= draft.freight_minor <= AMOUNT_MINOR_MAX:
        raise InvalidOrder("Freight is 0 or more.", path=("freightMinor",))
    fees = sum(abs(fee.amount_minor) for fee in draft.fees)
    if goods > AMOUNT_MINOR_MAX or fees > AMOUNT_MINOR_MAX:
        raise InvalidOrder("The order's amount is too large to be true.")


def _named_lines(draft: OrderDraft, shop: Shop, around: Surroundings) -> list[NamedLine] | None:
    """Return the lines by the brand's SKUs; None where they name those themselves."""
    dealer_id = shop.dealer_id
    if dealer_id is None or not around.items:
        return None
    return by_skus(draft.lines, lambda code: around.items.get((dealer_id, code)))


def _drafts_of(draft: OrderDraft, named: Sequence[NamedLine] | None) -> tuple[LineDraft, ...]:
    return draft.lines if named is None else tuple([line.draft for line in named])


def _with_names(lines: Sequence[IntakeLine], named: Sequence[NamedLine]) -> tuple[IntakeLine, ...]:
    return tuple(
        [
            msgspec.structs.replace(line, item_code=of.item_code)
            for line, of in zip(lines, named, strict=True)
        ]
    )


def _sku(
    draft: OrderDraft,
    line: LineDraft,
    origin: int,
    number: int,
    around: Surroundings,
    holds: list[Hold],
) -> Sku | None:
    """Return the SKU of a line, that stands at `origin` in the order and is stored as `number`."""
    sku = around.skus.get(line.sku)
    if sku is None:
        unknown = UnknownSku(line.sku, path=("lines", origin, "sku"))
        if not draft.is_paid:
            raise unknown
        holds.append(Hold(HoldKind.SKU_UNKNOWN, unknown.message, number))
    return sku


def region_of(address: AddressDraft, regions: RegionTable) -> Region | None:
    """Return the region that an address leads to, if it leads to one."""
    if address.region_code is not None:
        return regions.by_code.get(address.region_code)
    return regions.resolve(address.region_path)


def _region(draft: OrderDraft, regions: RegionTable, holds: list[Hold]) -> int | None:
    address = draft.address
    region = region_of(address, regions)
    if region is not None:
        return region.code
    if not draft.is_paid:
        raise AddressUnresolved(path=("address",))
    given = address.region_code or " ".join(address.region_path) or "nothing"
    holds.append(Hold(HoldKind.ADDRESS_UNRESOLVED, f"No region is known for {given}."))
    return None


def price(draft: OrderDraft, skus: list[Sku | None]) -> tuple[tuple[IntakeLine, ...], Amounts]:
    """Return the lines with their frozen shares of the order's discount, and the sums."""
    nets = [line.quantity * line.unit_price_minor - line.discount_minor for line in draft.lines]
    shares = apportion(draft.order_discount_minor, nets)
    lines = tuple(
        [
            IntakeLine(
                line_no=index + 1,
                sku_id=sku.id if sku else None,
                sku_code=line.sku,
                quantity=line.quantity,
                unit_weight_g=charged_weight_g(sku) if sku else 0,
                unit_price_minor=line.unit_price_minor,
                line_discount_minor=line.discount_minor,
                order_discount_minor=shares[index],
                sku=sku,
            )
            for index, (line, sku) in enumerate(zip(draft.lines, skus, strict=True))
        ]
    )
    amounts = Amounts(
        goods=sum([line.quantity * line.unit_price_minor for line in draft.lines]),
        line_discount=sum([line.discount_minor for line in draft.lines]),
        order_discount=draft.order_discount_minor,
        freight=draft.freight_minor,
        fees=sum(fee.amount_minor for fee in draft.fees),
    )
    return lines, amounts


def _said(draft: OrderDraft) -> dict[str, Any]:
    """Return what an order says, in the order of its fields.

    Not as the struct itself: how many fields it might have shows in how it is encoded, and orders
    that came before there was one more would have another mark.
    """
    said: dict[str, Any] = msgspec.to_builtins(draft, builtin_types=(datetime,))
    return said


def keys_of(
    draft: OrderDraft, principal: Principal, shop: Shop | None, hold: HoldTerms | None = None
) -> tuple[Key, ...]:
    """Return the keys, sorted: keys are the first of all locks. Raises InvalidKey.

    A hold and the order that it becomes may have the same external id.
    """
    content = _said(draft) | {"idempotencyKey": None}
    mark = fingerprint_in_order(content if hold is None else (content, hold))
    keys = []
    if draft.idempotency_key is not None:
        keys.append(Key(command_key(principal.subject, draft.idempotency_key), mark))
    if draft.external_id is not None and shop is not None:
        keys.append(Key(f"{'x' if hold is None else 'h'}:{shop.id}:{draft.external_id}", mark))
    return tuple(sorted(keys))
