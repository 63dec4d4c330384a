"""Versions of a policy: kept as drafts, activated once, never overwritten by who did not look."""

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from backend.conditions.model import DEPTH_MAX, TESTS_MAX, Condition
from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.db.versions import COMMENT_LENGTH_MAX, Version, VersionStatus
from backend.routing import policies as cases
from backend.routing.errors import PolicyChanged
from backend.routing.model import (
    DEFAULT_POLICY,
    Objective,
    Otherwise,
    PolicyDocument,
    Preset,
    Rerouting,
    SourcingWeights,
    Weighed,
)
from backend.routing.policies import POLICIES, PolicyVersion
from tenants.principal import Permission, Principal
from tests.catalogue import Connection, contents
from tests.refusals import refused
from tests.routing.conftest import ACTIVE, ARCHIVED, DRAFT, OUTDATED
from tests.routing.policies import (
    activate,
    both,
    document,
    first,
    is_,
    not_,
    propose,
    put_in_force,
    strategy,
    when,
)
from tests.world import World, fresh_key

NOBODY = 10**6
RIVALS = 8
BARE = document(strategy())
RICH = document(
    first(
        "国补",
        when=both(
            when("goods.skus", "contains", "A"),
            not_(when("order.region", "contains", "310000")),
            is_("order.shop", "shop"),
        ),
        nodes=when("node.code", "in", "wh", "far"),
        preset=Preset.SOURCING,
        weights=SourcingWeights(near=2, cheap=3, fast=0),
        objectives=(
            Objective("stock_depth", band=10),
            Objective(sum=(Weighed("handling"), Weighed("cross_region", 300))),
        ),
        max_parcels=2,
        max_nodes=4,
        least_parcel_minor=2_000,
        whole_only=True,
        may_split_lines=False,
    ),
    strategy("queued", when=is_("order.is_paid", "true"), otherwise=Otherwise.QUEUE, queue="A 组"),
    strategy("rest", otherwise=Otherwise.CANCEL, cancel_after_days=0),
)
CLOSE_SHOP = "update shop set is_active = false where tenant_id = $1 and code = $2"
RETIRE = "update sku set is_active = false where tenant_id = $1 and code = $2"
RENAME = "update node set code = 'gone' where tenant_id = $1 and code = $2"


async def found(database: Database, who: Principal, version: int) -> PolicyVersion:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await POLICIES.get(tx, version)


