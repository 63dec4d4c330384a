"""What pools and shops may offer, in small examples that can be worked out by hand."""

from array import array
from typing import Any, NamedTuple

import pytest

import core_ext.availability
import core_ext.availability_twin
import core_ext.stock_book
import core_ext.stock_book_twin
from core_ext.limits import COUNTED_MOST, FREE_MOST, UNITS_MOST
from core_ext.pool_graph import Mode
from loadtests.pool_drafts import PoolDraft, Rule

SKU, STRANGER = 7, 8
CORES = {
    "compiled": (core_ext.stock_book, core_ext.availability),
    "twin": (core_ext.stock_book_twin, core_ext.availability_twin),
}


class Offer(NamedTuple):
    """A book, and what stands on it."""

    book: Any
    availability: Any

    def put(self, *free: int) -> list[int]:
        """Set the free units of the first sources; the numbers of all vertices afterwards."""
        for source, units in enumerate(free):
            self.keep(source, units)
        return self.numbers()

    def keep(self, source: int, units: int, sku: int = SKU) -> None:
        """Set the units of a source, as an earmark that is filled or used does."""
        self.book.put(sku, source, units, self.book.version(sku, source) + 1)

    def numbers(self) -> list[int]:
        """The numbers of all vertices after an update."""
        self.availability.update(SKU)
        return list(self.availability.numbers(SKU))


class Core(NamedTuple):
    """The compiled core, or its twin."""

    books: Any
    engines: Any

    def offer(self, draft: PoolDraft) -> Offer:
        book = self.books.StockBook(array("i", [0] * len(draft.source_class)), 1)
        return Offer(book, self.engines.Availability(book, draft.graph()))


@pytest.fixture(params=list(CORES))
def core(request: pytest.FixtureRequest) -> Core:
    return Core(*CORES[request.param])


def one_pool(mode: Mode = Mode.SHARED, *shops: Rule) -> PoolDraft:
    """One source, a pool that takes all of it, and a shop for each rule."""
    draft = PoolDraft([0])
    draft.feed_classes(draft.add(mode), [0])
    for rule in shops:
        draft.shop(0, rule)
    return draft


def shanghai() -> PoolDraft:
    """Shanghai feeds an online pool and 30 % of an East-China pool; two shops sell online."""
    draft = PoolDraft([0])
    online, east_china = draft.add(), draft.add()
    draft.feed_classes(online, [0])
    draft.feed_classes(east_china, [0], Rule(3_000))
    draft.shop(online, Rule(8_000))
    draft.shop(online, Rule(6_000))
    return draft


def test_two_pools_and_two_shops_share_one_warehouse(core: Core) -> None:
    assert core.offer(shanghai()).put(1_000) == [1_000, 300, 800, 600]


def test_a_sale_lowers_what_every_pool_and_shop_shows(core: Core) -> None:
    offer = core.offer(shanghai())
    offer.put(1_000)
    assert offer.put(500) == [500, 150, 400, 300]


def test_units_that_come_over_two_paths_count_once(core: Core) -> None:
    draft = shanghai()
    dispatch = draft.add()
    draft.feed(dispatch, [0])
    draft.feed(dispatch, [1])
    assert core.offer(draft).put(1_000)[dispatch] == 1_000


def test_a_link_of_two_pools_counts_their_units_once(core: Core) -> None:
    draft = shanghai()
    dispatch = draft.add()
    draft.feed(dispatch, [0, 1], Rule(5_000))
    assert core.offer(draft).put(1_000)[dispatch] == 500


def test_three_hundred_stores_are_rounded_once(core: Core) -> None:
    draft = PoolDraft([0] * 300)
    draft.feed_classes(draft.add(), [0], Rule(8_000))
    assert core.offer(draft).put(*[1] * 300) == [240]


def test_half_of_each_of_three_hundred_stores_is_rounded_once(core: Core) -> None:
    draft = PoolDraft([0] * 300, [5_000] * 300)
    draft.feed_classes(draft.add(), [0])
    assert core.offer(draft).put(*[1] * 300) == [150]


def test_stores_of_different_classes_are_rounded_together(core: Core) -> None:
    draft = PoolDraft([0, 1], [5_000, 5_000])
    draft.feed_classes(draft.add(), [0, 1])
    assert core.offer(draft).put(1, 1) == [1]


def test_what_one_store_lacks_does_not_lower_the_others(core: Core) -> None:
    draft = PoolDraft([0, 0])
    draft.feed_classes(draft.add(), [0])
    assert core.offer(draft).put(-40, 10) == [10]


def test_a_source_without_a_class_feeds_nothing(core: Core) -> None:
    draft = PoolDraft([-1, 0])
    draft.feed_classes(draft.add(), [0])
    assert core.offer(draft).put(40, 10) == [10]


