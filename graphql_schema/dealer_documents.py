"""Documents of dealers' business (单据), and what dealers have deposited (保证金)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.documents.find import documents_by_ids, page_of_documents
from backend.documents.model import Document as DocumentRecord
from backend.documents.model import DocumentKind
from backend.documents.shares import share_statement
from backend.dropship.deposits import (
    DealerDeposit as DepositRecord,
)
from backend.dropship.deposits import (
    DepositEntryType,
    DepositMove,
    deposits,
    move_deposit,
)
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(DocumentKind, name="DocumentKind", description="What a document is.")
strawberry.enum(DepositEntryType, name="DepositEntryType", description="Why a deposit changed.")


@strawberry.type(description="What a document says by name.")
class DocumentFact:
    name: str
    value: str


@strawberry.type(description="A line of a document: goods, or a figure.")
class DocumentLine:
    text: str
    quantity: int | None
    unit_minor: BigInt | None
    amount_minor: BigInt | None


@strawberry.type(description="What was issued, under a number without gaps; it is never changed.")
class Document(relay.Node):
    number: relay.NodeID[int]
    kind: DocumentKind
    code: str
    dealer_id: strawberry.ID
    order_id: strawberry.ID | None
    quota_account_id: strawberry.ID | None
    granted_delta_minor: BigInt = strawberry.field(description="What it changed of the quota.")
    used_delta_minor: BigInt
    amount_minor: BigInt
    currency: str
    facts: list[DocumentFact]
    lines: list[DocumentLine]
    reverses_id: strawberry.ID | None = strawberry.field(description="What it takes back.")
    issued_at: datetime
    pdf_path: str = strawberry.field(description="Where it is as PDF, with the same token.")

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            documents_by_ids,
            document_node,
            permission=Permission.DEALERS_READ,
        )


def document_node(found: DocumentRecord) -> Document:
    def of(kind: str, number: int | None) -> strawberry.ID | None:
        return None if number is None else strawberry.ID(id_of(kind, number))

    content = found.content
    return Document(
        number=found.id,
        kind=found.kind,
        code=found.code,
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        order_id=of("Order", found.order_id),
        quota_account_id=of("QuotaAccount", found.account_id),
        granted_delta_minor=found.granted_delta,
        used_delta_minor=found.used_delta,
        amount_minor=found.amount_minor,
        currency=found.currency,
        facts=[DocumentFact(name=name, value=value) for name, value in content.facts],
        lines=[
            DocumentLine(
                text=line.text,
                quantity=line.quantity,
                unit_minor=line.unit_minor,
                amount_minor=line.amount_minor,
            )
            for line in content.lines
        ],
        reverses_id=of("Document", found.reverses_id),
        issued_at=found.issued_at,
        pdf_path=f"/documents/{found.id}.pdf",
    )


@strawberry.type(description="Why a deposit is what it is.")
class DepositEntry:
    type: DepositEntryType
    amount_minor: BigInt = strawberry.field(description="What the deposit changed by.")
    reference: str
    reason: str
    actor: str
    recorded_at: datetime


@strawberry.type(description="What a dealer has deposited with the brand (保证金).")
class DealerDeposit:
    dealer_number: strawberry.Private[int]
    dealer_id: strawberry.ID
    balance_minor: BigInt

    @strawberry.field
    async def entries(self, info: YipanInfo) -> list[DepositEntry]:
        return [
            DepositEntry(
                type=entry.type,
                amount_minor=entry.amount_minor,
                reference=entry.reference,
                reason=entry.reason,
                actor=entry.actor,
                recorded_at=entry.recorded_at,
            )
            for entry in await info.context.deposit_entries.load(self.dealer_number)
        ]


def deposit_from(found: DepositRecord) -> DealerDeposit:
    return DealerDeposit(
        dealer_number=found.dealer_id,
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        balance_minor=found.balance_minor,
    )


@strawberry.type(description="What was sold by one agreement, and what each has of it (利润分成).")
class DealerShare:
    agreement_id: strawberry.ID
    agreement_code: str
    units: BigInt = strawberry.field(description="That have arrived, and have not come back.")
    returned_units: BigInt
    sold_minor: BigInt = strawberry.field(description="What buyers paid for them.")
    dealer_minor: BigInt = strawberry.field(description="What the dealer pays for them.")
    brand_share_minor: BigInt = strawberry.field(description="The brand's part, as agreed.")
    dealer_share_minor: BigInt


@strawberry.input
class DepositMoveInput:
    idempotency_key: str
    dealer_id: strawberry.ID
    type: DepositEntryType
    amount_minor: BigInt
    reference: str
    reason: str = ""


@strawberry.type
class DepositMoved:
    deposit: DealerDeposit


DepositMovePayload = Annotated[
    DepositMoved | InputRefused | PermissionDenied, strawberry.union("DepositMovePayload")
]


@strawberry.type
class DealerDocumentsQuery:
    @strawberry.field(description="Documents, the newest first; a dealer sees its own.")
    async def documents(
        self,
        info: YipanInfo,
        kind: DocumentKind | None = None,
        dealer_id: strawberry.ID | None = None,
        order_id: strawberry.ID | None = None,
        quota_account_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Document]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first)
        (before,) = key_of(after, (NUMBER_MAX,))
        account = quota_account_id
        async with info.context.reading() as tx:
            rows = await page_of_documents(
                tx,
                before,
                limit,
                kind=kind,
                dealer_id=None if dealer_id is None else number_of("Dealer", dealer_id),
                order_id=None if order_id is None else number_of("Order", order_id),
                account_id=None if account is None else number_of("QuotaAccount", account),
            )
        return connection(rows, first, document_node, lambda one: cursor_of(one.id))

    @strawberry.field(
        description="What was sold of a dealer's orders of a month, as 2026-11 (利润分成)."
    )
    async def dealer_share_statement(
        self, info: YipanInfo, dealer_id: strawberry.ID, month: str
    ) -> list[DealerShare]:
        info.context.principal.require(Permission.DEALERS_READ)
        dealer, brand = number_of("Dealer", dealer_id), await info.context.brand()
        async with info.context.reading() as tx:
            found = await share_statement(tx, brand, dealer, month)
        return [
            DealerShare(
                agreement_id=strawberry.ID(id_of("DealerAgreement", one.agreement_id)),
                agreement_code=one.agreement_code,
                units=one.units,
                returned_units=one.returned_units,
                sold_minor=one.sold_minor,
                dealer_minor=one.dealer_minor,
                brand_share_minor=one.brand_share_minor,
                dealer_share_minor=one.dealer_share_minor,
            )
            for one in found
        ]

    @strawberry.field(description="What dealers have deposited; a dealer sees its own.")
    async def dealer_deposits(self, info: YipanInfo) -> list[DealerDeposit]:
        info.context.principal.require(Permission.DEALERS_READ)
        async with info.context.reading() as tx:
            return [deposit_from(one) for one in await deposits(tx)]


@strawberry.type
class DealerDocumentsMutation:
    @strawberry.mutation(description="Record what was paid, deducted or refunded of a deposit.")
    async def deposit_move(self, info: YipanInfo, input: DepositMoveInput) -> DepositMovePayload:
        move = DepositMove(
            dealer_id=number_of("Dealer", input.dealer_id),
            type=input.type,
            amount_minor=input.amount_minor,
            reference=input.reference,
            reason=input.reason,
        )
        async with info.context.writing() as tx:
            found = await move_deposit(tx, move, key=input.idempotency_key)
        return DepositMoved(deposit=deposit_from(found))
