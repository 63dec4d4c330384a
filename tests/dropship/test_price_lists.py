"""Price lists: drafted whole, approved as they were read, ended; one at a time for the same."""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.commands import CommandConflict
from backend.db.pool import Database
from backend.dropship import price_lists as cases
from backend.dropship.dealings import Dealings
from backend.dropship.errors import DocumentChanged, InvalidPriceList, PriceListOverlaps
from backend.dropship.model import PriceLine, PriceList, PriceListDraft, Profile, TermsStatus
from backend.dropship.profiles import set_profile
from tenants.principal import Permission
from tests.catalogue import Connection
from tests.dropship.conftest import LAST_DAY
from tests.dropship.dealing import BEGINNING
from tests.dropship.papers import Agreements, PriceLists, approving_prices, overtaken
from tests.refusals import refused
from tests.world import World, fresh_key

T = TermsStatus
Write = Callable[[PriceLists], Awaitable[PriceList]]
ONE_DAY = timedelta(days=1)
TODAY, SOON, LATER = date(2025, 1, 1), date(2028, 1, 1), date(2029, 1, 1)


@pytest.fixture
def papers(database: Database, world: World) -> PriceLists:
    return PriceLists(database, world.brand)


# ----------------------------------------------------------------------------------- drafts


async def test_a_draft_says_what_was_saved(papers: PriceLists, world: World) -> None:
    line = PriceLine(sku="B", price_minor=700, min_resale_minor=900)
    saved = await papers.save(lines={"A": 600, "B": line}, dealer="d1", ends_on=LATER)
    assert (saved.status, saved.version, saved.approved_by) == (T.DRAFT, 1, None)
    assert (saved.dealer_id, saved.level) == (world.dealers["d1"], None)
    assert (saved.starts_on, saved.ends_on) == (BEGINNING, LATER)
    assert saved.set_by == world.brand.subject
    assert await papers.prices() == [(600, 0), (700, 900)]


async def test_a_draft_is_written_anew_whole(papers: PriceLists, admin: Connection) -> None:
    first = await papers.save(lines={"A": 600, "B": 700, "C": 800}, dealer="d1")
    again = await papers.save(lines={"C": 900, "B": 700}, level=" gold ", ends_on=SOON)
    assert (again.id, again.version, again.status) == (first.id, 2, T.DRAFT)
    assert (again.dealer_id, again.level, again.ends_on) == (None, "gold", SOON)
    assert await papers.prices() == [(700, 0), (900, 0)]
    owners = "select count(*) from dealer_price where dealer_id is not null"
    assert await admin.fetchval(owners) == 0


async def test_a_discarded_draft_is_never_approved(papers: PriceLists) -> None:
    await papers.save()
    assert (await papers.discard()).status is T.DISCARDED
    with pytest.raises(DocumentChanged):
        await papers.approve(version=2)
    with pytest.raises(InvalidPriceList):
        await papers.save()


# --------------------------------------------------------------------------------- approval


async def test_what_was_read_is_approved(papers: PriceLists, world: World) -> None:
    await papers.save()
    await papers.save(lines={"A": 700})
    with pytest.raises(DocumentChanged) as raised:
        await papers.approve(version=1)
    assert raised.value.version == 2
    held = await papers.approve(version=2)
    assert (held.status, held.version, held.approved_by) == (T.APPROVED, 3, world.brand.subject)


async def test_what_is_approved_is_never_changed(papers: PriceLists) -> None:
    held = await papers.bind()
    with pytest.raises(InvalidPriceList):
        await papers.save(lines={"A": 1})
    with pytest.raises(DocumentChanged):
        await papers.discard(version=held.version)
    assert await papers.all() == {"PL-1": held}
    assert await papers.prices() == [(600, 0)]


async def test_it_ends_earlier_and_never_later(papers: PriceLists) -> None:
    await papers.bind(ends_on=LATER)
    assert (await papers.end(SOON)).ends_on == SOON
    assert (await papers.end(LATER)).ends_on == SOON
    assert (await papers.end(BEGINNING - ONE_DAY)).ends_on == BEGINNING - ONE_DAY


# --------------------------------------------------------------------------------- overlaps


