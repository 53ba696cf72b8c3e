import resource
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import OutputError
from anclaf.inference import table
from anclaf.inference.table import CsvTable, FaceEstimate, make_table, read_rows, write_parquet

FRAMES = [
    [FaceEstimate(0, 0.0)],
    [
        FaceEstimate(
            1, 0.04, 0, 1.5, 2.0, 30.25, 31.0, 0.9, -1.25, 3.0, "V-A+", 0.1, 0.2, 0.3, 0.4, "ok", 40.0, 0.5, 0.875
        ),
        FaceEstimate(1, 0.04, 1),
    ],
    [FaceEstimate(2, 0.08, 1, 5.0, 6.0, 7.0, 8.0, 0.5, status="too_small", size=9.0, sharpness=0.25, frontalness=1.0)],
]


def write(path: Path) -> int:
    rows = CsvTable(path)
    for estimates in FRAMES:
        rows.append(estimates)
    rows.close()
    return rows.bytes


def test_rows_come_back(tmp_path: Path):
    write(tmp_path / "a.csv")
    back = list(read_rows(tmp_path / "a.csv"))
    assert [len(rows) for rows in back] == [1, 2, 1]
    pd.testing.assert_frame_equal(make_table(chain(*back)), make_table(chain(*FRAMES)))


def test_what_is_unknown_is_an_empty_cell(tmp_path: Path):
    write(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "0,0.0,,,,,,,,,,,,,,no_face,,,,,,,,,,,"


def test_a_table_goes_on_where_it_is_told(tmp_path: Path):
    path = tmp_path / "a.csv"
    size = write(path)
    whole = path.read_bytes()
    assert size == len(whole)
    keep = whole.index(b"\n2,") + 1
    rows = CsvTable(path, keep=keep)
    assert path.read_bytes() == whole[:keep]
    rows.append(FRAMES[2])
    rows.close()
    assert path.read_bytes() == whole


def test_a_table_that_is_too_short_is_refused(tmp_path: Path):
    size = write(tmp_path / "a.csv")
    with pytest.raises(OutputError, match=r"a\.csv: cut short, so that it cannot be continued"):
        CsvTable(tmp_path / "a.csv", keep=size + 1)


@pytest.mark.parametrize("chunk", [1, 100_000])
def test_parquet_has_the_types_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int):
    monkeypatch.setattr(table, "_WRITE_ROWS", chunk)  # so that columns are empty in whole chunks
    write(tmp_path / "a.csv")
    write_parquet(tmp_path / "a.parquet", tmp_path / "a.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), make_table(chain(*FRAMES)))


def test_parquet_has_the_attention(tmp_path: Path):
    rows = CsvTable(tmp_path / "a.csv", attention=2)
    estimate = FaceEstimate(0, 0.0, 0, attention=(0.25, np.nan))
    rows.append([estimate])
    rows.close()
    write_parquet(tmp_path / "a.parquet", tmp_path / "a.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), make_table([estimate], 2))


def test_a_row_for_which_there_is_no_room_is_taken_back(tmp_path: Path):
    path = tmp_path / "a.csv"
    size = write(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        rows = CsvTable(path, keep=size)
        with pytest.raises(OutputError, match=r"a\.csv: cannot be written \(File too large\)"):
            rows.append(FRAMES[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.stat().st_size == size
