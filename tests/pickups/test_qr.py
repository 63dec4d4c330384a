"""Tokens as pictures: what a phone reads is what was signed."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from backend.pickups.qr import qr_svg

TOKEN = "eyJhbGciOiJFZERTQSJ9." + "aB3_-" * 30 + ".x" * 40
DOTS = 4
"""Of a picture, for each module of the code."""
RUN = re.compile(r"([Mmh])(-?\d+)(?: (-?[\d.]+))?")


def picture_of(svg: str) -> NDArray[np.uint8]:
    """Draw the image as a screen does: rows of dark runs on a light ground."""
    root = ElementTree.fromstring(svg)
    side = int(root.attrib["viewBox"].split()[-1])
    picture = np.full((side, side), 255, dtype=np.uint8)
    lines = next(path for path in root.iter() if path.get("class") == "qrline")
    x, y = 0, 0.0
    for kind, across, down in RUN.findall(lines.attrib["d"]):
        if kind == "h":
            picture[int(y), x : x + int(across)] = 0
            x += int(across)
        else:
            x = int(across) if kind == "M" else x + int(across)
            y = float(down) if kind == "M" else y + float(down or 0)
    return picture.repeat(DOTS, axis=0).repeat(DOTS, axis=1)


def read(picture: NDArray[np.uint8]) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize("token", [TOKEN, "1", "取货"])
def test_a_phone_reads_what_was_signed(token: str) -> None:
    assert read(picture_of(qr_svg(token))) == [token]


def test_it_is_read_with_a_thumb_on_it() -> None:
    picture = picture_of(qr_svg(TOKEN))
    half = picture.shape[0] // 2
    picture[half : half + 10 * DOTS, half : half + 10 * DOTS] = 255
    assert read(picture) == [TOKEN]


def test_it_has_the_size_of_where_it_is_shown() -> None:
    root = ElementTree.fromstring(qr_svg(TOKEN))
    assert "viewBox" in root.attrib
    assert not {"width", "height"}.intersection(root.keys())