DEALER, GOLD = {"dealer": "d1"}, {"level": "gold"}
BESIDE: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "all twice": ({}, {}, True),
    "a dealer twice": (DEALER, DEALER, True),
    "a level twice": (GOLD, {"level": " gold"}, True),
    "all, and a dealer": ({}, DEALER, False),
    "all, and a level": ({}, GOLD, False),
    "a dealer, and a level": (DEALER, GOLD, False),
    "other dealers": (DEALER, {"dealer": "d2"}, False),
    "other levels": (GOLD, {"level": "silver"}, False),
    "days that meet": ({"ends_on": SOON}, {"starts_on": SOON}, True),
    "days that follow": ({"ends_on": SOON}, {"starts_on": SOON + ONE_DAY}, False),
    "days before": ({"starts_on": SOON}, {"ends_on": SOON - ONE_DAY}, False),
    "days within": ({}, {"starts_on": SOON, "ends_on": SOON}, True),
}


@pytest.mark.parametrize("name", BESIDE)
async def test_one_at_a_time_is_for_the_same_dealers(papers: PriceLists, name: str) -> None:
    first, second, overlaps = BESIDE[name]
    await papers.bind("PL-1", **first)
    await papers.save("PL-2", **second)
    if overlaps:
        with pytest.raises(PriceListOverlaps, match="PL-1"):
            await papers.approve("PL-2")
    else:
        assert (await papers.approve("PL-2")).status is T.APPROVED


async def test_what_ended_is_followed_by_another(papers: PriceLists) -> None:
    await papers.bind("PL-1")
    await papers.end(SOON)
    assert (await papers.bind("PL-2", starts_on=SOON + ONE_DAY)).status is T.APPROVED


async def test_what_ended_before_it_began_is_in_nobodys_way(papers: PriceLists) -> None:
    await papers.bind("PL-1", starts_on=SOON)
    await papers.end(SOON - ONE_DAY)
    assert (await papers.bind("PL-2")).status is T.APPROVED


async def test_of_two_that_overlap_one_is_approved(papers: PriceLists, admin: Connection) -> None:
    await papers.save("PL-1")
    await papers.save("PL-2")
    both = approving_prices("PL-1", 1), approving_prices("PL-2", 1)
    late = await overtaken(papers.database, admin, papers.who, *both)
    assert isinstance(late, PriceListOverlaps)
    stands = {code: one.status for code, one in (await papers.all()).items()}
    assert stands == {"PL-1": T.APPROVED, "PL-2": T.DRAFT}


async def test_two_approve_one_once(papers: PriceLists, admin: Connection) -> None:
    await papers.save()
    twice = approving_prices("PL-1", 1), approving_prices("PL-1", 1)
    late = await overtaken(papers.database, admin, papers.who, *twice)
    assert isinstance(late, DocumentChanged)
    assert (await papers.all())["PL-1"].version == 2


async def test_one_who_asks_twice_at_once_is_answered_twice(
    papers: PriceLists, admin: Connection
) -> None:
    await papers.save()
    twice = approving_prices("PL-1", 1, "k"), approving_prices("PL-1", 1, "k")
    late = await overtaken(papers.database, admin, papers.who, *twice)
    assert late == (await papers.all())["PL-1"]


# ------------------------------------------------------------------------------------- once


async def test_the_same_command_again_answers_again(papers: PriceLists) -> None:
    saved = await papers.save(key="save")
    held = await papers.approve(key="approve")
    ended = await papers.end(SOON, key="end")
    assert await papers.save(key="save") == saved
    assert await papers.approve(key="approve") == held
    assert await papers.end(SOON, key="end") == ended
    assert await papers.all() == {"PL-1": ended}


async def test_a_key_is_of_one_command(papers: PriceLists) -> None:
    await papers.save(key="k")
    with pytest.raises(CommandConflict):
        await papers.save(lines={"A": 601}, key="k")
    with pytest.raises(CommandConflict):
        await papers.approve(key="k")
    assert await papers.prices() == [(600, 0)]


# --------------------------------------------------------------------------- what is paid


async def paid_of(
    papers: PriceLists, world: World, day: date = TODAY, dealer: str = "d1"
) -> Mapping[str, int]:
    """Return what a dealer pays on a day, by SKU; nothing where nobody said."""
    dealings, who = Dealings(), world.dealers[dealer]
    async with papers.database.tenant_transaction(world.system, read_only=True) as tx:
        await dealings.read(tx, [who], set(world.skus.values()), day)
    terms = dealings.of(who)
    assert terms is not None
    found = {code: terms.prices[number] for code, number in world.skus.items()}
    return {code: price.price_minor for code, price in found.items() if price is not None}


@pytest.fixture
async def agreed(papers: PriceLists, world: World) -> PriceLists:
    """Both dealers have an agreement; d1 is of the level "gold"."""
    for dealer in ("d1", "d2"):
        await Agreements(papers.database, world.brand).bind(dealer, dealer=dealer)
    profile = Profile(dealer_id=world.dealers["d1"], level=" gold ")
    async with papers.database.tenant_transaction(world.brand) as tx:
        await set_profile(tx, profile, key=fresh_key())
    return papers


