"""Numbers worked by hand, and what must not change them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import ConfigError, TableError
from anclaf.core.labels import QUADRANTS, label_quadrant
from anclaf.inference.summary import summarize
from anclaf.inference.table import FaceEstimate, Status, make_table, read_chunks, read_table

POINTS = {"a": (1.0, 1.0), "b": (-1.0, 1.0), "c": (-1.0, -1.0), "d": (1.0, -1.0)}


def estimate(frame: int, time_s: float, valence: float, arousal: float, track: int | None = 0) -> FaceEstimate:
    name = QUADRANTS[int(label_quadrant(valence, arousal))]
    return FaceEstimate(frame, time_s, track, valence=valence, arousal=arousal, quadrant=name, status="ok")


def gap(frame: int, time_s: float, status: Status = "no_face", track: int | None = 0) -> FaceEstimate:
    return FaceEstimate(frame, time_s, track, status=status)


def course(text: str, fps: float = 10.0, track: int = 0) -> pd.DataFrame:
    """A frame for each letter: a, b, c, d are the quadrants in their order, a full stop is a gap."""
    return make_table(
        gap(k, k / fps, track=track) if letter == "." else estimate(k, k / fps, *POINTS[letter], track)
        for k, letter in enumerate(text)
    )


def only(rows: pd.DataFrame, dwell_s: float = 0.5) -> pd.Series:
    summary = summarize(rows, dwell_s)
    assert len(summary) == 1
    return pd.Series(summary.to_dict("records")[0])


def test_level_and_spread_are_weighted_by_how_long_a_frame_lasts():
    # 0.1, 0.2, 0.1 s, and the last for the median interval, 0.1 s
    rows = make_table([estimate(0, 0, 1, 0), estimate(1, 0.1, 4, 0), estimate(2, 0.3, 2, 0), estimate(3, 0.4, 6, 0)])
    found = only(rows)
    values = np.array([1, 4, 4, 2, 6])
    assert found["seconds"] == pytest.approx(0.5)
    assert found["frames"] == found["estimated_frames"] == 4
    assert found["valence_mean"] == pytest.approx(values.mean())
    assert found["valence_sd"] == pytest.approx(values.std())
    assert found["valence_median"] == 4
    assert (found["valence_min"], found["valence_max"]) == (1, 6)
    assert found["valence_change_per_s"] == pytest.approx((3 + 2 + 4) / 0.4)
    assert found["arousal_change_per_s"] == 0


def test_percentiles_are_those_of_frames_that_last_alike():
    values = np.random.default_rng(0).normal(size=401)
    found = only(make_table(estimate(k, k / 25, value, -value) for k, value in enumerate(values)))
    expected = np.quantile(values, [0.05, 0.5, 0.95], method="inverted_cdf")
    np.testing.assert_allclose(found[["valence_p5", "valence_median", "valence_p95"]].astype(float), expected)


def test_a_video_with_each_frame_twice_at_twice_the_rate_says_the_same():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 2)).cumsum(0) / 5
    once = only(make_table(estimate(k, k / 10, *value) for k, value in enumerate(values)))
    twice = only(make_table(estimate(k, k / 20, *values[k // 2]) for k in range(600)))
    counted = ["frames", "estimated_frames", "valence_change_per_s", "arousal_change_per_s"]  # of 0.05 s less
    pd.testing.assert_series_equal(once.drop(counted), twice.drop(counted), check_names=False)
    assert once["transitions"] > 3


def test_gaps_are_neither_time_with_an_estimate_nor_change():
    still = only(course("a" * 10 + "." * 20 + "c" * 10))
    assert still["valence_change_per_s"] == still["transitions"] == 0
    assert still["estimated_share"] == still["ok_share"] == pytest.approx(0.5)
    assert still["no_face_share"] == pytest.approx(0.5)
    assert still["longest_gap_s"] == pytest.approx(2.0)
    assert still["V+A+_s"] == still["V-A-_s"] == pytest.approx(1.0)
    assert still["V+A+_share"] == pytest.approx(0.5)


def test_a_gap_as_short_as_the_windows_bridge_is_bridged():
    assert only(course("a" * 10 + ".." + "c" * 10))["V+A+>V-A-"] == 1
    assert only(course("a" * 10 + "..." + "c" * 10))["transitions"] == 0


def test_gaps_at_the_ends_count_as_gaps():
    assert only(course("..aaaa....."))["longest_gap_s"] == pytest.approx(0.5)
    assert only(course("....aaaa.."))["longest_gap_s"] == pytest.approx(0.4)
    assert only(course("aaaaa"))["longest_gap_s"] == 0


def test_a_hole_in_the_recording_is_a_gap_and_no_time():
    rows = course("aaaaaaaaaacccccccccc")
    rows["time_s"] += np.where(rows["frame"] < 10, 0, 60.0)
    found = only(rows)
    assert found["seconds"] == found["estimated_s"] == pytest.approx(2.0)
    assert found["longest_gap_s"] == pytest.approx(60.0)
    assert found["transitions"] == found["valence_change_per_s"] == 0


@pytest.mark.parametrize(
    ("text", "dwell_s", "expected"),
    [
        ("aaaaabbbbb", 0.5, {"V+A+>V-A+": 1}),
        ("aaaaabbbb", 0.5, {}),  # b is held for 0.4 s
        ("aaaaaabababababbbbbb", 0.5, {"V+A+>V-A+": 1}),  # chatter at the border
        ("aaaaabaaaaabaaaaa", 0.5, {}),
        ("aaaaabaaaaabaaaaa", 0.0, {"V+A+>V-A+": 2, "V-A+>V+A+": 2}),
        ("aaaaabbcccccddddd", 0.5, {"V+A+>V-A-": 1, "V-A->V+A-": 1}),
        ("aaaaacccccaaaaa", 0.5, {"V+A+>V-A-": 1, "V-A->V+A+": 1}),
        ("abcd", 0.5, {}),
    ],
)
def test_transitions(text: str, dwell_s: float, expected: dict[str, int]):
    found = only(course(text), dwell_s)
    matrix = found[[name for name in found.index if ">" in str(name)]]
    assert len(matrix) == 12
    assert matrix[matrix > 0].to_dict() == expected
    assert found["transitions"] == sum(expected.values())
    assert found["transitions_per_min"] == pytest.approx(600 * sum(expected.values()) / len(text))


def test_each_track_has_a_row_and_so_have_the_frames_with_nobody():
    rows = pd.concat(
        [
            course("aaaaa", track=2),
            course("bbb..", track=0),
            make_table([gap(k, k / 10, track=None) for k in range(5, 8)]),
        ]
    )
    found = summarize(rows.sample(frac=1, random_state=0))
    assert found["track"].tolist() == [0, 2, pd.NA]
    assert found["frames"].tolist() == [5, 5, 3]
    assert found["seconds"].tolist() == pytest.approx([0.5, 0.5, 0.3])
    assert found["estimated_share"].tolist() == pytest.approx([0.6, 1, 0])
    nobody = found.iloc[2]
    assert nobody["no_face_share"] == 1
    assert np.isnan(nobody[["valence_mean", "V+A+_share", "transitions_per_min"]].astype(float)).all()
    assert nobody["V+A+_s"] == nobody["transitions"] == 0


def test_one_picture():
    found = only(make_table([estimate(0, 0.0, 2, -3)]))
    assert (found["seconds"], found["valence_mean"], found["arousal_p95"], found["valence_sd"]) == (0, 2, -3, 0)
    assert (found["estimated_share"], found["V+A-_share"]) == (1, 1)
    assert np.isnan(found["valence_change_per_s"])
    assert np.isnan(found["transitions_per_min"])


def test_shares_and_times_add_up():
    rows = course("aabb..ccdd.aabbcc")
    rows.loc[4, "status"], rows.loc[0, "status"] = "blurred", "warming_up"
    found = only(rows)
    shares = [f"{name}_share" for name in ("ok", "warming_up", "no_face", "too_small", "blurred")]
    assert found[shares].sum() == pytest.approx(1)
    assert found["blurred_share"] == pytest.approx(1 / 17)
    assert sum(found[f"{name}_s"] for name in QUADRANTS) == pytest.approx(found["estimated_s"])
    assert sum(found[f"{name}_share"] for name in QUADRANTS) == pytest.approx(1)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_says_the_same_as_the_table(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.inference.table._READ_ROWS", 7)
    rows = pd.concat([course("aaaaabbbbb..ccc"), make_table([gap(15, 1.5, track=None)])])
    path = tmp_path / f"a.{suffix}"
    rows.to_csv(path, index=False) if suffix == "csv" else rows.to_parquet(path)
    assert len(list(read_chunks(path))) == 3
    pd.testing.assert_frame_equal(read_table(path), read_table(rows))
    pd.testing.assert_frame_equal(summarize(path), summarize(rows))


def _refused(rows: pd.DataFrame | Path) -> str:
    with pytest.raises(TableError) as error:
        summarize(rows)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_no_table(tmp_path: Path):
    assert "no such file" in _refused(tmp_path / "a.csv")
    for name, content in (("empty.csv", b""), ("binary.csv", bytes(range(256)) * 9), ("text.parquet", b"not parquet")):
        (tmp_path / name).write_bytes(content)
        assert name in _refused(tmp_path / name)
    (tmp_path / "other.csv").write_text("frame,time_s,smile\n0,0,1\n")
    assert "lacks the columns track, valence, arousal, quadrant, status" in _refused(tmp_path / "other.csv")
    pd.DataFrame({"frame": [1]}).to_parquet(tmp_path / "other.parquet")
    assert "lacks the columns time_s" in _refused(tmp_path / "other.parquet")
    (tmp_path / "a.txt").write_text("")
    assert "expected .csv, .parquet or .xlsx" in _refused(tmp_path / "a.txt")
    assert "cannot be read" in _refused(_folder(tmp_path / "b.csv"))
    assert "lacks the columns frame" in _refused(course("a").drop(columns="frame"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_table_without_rows(tmp_path: Path):
    course("aaa").head(0).to_csv(tmp_path / "a.csv", index=False)
    assert "without rows" in _refused(tmp_path / "a.csv")
    assert "without rows" in _refused(course("a").head(0))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("status", "happy"), ("status", None), ("quadrant", "V0A0")),
        *(("valence", np.nan), ("time_s", np.nan), ("track", pd.NA)),
    ],
)
def test_damaged_rows(column: str, value: object):
    rows = course("aaaaa")
    rows.loc[3, column] = value  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert "frame 3 is damaged" in _refused(rows)


def test_words_where_numbers_belong(tmp_path: Path):
    course("aaa").assign(valence="high").to_csv(tmp_path / "a.csv", index=False)
    assert "'high'" in _refused(tmp_path / "a.csv")


@pytest.mark.parametrize("dwell_s", [-1, np.nan, np.inf])
def test_a_dwell_time_that_is_none(dwell_s: float):
    with pytest.raises(ConfigError, match="dwell_s"):
        summarize(course("aaa"), dwell_s)
