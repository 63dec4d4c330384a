"""Quota accounts: opened, limited, topped up, paid; what orders take, and nothing beyond it."""

import pytest

from backend.db.commands import CommandConflict
from backend.db.errors import AlreadyExists
from backend.db.pool import Database
from backend.dropship.quotas.accounts import accounts_by_ids, page_of_entries
from backend.dropship.quotas.counters import QuotaMoved, changed_quotas, free_of_all_quotas
from backend.dropship.quotas.errors import AlreadyRecorded, QuotaTooSmall, UnknownQuotaAccount
from backend.dropship.quotas.model import QuotaAccount, QuotaEntryType, QuotaKind, QuotaMove
from tests.catalogue import Connection
from tests.dropship.papers import overtaken
from tests.dropship.quotas import DAY, Quotas, TooLittle, paying_out, taking, topping_up
from tests.world import World

E = QuotaEntryType
OTHER_DEALER = "d2"


@pytest.fixture
def quotas(database: Database, world: World) -> Quotas:
    return Quotas(database, world.brand)


# ------------------------------------------------------------------------ opened, and limited


async def test_credit_is_opened_with_its_limit(quotas: Quotas, world: World) -> None:
    opened = await quotas.credit(6_000, payment_days=30, warn_bp=(500, 2_000, 500))
    assert (opened.kind, opened.granted_minor, opened.used_minor) == (QuotaKind.CREDIT, 6_000, 0)
    assert (opened.dealer_id, opened.payment_days) == (world.dealers["d1"], 30)
    assert (opened.warn_bp, opened.left_minor, opened.is_blocked) == ((2_000, 500), 6_000, False)
    (entry,) = await quotas.entries()
    assert (entry.type, entry.granted_delta, entry.used_delta) == (E.OPENED, 6_000, 0)
    assert entry.actor == world.brand.actor


async def test_what_is_paid_ahead_begins_with_nothing(quotas: Quotas) -> None:
    opened = await quotas.open(kind=QuotaKind.PREPAID)
    assert (opened.granted_minor, opened.left_minor) == (0, 0)
    assert await quotas.take(1) is None


async def test_a_code_is_of_one_account(quotas: Quotas) -> None:
    opened = await quotas.credit(6_000)
    with pytest.raises(AlreadyExists):
        await quotas.credit(100, dealer=OTHER_DEALER)
    assert await quotas.all() == {"Q-1": opened}


async def test_a_limit_is_raised_and_lowered(quotas: Quotas) -> None:
    await quotas.credit(6_000)
    assert (await quotas.limit(9_000)).granted_minor == 9_000
    lowered = await quotas.limit(1_000, reason="late")
    assert (lowered.granted_minor, lowered.version) == (1_000, 3)
    deltas = [(one.type, one.granted_delta, one.reason) for one in await quotas.entries()]
    assert deltas[1:] == [(E.LIMIT_SET, 3_000, ""), (E.LIMIT_SET, -8_000, "late")]


async def test_a_limit_below_what_is_used_lets_nothing_more_be_taken(quotas: Quotas) -> None:
    await quotas.credit(6_000)
    await quotas.take(5_000)
    lowered = await quotas.limit(2_000)
    assert (lowered.left_minor, lowered.at.free) == (0, -3_000)
    assert await quotas.take(1) is None
    await quotas.give_back(3_000)
    assert await quotas.take(1) is None
    await quotas.give_back(1)
    assert await quotas.take(1) is not None


# ---------------------------------------------------------------------------- paid, once each


async def test_what_is_paid_ahead_is_there_to_be_taken(quotas: Quotas) -> None:
    paid = await quotas.prepaid(1_000, reference="bank-1")
    assert (paid.granted_minor, paid.left_minor) == (1_000, 1_000)
    assert await quotas.take(1_000) is not None
    assert (await quotas.account()).left_minor == 0
    entry = (await quotas.entries())[1]
    assert (entry.type, entry.granted_delta, entry.reference) == (E.TOPPED_UP, 1_000, "bank-1")


async def test_a_payment_is_recorded_once(quotas: Quotas) -> None:
    await quotas.prepaid(1_000, reference="bank-1")
    for amount in (1_000, 2_000):
        with pytest.raises(AlreadyRecorded) as raised:
            await quotas.top_up(amount, "bank-1")
        assert raised.value.path == ("reference",)
    with pytest.raises(AlreadyRecorded):
        await quotas.pay_out(1, "bank-1")
    assert (await quotas.account()).granted_minor == 1_000


