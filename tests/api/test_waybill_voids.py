"""Waybills that nobody uses are voided with their carrier, however often it fails."""

from typing import Any

from tests.api.carried import ACCOUNT, CARRIER, CHANGE, Carried
from tests.catalogue import Connection
from tests.orders.checks import assert_clean

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
