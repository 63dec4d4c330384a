"""Every trap of the retail files, by hand, with exact counts; and a month of the real ones."""

import csv
import gzip
import os
from pathlib import Path

import pytest

from backend.runtime import Runtime
from loadtests.errors import NotTheData
from loadtests.replay.online_retail import replay_online_retail
from loadtests.replay.report import ReplayReport
from loadtests.replay.retail_lines import COLUMNS

ROWS: list[tuple[str, ...]] = [
    # A sale with postage, an exact duplicate and a customer number with a decimal point.
    ("536365", "85123A", "LANTERN", "6", "2010-12-01 08:26:00", "2.55", "17850.0", "UK"),
    ("536365", "85123A", "LANTERN", "6", "2010-12-01 08:26:00", "2.55", "17850.0", "UK"),
    ("536365", "POST", "POSTAGE", "1", "2010-12-01 08:26:00", "18.00", "17850.0", "UK"),
    # Cancelled in part the day after, and a cancellation that matches nothing.
    ("C536400", "85123A", "LANTERN", "-4", "2010-12-02 09:00:00", "2.55", "17850.0", "UK"),
    ("C536401", "71053", "METAL", "-1", "2010-12-02 09:05:00", "3.39", "17850.0", "UK"),
    # A write-off, and a note with neither price nor customer.
    ("536589", "21777", "damaged", "-10", "2010-12-03 10:00:00", "0.0", "", "UK"),
    # A large order cancelled minutes later.
    ("541431", "23166", "JAR", "74215", "2011-01-18 10:01:00", "1.04", "12346.0", "UK"),
    ("C541433", "23166", "JAR", "-74215", "2011-01-18 10:17:00", "1.04", "12346.0", "UK"),
]


def write(folder: Path, rows: list[tuple[str, ...]]) -> None:
    with gzip.open(folder / "2010-12.csv.gz", "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def assert_adds_up(report: ReplayReport) -> None:
    counted = report.lines_placed + report.lines_cancelled + report.lines_fees
    assert counted + report.lines_rejected == report.lines_read
    assert sum(report.rejected_by_reason.values()) == report.lines_rejected
    assert report.audit_differences == 0


async def test_every_trap_is_counted_once(runtime: Runtime, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    rejects = tmp_path / "rejects.csv"
    report = await replay_online_retail(runtime, tmp_path, rejects=rejects)
    assert_adds_up(report)
    counts = (report.lines_placed, report.lines_cancelled, report.lines_fees)
    assert (report.lines_read, *counts) == (8, 3, 2, 1)
    assert report.orders_placed == 2
    assert report.orders_cancelled == 1
    rows = list(csv.DictReader(rejects.read_text(encoding="utf-8").splitlines()))
    assert [row["InvoiceNo"] for row in rows] == ["536589", "C536401"]
    assert all(row["reason"] for row in rows)


async def test_a_replay_can_be_repeated(runtime: Runtime, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    reports = [
        await replay_online_retail(runtime, tmp_path, rejects=tmp_path / "rejects.csv")
        for _ in range(2)
    ]
    assert reports[0].brand != reports[1].brand
    assert reports[0].lines_placed == reports[1].lines_placed
    assert reports[0].units == reports[1].units


async def test_a_folder_without_files_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(NotTheData):
        await replay_online_retail(runtime, tmp_path, rejects=tmp_path / "rejects.csv")


async def test_the_first_thousands_of_the_real_lines(runtime: Runtime, tmp_path: Path) -> None:
    data = os.environ.get("YIPAN_TEST_DATA")
    if not data:
        pytest.skip("YIPAN_TEST_DATA names no folder with the real data")
    source = Path(data) / "online-retail" / "2010-12.csv.gz"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = [tuple(row) for _, row in zip(range(6_001), csv.reader(file), strict=False)]
    write(tmp_path, rows[1:])
    report = await replay_online_retail(runtime, tmp_path, rejects=tmp_path / "rejects.csv")
    assert_adds_up(report)
    assert report.lines_read == 6_000
