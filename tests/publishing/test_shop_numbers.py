"""The numbers of one shop, without a clock or a platform: what is pending, and until when."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.channels.platform import PushAnswer, PushOutcome, StockPush
from backend.inventory.pools.model import Sync
from backend.publishing.model import Listing
from backend.publishing.shop_numbers import REORDER_SECONDS, SOLD_SECONDS, ShopNumbers

NOW = 1_000.0
IDS = {"A": 1, "B": 2, "C": 3}
ITEMS_MAX = 50
ACCEPTED, STALE = PushOutcome.ACCEPTED, PushOutcome.STALE


def numbers_of(shown: Mapping[str, int | None], **policy: int) -> ShopNumbers:
    """Return a shop whose platform is known to show, and shall show, what is given."""
    numbers = ShopNumbers("shop")
    numbers.sync = Sync(shop="shop", **policy)
    for code, quantity in shown.items():
        listing = Listing(code)
        listing.shown, listing.wanted = quantity, quantity or 0
        numbers.add(IDS[code], listing)
    return numbers


def pushed(numbers: ShopNumbers, now: float = NOW, items_max: int = ITEMS_MAX) -> dict[str, int]:
    """Return what the next call would say."""
    return {item.listing: item.quantity for item in numbers.next_batch(items_max, now)}


def answer(
    numbers: ShopNumbers, code: str, quantity: int, outcome: PushOutcome = ACCEPTED
) -> Listing:
    """Let the platform answer, and return the listing."""
    numbers.answered([PushAnswer(code, outcome, quantity)], NOW)
    return numbers.listings[IDS[code]]


# --------------------------------------------------------------------------------- pending


def test_what_nobody_has_pushed_yet_is_pending_even_at_zero() -> None:
    numbers = numbers_of({"A": None})
    numbers.want(1, 0, NOW)
    assert pushed(numbers) == {"A": 0}


def test_a_number_is_pending_until_the_platform_has_acknowledged_it() -> None:
    numbers = numbers_of({"A": 5, "B": 5})
    numbers.want(1, 4, NOW)
    assert (numbers.pending, pushed(numbers)) == (1, {"A": 4})
    assert pushed(numbers) == {"A": 4}
    answer(numbers, "A", 4)
    assert (numbers.pending, pushed(numbers)) == (0, {})


def test_a_number_that_returns_before_it_was_pushed_is_settled() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    numbers.want(1, 5, NOW)
    assert pushed(numbers) == {}


def test_a_number_that_moves_while_it_is_in_flight_is_pushed_again() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    assert pushed(numbers) == {"A": 4}
    numbers.want(1, 3, NOW)
    answer(numbers, "A", 4)
    assert pushed(numbers) == {"A": 3}


def test_a_number_that_returns_while_another_is_in_flight_is_pushed_again() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    pushed(numbers)
    numbers.want(1, 5, NOW)
    answer(numbers, "A", 4)
    assert pushed(numbers) == {"A": 5}


# ----------------------------------------------------------------------------- sync policies


@pytest.mark.parametrize(
    ("policy", "number", "wanted"),
    [
        ({"buffer": 3}, 10, 7),
        ({"buffer": 3}, 2, 0),
        ({"cap": 4}, 10, 4),
        ({"cap": 4}, 3, 3),
        ({"zero_below": 5}, 5, 5),
        ({"zero_below": 5}, 4, 0),
        ({"buffer": 2, "zero_below": 5}, 6, 0),
        ({"buffer": 2, "zero_below": 5, "cap": 3}, 7, 3),
    ],
)
def test_a_policy_says_what_is_wanted(policy: dict[str, int], number: int, wanted: int) -> None:
    numbers = numbers_of({"A": None}, **policy)
    numbers.want(1, number, NOW)
    assert pushed(numbers) == {"A": wanted}


@pytest.mark.parametrize(
    ("shown", "number", "is_sent"),
    [(20, 16, False), (20, 15, True), (20, 25, True), (20, 24, False), (3, 0, True), (0, 1, True)],
)
def test_a_small_change_is_sent_only_from_and_to_zero(
    shown: int, number: int, is_sent: bool
) -> None:
    numbers = numbers_of({"A": shown}, minimum_change=5)
    numbers.want(1, number, NOW)
    assert pushed(numbers) == ({"A": number} if is_sent else {})


def test_small_changes_are_sent_once_they_add_up() -> None:
    numbers = numbers_of({"A": 20}, minimum_change=5)
    for number in (18, 16):
        numbers.want(1, number, NOW)
        assert numbers.pending == 0
    numbers.want(1, 14, NOW)
    assert pushed(numbers) == {"A": 14}


def test_another_policy_holds_from_the_next_look() -> None:
    numbers = numbers_of({"A": 10})
    numbers.sync = Sync(shop="shop", buffer=2)
    numbers.want(1, 10, NOW)
    assert pushed(numbers) == {"A": 8}


# --------------------------------------------------------------------------------- sequences


def sequence_of(numbers: ShopNumbers, now: float) -> int:
    (item,) = numbers.next_batch(ITEMS_MAX, now)
    return item.sequence


def test_sequences_rise_within_a_millisecond_and_while_the_clock_goes_back() -> None:
    numbers = numbers_of({"A": None})
    numbers.want(1, 5, NOW)
    sequences = [sequence_of(numbers, now) for now in (NOW, NOW, NOW - 500.0, NOW + 1.0)]
    assert sequences == [1_000_000, 1_000_001, 1_000_002, 1_001_000]


def test_a_sequence_follows_the_last_one_known() -> None:
    numbers = numbers_of({"A": None})
    numbers.listings[1].sequence = 5_000_000
    numbers.want(1, 5, NOW)
    assert sequence_of(numbers, NOW) == 5_000_001


# ------------------------------------------------------------------------- riskiest first


def test_the_riskiest_numbers_go_first_where_not_all_fit() -> None:
    numbers = numbers_of({"A": 10, "B": 10, "C": 10})
    for code, number in (("A", 20), ("B", 0), ("C", 5)):
        numbers.want(IDS[code], number, NOW)
    assert pushed(numbers, items_max=1) == {"B": 0}
    answer(numbers, "B", 0)
    assert pushed(numbers, items_max=1) == {"C": 5}


def test_what_sells_fast_goes_before_what_does_not() -> None:
    numbers = numbers_of({"A": 10, "B": 10, "C": 10})
    numbers.velocity = {2: 50_000}
    for sku_id in IDS.values():
        numbers.want(sku_id, 5, NOW)
    assert pushed(numbers, items_max=1) == {"B": 5}


def test_a_number_that_has_waited_goes_before_a_newer_one() -> None:
    numbers = numbers_of({"A": 10, "B": 10})
    numbers.want(2, 5, NOW)
    numbers.want(1, 5, NOW + 600.0)
    assert pushed(numbers, NOW + 600.0, items_max=1) == {"B": 5}


@pytest.mark.parametrize(
    ("later_seconds", "pushed_then"), [(REORDER_SECONDS / 2, {"B": 9}), (REORDER_SECONDS, {"C": 0})]
)
def test_a_riskier_number_overtakes_once_the_queue_is_ordered_anew(
    later_seconds: float, pushed_then: dict[str, int]
) -> None:
    numbers = numbers_of({"A": 10, "B": 10, "C": 10})
    for sku_id in IDS.values():
        numbers.want(sku_id, 9, NOW)
    assert pushed(numbers, items_max=1) == {"A": 9}
    numbers.want(3, 0, NOW)
    assert pushed(numbers, NOW + later_seconds, items_max=1) == pushed_then


def test_a_number_that_settles_in_the_queue_is_passed_over() -> None:
    numbers = numbers_of({"A": 10, "B": 10, "C": 10})
    for sku_id in IDS.values():
        numbers.want(sku_id, 9, NOW)
    assert pushed(numbers, items_max=1) == {"A": 9}
    numbers.want(2, 10, NOW)
    assert pushed(numbers, items_max=1) == {"C": 9}


def test_every_number_has_its_turn() -> None:
    numbers = numbers_of({"A": None, "B": None, "C": None})
    for sku_id in IDS.values():
        numbers.want(sku_id, 5, NOW)
    seen: set[str] = set()
    for _ in IDS:
        seen |= pushed(numbers, items_max=1).keys()
    assert seen == IDS.keys()


# ------------------------------------------------------------------------------------- answers


def test_what_the_platform_names_counts_and_not_what_was_asked() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    pushed(numbers)
    assert answer(numbers, "A", 7).shown == 7
    assert pushed(numbers) == {"A": 4}


def test_a_push_that_is_stale_and_was_done_is_settled() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    pushed(numbers)
    answer(numbers, "A", 4, STALE)
    assert numbers.pending == 0


def test_a_push_that_was_overtaken_stays_pending_under_a_newer_sequence() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    before = sequence_of(numbers, NOW)
    assert answer(numbers, "A", 5, STALE).shown == 5
    assert (numbers.pending, sequence_of(numbers, NOW)) == (1, before + 1)


def test_a_refused_push_changes_nothing_and_the_next_number_is_pushed() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    pushed(numbers)
    assert answer(numbers, "A", 5, PushOutcome.REFUSED).shown == 5
    numbers.want(1, 3, NOW)
    assert pushed(numbers) == {"A": 3}


def test_a_listing_that_the_platform_does_not_know_is_left_alone() -> None:
    numbers = numbers_of({"A": None})
    numbers.want(1, 4, NOW)
    answer(numbers, "A", 0, PushOutcome.UNKNOWN_LISTING)
    numbers.want(1, 3, NOW)
    assert (numbers.pending, pushed(numbers)) == (0, {})
    assert (numbers.listings[1].is_unlisted, numbers.listings[1].shown) == (True, None)


def test_what_was_answered_is_to_be_stored_once() -> None:
    numbers = numbers_of({"A": 5, "B": 5})
    numbers.want(1, 4, NOW)
    assert numbers.take_unsaved() == []
    listing = answer(numbers, "A", 4)
    assert numbers.take_unsaved() == [(1, listing)]
    assert numbers.take_unsaved() == []


# --------------------------------------------------------------------------------------- drift


def seen(numbers: ShopNumbers, found: int, later_seconds: float = 0.0) -> int:
    return numbers.seen(["A"], {"A": found}, NOW + later_seconds)


def test_more_than_acknowledged_is_drift_at_once() -> None:
    numbers = numbers_of({"A": 5})
    assert seen(numbers, 6) == 1
    assert pushed(numbers) == {"A": 5}
    assert [sku_id for sku_id, _ in numbers.take_unsaved()] == [1]


def test_less_than_acknowledged_is_drift_only_when_it_stays() -> None:
    numbers = numbers_of({"A": 5})
    assert (seen(numbers, 4), seen(numbers, 3, SOLD_SECONDS - 1)) == (0, 0)
    assert (numbers.pending, numbers.take_unsaved()) == (0, [])
    assert seen(numbers, 3, SOLD_SECONDS) == 1
    assert pushed(numbers) == {"A": 5}


@pytest.mark.parametrize("between", ["as acknowledged", "answered"])
def test_the_time_of_a_sale_begins_anew(between: str) -> None:
    numbers = numbers_of({"A": 5})
    seen(numbers, 4)
    if between == "answered":
        answer(numbers, "A", 5)
    else:
        seen(numbers, 5, 1.0)
    assert seen(numbers, 4, SOLD_SECONDS) == 0
    assert seen(numbers, 4, 2 * SOLD_SECONDS) == 1


def test_a_number_in_flight_is_not_judged() -> None:
    numbers = numbers_of({"A": 5})
    numbers.want(1, 4, NOW)
    assert (seen(numbers, 9), numbers.listings[1].is_drifted) == (0, False)


@pytest.mark.parametrize("shown", [{}, {"B": 9}])
def test_a_listing_that_was_not_found_is_not_judged(shown: dict[str, int]) -> None:
    numbers = numbers_of({"A": 5})
    assert numbers.seen(["A"], shown, NOW) == 0
    assert numbers.pending == 0


def test_what_has_drifted_is_pushed_whatever_the_least_change() -> None:
    numbers = numbers_of({"A": 5}, minimum_change=100)
    seen(numbers, 6)
    assert pushed(numbers) == {"A": 5}
    assert answer(numbers, "A", 5).is_drifted is False
    assert numbers.pending == 0


def test_all_settled_listings_are_looked_at_in_turn() -> None:
    numbers = numbers_of({"A": 5, "B": 5, "C": 5})
    numbers.want(2, 4, NOW)
    assert [numbers.to_read(1) for _ in range(3)] == [["A"], ["C"], ["A"]]


# ---------------------------------------------------------------------------- whatever happens

ANSWERS = (ACCEPTED, STALE, PushOutcome.UNKNOWN_LISTING)
STEPS = st.one_of(
    st.tuples(st.just("want"), st.sampled_from(sorted(IDS)), st.integers(0, 30)),
    st.tuples(st.just("seen"), st.sampled_from(sorted(IDS)), st.integers(0, 30)),
    st.tuples(st.just("push"), st.sampled_from(ANSWERS), st.integers(1, 3)),
)
POLICIES = st.fixed_dictionaries(
    {"minimum_change": st.integers(1, 5)},
    optional={"buffer": st.integers(0, 5), "cap": st.integers(0, 20)},
)


class HonestPlatform:
    """Does what it says, and says what it shows; remembers what it was sent."""

    def __init__(self) -> None:
        self.shown = dict.fromkeys(IDS, 0)
        self.sequences = dict.fromkeys(IDS, 0)

    def answers(self, batch: list[StockPush], outcome: PushOutcome) -> list[PushAnswer]:
        for item in batch:
            assert item.sequence > self.sequences[item.listing]
            self.sequences[item.listing] = item.sequence
            if outcome is ACCEPTED:
                self.shown[item.listing] = item.quantity
        return [PushAnswer(item.listing, outcome, self.shown[item.listing]) for item in batch]

    def take(
        self, numbers: ShopNumbers, items_max: int, now: float, outcome: PushOutcome = ACCEPTED
    ) -> None:
        """Answer the next call of a shop."""
        numbers.answered(self.answers(numbers.next_batch(items_max, now), outcome), now)


def is_differing(numbers: ShopNumbers, listing: Listing) -> bool:
    """Whether the platform has to be told of a number, in the words of the policy."""
    shown, wanted = listing.shown, listing.wanted
    if listing.is_unlisted or shown is None or listing.is_drifted:
        return not listing.is_unlisted
    change = abs(shown - wanted)
    return change >= numbers.sync.minimum_change or (change > 0 and 0 in (shown, wanted))


@given(st.lists(STEPS, max_size=40), POLICIES)
def test_what_is_pending_is_what_differs_and_pushing_settles_it(
    steps: list[tuple[str, str, int]], policy: dict[str, int]
) -> None:
    numbers, platform = numbers_of(dict.fromkeys(IDS), **policy), HonestPlatform()
    for sku_id in IDS.values():
        numbers.want(sku_id, 0, NOW)
    for at, (what, which, number) in enumerate(steps):
        now = NOW + at * SOLD_SECONDS / 2
        if what == "want":
            numbers.want(IDS[which], number, now)
            assert numbers.listings[IDS[which]].wanted == numbers.sync.shown(number)
        elif what == "seen":
            numbers.seen([which], {which: number}, now)
        else:
            platform.take(numbers, number, now, PushOutcome(which))
        differing = {one.code for one in numbers.listings.values() if is_differing(numbers, one)}
        assert numbers.pending == len(differing)
        assert pushed(numbers, now).keys() == differing
    for _ in IDS:
        platform.take(numbers, 2, NOW)
    assert numbers.pending == 0
    assert not any(is_differing(numbers, one) for one in numbers.listings.values())


@given(st.lists(STEPS, max_size=40))
def test_once_nothing_is_pending_the_platform_shows_what_it_shall(
    steps: list[tuple[str, str, int]],
) -> None:
    numbers, platform = numbers_of(dict.fromkeys(IDS)), HonestPlatform()
    for what, which, number in [("want", code, 1) for code in IDS] + steps:
        if what == "want":
            numbers.want(IDS[which], number, NOW)
        elif what == "push":
            platform.take(numbers, number, NOW, PushOutcome(which))
    for _ in IDS:
        platform.take(numbers, 2, NOW)
    assert numbers.pending == 0
    for listing in numbers.listings.values():
        assert listing.is_unlisted or platform.shown[listing.code] == listing.wanted