async def seen(database: Database, who: Principal) -> list[int]:
    """Return the versions that somebody sees, the newest first."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        return [row.version for row in await POLICIES.page(tx, NOBODY, 99)]


async def active(database: Database, who: Principal) -> tuple[PolicyDocument, int]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await cases.active_policy(tx)


def unable(who: Principal) -> Principal:
    """Return the same principal without the permission to change the network."""
    return replace(who, permissions=who.permissions - {Permission.NETWORK_WRITE})


# ------------------------------------------------------------------------- what is kept


async def test_what_is_proposed_is_a_draft_and_decides_nothing(
    database: Database, world: World
) -> None:
    draft = await propose(database, world.brand, RICH, comment="双十一")
    assert (draft.version, draft.based_on, draft.status) == (1, 0, VersionStatus.DRAFT)
    assert (draft.comment, draft.proposed_by) == ("双十一", world.brand.subject)
    assert (draft.activated_by, draft.activated_at) == (None, None)
    assert await active(database, world.brand) == (DEFAULT_POLICY, 0)


async def test_a_policy_is_kept_as_it_was_proposed(database: Database, world: World) -> None:
    draft = await propose(database, world.brand, RICH)
    assert draft.document == RICH
    assert await found(database, world.brand, draft.version) == draft


async def test_an_activated_draft_decides_and_the_one_before_it_is_archived(
    database: Database, world: World
) -> None:
    one = await put_in_force(database, world.brand, BARE)
    two = await put_in_force(database, world.brand, RICH)
    assert await active(database, world.brand) == (RICH, two.version)
    assert (two.based_on, two.activated_by) == (one.version, world.brand.subject)
    assert two.activated_at is not None
    assert (await found(database, world.brand, one.version)).status is VersionStatus.ARCHIVED


async def test_versions_are_listed_in_pages_the_newest_first(
    still: Database, ready_world: World
) -> None:
    assert await seen(still, ready_world.brand) == [DRAFT, ACTIVE, OUTDATED, ARCHIVED]
    async with still.tenant_transaction(ready_world.brand, read_only=True) as tx:
        page = await POLICIES.page(tx, DRAFT, 2)
    assert [row.version for row in page] == [ACTIVE, OUTDATED]


async def test_two_brands_count_their_own_versions(database: Database, world: World) -> None:
    for who in (world.brand, world.other_brand):
        assert (await put_in_force(database, who, BARE)).version == 1
    assert (await active(database, world.other_brand))[1] == 1


async def test_the_document_of_no_version_is_the_default_policy(
    still: Database, ready_world: World
) -> None:
    async with still.tenant_transaction(ready_world.brand, read_only=True) as tx:
        assert await cases.document_of(tx, 0) == DEFAULT_POLICY
        assert (await cases.document_of(tx, DRAFT)).strategies[0].name == "draft"


async def test_the_database_itself_has_one_active_version(
    still_admin: Connection, ready_world: World
) -> None:
    with pytest.raises(asyncpg.UniqueViolationError, match="routing_policy_active_key"):
        await still_admin.execute(
            "update routing_policy set status = 'active' where tenant_id = $1 and version = $2",
            ready_world.tenant_id,
            DRAFT,
        )


# ------------------------------------------------------------------------- who comes first


@pytest.mark.parametrize("based_on", [0, ARCHIVED, DRAFT, NOBODY, -1])
async def test_a_policy_on_top_of_another_than_the_active_one_is_refused(
    still: Database, still_admin: Connection, ready_world: World, based_on: int
) -> None:
    async with refused(still_admin, "POLICY_CHANGED") as refusal:
        await propose(still, ready_world.brand, BARE, based_on)
    assert isinstance(refusal.error, PolicyChanged)
    assert refusal.error.active_version == ACTIVE


@pytest.mark.parametrize("based_on", [2**31, -(2**40), 2**63])
async def test_what_no_version_can_be_is_refused_too(
    still: Database, still_admin: Connection, ready_world: World, based_on: int
) -> None:
    async with refused(still_admin, "POLICY_CHANGED"):
        await propose(still, ready_world.brand, BARE, based_on)


async def test_a_draft_on_top_of_another_than_the_active_one_is_not_activated(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "POLICY_CHANGED") as refusal:
        await activate(still, ready_world.brand, OUTDATED)
    assert isinstance(refusal.error, PolicyChanged)
    assert refusal.error.active_version == ACTIVE


async def test_of_two_managers_the_first_wins_and_the_second_is_told(
    database: Database, admin: Connection, world: World
) -> None:
    base = await put_in_force(database, world.brand, BARE)
    one = await propose(database, world.brand, RICH, base.version)
    two = await propose(database, world.brand, BARE, base.version)
    await activate(database, world.brand, one.version)
    async with refused(admin, "POLICY_CHANGED") as refusal:
        await activate(database, world.brand, two.version)
    assert isinstance(refusal.error, PolicyChanged)
    assert refusal.error.active_version == one.version


async def test_of_many_activations_at_once_exactly_one_wins(
    database: Database, admin: Connection, world: World
) -> None:
    drafts = [await propose(database, world.brand, BARE) for _ in range(RIVALS)]
    tried = [activate(database, world.brand, draft.version) for draft in drafts]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    (winner,) = [one for one in answers if isinstance(one, Version)]
    assert sum(isinstance(one, PolicyChanged) for one in answers) == RIVALS - 1
    assert await active(database, world.brand) == (BARE, winner.version)


async def test_one_draft_activated_by_many_at_once_is_activated_once(
    database: Database, world: World
) -> None:
    draft = await propose(database, world.brand, BARE)
    tried = [activate(database, world.brand, draft.version) for _ in range(RIVALS)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    (winner,) = [one for one in answers if isinstance(one, Version)]
    codes = {one.code for one in answers if isinstance(one, YipanError)}
    assert codes == {"POLICY_NOT_DRAFT"}
    assert await found(database, world.brand, draft.version) == winner


async def test_drafts_proposed_at_once_have_versions_of_their_own(
    database: Database, world: World
) -> None:
    drafts = await asyncio.gather(*(propose(database, world.brand, BARE) for _ in range(RIVALS)))
    assert {draft.version for draft in drafts} == set(range(1, RIVALS + 1))


# ------------------------------------------------------------------------------------- once


async def test_the_same_key_answers_the_same_and_keeps_one_draft(
    database: Database, admin: Connection, world: World
) -> None:
    key = fresh_key()
    one = await propose(database, world.brand, RICH, key=key)
    before = await contents(admin)
    assert await propose(database, world.brand, RICH, key=key) == one
    assert await contents(admin) == before


async def test_the_same_key_activates_once_and_answers_the_same(
    database: Database, admin: Connection, world: World
) -> None:
    draft, key = await propose(database, world.brand, RICH), fresh_key()
    one = await activate(database, world.brand, draft.version, key)
    before = await contents(admin)
    assert await activate(database, world.brand, draft.version, key) == one
    assert await contents(admin) == before


async def test_a_key_answers_the_same_after_another_policy_was_activated(
    database: Database, world: World
) -> None:
    key = fresh_key()
    draft = await propose(database, world.brand, RICH, key=key)
    await put_in_force(database, world.brand, BARE)
    assert await propose(database, world.brand, RICH, key=key) == draft


@pytest.mark.parametrize("change", [{"policy": BARE}, {"based_on": 1}, {"comment": "x"}])
async def test_a_key_with_other_content_is_refused(
    database: Database, admin: Connection, world: World, change: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"policy": RICH, "based_on": 0, "key": fresh_key()}
    await propose(database, world.brand, **given)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await propose(database, world.brand, **(given | change))


async def test_a_key_of_another_activation_is_refused(
    database: Database, admin: Connection, world: World
) -> None:
    one, two = [await propose(database, world.brand, BARE) for _ in range(2)]
    key = fresh_key()
    await activate(database, world.brand, one.version, key)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await activate(database, world.brand, two.version, key)


async def test_the_key_of_a_refused_proposal_is_free_again(
    database: Database, world: World
) -> None:
    key = fresh_key()
    with pytest.raises(PolicyChanged):
        await propose(database, world.brand, BARE, 7, key)
    assert (await propose(database, world.brand, BARE, 0, key)).version == 1


# --------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (ACTIVE, "POLICY_NOT_DRAFT"),
        (ARCHIVED, "POLICY_NOT_DRAFT"),
        (NOBODY, "UNKNOWN_POLICY"),
        (0, "UNKNOWN_POLICY"),
        (-1, "UNKNOWN_POLICY"),
        (2**40, "UNKNOWN_POLICY"),
    ],
)
async def test_only_a_draft_that_is_there_is_activated(
    still: Database, still_admin: Connection, ready_world: World, version: int, code: str
) -> None:
    async with refused(still_admin, code):
        await activate(still, ready_world.brand, version)


def deep(levels: int) -> Condition:
    bottom = is_("order.is_paid", "true")
    return bottom if levels == 1 else not_(deep(levels - 1))


IN_STRATEGY = ("strategies", 0)
OF_NAMES = ("strategies", 0, "when", "test", "values", 0)
FAULTY: dict[str, tuple[PolicyDocument, tuple[str | int, ...], str]] = {
    "region": (document(strategy(when=when("order.region", "contains", "999999"))), OF_NAMES, ""),
    "region of a word": (
        document(strategy(when=when("order.region", "contains", "上海"))),
        OF_NAMES,
        "",
    ),
    "region of digits of another script": (
        document(strategy(when=when("order.region", "contains", "²"))),
        OF_NAMES,
        "",
    ),
    "subsidy": (
        document(strategy(when=when("order.subsidy_region", "contains", "9"))),
        OF_NAMES,
        "",
    ),
    "region of a node": (
        document(strategy(nodes=when("node.region", "contains", "999999"))),
        ("strategies", 0, "nodes", "test", "values", 0),
        "",
    ),
    "sku": (document(strategy(when=when("goods.skus", "contains", "nothing"))), OF_NAMES, ""),
    "sku of a zero byte": (
        document(strategy(when=when("goods.skus", "contains", "a\0b"))),
        OF_NAMES,
        "INVALID_CONDITION",
    ),
    "sku of half a character": (
        document(strategy(when=when("goods.skus", "contains", "\ud800"))),
        (),
        "",
    ),
    "shop": (
        document(strategy(when=not_(is_("order.shop", "nobody")))),
        ("strategies", 0, "when", "not", "test", "values", 0),
        "",
    ),
    "node": (
        document(
            strategy(nodes=both(is_("node.kind", "store"), when("node.code", "in", "wh", "x")))
        ),
        ("strategies", 0, "nodes", "all", 1, "test", "values", 1),
        "",
    ),
    "field": (
        document(strategy(when=is_("order.colour", "red"))),
        ("strategies", 0, "when", "test", "attribute"),
        "INVALID_CONDITION",
    ),
    "field of a node in a condition on orders": (
        document(strategy(when=is_("node.code", "wh"))),
        ("strategies", 0, "when", "test", "attribute"),
        "INVALID_CONDITION",
    ),
    "operator": (
        document(strategy(when=when("order.units", "starts_with", "1"))),
        ("strategies", 0, "when", "test", "operator"),
        "INVALID_CONDITION",
    ),
    "tree too deep": (
        document(strategy(when=deep(DEPTH_MAX + 1))),
        ("strategies", 0, "when", *["not"] * DEPTH_MAX),
        "INVALID_CONDITION",
    ),
    "tree too large": (
        document(strategy(when=both(*[is_("order.is_paid", "true")] * (TESTS_MAX + 1)))),
        ("strategies", 0, "when", "all", TESTS_MAX, "test"),
        "INVALID_CONDITION",
    ),
    "nothing in it": (
        document(strategy(when=both())),
        ("strategies", 0, "when", "all"),
        "INVALID_CONDITION",
    ),
    "nothing at all": (
        document(strategy(when=Condition())),
        ("strategies", 0, "when"),
        "INVALID_CONDITION",
    ),
    "criterion": (
        document(strategy(objectives=(Objective(sum=(Weighed("split"), Weighed("luck"))),))),
        (*IN_STRATEGY, "objectives", 0, "sum", 1, "criterion"),
        "",
    ),
    "neither criterion nor sum": (
        document(strategy(objectives=(Objective(),))),
        (*IN_STRATEGY, "objectives", 0),
        "",
    ),
    "both criterion and sum": (
        document(strategy(objectives=(Objective("split", sum=(Weighed("freight"),)),))),
        (*IN_STRATEGY, "objectives", 0),
        "",
    ),
    "a band of a sum": (
        document(strategy(objectives=(Objective(band=3, sum=(Weighed("freight"),)),))),
        (*IN_STRATEGY, "objectives", 0, "band"),
        "",
    ),
    "weight 0": (
        document(strategy(objectives=(Objective(sum=(Weighed("freight", 0),)),))),
        (*IN_STRATEGY, "objectives", 0, "sum", 0, "weight"),
        "",
    ),
    "weight of 10^18": (
        document(strategy(objectives=(Objective(sum=(Weighed("freight", 10**18),)),))),
        (*IN_STRATEGY, "objectives", 0, "sum", 0, "weight"),
        "",
    ),
    "too fine a sum": (
        document(
            strategy(
                objectives=tuple(
                    Objective(sum=(Weighed(name, 10**9),))
                    for name in ("freight", "carbon", "handling", "lead_time")
                )
            )
        ),
        (*IN_STRATEGY, "objectives"),
        "",
    ),
    "a criterion that the preset has": (
        document(
            strategy(preset=Preset.NEAREST, objectives=(Objective("carbon"), Objective("split")))
        ),
        (*IN_STRATEGY, "objectives", 1),
        "",
    ),
    "weights without sourcing": (
        document(strategy(weights=SourcingWeights())),
        (*IN_STRATEGY, "weights"),
        "",
    ),
    "nothing to weigh": (
        document(strategy(preset=Preset.SOURCING, weights=SourcingWeights(cheap=0))),
        (*IN_STRATEGY, "weights", "cheap"),
        "",
    ),
    "a weight below 0": (
        document(strategy(preset=Preset.SOURCING, weights=SourcingWeights(near=-1))),
        (*IN_STRATEGY, "weights", "near"),
        "",
    ),
    "no name": (document(strategy("")), (*IN_STRATEGY, "name"), ""),
    "a long name": (document(strategy("n" * 101)), (*IN_STRATEGY, "name"), ""),
    "a name of a zero byte": (document(strategy("a\0")), (*IN_STRATEGY, "name"), ""),
    "the same name": (document(first("a"), strategy("a")), ("strategies", 1, "name"), ""),
    "no strategy": (document(), ("strategies",), ""),
    "too many strategies": (
        document(*(first(str(n)) for n in range(51))),
        ("strategies",),
        "",
    ),
    "a queue without a name": (
        document(strategy(otherwise=Otherwise.QUEUE)),
        (*IN_STRATEGY, "queue"),
        "",
    ),
    "a name without a queue": (document(strategy(queue="q")), (*IN_STRATEGY, "queue"), ""),
    "a queue of a zero byte": (
        document(strategy(otherwise=Otherwise.QUEUE, queue="a\0b")),
        (*IN_STRATEGY, "queue"),
        "",
    ),
    "a long name of a queue": (
        document(strategy(otherwise=Otherwise.QUEUE, queue="q" * 101)),
        (*IN_STRATEGY, "queue"),
        "",
    ),
    "to be cancelled, but when": (
        document(strategy(otherwise=Otherwise.CANCEL)),
        (*IN_STRATEGY, "cancelAfterDays"),
        "",
    ),
    "a day but nothing to cancel": (
        document(strategy(cancel_after_days=1)),
        (*IN_STRATEGY, "cancelAfterDays"),
        "",
    ),
    "cancelled yesterday": (
        document(strategy(otherwise=Otherwise.CANCEL, cancel_after_days=-1)),
        (*IN_STRATEGY, "cancelAfterDays"),
        "",
    ),
    "cancelled in years": (
        document(strategy(otherwise=Otherwise.CANCEL, cancel_after_days=366)),
        (*IN_STRATEGY, "cancelAfterDays"),
        "",
    ),
    "no parcel": (document(strategy(max_parcels=0)), (*IN_STRATEGY, "maxParcels"), ""),
    "65 parcels": (document(strategy(max_parcels=65)), (*IN_STRATEGY, "maxParcels"), ""),
    "11 nodes": (document(strategy(max_nodes=11)), (*IN_STRATEGY, "maxNodes"), ""),
    "a parcel below 0": (
        document(strategy(least_parcel_minor=-1)),
        (*IN_STRATEGY, "leastParcelMinor"),
        "",
    ),
    "a parcel beyond value": (
        document(strategy(least_parcel_minor=10**16)),
        (*IN_STRATEGY, "leastParcelMinor"),
        "",
    ),
    "rerouting for nothing": (
        replace(BARE, rerouting=Rerouting(0)),
        ("rerouting", "leastSavingMinor"),
        "",
    ),
    "rerouting for a fortune": (
        replace(BARE, rerouting=Rerouting(10**9 + 1)),
        ("rerouting", "leastSavingMinor"),
        "",
    ),
    "rerouting within no time": (
        replace(BARE, rerouting=Rerouting(500, within_hours=0)),
        ("rerouting", "withinHours"),
        "",
    ),
    "rerouting for months": (
        replace(BARE, rerouting=Rerouting(500, within_hours=721)),
        ("rerouting", "withinHours"),
        "",
    ),
    "a document too large": (
        document(
            strategy(when=both(*[when("order.type", "in", *(f"{n:0200}" for n in range(900)))] * 2))
        ),
        ("strategies",),
        "",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
async def test_a_faulty_policy_is_not_kept(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    policy, path, code = FAULTY[name]
    async with refused(still_admin, code or "INVALID_POLICY") as refusal:
        await propose(still, ready_world.brand, policy, ACTIVE)
    assert isinstance(refusal.error, YipanError)
    assert refusal.error.path == path


@pytest.mark.parametrize("comment", ["c" * (COMMENT_LENGTH_MAX + 1), "a\0b", "\ud800"])
async def test_a_comment_has_bounds(
    still: Database, still_admin: Connection, ready_world: World, comment: str
) -> None:
    async with refused(still_admin, "INVALID_POLICY") as refusal:
        await propose(still, ready_world.brand, BARE, ACTIVE, comment=comment)
    assert isinstance(refusal.error, YipanError)
    assert refusal.error.path == ("comment",)


@pytest.mark.parametrize(
    ("statement", "code"), [(CLOSE_SHOP, "shop"), (RETIRE, "A"), (RENAME, "far")]
)
async def test_a_draft_whose_parts_have_vanished_is_not_activated(
    database: Database, admin: Connection, world: World, statement: str, code: str
) -> None:
    draft = await propose(database, world.brand, RICH)
    await admin.execute(statement, world.tenant_id, code)
    async with refused(admin, "INVALID_POLICY") as refusal:
        await activate(database, world.brand, draft.version)
    assert repr(code) in str(refusal.error)


# ---------------------------------------------------------------------------------- who may


async def test_without_the_permission_nobody_proposes_or_activates(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "PERMISSION_MISSING"):
        await propose(still, unable(ready_world.brand), BARE, ACTIVE)
    async with refused(still_admin, "PERMISSION_MISSING"):
        await activate(still, unable(ready_world.brand), DRAFT)


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "other_brand"])
async def test_dealers_stores_and_other_brands_see_no_policy(
    still: Database, ready_world: World, name: str
) -> None:
    who: Principal = getattr(ready_world, name)
    assert await seen(still, who) == []
    assert await active(still, who) == (DEFAULT_POLICY, 0)


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "group", "other_brand"])
async def test_nobody_but_the_brand_activates_its_draft(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    code = "UNKNOWN_POLICY" if name == "other_brand" else "WRITE_REFUSED"
    async with refused(still_admin, code):
        await activate(still, getattr(ready_world, name), DRAFT)


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store"])
async def test_nobody_but_the_brand_proposes(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await propose(still, getattr(ready_world, name), BARE)


async def test_a_group_looks_but_does_not_touch(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    assert await seen(still, ready_world.group) == [DRAFT, ACTIVE, OUTDATED, ARCHIVED]
    async with refused(still_admin, "WRITE_REFUSED"):
        await propose(still, ready_world.group, BARE, ACTIVE)
