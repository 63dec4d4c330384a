"""Finding documents; a dealer sees its own."""

from collections.abc import Sequence

from backend.db.pool import TenantTransaction
from backend.documents.issue import SQL
from backend.documents.model import Document, DocumentKind, document_from


async def page_of_documents(
    tx: TenantTransaction,
    before: int,
    limit: int,
    *,
    kind: DocumentKind | None = None,
    dealer_id: int | None = None,
    order_id: int | None = None,
    account_id: int | None = None,
) -> list[Document]:
    """Return up to `limit` documents with ids below `before`, the newest first."""
    of = (None if kind is None else kind.value, dealer_id, order_id, account_id)
    rows = await tx.fetch(SQL.documents, tx.tenant_id, before, *of, limit)
    return [document_from(row) for row in rows]


async def documents_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Document]:
    """Return the documents among the ids that the principal may see."""
    rows = await tx.fetch(SQL.documents_by_ids, tx.tenant_id, ids)
    return [document_from(row) for row in rows]
