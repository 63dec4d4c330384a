"""Reporting on visits of installers, and agreeing on another one when it was in vain."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from functools import partial

from backend.catalog.find_skus import skus_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.network.slots import (
    Window,
    list_slot_providers,
    lock_slots,
    slots_of_days,
    take_slots,
)
from backend.orders.claim import SQL as ORDERS_SQL
from backend.orders.errors import (
    InstallationChanged,
    InvalidReport,
    NoAppointment,
    NotArrived,
    NothingToInstall,
    UnknownOrder,
)
from backend.orders.events import InstallationChanged as InstallationTold
from backend.orders.installations.model import (
    PHOTOS_MAX,
    SERIAL_MAX,
    TEXT_MAX,
    UNITS_MAX,
    Installation,
    InstallationStatus,
    InstallationVisit,
    InstalledUnit,
    VisitOutcome,
    VisitReport,
)
from backend.orders.installations.states import INSTALLATION
from backend.orders.model import Appointment
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.normalise import check_appointment
from backend.orders.step import changing_order, is_to_send, tell_order
from backend.routing.live_book import SLOTS_AHEAD
from backend.routing.plan_orders import OrderPlanner
from backend.routing.promises import TIMES_MAX
from backend.routing.slot_book import SlotBook, Visit
from tenants.principal import Permission, Principal, system_principal

SQL = load_queries(__file__)


async def report_visit(
    database: Database,
    principal: Principal,
    order_id: int,
    report: VisitReport,
    *,
    seen: int | None,
    key: str,
) -> Installation:
    """Keep what came of the agreed visit of an order's installer, once.

    An installation that is done names every unit by its serial number (or says why not all), and
    shows a photograph and a signature; what could not be done says why. All that is installed must
    have arrived. Locks
    the key, the order. Emits `installation.changed`. Raises PermissionMissing, WriteRefused,
    UnknownOrder, NothingToInstall, InstallationChanged, InvalidReport, NotArrived, AlreadyExists
    for a serial number that is installed elsewhere, CommandConflict; then nothing has changed.
    """
    _check(report)

    async def work(tx: TenantTransaction) -> Installation:
        row = await _lock(tx, order_id, "report", seen)
        units = await _units(tx, order_id, report)
        is_done = report.outcome is VisitOutcome.DONE
        status = InstallationStatus.DONE if is_done else InstallationStatus.UNDONE
        after = await _set(tx, row, status)
        visit_no = await tx.fetch_value(
            SQL.insert_visit,
            tx.tenant_id,
            order_id,
            row["dealer_id"],
            row["slot_id"],
            report.outcome.value,
            report.note,
            list(report.photos),
            report.signature,
            tx.principal.actor,
        )
        await tx.execute(
            SQL.insert_units,
            tx.tenant_id,
            order_id,
            row["dealer_id"],
            visit_no,
            [unit.line_no for unit in report.units],
            [units[unit.line_no] for unit in report.units],
            [unit.serial for unit in report.units],
        )
        return await _told(tx, after, report.outcome)

    async with changing_order(database, principal, order_id, Permission.FULFILMENT_WRITE) as tx:
        content = ("report_visit", order_id, report, seen)
        return await apply_once(tx, key, content, Installation, partial(work, tx))


async def installation_times(
    database: Database, principal: Principal, order_id: int, planner: OrderPlanner
) -> list[Window]:
    """Return the times at which what has come could be installed, the earliest first.

    With its own visit counted as free, TIMES_MAX at most; none where nothing is to be installed, or
    not all of it has come. Raises PermissionMissing, UnknownOrder.
    """
    principal.require(Permission.ORDERS_READ)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if await tx.fetch_value(ORDERS_SQL.order_visible, tx.tenant_id, order_id) is None:
            raise UnknownOrder
    today = planner.view.today
    if today is None:
        return []
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system, read_only=True) as tx:
        row = await tx.fetch_row(SQL.installation_of, tx.tenant_id, order_id)
        if row is None or row["status"] not in INSTALLATION.step("agree").sources:
            return []
        try:
            region_code, installs = await _site(tx, order_id)
        except (NotArrived, NothingToInstall):
            return []
        slots = [
            slot._replace(free=slot.free + (slot.id == row["slot_id"]))
            for slot in await slots_of_days(tx, today, today + SLOTS_AHEAD)
        ]
        book = SlotBook(await list_slot_providers(tx), slots, planner.view, planner.local)
    found: list[Window] = []
    for window in book.windows(region_code, installs):
        is_new = not any(one.lies_in(window) for one in found)
        if is_new and book.book(Visit(window, region_code, installs), ()) is not None:
            found.append(window)
    return found[:TIMES_MAX]


async def agree_installation(
    database: Database,
    principal: Principal,
    order_id: int,
    agreed: Appointment,
    planner: OrderPlanner,
    key: str,
) -> Installation:
    """Agree on another time to install what has come already, once.

    The visit that was booked is given back, and one of the new time is booked, or nothing changes.
    While something of it is still at a node `set_appointment` agrees on a time for all of it. Locks
    the key, the order, then the slots in order. Emits `installation.changed`. Raises
    PermissionMissing, WriteRefused, UnknownOrder, InvalidOrder, NothingToInstall,
    InstallationChanged, NotArrived, NoAppointment, CommandConflict; then nothing has changed.
    """
    check_appointment(agreed)

    async def work(tx: TenantTransaction) -> Installation:
        row = await _lock(tx, order_id, "agree", None)
        region_code, installs = await _site(tx, order_id)
        window = Window(agreed.day, agreed.from_minute, agreed.to_minute)
        old = [] if row["slot_id"] is None else [row["slot_id"]]
        slots = await lock_slots(tx, [window], old)
        as_if_free = [slot._replace(free=slot.free + (slot.id in old)) for slot in slots]
        providers = await list_slot_providers(tx)
        book = SlotBook(providers, as_if_free, planner.view, planner.local)
        found = book.book(Visit(window, region_code, installs), ())
        if found is None:
            raise NoAppointment("Nobody installs it at that time.", path=("appointment",))
        moved = Counter(found.slots)
        moved.subtract(old)
        await take_slots(tx, moved)
        time = (agreed.day, agreed.from_minute, agreed.to_minute)
        await tx.execute(
            ORDERS_SQL.set_appointment,
            tx.tenant_id,
            order_id,
            row["dealer_id"],
            *time,
            found.installation,
        )
        after = await _set(tx, row, InstallationStatus.AGREED)
        return await _told(tx, after)

    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        content = ("agree_installation", order_id, agreed)
        return await apply_once(tx, key, content, Installation, partial(work, tx))


async def give_up_installation(
    database: Database,
    principal: Principal,
    order_id: int,
    reason: str,
    *,
    seen: int | None,
    key: str,
) -> Installation:
    """Let nobody install what an order brings, and say why, once; its visit is free again.

    What becomes of the goods is another question: they stay, or are sent back. Locks the key, the
    order, the slot. Guarantees and errors are those of `report_visit`.
    """
    if not 0 < len(reason) <= TEXT_MAX:
        raise InvalidReport(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))

    async def work(tx: TenantTransaction) -> Installation:
        row = await _lock(tx, order_id, "give_up", seen)
        after = await _set(tx, row, InstallationStatus.GIVEN_UP, reason)
        if row["slot_id"] is not None:
            await tx.execute(ORDERS_SQL.end_installation, tx.tenant_id, order_id)
            await take_slots(tx, {row["slot_id"]: -1})
        return await _told(tx, after)

    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        content = ("give_up_installation", order_id, reason, seen)
        return await apply_once(tx, key, content, Installation, partial(work, tx))


async def agreed_again(tx: TenantTransaction, order_id: int) -> None:
    """Let an installation that was in vain be agreed: its whole order has another time now."""
    row = await tx.fetch_row(SQL.installation_of, tx.tenant_id, order_id)
    if row is not None and row["status"] == InstallationStatus.UNDONE:
        await _told(tx, await _set(tx, row, InstallationStatus.AGREED))


async def installation_status(tx: TenantTransaction, order_id: int) -> InstallationStatus | None:
    """Return where the installation of an order stands; None where it has no appointment."""
    row = await tx.fetch_row(SQL.installation_of, tx.tenant_id, order_id)
    return None if row is None else InstallationStatus(row["status"])


async def installations_of_orders(
    tx: TenantTransaction, ids: Iterable[int]
) -> dict[int, Installation]:
    """Return how the installations stand that the principal may see, by order."""
    rows = await tx.fetch(SQL.installations_by_orders, tx.tenant_id, list(ids))
    return {row["order_id"]: _installation(row) for row in rows}


async def page_of_installations(
    tx: TenantTransaction,
    statuses: Iterable[InstallationStatus],
    until: date,
    after: int,
    limit: int,
) -> list[Installation]:
    """Return installations in some states whose day is not after `until`, after an order's id."""
    given = ([status.value for status in statuses], until, after, limit)
    rows = await tx.fetch(SQL.page_of_installations, tx.tenant_id, *given)
    return [_installation(row) for row in rows]


