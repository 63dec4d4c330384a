"""Waybills that nobody uses are voided with their carrier, however often it fails."""

from typing import Any

from backend.fulfilment.carriers.voids import answer_void
from tests.api.carried import ACCOUNT, CARRIER, CHANGE, Carried
from tests.catalogue import Connection
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

ANSWER = """mutation ($input: WaybillVoidAnswerInput!) { waybillVoidAnswer(input: $input) {
    __typename ... on WaybillVoidAnswered { status } ... on UserError { code path } } }"""
VOIDS = "{ waybillVoids { carrier waybill status said } }"


async def stopped(carried: Carried) -> str:
    """Let an order be stopped that has its waybill; returns that."""
    order, key = await carried.packed()
    await carried.label()
    waybill = (await carried.parcels())[0]["waybill"]
    await carried.working.ask(key)
    await carried.working.answer(key, stops=True)
    assert (await carried.parcels())[0]["status"] == "CANCELLED"
    del order
    return str(waybill)


async def voids(carried: Carried) -> list[dict[str, Any]]:
    found = await carried.api.data(VOIDS, carried.world.brand)
    return list(found["waybillVoids"])


async def at_once(admin: Connection) -> None:
    """Let no pause be left."""
    await admin.execute("update waybill_void set ask_after = now()")
    await admin.execute("update parcel set ask_after = now()")


async def test_what_is_stopped_is_voided_with_its_carrier(
    carried: Carried, admin: Connection
) -> None:
    waybill = await stopped(carried)
    assert [one["waybill"] for one in await voids(carried)] == [waybill]
    assert waybill in await carried.fate.parcels()
    await carried.label()
    assert await voids(carried) == []
    assert waybill not in await carried.fate.parcels()
    assert await admin.fetchval("select status from waybill_void") == "done"
    await assert_clean(carried.runtime, carried.world)


async def test_a_carrier_that_fails_is_told_again(carried: Carried, admin: Connection) -> None:
    waybill = await stopped(carried)
    await carried.fate.fail("error", "lost")
    for attempt in (1, 2):
        await carried.label()
        (left,) = await voids(carried)
        assert (left["status"], left["waybill"]) == ("DUE", waybill)
        await carried.label()  # it is left alone for a while
        assert await admin.fetchval("select attempts from waybill_void") == attempt
        await at_once(admin)
    await carried.label()  # it was voided the time before, and nobody said so
    assert await voids(carried) == []


async def test_what_was_picked_up_is_for_somebody_to_see(carried: Carried) -> None:
    waybill = await stopped(carried)
    await carried.fate.tell(waybill, kinds=["picked_up"])
    await carried.label()
    (left,) = await voids(carried)
    assert left == {
        "carrier": "sim",
        "waybill": waybill,
        "status": "REFUSED",
        "said": "It is on its way.",
    }


async def refused_void(carried: Carried) -> dict[str, str]:
    """Let a carrier not void a waybill, for it was quicker; returns which."""
    waybill = await stopped(carried)
    await carried.fate.tell(waybill, kinds=["picked_up"])
    await carried.label()
    return {"carrier": "sim", "waybill": waybill}


async def test_what_was_agreed_on_is_settled(carried: Carried, admin: Connection) -> None:
    which = await refused_void(carried)
    settled = await carried.run(ANSWER, **which, tellsAgain=False, note="已与快递协商退回")
    assert settled == {"__typename": "WaybillVoidAnswered", "status": "SETTLED"}
    assert await voids(carried) == []
    row = await admin.fetchrow("select note, answered_by from waybill_void")
    assert row is not None
    assert (row["note"], row["answered_by"]) == ("已与快递协商退回", carried.world.brand.actor)
    await carried.label()
    assert await admin.fetchval("select status from waybill_void") == "settled"
    async with refused(admin, "UNKNOWN_WAYBILL_VOID"):
        await answered(carried, which)


async def test_a_carrier_is_told_once_more(carried: Carried, admin: Connection) -> None:
    which = await refused_void(carried)
    again = await carried.run(ANSWER, **which, tellsAgain=True, note="再试")
    assert again["status"] == "DUE"
    await carried.label()
    (left,) = await voids(carried)
    assert (left["status"], left["said"]) == ("REFUSED", "It is on its way.")


async def answered(carried: Carried, which: dict[str, str], note: str = "x") -> None:
    async with carried.runtime.database.tenant_transaction(carried.world.brand) as tx:
        waybill = which["carrier"], which["waybill"]
        await answer_void(tx, waybill, tells_again=False, note=note, key=fresh_key())


async def test_nothing_is_settled_without_a_word_or_by_who_may_not(
    carried: Carried, admin: Connection
) -> None:
    which = await refused_void(carried)
    for note in ("", "x" * 201):
        async with refused(admin, "INVALID_FULFILMENT_INPUT"):
            await answered(carried, which, note)
    async with refused(admin, "UNKNOWN_WAYBILL_VOID"):
        await answered(carried, which | {"waybill": "another"})
    given = {"input": which | {"idempotencyKey": "k", "tellsAgain": False, "note": "x"}}
    denied = await carried.api.data(ANSWER, carried.world.store, **given)
    assert denied["waybillVoidAnswer"]["code"] == "WRITE_REFUSED"
    assert [one["status"] for one in await voids(carried)] == ["REFUSED"]


async def test_another_carriers_waybill_is_voided_and_the_own_is_kept(carried: Carried) -> None:
    await carried.packed()
    await carried.label()
    (parcel,) = await carried.parcels()
    await carried.run(CHANGE, parcelId=parcel["id"], carrier="sim")
    await carried.label()
    assert (await carried.parcels())[0]["waybill"] == parcel["waybill"]
    assert await voids(carried) == []
    await carried.run(CHANGE, parcelId=parcel["id"], carrier="own")
    await carried.label()
    assert parcel["waybill"] not in await carried.fate.parcels()


async def test_a_waybill_that_is_given_again_is_not_voided(
    carried: Carried, admin: Connection
) -> None:
    await carried.packed()
    await carried.label()
    (parcel,) = await carried.parcels()
    await carried.run(CHANGE, parcelId=parcel["id"], carrier="own")
    await admin.execute("update waybill_void set ask_after = now() + interval '1 hour'")
    await carried.run(CHANGE, parcelId=parcel["id"], carrier="sim")
    await carried.label()
    assert (await carried.parcels())[0]["waybill"] == parcel["waybill"]
    await at_once(admin)
    await carried.label()
    assert await voids(carried) == []
    assert parcel["waybill"] in await carried.fate.parcels()


async def test_a_carrier_without_waybills_is_told_nothing(carried: Carried) -> None:
    await carried.run(ACCOUNT, **{**CARRIER, "url": ""})
    _, key = await carried.packed()
    await carried.working.ask(key)
    await carried.working.answer(key, stops=True)
    assert await voids(carried) == []
