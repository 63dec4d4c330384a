"""Refusals of the fulfilment centre."""

from backend.db.errors import YipanError
from backend.fulfilment.collections.model import Collection


class InvalidFulfilmentInput(YipanError):
    """The command is not well-formed; the message says what to correct."""

    code = "INVALID_FULFILMENT_INPUT"


class NothingToRelease(YipanError):
    """No order is ready to begin with: all wait for stock, for a person, or for a later day."""

    code = "NOTHING_TO_RELEASE"


class NothingToPick(YipanError):
    """Nothing is released here that is to be picked."""

    code = "NOTHING_TO_PICK"


class WrongSku(YipanError):
    """This is not what the order wants; put it back and scan again."""

    code = "WRONG_SKU"


class TooManyPicked(YipanError):
    """The order wants fewer units of this; put the rest back."""

    code = "TOO_MANY_PICKED"


class ParcelsDoNotAddUp(YipanError):
    """The parcels do not hold just what was picked; the message says of which line."""

    code = "PARCELS_DO_NOT_ADD_UP"


class NoWaybill(YipanError):
    """A parcel has no waybill of its carrier yet; wait for it, or look at what the carrier said."""

    code = "NO_WAYBILL"


class UnknownIntercept(YipanError):
    """There is no open request to stop this fulfilment."""

    code = "UNKNOWN_INTERCEPT"


class UnknownCarrier(YipanError):
    """There is no such carrier account; set it first."""

    code = "UNKNOWN_CARRIER"


class InvalidSignature(YipanError):
    """The message is not signed with the secret of this carrier account."""

    code = "INVALID_SIGNATURE"


class ParcelNotOnItsWay(YipanError):
    """The parcel was not handed over, has arrived, or was taken in; `parcels` says which."""

    code = "PARCEL_NOT_ON_ITS_WAY"


class UnknownVoid(YipanError):
    """No such waybill is to be voided, or its carrier has done so; `waybillVoids` lists them."""

    code = "UNKNOWN_WAYBILL_VOID"


class UnknownParcel(YipanError):
    """There is no such parcel that still stands."""

    code = "UNKNOWN_PARCEL"


class UnknownCollection(YipanError):
    """There is no such collection that you may see."""

    code = "UNKNOWN_COLLECTION"


class NotOneCustomer(YipanError):
    """Only what one location sends of one seller to one customer at an address goes in a parcel."""

    code = "NOT_ONE_CUSTOMER"


class PackedTogether(YipanError):
    """It lies in one parcel with what other orders get: hand all of it over at once."""

    code = "PACKED_TOGETHER"


class NothingToCollect(YipanError):
    """Nothing is to be fetched of it as it stands; the message says how."""

    code = "NOTHING_TO_COLLECT"


class CollectionAsked(YipanError):
    """Somebody is to fetch it already; agree on another time with that."""

    code = "COLLECTION_ASKED"

    def __init__(self) -> None:
        super().__init__("Somebody is to fetch it already; change the time of that.")


class CollectionChanged(YipanError):
    """The collection is not where this command takes it from, or not as you saw it."""

    code = "COLLECTION_CHANGED"

    def __init__(self, collection: Collection) -> None:
        now = f"{collection.status} (version {collection.version})"
        super().__init__(f"It is {now} now; look, and decide again.")
        self.collection = collection
