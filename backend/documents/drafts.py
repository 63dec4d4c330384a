"""What documents say: of orders, accounts and deposits, from what there is of them."""

from collections.abc import Mapping, Sequence

from backend.after_sales.model import Return, ReturnStatus
from backend.after_sales.standing import lines_of_returns, returns_of_orders
from backend.channels.shops import shops_by_ids
from backend.db.pool import Record, TenantTransaction
from backend.documents.model import DocumentContent, DocumentDraft, DocumentKind, DocumentLine
from backend.dropship.deposits import entries_of_deposits
from backend.dropship.quotas.accounts import accounts_by_ids, entries_of_orders, other_entries
from backend.dropship.quotas.model import QuotaAccount, QuotaEntry, QuotaEntryType
from backend.fulfilment.find import lines_of_parcels, parcels_of_orders
from backend.fulfilment.model import ParcelStatus
from backend.orders.find_orders import lines_of_orders, orders_by_ids

T = QuotaEntryType
KIND_OF_ENTRY: Mapping[QuotaEntryType, DocumentKind] = {
    T.OPENED: DocumentKind.QUOTA_NOTE,
    T.LIMIT_SET: DocumentKind.QUOTA_NOTE,
    T.INCREASED: DocumentKind.QUOTA_NOTE,
    T.INCREASE_ENDED: DocumentKind.QUOTA_NOTE,
    T.TOPPED_UP: DocumentKind.RECEIPT,
    T.PAID_OUT: DocumentKind.RECEIPT,
    T.PAID: DocumentKind.RECEIPT,
    T.TAKEN: DocumentKind.DROPSHIP_ORDER,
    T.GIVEN_BACK: DocumentKind.CREDIT_NOTE,
    T.RETURNED: DocumentKind.CREDIT_NOTE,
    T.CHARGED: DocumentKind.DEBIT_NOTE,
    T.CREDITED: DocumentKind.CREDIT_NOTE,
}
"""Every entry of a quota has a document, so the sums of the documents are the account's."""


LEFT = (ParcelStatus.SHIPPED, ParcelStatus.DELIVERED, ParcelStatus.RETURNED)


def source_of_entry(entry_id: int) -> str:
    """Return how the document of an entry of a quota says what it is of."""
    return f"quota_entry:{entry_id}"


async def drafts_of_accounts(
    tx: TenantTransaction, account_ids: Sequence[int]
) -> list[DocumentDraft]:
    """Return the documents of what changed accounts and was no order's."""
    accounts = {one.id: one for one in await accounts_by_ids(tx, account_ids)}
    return [
        _of_entry(entry, accounts[entry.account_id], (), ())
        for entry in await other_entries(tx, account_ids)
    ]


async def drafts_of_deposits(
    tx: TenantTransaction, dealer_ids: Sequence[int]
) -> list[DocumentDraft]:
    """Return the documents of what changed deposits."""
    return [
        DocumentDraft(
            kind=DocumentKind.DEPOSIT_RECEIPT,
            dealer_id=entry.dealer_id,
            source=f"deposit_entry:{entry.id}",
            amount_minor=entry.amount_minor,
            content=DocumentContent(
                (
                    ("type", entry.type.value),
                    ("reference", entry.reference),
                    ("reason", entry.reason),
                )
            ),
        )
        for entry in await entries_of_deposits(tx, dealer_ids)
    ]


async def drafts_of_orders(tx: TenantTransaction, order_ids: Sequence[int]) -> list[DocumentDraft]:
    """Return the documents of what orders took and gave back, of their parcels and returns."""
    if not order_ids:
        return []
    orders = await orders_by_ids(tx, order_ids)
    lines = await lines_of_orders(tx, order_ids)
    shops = await shops_by_ids(tx, list({row["shop_id"] for row in orders.values()}))
    entries = await entries_of_orders(tx, order_ids)
    account_ids = {entry.account_id for entry in entries}
    accounts = {one.id: one for one in await accounts_by_ids(tx, sorted(account_ids))}
    facts = {
        order_id: (
            ("order", str(order_id)),
            ("externalId", row["external_id"] or ""),
            ("shop", shops[row["shop_id"]].code),
        )
        for order_id, row in orders.items()
    }
    found = [
        _of_entry(
            entry,
            accounts[entry.account_id],
            facts[entry.order_id],
            _lines_of_entry(entry, lines[entry.order_id]),
        )
        for entry in entries
        if entry.order_id is not None
    ]
    entities = {entry.order_id: _entity(accounts[entry.account_id]) for entry in entries}
    around = _Around(orders, lines, facts, entities)
    return [*found, *await _of_parcels(tx, around), *await _of_returns(tx, around)]


