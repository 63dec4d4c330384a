"""From submissions to works: what each order means with the shops and SKUs of the moment."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from backend.catalog.errors import UnknownSku
from backend.catalog.find_skus import SkuCache
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import ShopCache
from backend.clock import now
from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.dropship.dealing_version import dealing_version
from backend.dropship.dealings import DealerTerms, Dealings
from backend.dropship.items.book import ItemBook
from backend.dropship.items.model import DealerItem
from backend.network.model import Node
from backend.network.nodes import nodes_by_codes
from backend.network.regions.table import RegionTable
from backend.orders.claim import refused, stored_outcomes
from backend.orders.dealing.errors import BY_TERMS
from backend.orders.errors import InvalidOrder, OrderConflict
from backend.orders.intake import Hold, Intake, Key
from backend.orders.model import Answer, OrderDraft, Refused
from backend.orders.normalise import Surroundings, check_shape, keys_of, normalise
from backend.orders.stock_holds.model import HoldTerms
from backend.orders.work import BREATH_ORDERS, Work
from tenants.brands import Brand
from tenants.principal import PermissionMissing, Principal, system_principal


class Submission(NamedTuple):
    """An order that waits for its batch."""

    draft: OrderDraft
    principal: Principal
    is_bulk: bool
    future: "asyncio.Future[Answer]"
    hold: HoldTerms | None = None
    """Only keep its units, for so long."""
    waits_for: Hold | None = None
    """Hold the order for this."""

    def answer(self, outcome: Answer) -> None:
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Refusal(NamedTuple):
    """An order that cannot be placed now; if it was placed before, that is its answer."""

    keys: tuple[Key, ...]
    outcome: Refused
    answer: Callable[[Answer], None]
    by_terms: Submission | None = None
    """What it is, where it is refused for what may have been agreed, or named, since."""


class Understanding:
    """Understands the orders of one tenant, with its caches of shops and SKUs."""

    def __init__(self, brand: Brand, database: Database, regions: RegionTable) -> None:
        self._database = database
        self._principal = system_principal(brand.id, "orders")
        self._brand = brand
        self._skus = SkuCache()
        self._dealings = Dealings()
        self._items = ItemBook()
        self._shops = ShopCache()
        self._regions = regions
        self._currency = brand.currency

    async def works(self, submissions: Sequence[Submission]) -> list[Work]:
        """Return the works of the orders that can be placed; the others are answered here.

        An order given twice is one work, and so is answered once for both.
        """
        readable = [submission for submission in submissions if _is_readable(submission)]
        works, refusals = await self._understand(readable)
        doubtful = [one.by_terms for one in refusals if one.by_terms is not None]
        if doubtful and await self._has_newer_terms():
            self._dealings.forget()
            self._items.forget()
            more, still = await self._understand(doubtful)
            works += more
            refusals = [*(one for one in refusals if one.by_terms is None), *still]
        await self._refuse(refusals)
        return _deduplicated(works)

    async def _understand(
        self, submissions: Sequence[Submission]
    ) -> tuple[list[Work], list[_Refusal]]:
        """Return the works of orders that can be placed by what is known, and the refusals."""
        around = await self._look_up([submission.draft for submission in submissions])
        works, refusals = [], []
        for number, submission in enumerate(submissions, 1):
            if number % BREATH_ORDERS == 0:
                await asyncio.sleep(0)
            try:
                intake = normalise(
                    submission.draft,
                    submission.principal,
                    around,
                    submission.hold,
                    submission.waits_for,
                )
            except PermissionMissing as error:
                submission.fail(error)
            except YipanError as error:
                keys = _keys(submission, around)
                by_terms = submission if _may_be_newer(error, submission, around) else None
                refusals.append(_Refusal(keys, refused(error), submission.answer, by_terms))
            else:
                works.append(Work(intake, submission.future))
        return works, refusals

    async def _has_newer_terms(self) -> bool:
        """Whether dealers' terms have changed since they were read.

        Who is placed by older ones is understood again in its commit; who is refused has none.
        """
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            return await dealing_version(tx) != self._dealings.version

    async def intake_of(self, draft: OrderDraft, principal: Principal) -> Intake:
        """Return what an order means now; nothing is placed.

        Raises what it would be refused with: PermissionMissing, InvalidOrder, UnknownShop,
        UnknownSku, AmountsDoNotAddUp, AddressUnresolved.
        """
        check_shape(draft, is_bulk=False)
        return normalise(draft, principal, await self._look_up([draft]))

    async def again(self, works: Sequence[Work], retired_sku_ids: set[int]) -> list[Work]:
        """Return new works for orders, or answer them, where what they were understood by changed.

        That is SKUs that were retired on their way, or dealers' terms.
        """
        self._skus.forget(retired_sku_ids)
        self._dealings.forget()
        self._items.forget()
        intakes = [work.intake for work in works if work.intake is not None]
        assert len(intakes) == len(works), "a backorder is not understood twice"
        around = await self._look_up([intake.draft for intake in intakes])
        renewed, refusals = [], []
        for work, intake in zip(works, intakes, strict=True):
            try:
                again = normalise(
                    intake.draft, intake.principal, around, intake.hold, intake.waits_for
                )
                renewed.append(work.with_intake(again))
            except YipanError as error:
                refusals.append(_Refusal(intake.keys, refused(error), work.answer))
        await self._refuse(refusals)
        return renewed

    async def _look_up(self, drafts: Sequence[OrderDraft]) -> Surroundings:
        """Return the shops and SKUs of some orders; what the caches lack is fetched."""
        moment = now()
        shop_codes = {draft.shop for draft in drafts}
        shops = self._shops.known(shop_codes, moment)
        if len(shops) < len(shop_codes):
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                shops |= await self._shops.fetch(tx, shop_codes - shops.keys(), moment)
        items = await self._items_of(drafts, shops)
        sku_codes = _sku_codes(drafts, shops, items)
        skus = self._skus.known(sku_codes)
        if len(skus) < len(sku_codes):
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                skus |= await self._skus.fetch(tx, sku_codes - skus.keys())
        dealers = await self._deal(shops.values(), skus.values())
        asked = {draft.fetched_at.location for draft in drafts if draft.fetched_at is not None}
        nodes = await self._pickup_nodes(asked) if asked else {}
        version = self._dealings.version
        around = (shops, skus, self._regions, self._currency, nodes, dealers, items, version)
        return Surroundings(*around)

    async def _items_of(
        self, drafts: Sequence[OrderDraft], shops: Mapping[str, Shop]
    ) -> dict[tuple[int, str], DealerItem]:
        """Return the items of dealers that their shops' orders name; unknown ones are fetched."""
        keys = {
            (dealer_id, line.sku)
            for draft in drafts
            if (dealer_id := _dealer_of(draft, shops)) is not None
            for line in draft.lines
        }
        if unknown := self._items.unknown(keys):
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                await self._items.read(tx, unknown)
        return {key: item for key in keys if (item := self._items.of(key)) is not None}

    async def _deal(self, shops: Collection[Shop], skus: Collection[Sku]) -> dict[int, DealerTerms]:
        """Return what binds the dealers of the shops; what is not known of it is fetched."""
        dealers = {shop.dealer_id for shop in shops if shop.dealer_id is not None}
        if not dealers:
            return {}
        today, ids = self._brand.today(), {sku.id for sku in skus}
        if not self._dealings.knows(dealers, ids, today):
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                await self._dealings.read(tx, dealers, ids, today)
        return {one: terms for one in dealers if (terms := self._dealings.of(one)) is not None}

    async def _pickup_nodes(self, codes: Collection[str]) -> dict[str, Node]:
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            found = await nodes_by_codes(tx, codes)
        return {node.code: node for node in found}

    async def _refuse(self, refusals: Sequence[_Refusal]) -> None:
        """Answer refused orders; one that was placed when it still could be gets that answer."""
        if not refusals:
            return
        keys = [key for refusal in refusals for key in refusal.keys]
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            stored = await stored_outcomes(tx, keys)
        for refusal in refusals:
            known = [stored[key] for key in refusal.keys if key in stored]
            refusal.answer(known[0] if known else refusal.outcome)


