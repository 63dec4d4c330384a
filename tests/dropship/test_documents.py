"""Documents: of everything that changes a quota, once, numbered without gaps, never changed."""

import asyncio
from datetime import UTC, datetime

import pytest

from backend.db.pool import TenantTransaction
from backend.documents import issue as issuing
from backend.documents.find import page_of_documents
from backend.documents.issue import issue_next
from backend.documents.model import Document, DocumentKind
from backend.documents.pdf import pdf_of
from backend.documents.statements import issue_statements
from backend.dropship.deposits import (
    DepositEntryType,
    DepositMove,
    InvalidDeposit,
    deposits,
    move_deposit,
)
from backend.dropship.quotas import accounts
from backend.dropship.quotas.errors import InvalidQuota
from backend.network.nodes import create_legal_entity
from tests.dropship.dealing import PRICE, Dealing, cancel
from tests.orders.checks import placed
from tests.refusals import refused as refused_command
from tests.world import fresh_key

K = DocumentKind


@pytest.fixture
async def issuer(unbound: Dealing) -> Dealing:
    """A dealer with a credit of ten units; from here on documents are issued."""
    await issue_next(unbound.database, await unbound.brand())
    await unbound.credit(6_000)
    await unbound.agree(quota_account="Q-1")
    await unbound.price()
    return unbound


async def issued(dealing: Dealing) -> list[Document]:
    """Issue all there is to issue, and return the documents, the oldest first."""
    brand = await dealing.brand()
    while await issue_next(dealing.database, brand):
        pass
    async with dealing.database.tenant_transaction(dealing.world.brand, read_only=True) as tx:
        return (await page_of_documents(tx, 2**62, 500))[::-1]


async def test_every_change_of_a_quota_has_a_document(issuer: Dealing) -> None:
    order = placed(await issuer.sell(3))
    await cancel(issuer, order, 1)
    await issuer.limit(9_000)
    found = await issued(issuer)
    assert [(one.kind, one.granted_delta, one.used_delta) for one in found] == [
        (K.QUOTA_NOTE, 6_000, 0),
        (K.QUOTA_NOTE, 3_000, 0),
        (K.DROPSHIP_ORDER, 0, 3 * PRICE),
        (K.CREDIT_NOTE, 0, -PRICE),
    ]
    account = await issuer.account()
    assert account.granted_minor == sum(one.granted_delta for one in found)
    assert account.used_minor == sum(one.used_delta for one in found)


async def test_a_document_says_what_it_is_of(issuer: Dealing) -> None:
    order = placed(await issuer.sell(3))
    found = (await issued(issuer))[-1]
    assert (found.order_id, found.amount_minor, found.currency) == (order.order_id, 1_800, "CNY")
    (line,) = found.content.lines
    assert (line.text, line.quantity, line.unit_minor, line.amount_minor) == ("A", 3, 600, 1_800)
    assert ("shop", "dshop") in found.content.facts


async def test_what_was_before_anybody_issued_has_its_documents(dealing: Dealing) -> None:
    placed(await dealing.sell(2))
    await move(dealing, DepositEntryType.PAID, 100)
    found = [one.kind for one in await issued(dealing)]
    assert found == [K.QUOTA_NOTE, K.DEPOSIT_RECEIPT, K.DROPSHIP_ORDER]
    assert [one.kind for one in await issued(dealing)] == found


async def test_numbers_have_no_gaps_whoever_issues_at_once(issuer: Dealing) -> None:
    for _ in range(8):
        placed(await issuer.sell(1))
    brand = await issuer.brand()
    await asyncio.gather(*(issue_next(issuer.database, brand) for _ in range(4)))
    found = [one for one in await issued(issuer) if one.kind is K.DROPSHIP_ORDER]
    assert [one.number for one in found] == list(range(1, 9))
    year = brand.today().year
    assert found[0].code == f"DO-acme-{year}-000001"