async def test_each_account_has_payments_of_its_own(quotas: Quotas) -> None:
    await quotas.prepaid(1_000, reference="bank-1")
    await quotas.prepaid(1_000, "Q-2", reference="bank-1")
    assert (await quotas.account("Q-2")).granted_minor == 1_000


async def test_two_record_a_payment_at_once_and_it_counts_once(
    quotas: Quotas, admin: Connection
) -> None:
    await quotas.open(kind=QuotaKind.PREPAID)
    both = topping_up(1_000, "bank-1"), topping_up(1_000, "bank-1")
    late = await overtaken(quotas.database, admin, quotas.who, *both)
    assert isinstance(late, AlreadyRecorded)
    assert (await quotas.account()).granted_minor == 1_000


async def test_one_who_records_it_twice_at_once_is_answered_twice(
    quotas: Quotas, admin: Connection
) -> None:
    await quotas.open(kind=QuotaKind.PREPAID)
    twice = topping_up(1_000, "bank-1", key="k"), topping_up(1_000, "bank-1", key="k")
    late = await overtaken(quotas.database, admin, quotas.who, *twice)
    assert late == await quotas.account()
    assert isinstance(late, QuotaAccount)
    assert late.granted_minor == 1_000


async def test_the_same_command_again_answers_again(quotas: Quotas) -> None:
    opened = await quotas.open(kind=QuotaKind.PREPAID, key="open")
    paid = await quotas.top_up(1_000, "bank-1", key="pay")
    out = await quotas.pay_out(400, "bank-2", key="out")
    assert await quotas.open(kind=QuotaKind.PREPAID, key="open") == opened
    assert await quotas.top_up(1_000, "bank-1", key="pay") == paid
    assert await quotas.pay_out(400, "bank-2", key="out") == out == await quotas.account()


async def test_a_key_is_of_one_command(quotas: Quotas) -> None:
    await quotas.open(kind=QuotaKind.PREPAID)
    await quotas.top_up(1_000, "bank-1", key="k")
    with pytest.raises(CommandConflict):
        await quotas.top_up(1_001, "bank-1", key="k")
    with pytest.raises(CommandConflict):
        await quotas.pay_out(1_000, "bank-1", key="k")
    assert (await quotas.account()).granted_minor == 1_000


async def test_no_more_is_paid_out_than_is_left(quotas: Quotas) -> None:
    await quotas.prepaid(1_000)
    await quotas.take(300)
    with pytest.raises(QuotaTooSmall) as raised:
        await quotas.pay_out(701)
    assert (raised.value.requested_minor, raised.value.available_minor) == (701, 700)
    emptied = await quotas.pay_out(700, "bank-2")
    assert (emptied.granted_minor, emptied.left_minor) == (300, 0)
    assert (await quotas.entries())[-1].granted_delta == -700


async def test_what_is_paid_out_is_not_taken_as_well(quotas: Quotas, admin: Connection) -> None:
    account = await quotas.prepaid(1_000)
    both = paying_out(600, "bank-2"), taking(account, 600)
    late = await overtaken(quotas.database, admin, quotas.who, *both)
    assert isinstance(late, TooLittle)
    assert (await quotas.account()).used_minor == 0


async def test_what_is_taken_is_not_paid_out_as_well(quotas: Quotas, admin: Connection) -> None:
    account = await quotas.prepaid(1_000)
    both = taking(account, 600), paying_out(600, "bank-2")
    late = await overtaken(quotas.database, admin, quotas.who, *both)
    assert isinstance(late, QuotaTooSmall)
    assert (await quotas.account()).granted_minor == 1_000