def _may_be_newer(error: YipanError, submission: Submission, around: Surroundings) -> bool:
    """Whether an order is refused for its dealer's terms, or what nobody sells under that name."""
    is_named = isinstance(error, UnknownSku)
    is_dealers = _dealer_of(submission.draft, around.shops) is not None
    return isinstance(error, BY_TERMS) or (is_named and is_dealers)


def _dealer_of(draft: OrderDraft, shops: Mapping[str, Shop]) -> int | None:
    shop = shops.get(draft.shop)
    return None if shop is None else shop.dealer_id


def _sku_codes(
    drafts: Sequence[OrderDraft],
    shops: Mapping[str, Shop],
    items: Mapping[tuple[int, str], DealerItem],
) -> set[str]:
    """Return the codes of all SKUs that orders name, or items that they name have in them."""
    codes: set[str] = set()
    for draft in drafts:
        dealer_id = _dealer_of(draft, shops) if items else None
        for line in draft.lines:
            item = None if dealer_id is None else items.get((dealer_id, line.sku))
            if item is None:
                codes.add(line.sku)
            else:
                codes.update(part.sku_code for part in item.parts)
    return codes


def _keys(submission: Submission, around: Surroundings) -> tuple[Key, ...]:
    draft = submission.draft
    try:
        shop = around.shops.get(draft.shop)
        return keys_of(draft, submission.principal, shop, submission.hold)
    except YipanError:
        return ()


def _is_readable(submission: Submission) -> bool:
    """Whether an order can be read; one that cannot is refused here."""
    try:
        check_shape(submission.draft, is_bulk=submission.is_bulk)
    except InvalidOrder as error:
        submission.answer(refused(error))
        return False
    return True


def _deduplicated(works: Sequence[Work]) -> list[Work]:
    """Return each order once; the same order again follows the first one."""
    first: list[Work] = []
    by_key: dict[str, tuple[Work, bytes]] = {}
    for work in works:
        assert work.intake is not None, "only new orders have keys"
        keys = work.intake.keys
        seen = [by_key[key.key] for key in keys if key.key in by_key]
        if not seen:
            by_key |= {key.key: (work, key.fingerprint) for key in keys}
            first.append(work)
        elif all(mark == keys[0].fingerprint for _, mark in seen):
            seen[0][0].followers.append(work)
        else:
            work.answer(refused(OrderConflict()))
    return first
