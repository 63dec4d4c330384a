"""Documents on paper: one page or more of A4, in Chinese and English."""

from io import BytesIO

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle
from reportlab.platypus.flowables import Flowable

from backend.documents.model import Document, DocumentKind

FONT = "STSong-Light"
"""One of the fonts for Chinese that every reader of PDF brings along: none is embedded."""
MINOR = 100
TITLES: dict[DocumentKind, str] = {
    DocumentKind.DROPSHIP_ORDER: "代发订单 Drop-ship order",
    DocumentKind.DELIVERY_NOTE: "发货单 Delivery note",
    DocumentKind.RETURN_NOTE: "退货单 Return note",
    DocumentKind.CREDIT_NOTE: "贷记单 Credit note",
    DocumentKind.DEBIT_NOTE: "借记单 Debit note",
    DocumentKind.QUOTA_NOTE: "额度通知单 Quota note",
    DocumentKind.RECEIPT: "收付款单 Receipt",
    DocumentKind.DEPOSIT_RECEIPT: "保证金单 Deposit receipt",
    DocumentKind.STATEMENT: "额度对账单 Quota statement",
}
HEAD = ("", "数量 Quantity", "单价 Price", "金额 Amount")

pdfmetrics.registerFont(UnicodeCIDFont(FONT))
_text = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=12, wordWrap="CJK")
_title = ParagraphStyle("title", parent=_text, fontSize=16, leading=22)


def pdf_of(document: Document) -> bytes:
    """Return a document as PDF: the same bytes whenever it is asked for."""
    out = BytesIO()
    title = f"{TITLES[document.kind]} {document.code}"
    page = SimpleDocTemplate(
        out, pagesize=A4, title=title, leftMargin=20 * mm, rightMargin=20 * mm, invariant=1
    )
    facts = [
        ("编号 No.", document.code),
        ("日期 Issued", f"{document.issued_at:%Y-%m-%d}"),
        *document.content.facts,
    ]
    story: list[Flowable] = [
        Paragraph(TITLES[document.kind], _title),
        Spacer(0, 4 * mm),
        _table([[_cell(name), _cell(value)] for name, value in facts], [45 * mm, 120 * mm]),
        Spacer(0, 6 * mm),
    ]
    if document.content.lines:
        rows = [[_cell(name) for name in HEAD]]
        for line in document.content.lines:
            quantity = "" if line.quantity is None else str(line.quantity)
            figures = (quantity, _money(line.unit_minor), _money(line.amount_minor))
            rows.append([_cell(text) for text in (line.text, *figures)])
        story += [_table(rows, [75 * mm, 30 * mm, 30 * mm, 30 * mm]), Spacer(0, 6 * mm)]
    total = f"合计 Total: {_money(document.amount_minor)} {document.currency}"
    story.append(Paragraph(total, _text))
    page.build(story)
    return out.getvalue()


def _table(rows: list[list[Paragraph]], widths: list[float]) -> Table:
    style = TableStyle([("GRID", (0, 0), (-1, -1), 0.25, colors.grey)])
    return Table(rows, colWidths=widths, style=style, hAlign="LEFT", repeatRows=0)


def _cell(text: str) -> Paragraph:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Paragraph(safe, _text)


def _money(minor: int | None) -> str:
    if minor is None:
        return ""
    sign, whole = "-" if minor < 0 else "", abs(minor)
    return f"{sign}{whole // MINOR:,}.{whole % MINOR:02}"
