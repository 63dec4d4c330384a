"""The root of all refusals, and the one place where constraint names become errors."""

from typing import ClassVar


class YipanError(Exception):
    """The request cannot be carried out."""

    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str | None = None, *, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message or type(self).__doc__)
        self.path = path
        """Where in the input the fault lies, outermost first."""

    @property
    def message(self) -> str:
        return str(self)

    @property
    def extensions(self) -> dict[str, str]:
        """What a GraphQL error shows of it where the schema has no union for it."""
        return {"code": self.code}


class AlreadyExists(YipanError):
    """Something with this code exists already; choose another code."""

    code = "ALREADY_EXISTS"


class DatabaseUnavailable(YipanError):
    """The database does not answer at the moment; try again in a few seconds."""

    code = "UNAVAILABLE"


class MigrationBlocked(YipanError):
    """Traffic held what the migration has to lock. Nothing has changed; run it again."""

    code = "MIGRATION_BLOCKED"


class MigrationChanged(YipanError):
    """An applied migration differs from its file; restore the file and add a new one instead."""

    code = "MIGRATION_CHANGED"


class UnsafeRole(YipanError):
    """The database role must be neither superuser, owner of the tables nor exempt from policies."""

    code = "UNSAFE_ROLE"


class UnknownReference(YipanError):
    """Something that the input names does not exist."""

    code = "UNKNOWN_REFERENCE"


class OutOfRange(YipanError):
    """A value lies outside of what is allowed."""

    code = "OUT_OF_RANGE"


class TextNotStorable(YipanError):
    """A text holds the character NUL, which cannot be kept; nothing was stored. Remove it."""

    code = "TEXT_NOT_STORABLE"


class WriteRefused(YipanError):
    """You may read this but not change it; ask the brand to."""

    code = "WRITE_REFUSED"


CONSTRAINTS: dict[str, tuple[type[YipanError], str]] = {
    "brand_group_code_key": (AlreadyExists, "A group with this code exists already."),
    "brand_code_key": (AlreadyExists, "A brand with this code exists already."),
    "brand_group_id_fkey": (UnknownReference, "There is no such group."),
    "brand_currency_check": (OutOfRange, "A currency is three capital letters, as in CNY."),
    "dealer_code_key": (AlreadyExists, "A dealer with this code exists already."),
    "agreement_brand_dealer_key": (AlreadyExists, "Brand and dealer have an agreement already."),
    "agreement_period_check": (OutOfRange, "An agreement cannot end before it starts."),
    "agreement_brand_id_fkey": (UnknownReference, "There is no such brand."),
    "parcel_waybill_key": (AlreadyExists, "Another parcel of this carrier has this waybill."),
    "pick_list_tenant_id_node_id_fkey": (UnknownReference, "There is no such location."),
    "agreement_dealer_id_fkey": (UnknownReference, "There is no such dealer."),
    "app_user_email_key": (AlreadyExists, "A user with this e-mail address exists already."),
    "membership_scope_check": (
        OutOfRange,
        "A membership is of one group, one brand, one dealer, or at least one store of a brand.",
    ),
    "membership_kind_check": (OutOfRange, "A membership is as a group, brand, dealer or store."),
    "membership_user_id_fkey": (UnknownReference, "There is no such user."),
    "membership_group_id_fkey": (UnknownReference, "There is no such group."),
    "membership_brand_id_fkey": (UnknownReference, "There is no such brand."),
    "membership_dealer_id_fkey": (UnknownReference, "There is no such dealer."),
    "api_key_kind_check": (OutOfRange, "An API key is a brand's, a dealer's or a store's."),
    "api_key_scope_check": (
        OutOfRange,
        "An API key is of a brand, one of its dealers, or at least one of its stores.",
    ),
    "api_key_brand_id_fkey": (UnknownReference, "There is no such brand."),
    "api_key_dealer_id_fkey": (UnknownReference, "There is no such dealer."),
    "legal_entity_code_key": (AlreadyExists, "A legal entity with this code exists already."),
    "sku_code_key": (AlreadyExists, "A SKU with this code exists already."),
    "sku_weight_check": (OutOfRange, "A weight is 0 g or more."),
    "sku_size_check": (OutOfRange, "A size is 0 mm or more."),
    "shop_code_key": (AlreadyExists, "A shop with this code exists already."),
    "quota_account_code_key": (
        AlreadyExists,
        "A quota account with this code exists already.",
    ),
    "installed_unit_key": (AlreadyExists, "A unit with this serial number is installed already."),
    "node_code_key": (AlreadyExists, "A node with this code exists already."),
    "node_priority_check": (OutOfRange, "A priority lies between 0 (first) and 1000 (last)."),
    "node_capacity_check": (OutOfRange, "A daily capacity is 0 parcels or more."),
    "node_lead_time_check": (OutOfRange, "A lead time is 0 minutes or more."),
    "node_region_code_fkey": (UnknownReference, "There is no region with this code."),
    "node_tenant_id_legal_entity_id_fkey": (UnknownReference, "There is no such legal entity."),
    "carrier_lane_region_code_fkey": (UnknownReference, "There is no region with this code."),
    "carrier_lane_tenant_id_origin_id_fkey": (UnknownReference, "There is no such node."),
    "shop_tenant_id_legal_entity_id_fkey": (UnknownReference, "There is no such legal entity."),
    "earmark_code_key": (AlreadyExists, "An earmark with this code exists already."),
    "functional_warehouse_code_key": (
        AlreadyExists,
        "A functional warehouse with this code exists already.",
    ),
    "functional_warehouse_tenant_id_node_id_fkey": (UnknownReference, "There is no such node."),
    "functional_warehouse_tenant_id_legal_entity_id_fkey": (
        UnknownReference,
        "There is no such legal entity.",
    ),
}
"""Constraint name → the refusal it means to whoever gave the input."""