def test_a_source_counts_up_to_a_bound(core: Core) -> None:
    assert core.offer(one_pool()).put(FREE_MOST) == [COUNTED_MOST]


def test_as_much_as_a_book_holds_does_not_overflow(core: Core) -> None:
    draft = PoolDraft([0] * 2**16)
    pools = [draft.add() for _ in range(64)]
    for pool in pools:
        draft.feed_classes(pool, [0])
    draft.shop(draft.add(Mode.PARTITIONED), Rule(3_333))
    draft.feed(pools[-1] + 1, pools)
    for pool in pools:
        draft.feed(pools[-1] + 1, [pool])
    offer = core.offer(draft)
    assert offer.put(*[FREE_MOST] * 2**16)[-2:] == [2**48, 2**48 * 3_333 // 10_000]


def test_what_is_kept_back_and_the_most_that_flows_bound_a_shop(core: Core) -> None:
    offer = core.offer(one_pool(Mode.SHARED, Rule(5_000, 20, 30), Rule(10_000, 200)))
    assert offer.put(60) == [60, 20, 0]
    assert offer.put(100) == [100, 30, 0]


def test_parts_of_a_whole_leave_nothing_behind(core: Core) -> None:
    thirds = [Rule(3_333), Rule(3_333), Rule(3_334)]
    numbers = core.offer(one_pool(Mode.PARTITIONED, *thirds)).put(100)
    assert numbers == [100, 33, 33, 34]
    assert core.offer(one_pool(Mode.PARTITIONED, *thirds)).put(2) == [2, 0, 1, 1]


def test_a_part_has_no_more_than_what_is_left(core: Core) -> None:
    offer = core.offer(one_pool(Mode.PARTITIONED, Rule(4_000), Rule(6_000, 50), Rule(0)))
    assert offer.put(100) == [100, 40, 30, 0]


def test_parts_with_reserves_of_their_own_are_no_more_than_the_whole(core: Core) -> None:
    rules = [Rule(3_400), Rule(1_600, 1), Rule(1_700), Rule(3_300, 1)]
    assert core.offer(one_pool(Mode.PARTITIONED, *rules)).put(3) == [3, 1, 1, 1, 0]


def test_the_first_of_a_ranking_is_filled_up_to_its_most(core: Core) -> None:
    offer = core.offer(one_pool(Mode.RANKED, Rule(most=30), Rule(5_000), Rule()))
    assert offer.put(100) == [100, 30, 35, 35]
    assert offer.put(20) == [20, 20, 0, 0]


def test_the_deepest_comes_first_and_equal_ones_in_turn(core: Core) -> None:
    offer = core.offer(one_pool(Mode.DEEPEST, Rule(most=10), Rule(most=10), Rule(most=10)))
    assert offer.put(15) == [15, 10, 5, 0]
    offer.availability.set_depth(SKU, 3, 4)
    assert offer.numbers() == [15, 5, 0, 10]
    offer.availability.set_depth(SKU, 1, -1)
    assert offer.numbers() == [15, 0, 5, 10]


def test_each_sku_has_depths_of_its_own(core: Core) -> None:
    offer = core.offer(one_pool(Mode.DEEPEST, Rule(most=10), Rule(most=10), Rule(most=10)))
    offer.availability.set_depth(STRANGER, 3, 4)
    offer.availability.set_depth(SKU, 2, 1)
    offer.availability.update(STRANGER)
    assert offer.put(15) == [15, 5, 10, 0]


def test_depths_do_not_matter_to_a_ranking(core: Core) -> None:
    offer = core.offer(one_pool(Mode.RANKED, Rule(most=10), Rule(most=10)))
    offer.availability.set_depth(SKU, 2, 4)
    assert offer.put(15) == [15, 10, 5]


def test_an_earmark_is_seen_by_its_owner_and_below_alone(core: Core) -> None:
    draft = shanghai()
    pools, shops = draft.keep(0), draft.keep(3)
    offer = core.offer(draft)
    offer.keep(pools, 7)
    assert offer.put(1_000) == [1_007, 300, 807, 607]
    offer.keep(shops, 5)
    assert offer.numbers() == [1_007, 300, 807, 612]
    offer.keep(pools, 0)
    assert offer.numbers() == [1_000, 300, 800, 605]


def test_earmarks_of_one_vertex_add_up(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule(5_000))
    older, newer = draft.keep(0), draft.keep(0)
    offer = core.offer(draft)
    offer.keep(older, 3)
    offer.keep(newer, 4)
    assert offer.put(10) == [17, 12]
    offer.keep(older, 1)
    assert offer.numbers() == [15, 10]


def test_what_an_earmark_lacks_is_taken_from_nobody(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule())
    short, full = draft.keep(0), draft.keep(0)
    offer = core.offer(draft)
    offer.keep(short, -5)
    offer.keep(full, 2)
    assert offer.put(10) == [12, 12]


def test_an_earmark_counts_no_more_than_any_source(core: Core) -> None:
    draft = one_pool()
    mark = draft.keep(0)
    offer = core.offer(draft)
    offer.keep(mark, FREE_MOST)
    assert offer.put(1) == [COUNTED_MOST + 1]


def test_an_earmark_comes_over_two_paths_once(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule(), Rule())
    both = draft.add()
    draft.feed(both, [1, 2])
    draft.feed(both, [0], Rule(1_000))
    mark = draft.keep(0)
    offer = core.offer(draft)
    offer.keep(mark, 3)
    assert offer.put(10)[both] == 13


def test_a_cap_bounds_what_a_shop_shows_with_its_earmarks(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule())
    mark = draft.keep(1)
    offer = core.offer(draft)
    offer.keep(mark, 5)
    offer.availability.set_cap(SKU, 1, 12)
    assert offer.put(10) == [10, 12]
    offer.availability.set_cap(SKU, 1, -1)
    assert offer.numbers() == [10, 15]
    offer.availability.set_cap(SKU, 1, 0)
    assert offer.numbers() == [10, 0]


def test_a_floor_is_kept_back_of_the_pool_and_not_of_earmarks(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule(8_000))
    mark = draft.keep(1)
    offer = core.offer(draft)
    offer.keep(mark, 5)
    offer.availability.set_floor(SKU, 1, 3)
    assert offer.put(10) == [10, 10]
    assert offer.put(3) == [3, 5]
    offer.availability.set_cap(SKU, 1, 4)
    assert offer.put(10) == [10, 4]
    offer.availability.set_floor(SKU, 1, 0)
    offer.availability.set_cap(SKU, 1, -1)
    assert offer.numbers() == [10, 13]


def test_a_sku_flows_by_its_profile(core: Core) -> None:
    draft = PoolDraft([0], profiles=2)
    draft.feed_classes(draft.add(), [0], Rule(5_000), Rule(2_000, 10, 15))
    offer = core.offer(draft)
    assert offer.put(100) == [50]
    offer.availability.set_profile(SKU, 1)
    assert offer.numbers() == [15]


# ------------------------------------------------------------------- what changed, and when


def test_a_setting_counts_from_the_next_update_on(core: Core) -> None:
    offer = core.offer(one_pool(Mode.SHARED, Rule()))
    offer.put(10)
    offer.availability.set_cap(SKU, 1, 4)
    assert offer.availability.number(SKU, 1) == 10
    assert offer.availability.update(SKU)
    assert offer.availability.number(SKU, 1) == 4


def test_an_update_says_whether_anything_changed(core: Core) -> None:
    offer = core.offer(one_pool())
    offer.book.put(SKU, 0, 10, 1)
    assert [offer.availability.update(SKU) for _ in range(2)] == [True, False]
    assert not offer.availability.update(STRANGER)


def test_what_changed_is_told_once_in_the_order_of_first_changes(core: Core) -> None:
    offer = core.offer(one_pool())
    for sku in (3, 1, 2):
        offer.book.put(sku, 0, 10, 1)
    assert offer.availability.update_many(array("q", [2, 2])) == 1
    assert offer.availability.recompute() == 2
    assert list(offer.availability.take_changed()) == [2, 3, 1]
    assert list(offer.availability.take_changed()) == []
    offer.book.put(1, 0, 9, 2)
    assert offer.availability.recompute() == 1
    assert list(offer.availability.take_changed()) == [1]


def test_a_sku_that_the_book_does_not_know_has_what_was_set(core: Core) -> None:
    offer = core.offer(one_pool(Mode.SHARED, Rule()))
    offer.availability.set_cap(STRANGER, 1, 1)
    assert offer.availability.recompute() == 0
    assert not offer.availability.update(STRANGER)
    assert offer.book.sku_count == 0
    offer.book.put(STRANGER, 0, 2, 1)
    assert offer.availability.recompute() == 1
    assert list(offer.availability.numbers(STRANGER)) == [2, 1]


def test_a_sku_of_which_all_is_kept_has_what_is_kept(core: Core) -> None:
    draft = one_pool(Mode.SHARED, Rule())
    mark = draft.keep(1)
    offer = core.offer(draft)
    offer.keep(mark, 5, STRANGER)
    assert offer.availability.number(STRANGER, 1) == 0
    assert offer.availability.update(STRANGER)
    assert list(offer.availability.numbers(STRANGER)) == [0, 5]
    offer.book.put(STRANGER, 0, 2, 1)
    assert offer.availability.recompute() == 1
    assert list(offer.availability.numbers(STRANGER)) == [2, 7]


def test_a_thousand_skus_keep_their_own_numbers(core: Core) -> None:
    draft = one_pool()
    mark = draft.keep(0)
    offer = core.offer(draft)
    for sku in range(1_000):
        offer.book.put(sku, 0, sku + 1, 1)
        offer.keep(mark, (999 - sku) % 3, sku)
    assert offer.availability.recompute() == 1_000
    numbers = [offer.availability.number(sku, 0) for sku in range(1_000)]
    assert numbers == [sku + 1 + (999 - sku) % 3 for sku in range(1_000)]
    assert list(offer.availability.take_changed()) == list(range(1_000))


def test_two_graphs_stand_on_one_book(core: Core) -> None:
    offer = core.offer(one_pool())
    preview = core.engines.Availability(offer.book, shanghai().graph())
    assert offer.put(100) == [100]
    assert list(preview.numbers(SKU)) == [0, 0, 0, 0]
    assert preview.recompute() == 1
    assert list(preview.numbers(SKU)) == [100, 30, 80, 60]
    assert offer.book.entries(SKU) == [(0, 100, 0)]


def test_a_derivation_shows_every_step_and_stores_nothing(core: Core) -> None:
    draft = PoolDraft([0, 0, -1], [5_000, 10_000, 0])
    draft.feed_classes(draft.add(Mode.RANKED), [0], Rule(5_000))
    draft.shop(0, Rule(most=10))
    draft.feed(draft.shop(0), [1])
    draft.keep(1)
    offer = core.offer(draft)
    for source, free in enumerate((21, 40, 5, 4)):
        offer.book.put(SKU, source, free, 1)
    offer.availability.set_cap(SKU, 2, 17)
    offer.availability.set_floor(SKU, 2, 9)
    found = offer.availability.derive(SKU)
    assert (list(found.class_units), list(found.class_offered)) == ([61], [50])
    assert (list(found.quantity), list(found.flow)) == ([50, 25, 25, 10], [25, 10, 15, 10])
    assert (list(found.bound), list(found.flows_in)) == ([50, 50, 50], [25, 10, 25])
    assert list(found.pool_part) == [25, 10, 25]
    assert (list(found.earmarks), list(found.cap)) == ([0, 4, 4], [-1, -1, 17])
    assert (list(found.floor), list(found.number)) == ([0, 0, 9], [25, 14, 17])
    assert offer.availability.number(SKU, 0) == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_profile", (1,)),
        ("set_profile", (-1,)),
        ("set_cap", (0, 1)),
        ("set_cap", (2, 1)),
        ("set_cap", (1, -2)),
        ("set_cap", (1, UNITS_MOST + 1)),
        ("set_floor", (0, 1)),
        ("set_floor", (2, 1)),
        ("set_floor", (1, -1)),
        ("set_floor", (1, UNITS_MOST + 1)),
        ("set_depth", (2, 1)),
        ("set_depth", (1, UNITS_MOST + 1)),
        ("set_depth", (1, -UNITS_MOST - 1)),
    ],
)
def test_a_setting_out_of_range_changes_nothing(
    core: Core, name: str, arguments: tuple[int, ...]
) -> None:
    draft = one_pool(Mode.DEEPEST, Rule(most=UNITS_MOST))
    mark = draft.keep(1)
    offer = core.offer(draft)
    offer.keep(mark, COUNTED_MOST)
    offer.availability.set_cap(SKU, 1, UNITS_MOST)
    offer.availability.set_depth(SKU, 1, -UNITS_MOST)
    before = offer.put(10)
    with pytest.raises(ValueError, match=r"-?\d"):
        getattr(offer.availability, name)(SKU, *arguments)
    assert offer.numbers() == before == [10, COUNTED_MOST + 10]


@pytest.mark.parametrize("vertex", [-1, 2])
def test_there_is_no_number_of_a_vertex_that_does_not_exist(core: Core, vertex: int) -> None:
    offer = core.offer(one_pool(Mode.SHARED, Rule()))
    with pytest.raises(ValueError, match=f"no vertex {vertex}"):
        offer.availability.number(SKU, vertex)
    assert offer.put(1) == [1, 1]


def test_a_graph_of_other_sources_does_not_stand_on_a_book(core: Core) -> None:
    book = core.books.StockBook(array("i", [0, 0]), 1)
    with pytest.raises(ValueError, match="1 sources, the book 2"):
        core.engines.Availability(book, one_pool().graph())
    assert book.position == 0


def test_the_core_offers_the_compiled_engine() -> None:
    assert core_ext.Availability is core_ext.availability.Availability
