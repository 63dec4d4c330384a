"""Waybills that their carriers do not void: somebody says what becomes of them."""

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.fulfilment.errors import InvalidFulfilmentInput, UnknownVoid
from backend.fulfilment.model import VoidStatus
from backend.fulfilment.waves import SQL
from tenants.principal import Permission

NOTE_MAX = 200


async def answer_void(
    tx: TenantTransaction, waybill: tuple[str, str], *, tells_again: bool, note: str, key: str
) -> VoidStatus:
    """Have a carrier told again of a waybill (carrier, number), or settle it by a note, once.

    Raises PermissionMissing, WriteRefused, InvalidFulfilmentInput without a note, UnknownVoid,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.FULFILMENT_WRITE)
    if not 0 < len(note) <= NOTE_MAX:
        raise InvalidFulfilmentInput(f"Say why, in 1 to {NOTE_MAX} characters.", path=("note",))
    status = VoidStatus.DUE if tells_again else VoidStatus.SETTLED

    async def work() -> VoidStatus:
        actor = tx.principal.actor
        answered = (tx.tenant_id, *waybill, status.value, note, actor)
        if await tx.fetch_value(SQL.answer_void, *answered) is None:
            raise UnknownVoid
        return status

    return await apply_once(tx, key, ("answer_void", waybill, status, note), VoidStatus, work)