async def test_who_issues_and_dies_leaves_no_gap(
    issuer: Dealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(await issuer.sell(1))
    issue = issuing.issue

    async def dies(tx: TenantTransaction, *given: object) -> int:
        await issue(tx, *given)  # type: ignore[arg-type]
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(issuing, "issue", dies)
        with pytest.raises(RuntimeError):
            await issued(issuer)
    assert [one.number for one in await issued(issuer)] == [1, 1]


async def test_numbers_are_of_a_legal_entity(issuer: Dealing) -> None:
    async with issuer.database.tenant_transaction(issuer.world.system) as tx:
        await create_legal_entity(tx, "SH", "Shanghai")
    await issuer.credit(100, "Q-2", legal_entity="SH")
    found = await issued(issuer)
    assert [one.number for one in found] == [1, 1]
    assert found[1].code.startswith("QN-SH-")


async def test_what_waits_has_its_document_once_it_goes(issuer: Dealing) -> None:
    order = await issuer.sold(11)
    assert [one.kind for one in await issued(issuer)] == [K.QUOTA_NOTE]
    await issuer.limit(11 * PRICE)
    await issuer.settle()
    assert (await issued(issuer))[-1].order_id == order.order_id


async def test_a_dealer_reads_its_own(issuer: Dealing) -> None:
    await issued(issuer)
    world = issuer.world
    for who, count in ((world.dealer, 1), (world.other_dealer, 0), (world.store, 0)):
        async with issuer.database.tenant_transaction(who, read_only=True) as tx:
            assert len(await page_of_documents(tx, 2**62, 10)) == count


async def test_the_same_document_is_the_same_paper(issuer: Dealing) -> None:
    placed(await issuer.sell(2))
    found = (await issued(issuer))[-1]
    paper = pdf_of(found)
    assert paper.startswith(b"%PDF-")
    assert pdf_of(found) == paper


# -------------------------------------------------------------------------- debits and credits


async def test_what_is_charged_by_hand_is_taken_back_once(issuer: Dealing) -> None:
    async with issuer.database.tenant_transaction(issuer.world.brand) as tx:
        await accounts.adjust(tx, "Q-1", 700, "freight", key=fresh_key())
    charged = (await issued(issuer))[-1]
    assert (charged.kind, charged.used_delta) == (K.DEBIT_NOTE, 700)
    entry = int(charged.source.partition(":")[2])
    async with issuer.database.tenant_transaction(issuer.world.brand) as tx:
        await accounts.reverse_entry(tx, "Q-1", entry, "a mistake", key=fresh_key())
    back = (await issued(issuer))[-1]
    assert (back.kind, back.used_delta, back.reverses_id) == (K.CREDIT_NOTE, -700, charged.id)
    assert await issuer.used() == 0
    with pytest.raises(InvalidQuota):
        async with issuer.database.tenant_transaction(issuer.world.brand) as tx:
            await accounts.reverse_entry(tx, "Q-1", entry, "again", key=fresh_key())
    assert await issuer.used() == 0


async def test_what_an_order_took_is_not_taken_back_by_hand(issuer: Dealing) -> None:
    placed(await issuer.sell(1))
    entry = int((await issued(issuer))[-1].source.partition(":")[2])
    async with (
        refused_command(issuer.admin, "INVALID_QUOTA"),
        issuer.database.tenant_transaction(issuer.world.brand) as tx,
    ):
        await accounts.reverse_entry(tx, "Q-1", entry, "no", key=fresh_key())


# ---------------------------------------------------------------------------------- statements


async def test_a_month_that_is_over_has_one_statement(issuer: Dealing) -> None:
    placed(await issuer.sell(2))
    await issuer.admin.execute("update quota_entry set recorded_at = now() - interval '1 month'")
    brand = await issuer.brand()
    assert await issue_statements(issuer.database, brand) == 1
    assert await issue_statements(issuer.database, brand) == 0
    (found,) = [one for one in await issued(issuer) if one.kind is K.STATEMENT]
    figures = {line.text: line.amount_minor for line in found.content.lines}
    assert figures == {
        "granted before": 0,
        "used before": 0,
        "opened": 6_000,
        "taken": 1_200,
        "granted after": 6_000,
        "used after": 1_200,
        "left after": 4_800,
    }


async def test_an_account_that_is_younger_has_none(issuer: Dealing) -> None:
    assert datetime.now(UTC)
    assert await issue_statements(issuer.database, await issuer.brand()) == 0


# ------------------------------------------------------------------------------------ deposits


async def move(dealing: Dealing, type_: DepositEntryType, amount: int, **changes: str) -> None:
    one = DepositMove(
        dealer_id=dealing.world.dealers["d1"],
        type=type_,
        amount_minor=amount,
        reference=changes.get("reference", fresh_key()),
        reason=changes.get("reason", "damage"),
    )
    async with dealing.database.tenant_transaction(dealing.world.brand) as tx:
        await move_deposit(tx, one, key=fresh_key())


async def balance(dealing: Dealing) -> int:
    async with dealing.database.tenant_transaction(dealing.world.dealer, read_only=True) as tx:
        (found,) = await deposits(tx)
    return found.balance_minor


async def test_a_deposit_is_paid_deducted_and_refunded(issuer: Dealing) -> None:
    await move(issuer, DepositEntryType.PAID, 5_000)
    await move(issuer, DepositEntryType.DEDUCTED, 1_200)
    await move(issuer, DepositEntryType.REFUNDED, 3_800)
    assert await balance(issuer) == 0
    found = [one for one in await issued(issuer) if one.kind is K.DEPOSIT_RECEIPT]
    assert [one.amount_minor for one in found] == [5_000, -1_200, -3_800]
    assert (await issuer.account()).granted_minor == 6_000


async def test_no_more_is_deducted_than_there_is_whoever_comes_at_once(issuer: Dealing) -> None:
    await move(issuer, DepositEntryType.PAID, 1_000)
    done = await asyncio.gather(
        *(move(issuer, DepositEntryType.DEDUCTED, 600) for _ in range(3)), return_exceptions=True
    )
    assert sum(one is None for one in done) == 1
    assert all(isinstance(one, InvalidDeposit) for one in done if one is not None)
    assert await balance(issuer) == 400


async def test_a_payment_is_recorded_once(issuer: Dealing) -> None:
    await move(issuer, DepositEntryType.PAID, 1_000, reference="BANK-1")
    async with refused_command(issuer.admin, "INVALID_DEPOSIT"):
        await move(issuer, DepositEntryType.PAID, 1_000, reference="BANK-1")


@pytest.mark.parametrize(
    "given",
    [
        {"type_": DepositEntryType.PAID, "amount": 0},
        {"type_": DepositEntryType.PAID, "amount": 10**15 + 1},
        {"type_": DepositEntryType.REFUNDED, "amount": 1},
        {"type_": DepositEntryType.DEDUCTED, "amount": 1, "reason": " "},
        {"type_": DepositEntryType.PAID, "amount": 1, "reference": ""},
    ],
)
async def test_what_is_no_deposit_is_refused(issuer: Dealing, given: dict[str, str]) -> None:
    async with refused_command(issuer.admin, "INVALID_DEPOSIT"):
        await move(issuer, **given)  # type: ignore[arg-type]
