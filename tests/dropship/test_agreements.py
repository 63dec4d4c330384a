"""Agreements: drafted, approved as they were read, replaced, ended; never two for one thing."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.db.commands import CommandConflict
from backend.db.pool import Database
from backend.dropship.agreements import agreements_by_ids
from backend.dropship.errors import (
    AgreementOverlaps,
    DocumentChanged,
    InvalidAgreement,
    UnknownAgreement,
)
from backend.dropship.model import Agreement, Payer, Settlement, TermsStatus
from tests.catalogue import Connection
from tests.dropship.dealing import BEGINNING
from tests.dropship.papers import Agreements, approving, overtaken
from tests.world import BEIJING, SHANGHAI, World

T = TermsStatus
Write = Callable[[Agreements], Awaitable[Agreement]]
ONE_DAY = timedelta(days=1)
SOON, LATER = date(2030, 1, 1), date(2031, 1, 1)
EAST_CITY, EAST, NORTH = 310100, 310000, 110000
"""That of SHANGHAI, what both lie in, and what BEIJING lies in."""


@pytest.fixture
def papers(database: Database, world: World) -> Agreements:
    return Agreements(database, world.brand)


# ----------------------------------------------------------------------------------- drafts


async def test_a_draft_says_what_was_saved(papers: Agreements, world: World) -> None:
    settlement = Settlement(freight_paid_by=Payer.DEALER, share_bp=2_500, settle_days=7)
    saved = await papers.save(
        ends_on=LATER,
        territory=(SHANGHAI, NORTH, SHANGHAI),
        product_lines=("warm", "cool"),
        added_skus=("B", "A"),
        excluded_skus=("C",),
        is_exclusive=True,
        settlement=settlement,
    )
    assert (saved.status, saved.version, saved.approved_by) == (T.DRAFT, 1, None)
    assert (saved.dealer_id, saved.set_by) == (world.dealers["d1"], world.brand.subject)
    assert (saved.starts_on, saved.ends_on) == (BEGINNING, LATER)
    assert (saved.territory, saved.product_lines) == ((NORTH, SHANGHAI), ("cool", "warm"))
    assert saved.added_skus == (world.skus["A"], world.skus["B"])
    assert saved.excluded_skus == (world.skus["C"],)
    assert (saved.is_exclusive, saved.settlement) == (True, settlement)


async def test_a_draft_is_written_anew(papers: Agreements, world: World) -> None:
    first = await papers.save(territory=(EAST,), added_skus=("A",))
    again = await papers.save(dealer="d2", ends_on=SOON)
    assert (again.id, again.version, again.status) == (first.id, 2, T.DRAFT)
    assert (again.dealer_id, again.ends_on) == (world.dealers["d2"], SOON)
    assert (again.territory, again.added_skus) == ((), ())
    assert list((await papers.all()).values()) == [again]


async def test_a_discarded_draft_is_never_approved(papers: Agreements) -> None:
    await papers.save()
    gone = await papers.discard()
    assert (gone.status, gone.version, gone.approved_by) == (T.DISCARDED, 2, None)
    with pytest.raises(DocumentChanged):
        await papers.approve(version=2)
    with pytest.raises(InvalidAgreement):
        await papers.save()


async def test_a_draft_binds_nobody(papers: Agreements) -> None:
    saved = await papers.save()
    assert not saved.is_in_force(BEGINNING)
    await papers.save("AG-2")
    assert (await papers.approve()).is_in_force(BEGINNING)


# --------------------------------------------------------------------------------- approval


async def test_what_was_read_is_approved(papers: Agreements, world: World) -> None:
    await papers.save()
    await papers.save(territory=(EAST,))
    with pytest.raises(DocumentChanged) as raised:
        await papers.approve(version=1)
    assert raised.value.version == 2
    bound = await papers.approve(version=2)
    assert (bound.status, bound.version) == (T.APPROVED, 3)
    assert bound.approved_by == world.brand.subject


async def test_what_is_approved_is_never_changed(papers: Agreements) -> None:
    bound = await papers.bind()
    with pytest.raises(InvalidAgreement) as raised:
        await papers.save(territory=(EAST,))
    assert raised.value.path == ("code",)
    with pytest.raises(DocumentChanged):
        await papers.discard(version=bound.version)
    assert await papers.all() == {"AG-1": bound}


async def test_it_binds_on_its_days_alone(papers: Agreements) -> None:
    bound = await papers.bind(starts_on=SOON, ends_on=LATER)
    days = (SOON - ONE_DAY, SOON, LATER, LATER + ONE_DAY)
    assert [bound.is_in_force(day) for day in days] == [False, True, True, False]


async def test_what_overlaps_by_now_is_not_approved(papers: Agreements) -> None:
    await papers.save("AG-2", starts_on=SOON)
    bound = await papers.bind("AG-1", ends_on=LATER)
    with pytest.raises(AgreementOverlaps, match="AG-1"):
        await papers.approve("AG-2")
    await papers.end(SOON - ONE_DAY)
    assert (await papers.approve("AG-2")).status is T.APPROVED
    assert bound.ends_on == LATER


# ------------------------------------------------------------------- replacing, and ending


async def test_what_is_replaced_ends_the_day_before(papers: Agreements) -> None:
    old = await papers.bind()
    saved = await papers.save("AG-2", replaces="AG-1", starts_on=SOON)
    assert (await papers.all())["AG-1"] == old
    assert saved.replaces_id == old.id
    await papers.approve("AG-2")
    found = await papers.all()
    assert (found["AG-1"].ends_on, found["AG-1"].version) == (SOON - ONE_DAY, old.version + 1)
    days = (SOON - ONE_DAY, SOON)
    assert [found["AG-1"].is_in_force(day) for day in days] == [True, False]
    assert [found["AG-2"].is_in_force(day) for day in days] == [False, True]


async def test_what_ended_long_before_stays_ended(papers: Agreements) -> None:
    old = await papers.bind(ends_on=SOON)
    await papers.bind("AG-2", replaces="AG-1", starts_on=LATER)
    assert (await papers.all())["AG-1"] == old


async def test_it_replaces_what_is_approved_by_then(papers: Agreements) -> None:
    await papers.bind()
    await papers.save("AG-2", replaces="AG-1", starts_on=SOON)
    await papers.save("AG-3", replaces="AG-1", starts_on=SOON)
    await papers.approve("AG-2")
    with pytest.raises(AgreementOverlaps, match="AG-2"):
        await papers.approve("AG-3")


async def test_it_ends_earlier_and_never_later(papers: Agreements) -> None:
    await papers.bind(ends_on=LATER)
    assert (await papers.end(SOON)).ends_on == SOON
    assert (await papers.end(LATER)).ends_on == SOON
    assert (await papers.end(BEGINNING)).ends_on == BEGINNING
    over = await papers.end(BEGINNING - ONE_DAY)
    assert not over.is_in_force(BEGINNING)


async def test_without_an_end_it_gets_one(papers: Agreements) -> None:
    assert (await papers.bind()).ends_on is None
    assert (await papers.end(LATER)).ends_on == LATER


async def test_what_ended_before_it_began_is_in_nobodys_way(papers: Agreements) -> None:
    await papers.bind()
    await papers.end(BEGINNING - ONE_DAY)
    assert (await papers.bind("AG-2", ends_on=SOON)).is_in_force(BEGINNING)
    await papers.bind("AG-3", starts_on=LATER)
    await papers.end(LATER - ONE_DAY, "AG-3")
    around = await papers.bind("AG-4", starts_on=SOON + ONE_DAY)
    assert around.is_in_force(LATER)


# --------------------------------------------------------------------------------- overlaps


BESIDE: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "all goods twice": ({}, {}, True),
    "all goods, and one SKU": ({}, {"added_skus": ("A",)}, True),
    "all goods, and a line": ({}, {"product_lines": ("cool",)}, True),
    "all but a SKU, and that": ({"excluded_skus": ("A",)}, {"added_skus": ("A",)}, False),
    "that, and all but it": ({"added_skus": ("A",)}, {"excluded_skus": ("A",)}, False),
    "all but a SKU, and another": ({"excluded_skus": ("A",)}, {"added_skus": ("B",)}, True),
    "one SKU twice": ({"added_skus": ("A", "B")}, {"added_skus": ("A",)}, True),
    "other SKUs": ({"added_skus": ("A",)}, {"added_skus": ("B", "C")}, False),
    "one line twice": ({"product_lines": ("cool",)}, {"product_lines": ("cool", "x")}, True),
    "other lines": ({"product_lines": ("cool",)}, {"product_lines": ("warm",)}, False),
    "a line, and a SKU of it": ({"product_lines": ("cool",)}, {"added_skus": ("A",)}, True),
    "a line, and a SKU beside": ({"product_lines": ("cool",)}, {"added_skus": ("B",)}, False),
    "a line without a SKU, and that": (
        {"product_lines": ("cool",), "excluded_skus": ("A",)},
        {"added_skus": ("A",)},
        False,
    ),
    "one region twice": ({"territory": (EAST,)}, {"territory": (EAST,)}, True),
    "a region in another": ({"territory": (EAST,)}, {"territory": (SHANGHAI,)}, True),
    "a region around another": ({"territory": (SHANGHAI,)}, {"territory": (EAST_CITY,)}, True),
    "everywhere, and somewhere": ({}, {"territory": (SHANGHAI,)}, True),
    "somewhere, and everywhere": ({"territory": (SHANGHAI,)}, {}, True),
    "other regions": ({"territory": (EAST,)}, {"territory": (NORTH,)}, False),
    "one region of several": (
        {"territory": (EAST, NORTH)},
        {"territory": (330000, BEIJING)},
        True,
    ),
    "days that meet": ({"ends_on": SOON}, {"starts_on": SOON}, True),
    "days that follow": ({"ends_on": SOON}, {"starts_on": SOON + ONE_DAY}, False),
    "days before": ({"starts_on": SOON}, {"ends_on": SOON - ONE_DAY}, False),
    "days within": (
        {"ends_on": LATER},
        {"starts_on": SOON, "ends_on": SOON},
        True,
    ),
    "another dealer": ({}, {"dealer": "d2"}, False),
    "another dealer of an exclusive one": ({"is_exclusive": True}, {"dealer": "d2"}, True),
    "an exclusive one of another dealer": ({}, {"dealer": "d2", "is_exclusive": True}, True),
    "an exclusive one elsewhere": (
        {"is_exclusive": True, "territory": (EAST,)},
        {"dealer": "d2", "territory": (NORTH,)},
        False,
    ),
    "an exclusive one of other goods": (
        {"is_exclusive": True, "added_skus": ("A",)},
        {"dealer": "d2", "added_skus": ("B",)},
        False,
    ),
    "an exclusive one of other days": (
        {"is_exclusive": True, "ends_on": SOON},
        {"dealer": "d2", "starts_on": LATER},
        False,
    ),
}


@pytest.mark.parametrize("name", BESIDE)
async def test_no_two_have_the_same_goods_there_and_then(
    papers: Agreements, world: World, name: str
) -> None:
    first, second, overlaps = BESIDE[name]
    await put_in_line(papers, world, "A", "cool")
    await papers.bind("AG-1", **first)
    if overlaps:
        with pytest.raises(AgreementOverlaps, match="AG-1"):
            await papers.save("AG-2", **second)
    else:
        assert (await papers.bind("AG-2", **second)).status is T.APPROVED


async def test_drafts_and_what_is_discarded_are_in_nobodys_way(papers: Agreements) -> None:
    await papers.save("AG-1")
    await papers.save("AG-2")
    await papers.discard("AG-2")
    assert (await papers.bind("AG-3")).status is T.APPROVED


async def test_what_replaces_is_in_the_way_of_others_nevertheless(papers: Agreements) -> None:
    await papers.bind("AG-1", added_skus=("A",))
    await papers.bind("AG-2", added_skus=("B",))
    with pytest.raises(AgreementOverlaps, match="AG-2"):
        await papers.save("AG-3", replaces="AG-1", starts_on=SOON, added_skus=("A", "B"))


# ---------------------------------------------------------------------------------- at once


async def test_of_two_that_overlap_one_is_approved(papers: Agreements, admin: Connection) -> None:
    await papers.save("AG-1")
    await papers.save("AG-2")
    late = await overtaken(
        papers.database, admin, papers.who, approving("AG-1", 1), approving("AG-2", 1)
    )
    assert isinstance(late, AgreementOverlaps)
    stands = {code: one.status for code, one in (await papers.all()).items()}
    assert stands == {"AG-1": T.APPROVED, "AG-2": T.DRAFT}


async def test_two_approve_one_once(papers: Agreements, admin: Connection) -> None:
    await papers.save()
    twice = approving("AG-1", 1), approving("AG-1", 1)
    late = await overtaken(papers.database, admin, papers.who, *twice)
    assert isinstance(late, DocumentChanged)
    assert (await papers.all())["AG-1"].version == 2


async def test_one_who_asks_twice_at_once_is_answered_twice(
    papers: Agreements, admin: Connection
) -> None:
    await papers.save()
    twice = approving("AG-1", 1, "k"), approving("AG-1", 1, "k")
    late = await overtaken(papers.database, admin, papers.who, *twice)
    assert isinstance(late, Agreement)
    assert late == (await papers.all())["AG-1"]


# ------------------------------------------------------------------------------------- once


async def test_the_same_command_again_answers_again(papers: Agreements) -> None:
    saved = await papers.save(key="save")
    bound = await papers.approve(key="approve")
    ended = await papers.end(SOON, key="end")
    assert await papers.save(key="save") == saved
    assert await papers.approve(key="approve") == bound
    assert await papers.end(SOON, key="end") == ended
    assert await papers.all() == {"AG-1": ended}


async def test_a_key_is_of_one_command(papers: Agreements) -> None:
    await papers.save(key="k")
    with pytest.raises(CommandConflict):
        await papers.save(key="k", territory=(EAST,))
    with pytest.raises(CommandConflict):
        await papers.approve(key="k")
    with pytest.raises(CommandConflict):
        await papers.discard(key="k")


# ------------------------------------------------------------------------------ who sees it


async def test_a_dealer_sees_its_own_once_they_are_approved(
    papers: Agreements, world: World
) -> None:
    await papers.bind("AG-1", ends_on=SOON)
    await papers.save("AG-2", starts_on=LATER)
    await papers.bind("AG-4", dealer="d2")
    dealers = papers.of(world.dealer), papers.of(world.other_dealer)
    assert [list(await one.all()) for one in dealers] == [["AG-1"], ["AG-4"]]
    ids = [one.id for one in (await papers.all()).values()]
    async with papers.database.tenant_transaction(world.dealer) as tx:
        assert [one.code for one in await agreements_by_ids(tx, ids)] == ["AG-1"]


async def test_who_asks_for_anothers_sees_nothing(papers: Agreements, world: World) -> None:
    await papers.bind("AG-1")
    await papers.bind("AG-4", dealer="d2")
    other = world.dealers["d2"]
    assert list(await papers.all(dealer_id=other)) == ["AG-4"]
    assert await papers.of(world.dealer).all(dealer_id=other) == {}
    assert await papers.of(world.store).all() == {}
    assert await papers.of(world.other_brand).all() == {}
    assert list(await papers.of(world.group).all()) == ["AG-1", "AG-4"]


async def test_another_brand_has_agreements_of_its_own(papers: Agreements, world: World) -> None:
    await papers.bind()
    with pytest.raises(UnknownAgreement):
        await papers.of(world.other_brand).end(SOON)


async def put_in_line(papers: Agreements, world: World, sku: str, line: str) -> None:
    async with papers.database.tenant_transaction(world.system) as tx:
        await save_skus(tx, [SkuDraft(code=sku, name=sku, product_line=line)])