class _Around:
    """What documents of orders say beside what they are of."""

    def __init__(
        self,
        orders: Mapping[int, Record],
        lines: Mapping[int, Sequence[Record]],
        facts: Mapping[int, tuple[tuple[str, str], ...]],
        entities: Mapping[int | None, int],
    ) -> None:
        self.orders = orders
        self.facts = facts
        self._entities = entities
        self._lines = {
            (order_id, row["line_no"]): row for order_id, rows in lines.items() for row in rows
        }

    def draft(
        self,
        kind: DocumentKind,
        order_id: int,
        source: str,
        facts: tuple[tuple[str, str], ...],
        units: Mapping[int, int],
    ) -> DocumentDraft:
        """Return a document of units of an order's lines, at what the dealer pays for them."""
        lines = [self._line(order_id, line_no, count) for line_no, count in units.items()]
        return DocumentDraft(
            kind=kind,
            dealer_id=self.orders[order_id]["dealer_id"],
            source=source,
            amount_minor=sum(line.amount_minor or 0 for line in lines),
            content=DocumentContent((*self.facts[order_id], *facts), tuple(lines)),
            legal_entity_id=self._entities.get(order_id, 0),
            order_id=order_id,
        )

    def _line(self, order_id: int, line_no: int, count: int) -> DocumentLine:
        row = self._lines[order_id, line_no]
        price = row["dealer_price_minor"]
        amount = None if price is None else count * price
        return DocumentLine(row["sku_code"], count, price, amount)


async def _of_parcels(tx: TenantTransaction, around: _Around) -> list[DocumentDraft]:
    parcels = [
        row
        for rows in (await parcels_of_orders(tx, list(around.orders))).values()
        for row in rows
        if row["status"] in LEFT
    ]
    lines = await lines_of_parcels(tx, [row["id"] for row in parcels])
    return [
        around.draft(
            DocumentKind.DELIVERY_NOTE,
            row["order_id"],
            f"parcel:{row['id']}",
            (("carrier", row["carrier"]), ("waybill", row["waybill"] or "")),
            _units(lines.get(row["id"], ()), "quantity"),
        )
        for row in parcels
    ]


async def _of_returns(tx: TenantTransaction, around: _Around) -> list[DocumentDraft]:
    inspected: dict[int, Return] = {
        one.id: one
        for requests in (await returns_of_orders(tx, list(around.orders))).values()
        for one in requests
        if one.status is ReturnStatus.CLOSED and one.node_id is not None
    }
    lines = await lines_of_returns(tx, list(inspected))
    return [
        around.draft(
            DocumentKind.RETURN_NOTE,
            one.order_id,
            f"return:{one.id}",
            (("return", str(one.id)), ("reason", one.reason)),
            {line.line_no: line.good + line.defective + line.scrapped for line in lines[one.id]},
        )
        for one in inspected.values()
    ]


def _of_entry(
    entry: QuotaEntry,
    account: QuotaAccount,
    facts: tuple[tuple[str, str], ...],
    lines: tuple[DocumentLine, ...],
) -> DocumentDraft:
    said = (
        ("account", account.code),
        ("type", entry.type.value),
        ("reference", entry.reference or ""),
        ("reason", entry.reason),
        ("dueOn", "" if entry.due_on is None else entry.due_on.isoformat()),
    )
    taken_back = entry.reverses_id
    return DocumentDraft(
        kind=KIND_OF_ENTRY[entry.type],
        dealer_id=entry.dealer_id,
        source=source_of_entry(entry.id),
        amount_minor=entry.used_delta or entry.granted_delta,
        content=DocumentContent((*facts, *(one for one in said if one[1])), lines),
        legal_entity_id=_entity(account),
        order_id=entry.order_id,
        account_id=entry.account_id,
        granted_delta=entry.granted_delta,
        used_delta=entry.used_delta,
        reverses_source=None if taken_back is None else source_of_entry(taken_back),
    )


def _lines_of_entry(entry: QuotaEntry, lines: Sequence[Record]) -> tuple[DocumentLine, ...]:
    """Return what an order took, where that is all of what stands in its lines."""
    if entry.type is not QuotaEntryType.TAKEN:
        return ()
    found = [
        DocumentLine(
            row["sku_code"],
            row["quantity"],
            row["dealer_price_minor"],
            row["quantity"] * row["dealer_price_minor"],
        )
        for row in lines
        if row["quota_account_id"] == entry.account_id
    ]
    is_all = sum(line.amount_minor or 0 for line in found) == entry.used_delta
    return tuple(found) if is_all else ()


def _entity(account: QuotaAccount) -> int:
    return account.legal_entity_id or 0


def _units(rows: Sequence[Record], name: str) -> dict[int, int]:
    units: dict[int, int] = {}
    for row in rows:
        units[row["line_no"]] = units.get(row["line_no"], 0) + row[name]
    return units