async def visits_of_orders(
    tx: TenantTransaction, ids: Iterable[int]
) -> dict[int, list[InstallationVisit]]:
    """Return what came of the visits of orders, by order, the first one first."""
    wanted = list(ids)
    units: defaultdict[tuple[int, int], list[InstalledUnit]] = defaultdict(list)
    for row in await tx.fetch(SQL.units_of_orders, tx.tenant_id, wanted):
        unit = InstalledUnit(row["line_no"], row["serial"])
        units[row["order_id"], row["visit_no"]].append(unit)
    found: defaultdict[int, list[InstallationVisit]] = defaultdict(list)
    for row in await tx.fetch(SQL.visits_of_orders, tx.tenant_id, wanted):
        report = VisitReport(
            VisitOutcome(row["outcome"]),
            row["note"],
            tuple(row["photos"]),
            tuple(units[row["order_id"], row["visit_no"]]),
            row["signature"],
        )
        visit = InstallationVisit(
            row["visit_no"],
            row["provider_id"],
            row["day"],
            row["first_minute"],
            row["end_minute"],
            report,
            row["reported_by"],
            row["reported_at"],
        )
        found[row["order_id"]].append(visit)
    return found


async def _lock(tx: TenantTransaction, order_id: int, name: str, seen: int | None) -> Record:
    """Return how an installation stands that may take a step, with its order locked."""
    await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    row = await tx.fetch_row(SQL.installation_of, tx.tenant_id, order_id)
    if row is None or (name != "agree" and row["slot_id"] is None and not row["version"]):
        raise NothingToInstall
    found = _installation(row)
    if found.status not in INSTALLATION.step(name).sources or seen not in (None, found.version):
        raise InstallationChanged(found)
    if name == "report" and row["slot_id"] is None:
        raise NothingToInstall("Nobody is booked for it any more: agree on another time.")
    return row


