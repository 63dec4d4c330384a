"""Documents (单据): what was issued, once, under a number without gaps; never changed after it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from backend.db.pool import Record


class DocumentKind(StrEnum):
    """What a document is."""

    DROPSHIP_ORDER = "dropship_order"
    """What an order took of a quota (代发订单)."""
    DELIVERY_NOTE = "delivery_note"
    """What lies in a parcel that has left (发货单)."""
    RETURN_NOTE = "return_note"
    """What has come back of an order, as it was found (退货单)."""
    CREDIT_NOTE = "credit_note"
    """What a dealer owes less (贷记单)."""
    DEBIT_NOTE = "debit_note"
    """What a dealer owes more, beside its orders (借记单)."""
    QUOTA_NOTE = "quota_note"
    """What a dealer may order by from now on (额度通知单)."""
    RECEIPT = "receipt"
    """What was paid of a quota, or paid out (收付款单)."""
    DEPOSIT_RECEIPT = "deposit_receipt"
    """What was paid of a deposit, deducted or refunded (保证金单)."""
    STATEMENT = "statement"
    """What changed a quota in a month, and what it was before and after (额度对账单)."""


PREFIXES: Mapping[DocumentKind, str] = {
    DocumentKind.DROPSHIP_ORDER: "DO",
    DocumentKind.DELIVERY_NOTE: "DN",
    DocumentKind.RETURN_NOTE: "RN",
    DocumentKind.CREDIT_NOTE: "CN",
    DocumentKind.DEBIT_NOTE: "DB",
    DocumentKind.QUOTA_NOTE: "QN",
    DocumentKind.RECEIPT: "RC",
    DocumentKind.DEPOSIT_RECEIPT: "DR",
    DocumentKind.STATEMENT: "ST",
}
"""What the codes of documents begin with."""


class DocumentLine(msgspec.Struct, frozen=True, rename="camel"):
    """A line of a document: goods, or a figure of a statement."""

    text: str
    quantity: int | None = None
    unit_minor: int | None = None
    amount_minor: int | None = None


class DocumentContent(msgspec.Struct, frozen=True, rename="camel"):
    """What a document says, as it was when it was issued."""

    facts: tuple[tuple[str, str], ...] = ()
    """Names and values, in the order in which they stand there."""
    lines: tuple[DocumentLine, ...] = ()


class DocumentDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is to be issued."""

    kind: DocumentKind
    dealer_id: int
    source: str
    """What it says something of; one document a source."""
    amount_minor: int
    content: DocumentContent
    legal_entity_id: int = 0
    """0: the brand itself."""
    order_id: int | None = None
    account_id: int | None = None
    granted_delta: int = 0
    used_delta: int = 0
    reverses_source: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was issued."""

    id: int
    legal_entity_id: int
    kind: DocumentKind
    year: int
    number: int
    code: str
    dealer_id: int
    source: str
    order_id: int | None
    account_id: int | None
    granted_delta: int
    used_delta: int
    amount_minor: int
    currency: str
    content: DocumentContent
    reverses_id: int | None
    issued_at: datetime


_content = msgspec.json.Decoder(DocumentContent).decode


def document_from(row: Record) -> Document:
    """Return a document from its row."""
    return Document(
        **{**row, "kind": DocumentKind(row["kind"]), "content": _content(row["content"])}
    )
