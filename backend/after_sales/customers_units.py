"""Units that are a customer's and pass through our hands, as for a repair: they are no stock.

Who sold it asks and decides; who works where it lies does the rest.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from backend.after_sales.errors import InvalidAfterSalesInput
from backend.after_sales.model import TEXT_MAX, UnitMove
from backend.after_sales.standing import deciding
from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import Query
from backend.fulfilment.bulk import working
from backend.machines import Machine
from backend.network.nodes import list_nodes
from backend.orders.model import AMOUNT_MINOR_MAX
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from tenants.principal import Kind, Principal

NOWHERE = 0
ENDS_COLLECTION = ("receive", "cancel")
"""Steps after which nobody is to fetch it any more."""


class UnitWork(NamedTuple):
    """What is done with such units: its steps, and how its cases are read."""

    machine: Machine
    at_a_node: frozenset[str]
    """Steps of who works where it lies; the others are of who sold it."""
    order_of: Query
    lock: Query
    unknown: type[YipanError]
    says: Mapping[str, str]
    """Steps that need a text, and what it is: people read it under that name."""
    values: Mapping[str, str]
    """Steps that say what a unit costs or is worth, and the name of that field."""

    def check(self, move: UnitMove) -> None:
        """Raise InvalidAfterSalesInput unless a step says what it has to."""
        if (move.step in self.says and not move.text) or len(move.text) > TEXT_MAX:
            field = self.says.get(move.step, "reason")
            raise InvalidAfterSalesInput(f"Say it in 1 to {TEXT_MAX} characters.", path=(field,))
        if move.step == "receive" and move.node_id is None:
            raise InvalidAfterSalesInput("Say where it lies.", path=("locationId",))
        if not 0 <= move.amount_minor <= AMOUNT_MINOR_MAX:
            field = self.values.get(move.step, "amountMinor")
            raise InvalidAfterSalesInput("An amount is 0 or more.", path=(field,))
        if max(len(move.carrier), len(move.waybill)) > TEXT_MAX:
            raise InvalidAfterSalesInput(f"At most {TEXT_MAX} characters.", path=("waybill",))
        if bool(move.carrier) != bool(move.waybill):
            raise InvalidAfterSalesInput(
                "Say the carrier and its waybill, or neither.", path=("waybill",)
            )

    def door(
        self, database: Database, principal: Principal, case_id: int, step: str
    ) -> AbstractAsyncContextManager[TenantTransaction]:
        """Open the door for a step. Raises PermissionMissing, WriteRefused, `unknown`."""
        if step in self.at_a_node:
            return working(database, principal)
        return deciding(
            database, principal, case_id, (self.order_of, self.unknown()), (Kind.STORE,)
        )

    async def locked(self, tx: TenantTransaction, case_id: int) -> Record:
        """Return a case, locked after its order; raises `unknown`."""
        order_id = await tx.fetch_value(self.order_of, tx.tenant_id, case_id)
        if order_id is None:
            raise self.unknown
        await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
        row = await tx.fetch_row(self.lock, tx.tenant_id, case_id)
        assert row is not None, "cases are not deleted"
        return row

    async def check_place(
        self, tx: TenantTransaction, step: str, lies_at: int | None, comes_to: int | None
    ) -> None:
        """Raise `unknown` where it lies, or comes, to a node of others'.

        Raises InvalidAfterSalesInput where it comes to none that there is.
        """
        where = comes_to if step == "receive" else lies_at
        if step in self.at_a_node and not tx.principal.may_work_at(where or NOWHERE, None):
            raise self.unknown
        if step == "receive" and all(node.id != comes_to for node in await list_nodes(tx)):
            raise InvalidAfterSalesInput("There is no such location.", path=("locationId",))
