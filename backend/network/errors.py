"""Refusals of the network centre."""

from backend.db.errors import YipanError


class UnknownNode(YipanError):
    """There is no node with this code that you may see; see the query nodes."""

    code = "UNKNOWN_NODE"


class NodeInUse(YipanError):
    """The node has, or had, stock or orders, or pools name it: close it instead."""

    code = "NODE_IN_USE"


class UnknownRegion(YipanError):
    """There is no region with this code; use a code of the region table, such as 310115."""

    code = "UNKNOWN_REGION"


class InvalidTerms(YipanError):
    """The terms cannot be kept; the message says which part."""

    code = "INVALID_TERMS"


class UnknownSlotProvider(YipanError):
    """There is no provider of slots with this code; see the query slotProviders."""

    code = "UNKNOWN_SLOT_PROVIDER"
