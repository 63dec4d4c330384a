"""Agreements with dealers who sell the brand's goods (一件代发), and what those dealers are."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.dropship import agreements as cases
from backend.dropship.model import Agreement as AgreementRecord
from backend.dropship.model import AgreementDraft, Payer, Profile, TermsStatus
from backend.dropship.model import Settlement as SettlementRecord
from backend.dropship.profiles import profiles, set_profile
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, TermsChangedError
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
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

strawberry.enum(TermsStatus, name="TermsStatus", description="Where terms of dealers stand.")
strawberry.enum(Payer, name="Payer", description="Who pays for something.")


@strawberry.type(description="How what is sold by an agreement is settled (结算条款).")
class Settlement:
    freight_paid_by: Payer
    returns_paid_by: Payer
    share_bp: int = strawberry.field(
        description="The brand's basis points of what buyers pay beyond the dealer's price."
    )
    settle_days: int
    deposit_minor: BigInt = strawberry.field(description="The security deposit (保证金).")
    ship_within_hours: int


@strawberry.type(description="What a dealer may sell, where, and how it is settled (经销协议).")
class DealerAgreement(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[AgreementRecord]
    code: str
    dealer_id: strawberry.ID
    status: TermsStatus
    starts_on: date
    ends_on: date | None
    territory: list[BigInt] = strawberry.field(description="Codes of regions; none: everywhere.")
    product_lines: list[str] = strawberry.field(
        description="With no line and no SKU named: all goods."
    )
    is_exclusive: bool
    settlement: Settlement
    version: BigInt
    set_by: str
    approved_by: str | None
    changed_at: datetime

    @strawberry.field(description="SKUs beside the lines.")
    async def added_skus(self, info: YipanInfo) -> list[Sku | None]:
        return [await load_sku(info, one) for one in self.record.added_skus]

    @strawberry.field(description="SKUs of the lines that are not meant.")
    async def excluded_skus(self, info: YipanInfo) -> list[Sku | None]:
        return [await load_sku(info, one) for one in self.record.excluded_skus]

    @strawberry.field(description="What its orders take; null: they take no quota.")
    def quota_account_id(self) -> strawberry.ID | None:
        account_id = self.record.quota_account_id
        return None if account_id is None else strawberry.ID(id_of("QuotaAccount", account_id))

    @strawberry.field(description="What it takes the place of.")
    def replaces_id(self) -> strawberry.ID | None:
        old = self.record.replaces_id
        return None if old is None else strawberry.ID(id_of("DealerAgreement", old))

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.agreements_by_ids,
            dealer_agreement_from,
            permission=Permission.DEALERS_READ,
        )


def dealer_agreement_from(found: AgreementRecord) -> DealerAgreement:
    terms = found.settlement
    return DealerAgreement(
        number=found.id,
        record=found,
        code=found.code,
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        status=found.status,
        starts_on=found.starts_on,
        ends_on=found.ends_on,
        territory=list(found.territory),
        product_lines=list(found.product_lines),
        is_exclusive=found.is_exclusive,
        settlement=Settlement(
            freight_paid_by=terms.freight_paid_by,
            returns_paid_by=terms.returns_paid_by,
            share_bp=terms.share_bp,
            settle_days=terms.settle_days,
            deposit_minor=terms.deposit_minor,
            ship_within_hours=terms.ship_within_hours,
        ),
        version=found.version,
        set_by=found.set_by,
        approved_by=found.approved_by,
        changed_at=found.changed_at,
    )


@strawberry.type(
    description="What a dealer is to the brand: its level, and whose sub-dealer it is."
)
class DealerProfile:
    dealer_id: strawberry.ID
    level: str
    parent_dealer_id: strawberry.ID | None
    is_suspended: bool = strawberry.field(description="Its new orders are held.")
    reason: str


def profile_from(found: Profile) -> DealerProfile:
    parent = found.parent_id
    return DealerProfile(
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        level=found.level,
        parent_dealer_id=None if parent is None else strawberry.ID(id_of("Dealer", parent)),
        is_suspended=found.is_suspended,
        reason=found.reason,
    )


@strawberry.input
class SettlementInput:
    freight_paid_by: Payer = Payer.BRAND
    returns_paid_by: Payer = Payer.DEALER
    share_bp: int = 0
    settle_days: int = 30
    deposit_minor: BigInt = 0
    ship_within_hours: int = 48


@strawberry.input
class DealerAgreementSaveInput:
    idempotency_key: str
    code: str
    dealer: str
    starts_on: date
    ends_on: date | None = None
    territory: list[BigInt] = strawberry.field(default_factory=list)
    product_lines: list[str] = strawberry.field(default_factory=list)
    added_skus: list[str] = strawberry.field(default_factory=list)
    excluded_skus: list[str] = strawberry.field(default_factory=list)
    is_exclusive: bool = False
    quota_account: str | None = None
    settlement: SettlementInput | None = None
    replaces: str | None = strawberry.field(
        default=None, description="The code of the agreement that ends when this one begins."
    )


@strawberry.input
class TermsDecideInput:
    idempotency_key: str
    code: str
    version: BigInt = strawberry.field(description="What whoever decides has read.")


@strawberry.input
class TermsEndInput:
    idempotency_key: str
    code: str
    last_day: date


@strawberry.input
class DealerSetProfileInput:
    idempotency_key: str
    dealer_id: strawberry.ID
    level: str = ""
    parent_dealer_id: strawberry.ID | None = None
    is_suspended: bool = False
    reason: str = ""


@strawberry.type
class DealerAgreementRecorded:
    agreement: DealerAgreement


@strawberry.type
class DealerProfileRecorded:
    profile: DealerProfile


DealerAgreementSavePayload = Annotated[
    DealerAgreementRecorded | InputRefused | PermissionDenied,
    strawberry.union("DealerAgreementSavePayload"),
]
DealerAgreementDecidePayload = Annotated[
    DealerAgreementRecorded | TermsChangedError | InputRefused | PermissionDenied,
    strawberry.union("DealerAgreementDecidePayload"),
]
DealerSetProfilePayload = Annotated[
    DealerProfileRecorded | InputRefused | PermissionDenied,
    strawberry.union("DealerSetProfilePayload"),
]


def _recorded(found: AgreementRecord) -> DealerAgreementRecorded:
    return DealerAgreementRecorded(agreement=dealer_agreement_from(found))


@strawberry.type
class DealerAgreementsQuery:
    @strawberry.field(description="Agreements with dealers; a dealer sees its own approved ones.")
    async def dealer_agreements(
        self,
        info: YipanInfo,
        dealer_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[DealerAgreement]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first)
        (after_id,) = key_of(after, (0,))
        dealer = None if dealer_id is None else number_of("Dealer", dealer_id)
        async with info.context.reading() as tx:
            rows = await cases.page_of_agreements(tx, after_id, limit, dealer_id=dealer)
        return connection(rows, first, dealer_agreement_from, lambda one: cursor_of(one.id))

    @strawberry.field(description="What dealers are to the brand; a dealer sees itself.")
    async def dealer_profiles(self, info: YipanInfo) -> list[DealerProfile]:
        info.context.principal.require(Permission.DEALERS_READ)
        async with info.context.reading() as tx:
            return [profile_from(one) for one in (await profiles(tx)).values()]


@strawberry.type
class DealerAgreementsMutation:
    @strawberry.mutation(description="Write the draft of an agreement; it binds once approved.")
    async def dealer_agreement_save(
        self, info: YipanInfo, input: DealerAgreementSaveInput
    ) -> DealerAgreementSavePayload:
        terms = input.settlement or SettlementInput()
        draft = AgreementDraft(
            code=input.code,
            dealer=input.dealer,
            starts_on=input.starts_on,
            ends_on=input.ends_on,
            territory=tuple(input.territory),
            product_lines=tuple(input.product_lines),
            added_skus=tuple(input.added_skus),
            excluded_skus=tuple(input.excluded_skus),
            is_exclusive=input.is_exclusive,
            quota_account=input.quota_account,
            settlement=SettlementRecord(
                freight_paid_by=terms.freight_paid_by,
                returns_paid_by=terms.returns_paid_by,
                share_bp=terms.share_bp,
                settle_days=terms.settle_days,
                deposit_minor=terms.deposit_minor,
                ship_within_hours=terms.ship_within_hours,
            ),
            replaces=input.replaces,
        )
        regions = info.context.services.regions
        async with info.context.writing() as tx:
            found = await cases.save_agreement(
                tx, draft, key=input.idempotency_key, regions=regions
            )
        return _recorded(found)

    @strawberry.mutation(
        description="Let a draft bind from its first day on; what it replaces ends the day before."
    )
    async def dealer_agreement_approve(
        self, info: YipanInfo, input: TermsDecideInput
    ) -> DealerAgreementDecidePayload:
        regions = info.context.services.regions
        async with info.context.writing() as tx:
            found = await cases.approve_agreement(
                tx, input.code, input.version, key=input.idempotency_key, regions=regions
            )
        return _recorded(found)

    @strawberry.mutation(description="Drop the draft of an agreement.")
    async def dealer_agreement_discard(
        self, info: YipanInfo, input: TermsDecideInput
    ) -> DealerAgreementDecidePayload:
        async with info.context.writing() as tx:
            found = await cases.discard_agreement(
                tx, input.code, input.version, key=input.idempotency_key
            )
        return _recorded(found)

    @strawberry.mutation(description="Let an agreement bind until a day; placed orders stay.")
    async def dealer_agreement_end(
        self, info: YipanInfo, input: TermsEndInput
    ) -> DealerAgreementSavePayload:
        async with info.context.writing() as tx:
            found = await cases.end_agreement(
                tx, input.code, input.last_day, key=input.idempotency_key
            )
        return _recorded(found)

    @strawberry.mutation(description="Say what a dealer is to the brand.")
    async def dealer_set_profile(
        self, info: YipanInfo, input: DealerSetProfileInput
    ) -> DealerSetProfilePayload:
        parent = input.parent_dealer_id
        profile = Profile(
            dealer_id=number_of("Dealer", input.dealer_id),
            level=input.level,
            parent_id=None if parent is None else number_of("Dealer", parent),
            is_suspended=input.is_suspended,
            reason=input.reason,
        )
        async with info.context.writing() as tx:
            found = await set_profile(tx, profile, key=input.idempotency_key)
        return DealerProfileRecorded(profile=profile_from(found))
