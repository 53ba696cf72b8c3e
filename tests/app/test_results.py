"""What is given of a video that is analysed: rows, tables, ranges of the file, edits."""

import json
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from anclaf.app.tables import as_csv, load
from anclaf.inference.table import read_rows, write_parquet
from app_helpers import Served, running, write_results, write_video


def test_rows_are_the_table_s(steady: Served):
    id = steady.named("first.mp4")["id"]
    answer = steady.client.get(f"/api/videos/{id}/rows").json()
    table = steady.library.folder / "results" / "first.csv"  # type: ignore[operator]
    rows = [row.row() for rows in read_rows(table) for row in rows]
    assert answer["rows"] == len(rows) == 12 + 7
    for name, values in answer["columns"].items():
        assert values == [None if row[name] != row[name] else row[name] for row in rows], name
    assert set(rows[0]) - {*answer["columns"]} == {"file", "valence_from_rest", "arousal_from_rest"}
    asked = {"columns": "time_s,valence_*,none"}
    some = steady.client.get(f"/api/videos/{id}/rows", params=asked).json()
    names = ("time_s", "valence_low", "valence_high")
    assert some == answer | {"columns": {name: answer["columns"][name] for name in names}}
    assert steady.client.get(f"/api/videos/{id}/rows", params={"columns": "../x"}).status_code == 422
    assert (answer["low"], answer["high"], answer["width"], answer["height"]) == (-10, 10, 64, 48)
    assert (answer["notes"], answer["sureness"], answer["complete"]) == (["a note"], "no intervals", True)