async def _lines_to_install(tx: TenantTransaction, order_id: int) -> list[Record]:
    """Return the lines that are installed, all of which have come; raises NotArrived."""
    rows = await tx.fetch(SQL.lines_to_install, tx.tenant_id, order_id)
    skus = await skus_by_ids(tx, [row["sku_id"] for row in rows if row["sku_id"] is not None])
    needed = [row for row in rows if row["sku_id"] in skus]
    lines = [row for row in needed if skus[row["sku_id"]].needs_installation]
    if not any(row["to_come"] or row["delivered"] for row in lines):
        raise NothingToInstall
    if any(row["to_come"] for row in lines) or not any(row["delivered"] for row in lines):
        raise NotArrived
    return [row for row in lines if row["delivered"]]


async def _site(tx: TenantTransaction, order_id: int) -> tuple[int, frozenset[str]]:
    """Return where an order is installed, and the categories of that; raises NotArrived."""
    lines = await _lines_to_install(tx, order_id)
    if await is_to_send(tx, order_id):
        raise NotArrived("A part of the order is still to be sent: agree on a time for all of it.")
    (order,) = await tx.fetch(ORDERS_SQL.order_place, tx.tenant_id, order_id)
    skus = await skus_by_ids(tx, [line["sku_id"] for line in lines])
    return order["region_code"], frozenset(sku.category for sku in skus.values())


async def _units(tx: TenantTransaction, order_id: int, report: VisitReport) -> dict[int, int]:
    """Return the SKU of each line that is installed; raises InvalidReport, NotArrived."""
    if report.outcome is not VisitOutcome.DONE:
        return {}
    lines = await _lines_to_install(tx, order_id)
    named = Counter(unit.line_no for unit in report.units)
    wanted = {line["line_no"]: line["delivered"] for line in lines}
    is_less = sum(named.values()) < sum(wanted.values())
    if named - Counter(wanted) or not named or (is_less and not report.note):
        said = ", ".join(f"{units} of line {line_no}" for line_no, units in wanted.items())
        raise InvalidReport(
            f"Say the serial number of every unit that was installed, of {said}; and why not all.",
            path=("units",),
        )
    return {line["line_no"]: line["sku_id"] for line in lines}


def _check(report: VisitReport) -> None:
    is_done = report.outcome is VisitOutcome.DONE
    if len(report.note) > TEXT_MAX or not (is_done or report.note):
        raise InvalidReport(f"Say why, in 1 to {TEXT_MAX} characters.", path=("note",))
    if len(report.photos) > PHOTOS_MAX or not all(
        0 < len(one) <= TEXT_MAX for one in report.photos
    ):
        raise InvalidReport(f"At most {PHOTOS_MAX} references.", path=("photos",))
    if not report.photos and report.outcome in (VisitOutcome.DONE, VisitOutcome.SITE_PROBLEM):
        raise InvalidReport("Show it: name a photograph.", path=("photos",))
    if len(report.signature) > TEXT_MAX or (is_done and not report.signature):
        raise InvalidReport("Name the customer's signature.", path=("signature",))
    if len(report.units) > UNITS_MAX or (report.units and not is_done):
        raise InvalidReport("Units are those that were installed.", path=("units",))
    if not all(0 < len(unit.serial) <= SERIAL_MAX for unit in report.units):
        raise InvalidReport(f"A serial number has 1 to {SERIAL_MAX} characters.", path=("units",))


async def _set(
    tx: TenantTransaction, row: Record, status: InstallationStatus, reason: str = ""
) -> Installation:
    given = (row["order_id"], row["dealer_id"], status.value, reason)
    await tx.execute(SQL.set_installation, tx.tenant_id, *given)
    after = await tx.fetch_row(SQL.installation_of, tx.tenant_id, row["order_id"])
    assert after is not None, "it is kept"
    return _installation(after)


async def _told(
    tx: TenantTransaction, after: Installation, outcome: VisitOutcome | None = None
) -> Installation:
    said = "" if outcome is None else outcome.value
    time = (after.day, after.from_minute, after.to_minute)
    payload = InstallationTold(after.order_id, after.status.value, said, *time)
    await tell_order(tx, after.order_id, payload)
    return after


def _installation(row: Record) -> Installation:
    return Installation(
        row["order_id"],
        InstallationStatus(row["status"]),
        row["version"],
        row["day"],
        row["from_minute"],
        row["to_minute"],
        row["reason"],
    )
