"""Expected refusals as data: the types, and the one place that maps domain errors to them."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from backend.db.errors import YipanError
from backend.dropship.errors import DocumentChanged
from backend.dropship.quotas.errors import QuotaTooSmall
from backend.inventory.allotments.errors import AllotmentChanged
from backend.inventory.earmarks.errors import NotEnoughToEarmark
from backend.inventory.errors import NotEnoughToMove, StockChanged
from backend.inventory.pools.errors import LayoutChanged
from backend.inventory.supplies.errors import ReceiptTooLarge, SupplyChanged
from backend.orders.errors import InsufficientStock
from backend.orders.model import Refused
from backend.replenishment.errors import AlertRuleChanged
from backend.routing.errors import PolicyChanged
from graphql_schema.scalars import BigInt
from tenants.errors import BrandChoiceRequired
from tenants.principal import PermissionMissing

Refusal = TypeVar("Refusal", bound=YipanError, contravariant=True)


@strawberry.interface(description="Why a request was refused, and what to do about it.")
class UserError:
    code: str = strawberry.field(description="Stable, for programs.")
    message: str = strawberry.field(description="For people; says what to do.")
    path: list[str] = strawberry.field(description="Where in the input the fault lies.")


@strawberry.type(description="Anything that needs no more than code, message and path.")
class InputRefused(UserError):
    pass


@strawberry.type(description="A permission is missing.")
class PermissionDenied(UserError):
    permission: str


@strawberry.type(description="A line for which there was too little stock.")
class ShortLine:
    sku: str
    requested: int
    available: BigInt


@strawberry.type(name="InsufficientStock", description="Nothing was taken; these were short.")
class InsufficientStockError(UserError):
    lines: list[ShortLine]


@strawberry.type(description="The total that was given, and what the parts add up to.")
class AmountsDoNotAddUp(UserError):
    total_minor: BigInt
    sum_minor: BigInt


@strawberry.type(description="Too much is waiting; nothing was taken.")
class TooBusy(UserError):
    retry_after_seconds: float


@strawberry.type(name="StockChanged", description="The level as it is now.")
class StockChangedError(UserError):
    on_hand: BigInt
    version: BigInt


@strawberry.type(name="NotEnoughToMove", description="What was asked for, and what is free.")
class NotEnoughToMoveError(UserError):
    requested: BigInt
    available: BigInt


@strawberry.type(description="A line of which fewer units are there than were asked for.")
class ShortEarmark:
    sku: str
    requested: BigInt
    available: BigInt


@strawberry.type(name="NotEnoughToEarmark", description="Nothing was done; these were short.")
class NotEnoughToEarmarkError(UserError):
    lines: list[ShortEarmark]


@strawberry.type(name="SupplyChanged", description="The version of the supply now.")
class SupplyChangedError(UserError):
    version: BigInt


@strawberry.type(name="AlertRuleChanged", description="The version of the rule now.")
class AlertRuleChangedError(UserError):
    version: BigInt


@strawberry.type(name="ReceiptTooLarge", description="What was received, and what is to come.")
class ReceiptTooLargeError(UserError):
    requested: BigInt
    outstanding: BigInt


@strawberry.type(name="AllotmentChanged", description="The version of the allotment now.")
class AllotmentChangedError(UserError):
    version: BigInt


@strawberry.type(name="TermsChanged", description="The version of the agreement, or list, now.")
class TermsChangedError(UserError):
    version: BigInt


@strawberry.type(name="QuotaTooSmall", description="What was wanted, and what is left.")
class QuotaTooSmallError(UserError):
    requested_minor: BigInt
    available_minor: BigInt


@strawberry.type(name="PoolLayoutChanged", description="Another layout was activated since.")
class LayoutChangedError(UserError):
    active_version: int


@strawberry.type(name="RoutingPolicyChanged", description="Another policy was activated since.")
class PolicyChangedError(UserError):
    active_version: int


@strawberry.type(name="BrandChoiceRequired", description="The brands that the user works for.")
class BrandChoiceRequiredError(UserError):
    brands: list[str]


def path_of(error: YipanError | Refused) -> list[str]:
    return [str(part) for part in error.path]


def error_from_refused(outcome: Refused) -> UserError:
    """Return the error type of a refused order."""
    common: dict[str, Any] = {
        "code": outcome.code,
        "message": outcome.message,
        "path": path_of(outcome),
    }
    detail = outcome.detail
    if outcome.code == InsufficientStock.code:
        lines = [ShortLine(**line) for line in detail["lines"]]
        return InsufficientStockError(**common, lines=lines)
    if "sumMinor" in detail:
        return AmountsDoNotAddUp(
            **common, total_minor=detail["totalMinor"], sum_minor=detail["sumMinor"]
        )
    if "retryAfterSeconds" in detail:
        return TooBusy(**common, retry_after_seconds=detail["retryAfterSeconds"])
    return InputRefused(**common)


class _Permissions(strawberry.ExceptionHandler[PermissionMissing, PermissionDenied]):
    def handle(
        self, exception: PermissionMissing, *, field: StrawberryField, info: Info
    ) -> PermissionDenied:
        return PermissionDenied(
            code=exception.code,
            message=str(exception),
            path=[],
            permission=exception.permission.value,
        )


class _NotEnoughToEarmark(strawberry.ExceptionHandler[NotEnoughToEarmark, NotEnoughToEarmarkError]):
    def handle(
        self, exception: NotEnoughToEarmark, *, field: StrawberryField, info: Info
    ) -> NotEnoughToEarmarkError:
        return NotEnoughToEarmarkError(
            code=exception.code,
            message=exception.message,
            path=path_of(exception),
            lines=[ShortEarmark(**line._asdict()) for line in exception.lines],
        )


class WithDetails(strawberry.ExceptionHandler[Refusal, Any]):
    """Answers with what the error type asks of the exception's attributes, by name.

    `shown` says how those are shown that are no plain values.
    """

    def __init__(
        self,
        exception_type: type[YipanError],
        error_type: type[UserError],
        **shown: Callable[[Any], Any],
    ) -> None:
        self.exception_type = exception_type
        self.error_type = error_type
        self._names = [field.name for field in dataclasses.fields(error_type)]
        self._shown = shown

    def handle(self, exception: Refusal, *, field: StrawberryField, info: Info) -> UserError:
        values = {name: getattr(exception, name) for name in self._names}
        values |= {name: show(values[name]) for name, show in self._shown.items()}
        return self.error_type(**values | {"path": path_of(exception)})


class _Others(strawberry.ExceptionHandler[YipanError, InputRefused]):
    def handle(self, exception: YipanError, *, field: StrawberryField, info: Info) -> InputRefused:
        return InputRefused(code=exception.code, message=exception.message, path=path_of(exception))


HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    _Permissions(),
    _NotEnoughToEarmark(),
    WithDetails(StockChanged, StockChangedError),
    WithDetails(NotEnoughToMove, NotEnoughToMoveError),
    WithDetails(AllotmentChanged, AllotmentChangedError),
    WithDetails(DocumentChanged, TermsChangedError),
    WithDetails(QuotaTooSmall, QuotaTooSmallError),
    WithDetails(SupplyChanged, SupplyChangedError),
    WithDetails(AlertRuleChanged, AlertRuleChangedError),
    WithDetails(ReceiptTooLarge, ReceiptTooLargeError),
    WithDetails(LayoutChanged, LayoutChangedError),
    WithDetails(PolicyChanged, PolicyChangedError),
    WithDetails(BrandChoiceRequired, BrandChoiceRequiredError),
    _Others(),
)
"""Tried in this order on every field whose union has the handler's type."""