async def test_a_dealers_own_comes_first_sku_by_sku(agreed: PriceLists, world: World) -> None:
    await agreed.bind("OWN", {"A": 100}, dealer="d1")
    await agreed.bind("GOLD", {"A": 200, "B": 200}, level="gold")
    await agreed.bind("ALL", {"A": 300, "B": 300, "C": 300})
    assert await paid_of(agreed, world) == {"A": 100, "B": 200, "C": 300}
    assert await paid_of(agreed, world, dealer="d2") == {"A": 300, "B": 300, "C": 300}


async def test_another_levels_and_another_dealers_are_not_its(
    agreed: PriceLists, world: World
) -> None:
    await agreed.bind("SILVER", {"A": 200}, level="silver")
    await agreed.bind("OTHER", {"A": 100}, dealer="d2")
    assert await paid_of(agreed, world) == {}
    assert await paid_of(agreed, world, dealer="d2") == {"A": 100}


async def test_it_holds_on_its_days_alone(agreed: PriceLists, world: World) -> None:
    await agreed.bind("OWN", {"A": 100}, dealer="d1", starts_on=SOON, ends_on=LATER)
    await agreed.bind("ALL", {"A": 300})
    days = (SOON - ONE_DAY, SOON, LATER, LATER + ONE_DAY)
    assert [(await paid_of(agreed, world, day))["A"] for day in days] == [300, 100, 100, 300]


async def test_nobody_pays_by_a_draft(agreed: PriceLists, world: World) -> None:
    await agreed.save("OWN", {"A": 100}, dealer="d1")
    assert await paid_of(agreed, world) == {}
    await agreed.discard("OWN")
    assert await paid_of(agreed, world) == {}


async def test_a_price_of_0_is_a_price(agreed: PriceLists, world: World) -> None:
    await agreed.bind("OWN", {"A": 0}, dealer="d1")
    await agreed.bind("ALL", {"A": 300})
    assert await paid_of(agreed, world) == {"A": 0}


# ------------------------------------------------------------------------------ who sees it


async def test_a_dealer_sees_its_own_once_they_are_approved(
    papers: PriceLists, world: World
) -> None:
    await papers.bind("OWN", dealer="d1")
    await papers.save("DRAFT", dealer="d1", starts_on=SOON)
    await papers.bind("OTHER", dealer="d2")
    dealer, other = papers.of(world.dealer), papers.of(world.other_dealer)
    assert (list(await dealer.all()), list(await other.all())) == (["OWN"], ["OTHER"])
    assert await dealer.prices("OWN") == [(600, 0)]
    assert await papers.of(world.other_brand).all() == {}
    assert list(await papers.of(world.group).all()) == ["OWN", "DRAFT", "OTHER"]


async def test_a_dealer_sees_no_price_of_anothers_or_of_a_draft(
    papers: PriceLists, world: World
) -> None:
    lists = (await papers.save("DRAFT", dealer="d1"), await papers.bind("OTHER", dealer="d2"))
    async with papers.database.tenant_transaction(world.dealer) as tx:
        for one in lists:
            assert await cases.page_of_prices(tx, one.id, 0, 10) == []
        assert await cases.price_lists_by_ids(tx, [one.id for one in lists]) == []


# --------------------------------------------------------------------------------- refusals