def test_csv_is_the_file_itself_and_parquet_has_the_same_numbers(steady: Served, tmp_path: Path):
    id = steady.named("first.mp4")["id"]
    path = steady.library.folder / "results" / "first.csv"  # type: ignore[operator]
    assert steady.client.get(f"/api/videos/{id}/table").content == path.read_bytes()
    answer = steady.client.get(f"/api/videos/{id}/table", params={"format": "parquet"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    (tmp_path / "got.parquet").write_bytes(answer.content)
    assert_frame_equal(load(tmp_path / "got.parquet"), load(path))
    assert steady.client.get(f"/api/videos/{id}/table", params={"format": "exe"}).status_code == 422


@pytest.mark.parametrize("attention", [0, 3])
def test_csv_of_a_parquet_is_what_predict_would_have_written(tmp_path: Path, attention: int):
    csv = write_results(tmp_path / "results", "first", attention=attention)
    parquet = tmp_path / "results" / "first.parquet"
    write_parquet(parquet, csv)
    assert as_csv(parquet, tmp_path / "again.csv").read_bytes() == csv.read_bytes()
    csv.unlink()
    write_video(tmp_path / "first.mp4")
    with running(tmp_path) as served:
        answer = served.client.get(f"/api/videos/{served.named('first.mp4')['id']}/rows").json()
        assert (answer["rows"], answer["attention"]) == (19, attention)


def test_a_table_that_is_none(served: Served):
    id = served.named("first.mp4")["id"]
    path = served.library.folder / "results" / "first.csv"  # type: ignore[operator]
    for content in ("a,b\n1,2\n", "", "\x00\x00", path.read_text().replace("0.04", "four")):
        path.write_text(content)
        answer = served.client.get(f"/api/videos/{id}/rows")
        assert answer.status_code == 409
        assert "first.csv: " in answer.json()["detail"]
        assert str(served.library.folder) not in answer.json()["detail"]


def test_results_of_another_model_get_a_scale_that_holds_them(served: Served):
    path = served.library.folder / "results" / "first.json"  # type: ignore[operator]
    path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    id = served.named("first.mp4")["id"]
    answer = served.client.get(f"/api/videos/{id}/rows").json()
    assert (answer["low"], answer["high"]) == (-10.0, 10.0)


RANGES = {
    "bytes=0-9": (206, slice(0, 10)),
    "bytes=10-": (206, slice(10, None)),
    "bytes=-5": (206, slice(-5, None)),
    "bytes=0-99999999999": (206, slice(0, None)),
    "bytes=99999999999-": (416, None),
    "bytes=9-3": (400, None),
    "bytes=x-y": (400, None),
    "bytes=--": (400, None),
    "bytes=": (400, None),
    "lines=0-9": (400, None),
}


@pytest.mark.parametrize("asked", RANGES)
def test_ranges_of_a_video(steady: Served, asked: str):
    id = steady.named("first.mp4")["id"]
    whole = (steady.library.folder / "first.mp4").read_bytes()  # type: ignore[operator]
    status, part = RANGES[asked]
    answer = steady.client.get(f"/api/videos/{id}/video", headers={"range": asked})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == whole[part]
    assert answer.headers.get("accept-ranges", "bytes") == "bytes"


def test_very_many_ranges_do_not_multiply_the_file(steady: Served):
    id = steady.named("first.mp4")["id"]
    size = (steady.library.folder / "first.mp4").stat().st_size  # type: ignore[operator]
    asked = "bytes=" + ",".join(["0-"] * 1500)
    answer = steady.client.get(f"/api/videos/{id}/video", headers={"range": asked})
    assert answer.status_code in (200, 206, 400, 416, 431)
    assert len(answer.content) < 2 * size


def test_edits_are_beside_the_table_and_not_in_it(served: Served):
    id = served.named("first.mp4")["id"]
    table = served.library.folder / "results" / "first.csv"  # type: ignore[operator]
    before = table.read_bytes()
    edits = {"names": {"0": "Anna"}, "merged": {"1": 0}, "excluded": [{"track": None, "from_s": 0.1, "to_s": 0.3}]}
    assert served.client.get(f"/api/videos/{id}/edits").json() == {"names": {}, "merged": {}, "excluded": []}
    assert served.client.put(f"/api/videos/{id}/edits", json=edits).json() == edits
    assert served.client.get(f"/api/videos/{id}/edits").json() == edits
    assert table.read_bytes() == before
    assert table.with_name("first.edits.json").is_file()
    assert len(served.client.get("/api/videos").json()) == 2
    served.client.put(f"/api/videos/{id}/edits", json={})
    assert not table.with_name("first.edits.json").exists()


WRONG = [
    {"names": {"0": ""}}, {"names": {"0": "x" * 81}}, {"names": {"-1": "x"}}, {"names": {"x": "y"}},
    {"names": {"0": "a\nb"}}, {"merged": {"1": 1}}, {"merged": {"1": 0, "0": 2}}, {"more": 1}, [], 3, None,
    {"excluded": [{"from_s": 3, "to_s": 1}]}, {"excluded": [{"from_s": -3, "to_s": 1}]}, {"excluded": [{}]},
]  # fmt: skip


@pytest.mark.parametrize("edits", WRONG)
def test_edits_that_are_none(steady: Served, edits: object):
    id = steady.named("first.mp4")["id"]
    assert steady.client.put(f"/api/videos/{id}/edits", json=edits).status_code == 422
    assert not (steady.library.folder / "results" / "first.edits.json").exists()  # type: ignore[operator]


def test_damaged_edits_are_said_and_kept(served: Served):
    id = served.named("first.mp4")["id"]
    path = served.library.folder / "results" / "first.edits.json"  # type: ignore[operator]
    path.write_text("{")
    answer = served.client.get(f"/api/videos/{id}/edits")
    assert (answer.status_code, answer.json()["detail"]) == (
        409, "first.edits.json: damaged; remove it, or put it right",
    )  # fmt: skip
    assert path.read_text() == "{"


def test_what_is_not_analysed_has_no_results(steady: Served):
    id = steady.named("second.mp4")["id"]
    for what in ("rows", "table", "plot", "overlay", "edits"):
        answer = steady.client.get(f"/api/videos/{id}/{what}")
        assert answer.status_code == 404, what


def test_the_scale_is_the_models_where_its_results_say_it(served: Served):
    id = served.named("first.mp4")["id"]
    path = served.library.folder / "results" / "first.json"  # type: ignore[operator]
    about = json.loads(path.read_text())
    assert about["scale"] == [-10, 10]
    about["made_with"]["model"]["fingerprint"] = "of another model"
    guessed = (-10, 10)
    for told, shown in (([-25, 25], (-25, 25)), (None, guessed), ("x", guessed), ([3, 1], guessed), ([{}, 1], guessed)):
        path.write_text(json.dumps(about | {"scale": told}))
        answer = served.client.get(f"/api/videos/{id}/rows").json()
        assert (answer["low"], answer["high"]) == shown, told
    del about["scale"]  # as earlier versions wrote it
    path.write_text(json.dumps(about))
    answer = served.client.get(f"/api/videos/{id}/rows").json()
    assert (answer["low"], answer["high"]) == (-10, 10)