async def test_what_is_paid_of_credit_may_be_taken_again(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    await quotas.take(1_000)
    paid = await quotas.pay(400, "bank-1")
    assert (paid.granted_minor, paid.used_minor, paid.left_minor) == (1_000, 600, 400)
    with pytest.raises(AlreadyRecorded):
        await quotas.pay(400, "bank-1")
    entry = (await quotas.entries())[-1]
    assert (entry.type, entry.used_delta, entry.order_id) == (E.PAID, -400, None)


async def test_who_pays_more_than_it_owes_may_take_more(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    paid = await quotas.pay(500)
    assert (paid.used_minor, paid.left_minor) == (-500, 1_500)
    assert await quotas.take(1_500) is not None


# ------------------------------------------------------------------------ what orders take


async def test_nothing_is_taken_beyond_what_is_left(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    before = await quotas.account()
    assert await quotas.take(1_001) is None
    assert await quotas.account() == before
    taken = await quotas.take(1_000)
    assert taken is not None
    assert taken[before.id].free == 0


async def test_of_several_accounts_all_is_taken_or_nothing(quotas: Quotas) -> None:
    first, second = await quotas.credit(1_000), await quotas.credit(100, "Q-2")
    moves = [QuotaMove(first.id, 1, 500), QuotaMove(second.id, 1, 101)]
    with pytest.raises(QuotaMoved):
        await quotas.move(*moves)
    assert await quotas.all() == {"Q-1": first, "Q-2": second}
    moved = await quotas.move(moves[0], moves[1]._replace(amount_minor=100))
    assert [moved[one.id].free for one in (first, second)] == [500, 0]
    assert len(await quotas.entries()) == len(await quotas.entries("Q-2")) == 2


async def test_two_at_once_never_take_more_than_there_is(quotas: Quotas, admin: Connection) -> None:
    account = await quotas.credit(1_000)
    both = taking(account, 600, 1), taking(account, 600, 2)
    late = await overtaken(quotas.database, admin, quotas.who, *both)
    assert isinstance(late, TooLittle)
    assert (await quotas.account()).used_minor == 600


async def test_what_was_read_before_is_known_by_its_version(quotas: Quotas) -> None:
    first = (await quotas.credit(1_000)).at
    taken = await quotas.take(400)
    assert taken is not None
    assert taken[first.id].version == first.version + 1
    async with quotas.database.tenant_transaction(quotas.who, read_only=True) as tx:
        assert await free_of_all_quotas(tx) == [taken[first.id]]
        since = (await quotas.account()).changed_at
        assert [one for one, _ in await changed_quotas(tx, since)] == [taken[first.id]]


async def test_what_an_order_took_says_when_it_is_due(quotas: Quotas) -> None:
    await quotas.credit(1_000, payment_days=30)
    await quotas.take(600, 7)
    await quotas.give_back(200, 7)
    taken, back = (await quotas.entries())[1:]
    assert (taken.type, taken.order_id, taken.used_delta) == (E.TAKEN, 7, 600)
    assert (back.type, back.order_id, back.used_delta) == (E.GIVEN_BACK, 7, -200)
    assert taken.due_on == back.due_on
    assert taken.due_on is not None
    assert (taken.due_on - DAY).days == 30


# ------------------------------------------------------------------------------ who sees it


async def test_a_dealer_sees_its_own_accounts(quotas: Quotas, world: World) -> None:
    await quotas.credit(1_000)
    other = await quotas.credit(1_000, "Q-2", dealer=OTHER_DEALER)
    dealer = quotas.of(world.dealer)
    assert list(await dealer.all()) == ["Q-1"]
    assert await dealer.all(dealer_id=world.dealers[OTHER_DEALER]) == {}
    assert [one.type for one in await dealer.entries()] == [E.OPENED]
    async with quotas.database.tenant_transaction(world.dealer) as tx:
        assert await accounts_by_ids(tx, [other.id]) == []
        assert await page_of_entries(tx, other.id, 2**62, 10) == []
    with pytest.raises(UnknownQuotaAccount):
        await dealer.account("Q-2")
    assert await quotas.of(world.store).all() == {}
    assert await quotas.of(world.other_brand).all() == {}


async def test_a_statement_is_read_page_by_page(quotas: Quotas) -> None:
    account = await quotas.credit(1_000)
    for order_id in range(1, 5):
        await quotas.take(100, order_id)
    async with quotas.database.tenant_transaction(quotas.who) as tx:
        newest = await page_of_entries(tx, account.id, 2**62, 2)
        rest = await page_of_entries(tx, account.id, newest[-1].id, 9)
    assert [one.order_id for one in newest + rest] == [4, 3, 2, 1, None]
