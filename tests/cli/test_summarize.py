import os
from pathlib import Path

import pandas as pd
import pytest

from anclaf.cli.main import main
from anclaf.inference.edits import Edits, edits_path, write_edits
from anclaf.inference.summary import summarize
from anclaf.inference.table import FaceEstimate, make_table


def rows(frames: int = 10, track: int | None = 0) -> pd.DataFrame:
    if track is None:
        return make_table(FaceEstimate(k, k / 10) for k in range(frames))
    return make_table(
        FaceEstimate(k, k / 10, track, valence=1.5, arousal=-2, quadrant="V+A-", status="ok") for k in range(frames)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tables"
    path.mkdir()
    rows().to_csv(path / "[one].csv", index=False)
    pd.concat([rows(20, 0), rows(20, 1)]).to_parquet(path / "two.parquet")
    (path / "two.overlay.mp4").write_bytes(b"")
    return path


def _fails(capsys: pytest.CaptureFixture[str], *words: object) -> list[str]:
    assert main(["summarize", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert all(line.startswith("anclaf: ") for line in lines)
    return lines


def _fails_in_a_line(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    (line,) = _fails(capsys, *words)
    return line


def test_help(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["summarize", "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert "usage: anclaf summarize" in said
    assert "transitions" in said


def test_a_folder_on_the_screen(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["summarize", str(folder)]) == 0
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    (one,) = [words for words in lines if words[:1] == ["[one]"]]
    assert one[1:8] == ["0", "1.0", "100", "%", "1.50", "±", "0.00"]
    assert [words[1] for words in lines if words[:1] == ["two"]] == ["0", "1"]
    assert sorted(path.name for path in folder.iterdir()) == ["[one].csv", "two.overlay.mp4", "two.parquet"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_all_columns_beside_the_tables(folder: Path, suffix: str, capsys: pytest.CaptureFixture[str]):
    out = folder / f"summary.{suffix}"
    for more in ((), ("--overwrite",)):  # the second time the first one lies among the tables
        assert main(["summarize", str(folder), "--out", str(out), *more]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(out)
    found = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert found["source"].tolist() == ["[one]", "two", "two"]
    assert found["track"].tolist() == [0, 0, 1]
    assert found["seconds"].tolist() == pytest.approx([1, 2, 2])
    assert (found["V+A-_share"] == 1).all()
    assert {"valence_p95", "arousal_change_per_s", "V+A+>V-A-", "longest_gap_s"} <= {*found.columns}


def test_a_source_without_anybody_is_in_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows(track=None).to_csv(tmp_path / "empty room.csv", index=False)
    assert main(["summarize", str(tmp_path / "empty room.csv"), "--out", str(tmp_path / "s.csv")]) == 0
    assert "nobody" in capsys.readouterr().out
    found = pd.read_csv(tmp_path / "s.csv")
    assert found["source"].tolist() == ["empty room"]
    assert found["track"].isna().all()
    assert found["no_face_share"].tolist() == [1]


def test_two_of_a_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    paths = [tmp_path / day / "interview.csv" for day in ("monday", "friday")]
    for path in paths:
        path.parent.mkdir()
        rows().to_csv(path, index=False)
    assert main(["summarize", *map(str, paths), "--out", str(tmp_path / "s.csv")]) == 0
    assert pd.read_csv(tmp_path / "s.csv")["source"].tolist() == [str(path) for path in paths]


def test_the_dwell_time_counts(tmp_path: Path):
    moving = rows(20)
    moving.loc[10:13, ["valence", "quadrant"]] = [-1.5, "V-A-"]
    moving.to_csv(tmp_path / "a.csv", index=False)
    for dwell, expected in (("0.5", 0), ("0.4", 2)):
        out = tmp_path / f"{dwell}.csv"
        assert main(["summarize", str(tmp_path / "a.csv"), "--out", str(out), "--dwell", dwell]) == 0
        assert pd.read_csv(out)["transitions"].tolist() == [expected]


def _saved_elsewhere(path: Path, table: pd.DataFrame, dialect: str) -> None:
    """A table as a spreadsheet program of another country saves it."""
    german = {"index": False, "sep": ";", "decimal": ",", "lineterminator": "\r\n"}
    match dialect:
        case "german":
            table.to_csv(path, encoding="utf-8-sig", **german)
        case "latin-1":
            table.assign(file="M\xfcller.png").to_csv(path, encoding="latin-1", **german)
        case "sep":
            path.write_bytes(b"sep=;\r\n" + table.to_csv(**german).encode())
        case "unicode":
            table.to_csv(path, encoding="utf-16", index=False, sep="\t", decimal=",")
        case "quoted":
            table.to_csv(path, index=False, decimal=",")
        case "minus":
            path.write_text(table.to_csv(index=False).replace("-2", "\N{MINUS SIGN}2"))
        case "xlsx":
            table.to_excel(path.with_suffix(".xlsx"), index=False)


@pytest.mark.parametrize("dialect", ["german", "latin-1", "sep", "unicode", "quoted", "minus", "xlsx"])
def test_tables_that_a_spreadsheet_program_saved(tmp_path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.inference.table._READ_ROWS", 3)
    table = pd.concat([rows(7), rows(4, None).assign(frame=range(7, 11), time_s=[0.7, 0.8, 0.9, 1.0])])
    table.loc[table["frame"] < 3, "valence"] = 1.25
    table.to_parquet(tmp_path / "whole.parquet")
    _saved_elsewhere(tmp_path / "talk.csv", table, dialect)
    saved = tmp_path / ("talk.xlsx" if dialect == "xlsx" else "talk.csv")
    pd.testing.assert_frame_equal(summarize(saved), summarize(tmp_path / "whole.parquet"))
    assert main(["summarize", str(saved)]) == 0


def test_what_a_spreadsheet_program_spoilt_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.csv").write_text(rows(3).to_csv(index=False, sep=";", decimal=",").replace("1,5", "01. Mai"))
    assert "01. Mai" in _fails(capsys, tmp_path / "a.csv")[0]


def test_companions_that_macos_leaves_are_no_tables(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "._two.csv").write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    assert main(["summarize", str(folder)]) == 0
    assert "_two" not in capsys.readouterr().out


def test_one_bad_table_does_not_stop_the_others(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "a.csv").write_text("name,age\nx,3\n")
    assert main(["summarize", str(folder), "--out", str(tmp_path / "s.csv")]) == 2
    first, last = capsys.readouterr().err.strip().splitlines()
    assert "lacks the columns frame, time_s, track, valence, arousal, quadrant, status" in first
    assert "a.csv" in first
    assert last == "anclaf: 1 of 3 tables failed"
    assert len(pd.read_csv(tmp_path / "s.csv")) == 3


def test_bad_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.csv").write_bytes(b"")
    rows().head(0).to_csv(tmp_path / "b.csv", index=False)
    out = tmp_path / "s.csv"
    empty, without, missing, last = _fails(
        capsys, tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv", "--out", out
    )
    assert "cannot be read as a table" in empty
    assert "without rows" in without
    assert "no such file" in missing
    assert "3 of 3 tables failed" in last
    assert not out.exists()


def test_bad_settings(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one = folder / "[one].csv"
    assert "no table given" in _fails_in_a_line(capsys)
    assert "named twice" in _fails_in_a_line(capsys, folder, one)
    assert "dwell_s -1.0" in _fails_in_a_line(capsys, one, "--dwell", "-1")
    assert "ends in .csv or .parquet" in _fails_in_a_line(capsys, one, "--out", tmp_path / "s.xlsx")
    assert "has no effect" in _fails_in_a_line(capsys, one, "--overwrite")
    assert "one of the tables" in _fails_in_a_line(capsys, one, "--out", one, "--overwrite")
    (tmp_path / "s.csv").write_text("mine")
    assert "exists; use --overwrite" in _fails_in_a_line(capsys, one, "--out", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text() == "mine"
    assert "cannot be written" in _fails_in_a_line(capsys, one, "--out", tmp_path / "s.csv" / "t.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in _fails_in_a_line(capsys, one, "--out", tmp_path / "folder.csv")
    (tmp_path / "bare").mkdir()
    assert "a folder without tables" in _fails_in_a_line(capsys, tmp_path / "bare")


def test_corrections_are_said_and_can_be_left_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = folder / "two.parquet"
    write_edits(table, Edits({0: "Anna [x]"}, {1: 0}))
    assert main(["summarize", str(folder), "--out", str(tmp_path / "s.csv")]) == 0
    said = capsys.readouterr()
    assert "two: as corrected in two.edits.json: 1 track joined, 1 person named (--raw: as it was)" in said.err
    assert "[one]:" not in said.err
    assert "0 Anna [x]" in said.out
    found = pd.read_csv(tmp_path / "s.csv")
    assert found["track"].tolist() == [0, 0]
    assert found["name"].tolist()[1] == "Anna [x]"
    assert main(["summarize", str(table), "--raw"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "Anna" not in said.out
    os.utime(table, (2e9, 2e9))
    assert main(["summarize", str(table)]) == 0
    assert "it is older than the table, and may be of an earlier one" in capsys.readouterr().err
    edits_path(table).write_text("{")
    assert "two.edits.json: damaged; remove it, or put it right" in _fails(capsys, table)[0]
