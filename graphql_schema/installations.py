"""Installation (上门安装): what came of visits, and agreeing on another one."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry import relay

from backend.orders.errors import InstallationChanged
from backend.orders.installations.installations import (
    agree_installation,
    give_up_installation,
    installation_times,
    installations_of_orders,
    page_of_installations,
    report_visit,
)
from backend.orders.installations.model import Installation as InstallationRecord
from backend.orders.installations.model import (
    InstallationStatus,
    InstallationVisit,
    InstalledUnit,
    VisitOutcome,
    VisitReport,
)
from backend.orders.model import Appointment
from graphql_schema.appointments import AppointmentInput, AppointmentTime
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.nodes import nodes_of_orders
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    page_size,
)
from tenants.principal import Permission

strawberry.enum(
    InstallationStatus, name="InstallationStatus", description="Where an installation stands."
)
strawberry.enum(VisitOutcome, name="VisitOutcome", description="What came of a visit.")
OPEN = (InstallationStatus.AGREED, InstallationStatus.UNDONE)


@strawberry.type(name="InstalledUnit", description="A unit that was installed.")
class InstalledUnitType:
    line_no: int
    serial: str


@strawberry.type(name="InstallationVisit", description="A visit that was made, or was to be.")
class InstallationVisitType:
    visit_no: int
    day: date
    first_minute: int
    end_minute: int
    outcome: VisitOutcome
    note: str
    photos: list[str]
    units: list[InstalledUnitType]
    signature: str
    reported_by: str
    reported_at: datetime


def visit_from(visit: InstallationVisit) -> InstallationVisitType:
    report = visit.report
    return InstallationVisitType(
        visit_no=visit.visit_no,
        day=visit.day,
        first_minute=visit.first_minute,
        end_minute=visit.end_minute,
        outcome=report.outcome,
        note=report.note,
        photos=list(report.photos),
        units=[InstalledUnitType(line_no=one.line_no, serial=one.serial) for one in report.units],
        signature=report.signature,
        reported_by=visit.reported_by,
        reported_at=visit.reported_at,
    )


@strawberry.type(description="How what an order brings is installed (安装单).")
class Installation(relay.Node):
    number: relay.NodeID[int]
    status: InstallationStatus
    version: int = strawberry.field(description="Grows with every report: say which one you saw.")
    day: date = strawberry.field(description="That is agreed.")
    from_minute: int
    to_minute: int
    reason: str = strawberry.field(description="Why it was given up.")

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.number))

    @strawberry.field(description="What came of those that were made, the first one first.")
    async def visits(self, info: YipanInfo) -> list[InstallationVisitType]:
        return [visit_from(one) for one in await info.context.installation_visits.load(self.number)]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_of_orders(info, node_ids, installations_of_orders, installation_from)


def installation_from(one: InstallationRecord) -> Installation:
    return Installation(
        number=one.order_id,
        status=one.status,
        version=one.version,
        day=one.day,
        from_minute=one.from_minute,
        to_minute=one.to_minute,
        reason=one.reason,
    )


@strawberry.type(name="InstallationChanged", description="How the installation stands now.")
class InstallationChangedError(UserError):
    installation: Installation


INSTALLATION_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(InstallationChanged, InstallationChangedError, installation=installation_from),
)


@strawberry.type(description="It was done.")
class InstallationSaved:
    installation: Installation


InstallationPayload = Annotated[
    InstallationSaved | InstallationChangedError | InputRefused | PermissionDenied,
    strawberry.union("InstallationPayload"),
]


@strawberry.input(description="A unit that was installed, by its serial number.")
class InstalledUnitInput:
    line_no: int
    serial: str


@strawberry.input(
    description="What came of the agreed visit; photos and signature are references to what you "
    "keep elsewhere."
)
class InstallationReportInput:
    idempotency_key: str
    order_id: strawberry.ID
    outcome: VisitOutcome
    note: str = strawberry.field(default="", description="Why it was in vain; what was measured.")
    photos: list[str] = strawberry.field(default_factory=list)
    units: list[InstalledUnitInput] = strawberry.field(
        default_factory=list, description="All that were installed, if it is done."
    )
    signature: str = ""
    seen_version: int | None = None


@strawberry.input
class InstallationAgreeInput:
    idempotency_key: str
    order_id: strawberry.ID
    appointment: AppointmentInput


@strawberry.input
class InstallationGiveUpInput:
    idempotency_key: str
    order_id: strawberry.ID
    reason: str
    seen_version: int | None = None


@strawberry.type
class InstallationsQuery:
    @strawberry.field(
        description="Installations of orders that you may see, by order: in some states, or (left "
        "out) those to be done; `until` leaves out those that are agreed for a later day."
    )
    async def installations(
        self,
        info: YipanInfo,
        statuses: list[InstallationStatus] | None = None,
        until: date | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Installation]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            found = await page_of_installations(
                tx, statuses or OPEN, until or date.max, start, limit
            )
        return connection(found, first, installation_from, lambda one: cursor_of(one.order_id))

    @strawberry.field(
        description="When what has come of an order could be installed, the earliest first."
    )
    async def installation_times(
        self, info: YipanInfo, order_id: strawberry.ID
    ) -> list[AppointmentTime]:
        windows = await installation_times(
            info.context.services.database,
            info.context.principal,
            number_of("Order", order_id),
            (await info.context.book()).planner,
        )
        return [AppointmentTime(day=day, from_minute=a, to_minute=b) for day, a, b in windows]


@strawberry.type
class InstallationsMutation:
    @strawberry.mutation(description="Say what came of the agreed visit of the installer.")
    async def installation_report(
        self, info: YipanInfo, input: InstallationReportInput
    ) -> InstallationPayload:
        report = VisitReport(
            input.outcome,
            input.note,
            tuple(input.photos),
            tuple(InstalledUnit(one.line_no, one.serial) for one in input.units),
            input.signature,
        )
        done = await report_visit(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            report,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return InstallationSaved(installation=installation_from(done))

    @strawberry.mutation(
        description="Agree on another time to install what has come (改约); while something of it "
        "is still to be sent, orderAppointmentSet does that for all of it."
    )
    async def installation_agree(
        self, info: YipanInfo, input: InstallationAgreeInput
    ) -> InstallationPayload:
        agreed = input.appointment
        done = await agree_installation(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            Appointment(agreed.day, agreed.from_minute, agreed.to_minute),
            (await info.context.book()).planner,
            input.idempotency_key,
        )
        return InstallationSaved(installation=installation_from(done))

    @strawberry.mutation(description="Let nobody install it, and say why.")
    async def installation_give_up(
        self, info: YipanInfo, input: InstallationGiveUpInput
    ) -> InstallationPayload:
        done = await give_up_installation(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.reason,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return InstallationSaved(installation=installation_from(done))
