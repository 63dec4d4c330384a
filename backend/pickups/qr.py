"""Tokens as pictures that phones read (二维码)."""

import segno


def qr_svg(token: str) -> str:
    """Return a token as a QR code (ISO/IEC 18004): an SVG image without a size of its own.

    Black on white, with the quiet margin that readers need, and readable with up to 15 % of it
    gone (level M, or better where that makes it no larger).
    """
    code = segno.make_qr(token, error="m")
    return code.svg_inline(border=4, omitsize=True, light="#fff")
