"""Issuing documents: soon after what they say something of, each once, numbered without gaps.

Beside the orders and not in their transactions: a number without gaps is one row that everybody
would wait for. Who issues follows the events of the brand, and asks what there is to say.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from backend.db.pool import Database, TenantTransaction
from backend.db.sql import load_queries
from backend.documents.drafts import drafts_of_accounts, drafts_of_deposits, drafts_of_orders
from backend.documents.model import PREFIXES, DocumentDraft
from backend.dropship.deposits import deposits
from backend.dropship.events import DepositChanged, QuotaChanged
from backend.dropship.quotas.accounts import orders_of_accounts, page_of_accounts
from backend.events.log import end_of_log, read_page
from backend.events.model import Event, Position
from backend.network.nodes import list_legal_entities
from tenants.brands import Brand
from tenants.principal import system_principal

SQL = load_queries(__file__)

LOOK_BACK = timedelta(days=3650)
"""However long nobody has issued: what is passed over would have no document for ever."""
ACCOUNTS_AT_ONCE = 100


async def issue_next(database: Database, brand: Brand) -> bool:
    """Issue the documents of what the next events tell; returns whether there may be more.

    Several processes may do so at once: one of them issues, the others go on. Locks how far the
    events are read, then the numbers.
    """
    principal = system_principal(brand.id, "documents")
    async with database.tenant_transaction(principal) as tx:
        reading = await tx.fetch_row(SQL.take_reading, tx.tenant_id)
        if reading is None:
            if not await tx.fetch_value(SQL.has_reading, tx.tenant_id):
                await _begin(tx, brand)
            return False
        page = await read_page(tx, Position(*reading), LOOK_BACK)
        await issue(tx, brand, await _drafts_of(tx, page.events))
        if page.position != Position(*reading):
            await tx.execute(SQL.move_reading, tx.tenant_id, *page.position)
        return page.has_more


async def _begin(tx: TenantTransaction, brand: Brand) -> None:
    """Follow the events of a brand, where nobody does, and issue what there is to issue by now."""
    await tx.execute(SQL.begin_reading, tx.tenant_id, *await end_of_log(tx))
    after, orders = 0, list[int]()
    while accounts := await page_of_accounts(tx, after, ACCOUNTS_AT_ONCE):
        after = accounts[-1].id
        ids = [account.id for account in accounts]
        await issue(tx, brand, await drafts_of_accounts(tx, ids))
        orders += await orders_of_accounts(tx, ids)
    dealers = [one.dealer_id for one in await deposits(tx)]
    await issue(tx, brand, await drafts_of_deposits(tx, dealers))
    await issue(tx, brand, await drafts_of_orders(tx, sorted(set(orders))))


async def issue(tx: TenantTransaction, brand: Brand, drafts: Sequence[DocumentDraft]) -> int:
    """Issue those of the documents that were not yet; returns how many. Locks the numbers."""
    given = await _issued(tx, [draft.source for draft in drafts])
    new = list({draft.source: draft for draft in drafts if draft.source not in given}.values())
    if not new:
        return 0
    given |= await _issued(tx, [draft.reverses_source for draft in new if draft.reverses_source])
    year = brand.today().year
    wanted = Counter((draft.legal_entity_id, draft.kind.value) for draft in new)
    keys = sorted(wanted)
    rows = await tx.fetch(
        SQL.next_numbers,
        tx.tenant_id,
        [key[0] for key in keys],
        [key[1] for key in keys],
        year,
        [wanted[key] for key in keys],
    )
    numbers = {
        (row["legal_entity_id"], row["kind"]): row["last_number"]
        - wanted[row["legal_entity_id"], row["kind"]]
        for row in rows
    }
    entities = {entity.id: entity.code for entity in await list_legal_entities(tx)}
    rows_of_documents = []
    for draft in new:
        key = (draft.legal_entity_id, draft.kind.value)
        numbers[key] += 1
        entity = entities.get(draft.legal_entity_id, brand.code)
        rows_of_documents.append(
            (
                *key,
                numbers[key],
                f"{PREFIXES[draft.kind]}-{entity}-{year}-{numbers[key]:06}",
                draft.dealer_id,
                draft.source,
                draft.order_id,
                draft.account_id,
                draft.granted_delta,
                draft.used_delta,
                draft.amount_minor,
                msgspec.json.encode(draft.content).decode(),
                given.get(draft.reverses_source or ""),
            )
        )
    columns = map(list, zip(*rows_of_documents, strict=True))
    await tx.execute(SQL.insert_documents, tx.tenant_id, year, brand.currency, *columns)
    return len(new)


async def _issued(tx: TenantTransaction, sources: Sequence[str]) -> dict[str, int]:
    rows = await tx.fetch(SQL.issued_sources, tx.tenant_id, sources) if sources else []
    return {row["source"]: row["id"] for row in rows}


async def _drafts_of(tx: TenantTransaction, events: Iterable[Event]) -> list[DocumentDraft]:
    """Return the documents of what events tell that concern dealers."""
    orders: set[int] = set()
    accounts: set[int] = set()
    dealers: set[int] = set()
    for event in events:
        if event.dealer_id is None:
            continue
        if event.order_id is not None:
            orders.add(event.order_id)
        elif event.type == QuotaChanged.TYPE:
            accounts.add(event.payload["accountId"])
        elif event.type == DepositChanged.TYPE:
            dealers.add(event.dealer_id)
    return [
        *await drafts_of_accounts(tx, sorted(accounts)),
        *await drafts_of_deposits(tx, sorted(dealers)),
        *await drafts_of_orders(tx, sorted(orders)),
    ]
