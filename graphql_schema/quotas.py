"""Quotas of dealers (额度): accounts, their entries, and what changes them."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.db.pool import TenantTransaction
from backend.dropship.quotas import accounts as cases
from backend.dropship.quotas.model import AccountDraft, QuotaEntryType, QuotaKind
from backend.dropship.quotas.model import QuotaAccount as AccountRecord
from backend.dropship.quotas.model import QuotaEntry as EntryRecord
from backend.inventory.counters import Counters
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, QuotaTooSmallError
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

SETTLED_AT_ONCE = 100
"""Waiting orders that go before a command is answered: half a second; the others go soon after."""

strawberry.enum(QuotaKind, name="QuotaKind", description="Where a quota comes from.")
strawberry.enum(QuotaEntryType, name="QuotaEntryType", description="Why a quota changed.")


@strawberry.type(description="A line of a quota's statement (额度流水).")
class QuotaEntry(relay.Node):
    number: relay.NodeID[int]
    type: QuotaEntryType
    granted_delta_minor: BigInt
    used_delta_minor: BigInt
    order_id: strawberry.ID | None
    due_on: date | None
    reference: str | None
    reason: str
    actor: str
    recorded_at: datetime
    reverses_id: strawberry.ID | None = strawberry.field(description="The entry it takes back.")

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.entries_by_ids,
            entry_from,
            permission=Permission.DEALERS_READ,
        )


def entry_from(found: EntryRecord) -> QuotaEntry:
    order = found.order_id
    return QuotaEntry(
        number=found.id,
        type=found.type,
        granted_delta_minor=found.granted_delta,
        used_delta_minor=found.used_delta,
        order_id=None if order is None else strawberry.ID(id_of("Order", order)),
        due_on=found.due_on,
        reference=found.reference,
        reason=found.reason,
        actor=found.actor,
        recorded_at=found.recorded_at,
        reverses_id=_reversed(found.reverses_id),
    )


def _reversed(entry_id: int | None) -> strawberry.ID | None:
    return None if entry_id is None else strawberry.ID(id_of("QuotaEntry", entry_id))


@strawberry.type(description="What a dealer may order by: credit, or paid ahead.")
class QuotaAccount(relay.Node):
    number: relay.NodeID[int]
    code: str
    dealer_id: strawberry.ID
    kind: QuotaKind
    granted_minor: BigInt
    used_minor: BigInt = strawberry.field(
        description="What orders took, less what was given back and, of credit, paid."
    )
    left_minor: BigInt
    is_overdrawn: bool = strawberry.field(
        description="More is used than granted: nothing more is taken until it no longer is."
    )
    payment_days: int | None
    overdue_minor: BigInt
    is_blocked: bool = strawberry.field(description="Something is overdue: nothing more is taken.")
    warn_bp: list[int]
    version: BigInt
    set_by: str
    changed_at: datetime

    @strawberry.field(description="What changed it, the newest first.")
    async def entries(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[QuotaEntry]:
        limit = page_size(first)
        (before,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_entries(tx, self.number, before, limit)
        return connection(rows, first, entry_from, lambda one: cursor_of(one.id))

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.accounts_by_ids,
            account_from,
            permission=Permission.DEALERS_READ,
        )


def account_from(found: AccountRecord) -> QuotaAccount:
    return QuotaAccount(
        number=found.id,
        code=found.code,
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        kind=found.kind,
        granted_minor=found.granted_minor,
        used_minor=found.used_minor,
        left_minor=found.left_minor,
        is_overdrawn=found.used_minor > found.granted_minor,
        payment_days=found.payment_days,
        overdue_minor=found.overdue_minor,
        is_blocked=found.is_blocked,
        warn_bp=list(found.warn_bp),
        version=found.version,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.input
class QuotaOpenInput:
    idempotency_key: str
    code: str
    dealer: str
    kind: QuotaKind
    limit_minor: BigInt = strawberry.field(default=0, description="Of credit.")
    payment_days: int | None = strawberry.field(
        default=None, description="Of credit: after how many days what was taken is due."
    )
    legal_entity: str | None = strawberry.field(
        default=None, description="Who issues its documents; null: the brand itself."
    )
    warn_bp: list[int] = strawberry.field(
        default_factory=lambda: [2_000, 500],
        description="With a smaller share left than one of these basis points somebody is told.",
    )


@strawberry.input
class QuotaSetLimitInput:
    idempotency_key: str
    account: str
    limit_minor: BigInt
    reason: str = ""


@strawberry.input
class QuotaPaymentInput:
    idempotency_key: str
    account: str
    amount_minor: BigInt
    reference: str = strawberry.field(description="The payment's own; recorded once.")


@strawberry.input
class QuotaIncreaseInput:
    idempotency_key: str
    account: str
    amount_minor: BigInt
    ends_at: datetime
    reason: str = ""


@strawberry.input
class QuotaAdjustInput:
    idempotency_key: str
    account: str
    amount_minor: BigInt = strawberry.field(description="Below 0: the dealer owes less.")
    reason: str


@strawberry.input
class QuotaReverseInput:
    idempotency_key: str
    account: str
    entry_id: strawberry.ID
    reason: str = ""


@strawberry.type
class QuotaRecorded:
    account: QuotaAccount


QuotaPayload = Annotated[
    QuotaRecorded | InputRefused | PermissionDenied, strawberry.union("QuotaPayload")
]
QuotaPayOutPayload = Annotated[
    QuotaRecorded | QuotaTooSmallError | InputRefused | PermissionDenied,
    strawberry.union("QuotaPayOutPayload"),
]


async def _record(
    context: Context, change: Callable[[TenantTransaction], Awaitable[AccountRecord]]
) -> QuotaRecorded:
    """Change an account, tell everybody, and let go who waited for it."""
    async with context.writing() as tx:
        found = await change(tx)
    tenant_id = context.principal.tenant_id
    await context.services.publish_counters(tenant_id, Counters(quotas=[found.at]))
    brand = await context.brand()
    went, counters = await context.services.dealing.settle(brand, SETTLED_AT_ONCE)
    if went:
        await context.services.publish_counters(tenant_id, counters)
    return QuotaRecorded(account=account_from(found))


@strawberry.type
class QuotasQuery:
    @strawberry.field(description="Quota accounts; a dealer sees its own.")
    async def quota_accounts(
        self,
        info: YipanInfo,
        dealer_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[QuotaAccount]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first)
        (after_id,) = key_of(after, (0,))
        dealer = None if dealer_id is None else number_of("Dealer", dealer_id)
        async with info.context.reading() as tx:
            rows = await cases.page_of_accounts(tx, after_id, limit, dealer_id=dealer)
        return connection(rows, first, account_from, lambda one: cursor_of(one.id))


@strawberry.type
class QuotasMutation:
    @strawberry.mutation(description="Open a quota account for a dealer.")
    async def quota_open(self, info: YipanInfo, input: QuotaOpenInput) -> QuotaPayload:
        draft = AccountDraft(
            code=input.code,
            dealer=input.dealer,
            kind=input.kind,
            limit_minor=input.limit_minor,
            payment_days=input.payment_days,
            warn_bp=tuple(input.warn_bp),
            legal_entity=input.legal_entity,
        )
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.open_account(tx, draft, key=key))

    @strawberry.mutation(
        description="Set what may be owed; below what is used it blocks further orders."
    )
    async def quota_set_limit(self, info: YipanInfo, input: QuotaSetLimitInput) -> QuotaPayload:
        return await _record(
            info.context,
            lambda tx: cases.set_limit(
                tx,
                input.account,
                input.limit_minor,
                key=input.idempotency_key,
                reason=input.reason,
            ),
        )

    @strawberry.mutation(description="Record what a dealer has paid ahead (充值).")
    async def quota_top_up(self, info: YipanInfo, input: QuotaPaymentInput) -> QuotaPayload:
        given = (input.account, input.amount_minor, input.reference)
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.top_up(tx, *given, key=key))

    @strawberry.mutation(description="Record what was given back of what was paid ahead (退款).")
    async def quota_pay_out(self, info: YipanInfo, input: QuotaPaymentInput) -> QuotaPayOutPayload:
        given = (input.account, input.amount_minor, input.reference)
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.pay_out(tx, *given, key=key))

    @strawberry.mutation(description="Record what was paid of what is owed (还款).")
    async def quota_pay(self, info: YipanInfo, input: QuotaPaymentInput) -> QuotaPayload:
        given = (input.account, input.amount_minor, input.reference)
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.record_payment(tx, *given, key=key))

    @strawberry.mutation(description="Let a dealer owe more (借记) or less (贷记), by hand.")
    async def quota_adjust(self, info: YipanInfo, input: QuotaAdjustInput) -> QuotaPayload:
        given = (input.account, input.amount_minor, input.reason)
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.adjust(tx, *given, key=key))

    @strawberry.mutation(description="Take back what was charged or credited by hand (红冲).")
    async def quota_reverse(self, info: YipanInfo, input: QuotaReverseInput) -> QuotaPayload:
        given = (input.account, number_of("QuotaEntry", input.entry_id), input.reason)
        key = input.idempotency_key
        return await _record(info.context, lambda tx: cases.reverse_entry(tx, *given, key=key))

    @strawberry.mutation(description="Let a credit account have more until a time (临时额度).")
    async def quota_increase(self, info: YipanInfo, input: QuotaIncreaseInput) -> QuotaPayload:
        return await _record(
            info.context,
            lambda tx: cases.increase(
                tx,
                input.account,
                input.amount_minor,
                input.ends_at,
                key=input.idempotency_key,
                reason=input.reason,
            ),
        )
