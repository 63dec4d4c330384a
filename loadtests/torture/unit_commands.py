"""Repairs and trade-ins of an order, as they are played at once and cut off."""

from functools import partial

from backend.after_sales.errors import UnknownRepair, UnknownTradeIn
from backend.after_sales.model import (
    RepairDraft,
    RepairStatus,
    TradeInDraft,
    TradeInStatus,
    UnitMove,
)
from backend.after_sales.repairs import move_repair, page_of_repairs, request_repair
from backend.after_sales.trade_ins import move_trade_in, page_of_trade_ins, promise_trade_in
from backend.db.pool import Database
from loadtests.torture.target import Command, Target

PROMISED, WORTH = 400, 300


async def _repair(database: Database, at: Target, key: str) -> None:
    await request_repair(database, at.principal, RepairDraft(at.key.order_id, 1, "noise"), key)


async def _promise(database: Database, at: Target, key: str) -> None:
    draft = TradeInDraft(at.key.order_id, 1, "an old one", PROMISED)
    await promise_trade_in(database, at.principal, draft, key)


async def _move_repair(move: UnitMove, database: Database, at: Target, key: str) -> None:
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        found = await page_of_repairs(tx, (None, at.key.order_id), RepairStatus, 0, 1)
    if not found:
        raise UnknownRepair
    given = move if move.step != "receive" else UnitMove("receive", node_id=at.node_id)
    await move_repair(database, at.principal, found[0].id, given, seen=None, key=key)


async def _move_old(move: UnitMove, database: Database, at: Target, key: str) -> None:
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        found = await page_of_trade_ins(tx, (None, at.key.order_id), TradeInStatus, 0, 1)
    if not found:
        raise UnknownTradeIn
    given = move if move.step != "receive" else UnitMove("receive", node_id=at.node_id)
    await move_trade_in(database, at.principal, found[0].id, given, seen=None, key=key)


REPAIRS: dict[str, Command] = {
    "mend": _repair,
    "mend_cancel": partial(_move_repair, UnitMove("cancel", "no")),
    "mend_receive": partial(_move_repair, UnitMove("receive")),
    "mend_quote": partial(_move_repair, UnitMove("quote", "board", 500)),
    "mend_accept": partial(_move_repair, UnitMove("accept", "paid", 500)),
    "mend_decline": partial(_move_repair, UnitMove("decline", "no")),
    "mend_finish": partial(_move_repair, UnitMove("finish", "done")),
    "mend_home": partial(_move_repair, UnitMove("send_home")),
}
TRADE_INS: dict[str, Command] = {
    "old": _promise,
    "old_cancel": partial(_move_old, UnitMove("cancel", "no")),
    "old_receive": partial(_move_old, UnitMove("receive")),
    "old_grade": partial(_move_old, UnitMove("grade", "as said", PROMISED)),
    "old_less": partial(_move_old, UnitMove("grade", "worn", WORTH)),
    "old_accept": partial(_move_old, UnitMove("accept", amount_minor=WORTH)),
    "old_decline": partial(_move_old, UnitMove("decline", "no")),
    "old_home": partial(_move_old, UnitMove("send_home")),
    "old_pay": partial(_move_old, UnitMove("pay", "ref")),
}