LONG = "c" * (cases.CODE_LENGTH_MAX + 1)
MANY = {f"S{number}": 1 for number in range(cases.LINES_MAX + 1)}
TWICE = {"A": 600, "a": PriceLine(sku="A", price_minor=700)}
SAVE: dict[str, tuple[dict[str, Any], str]] = {
    "no code": ({"code": " "}, "INVALID_PRICE_LIST"),
    "a long code": ({"code": LONG}, "INVALID_PRICE_LIST"),
    "an end before the beginning": ({"ends_on": BEGINNING - ONE_DAY}, "OUT_OF_RANGE"),
    "a dealer and a level": ({"dealer": "d1", "level": "gold"}, "INVALID_PRICE_LIST"),
    "a level without a name": ({"level": " "}, "INVALID_PRICE_LIST"),
    "an unknown dealer": ({"dealer": "z"}, "UNKNOWN_DEALER"),
    "an unknown SKU": ({"lines": {"A": 1, "Z": 1}}, "UNKNOWN_SKU"),
    "a SKU twice": ({"lines": TWICE}, "INVALID_PRICE_LIST"),
    "too many prices": ({"lines": MANY}, "INVALID_PRICE_LIST"),
    "a price below 0": ({"lines": {"A": -1}}, "OUT_OF_RANGE"),
    "an enormous price": ({"lines": {"A": cases.PRICE_MINOR_MAX + 1}}, "OUT_OF_RANGE"),
    "a least price below 0": (
        {"lines": {"A": PriceLine(sku="A", price_minor=1, min_resale_minor=-1)}},
        "OUT_OF_RANGE",
    ),
    "the code of an approved one": ({"code": "BOUND"}, "INVALID_PRICE_LIST"),
    "the code of a discarded one": ({"code": "GONE"}, "INVALID_PRICE_LIST"),
}
DECIDE: dict[str, tuple[str, int, str]] = {
    "an earlier version": ("DRAFT", 1, "DOCUMENT_CHANGED"),
    "a later version": ("DRAFT", 3, "DOCUMENT_CHANGED"),
    "an approved one": ("BOUND", 2, "DOCUMENT_CHANGED"),
    "a discarded one": ("GONE", 2, "DOCUMENT_CHANGED"),
    "an unknown one": ("z", 1, "UNKNOWN_PRICE_LIST"),
}
END: dict[str, tuple[str, date, str]] = {
    "long before it begins": ("BOUND", BEGINNING - 2 * ONE_DAY, "INVALID_PRICE_LIST"),
    "a draft": ("DRAFT", LAST_DAY, "INVALID_PRICE_LIST"),
    "a discarded one": ("GONE", LAST_DAY, "INVALID_PRICE_LIST"),
    "an unknown one": ("z", LAST_DAY, "UNKNOWN_PRICE_LIST"),
}
WRITES: dict[Permission, Sequence[Write]] = {
    Permission.DEALERS_WRITE: (
        lambda papers: papers.save("NEW"),
        lambda papers: papers.discard("DRAFT", 2),
    ),
    Permission.DEALERS_APPROVE: (
        lambda papers: papers.approve("DRAFT", 2),
        lambda papers: papers.end(SOON, "BOUND"),
    ),
}
"""Commands that may be carried out, by the permission that they need; see `still_url`."""


@pytest.fixture
def standing(still: Database, ready_world: World) -> PriceLists:
    """Price lists that nothing changes: see `still_url`."""
    return PriceLists(still, ready_world.brand)


@pytest.mark.parametrize("name", SAVE)
async def test_what_cannot_be_saved_changes_nothing(
    standing: PriceLists, still_admin: Connection, name: str
) -> None:
    changes, code = SAVE[name]
    async with refused(still_admin, code):
        await standing.save(**{"code": "NEW"} | changes)


async def test_nothing_is_no_price_list(standing: PriceLists, still_admin: Connection) -> None:
    nothing = PriceListDraft(code="NEW", starts_on=BEGINNING, lines=())
    async with (
        refused(still_admin, "INVALID_PRICE_LIST"),
        standing.database.tenant_transaction(standing.who) as tx,
    ):
        await cases.save_price_list(tx, nothing, key=fresh_key())


@pytest.mark.parametrize("name", DECIDE)
async def test_what_cannot_be_decided_changes_nothing(
    standing: PriceLists, still_admin: Connection, name: str
) -> None:
    code, version, error = DECIDE[name]
    async with refused(still_admin, error):
        await standing.approve(code, version)
    async with refused(still_admin, error):
        await standing.discard(code, version)


async def test_what_overlaps_is_not_approved(standing: PriceLists, still_admin: Connection) -> None:
    async with refused(still_admin, "PRICE_LIST_OVERLAPS"):
        await standing.approve("DRAFT", 2)


@pytest.mark.parametrize("name", END)
async def test_what_cannot_be_ended_changes_nothing(
    standing: PriceLists, still_admin: Connection, name: str
) -> None:
    code, last_day, error = END[name]
    async with refused(still_admin, error):
        await standing.end(last_day, code)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    standing: PriceLists, still_admin: Connection, ready_world: World, who: str
) -> None:
    papers = standing.of(getattr(ready_world, who))
    for write in itertools.chain.from_iterable(WRITES.values()):
        async with refused(still_admin, "WRITE_REFUSED"):
            await write(papers)


@pytest.mark.parametrize("lacking", WRITES)
async def test_who_lacks_the_permission_changes_nothing(
    standing: PriceLists, still_admin: Connection, lacking: Permission
) -> None:
    brand = standing.who
    without = standing.of(replace(brand, permissions=brand.permissions - {lacking}))
    for write in WRITES[lacking]:
        async with refused(still_admin, "PERMISSION_MISSING"):
            await write(without)
