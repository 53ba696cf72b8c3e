"""Corrections of a table: what they do to its summary, and what is none."""

from pathlib import Path

import pandas as pd
import pytest

from anclaf.core.errors import TableError
from anclaf.inference.edits import Edits, Stretch, edits_path, read_edits, write_edits
from anclaf.inference.summary import summarize
from anclaf.inference.table import FaceEstimate, make_table


def estimate(frame: int, track: int, valence: float) -> FaceEstimate:
    return FaceEstimate(
        frame, frame / 10, track, valence=valence, arousal=0.0, quadrant="V+A+" if valence >= 0 else "V-A+", status="ok"
    )


def rows() -> pd.DataFrame:
    """Track 0 in frames 0 to 9, valence 1; track 1 in 8 to 19, valence 3, its face too small in frame 8; track 2 in
    all, valence -2."""
    found = []
    for k in range(20):
        if k < 10:
            found.append(estimate(k, 0, 1.0))
        if k == 8:
            found.append(FaceEstimate(k, k / 10, 1, status="too_small"))
        if k > 8:
            found.append(estimate(k, 1, 3.0))
        found.append(estimate(k, 2, -2.0))
    return make_table(found)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "talk.csv"
    rows().to_csv(path, index=False)
    return path


def corrected(table: Path, edits: Edits) -> pd.DataFrame:
    write_edits(table, edits)
    return summarize(table).set_index("track")


def test_without_corrections_nothing_changes(table: Path):
    pd.testing.assert_frame_equal(summarize(table), summarize(rows()))
    assert summarize(table).attrs["edits"] == ""
    assert summarize(table)["name"].isna().all()


def test_tracks_that_are_one_person_are_one_row(table: Path):
    before = table.read_bytes()
    found = corrected(table, Edits(names={0: "Anna"}, merged={1: 0}))
    assert found.index.tolist() == [0, 2]
    assert found["name"].tolist()[0] == "Anna"
    assert pd.isna(found["name"].tolist()[1])
    # of frames 8 and 9, where both were, track 0's: 10 frames of 1 and 10 of 3
    assert found.loc[[0], ["frames", "estimated_frames"]].to_numpy().tolist() == [[20, 20]]
    assert found.loc[0, "valence_mean"] == pytest.approx(2.0)
    assert found.loc[0, "seconds"] == pytest.approx(2.0)
    assert table.read_bytes() == before
    assert summarize(table).attrs["edits"] == "1 track joined, 1 person named"
    pd.testing.assert_frame_equal(summarize(table, raw=True), summarize(rows()))


def test_of_two_rows_of_a_person_the_estimated_one_counts(table: Path):
    found = corrected(table, Edits(merged={0: 1}))
    # frame 8 is track 0's, for track 1's face was too small there; frame 9 is track 1's
    assert found.loc[[1], ["frames", "estimated_frames"]].to_numpy().tolist() == [[20, 20]]
    assert found.loc[1, "valence_mean"] == pytest.approx((9 * 1 + 11 * 3) / 20)


def test_stretches_that_do_not_count_are_no_rows(table: Path):
    found = corrected(table, Edits(excluded=[Stretch(0.2, 0.5, 0), Stretch(1.5, 9.0)]))
    assert found["frames"].to_dict() == {0: 7, 1: 7, 2: 15}
    assert found.loc[0, "seconds"] == pytest.approx(0.7)
    assert found.loc[0, "longest_gap_s"] == pytest.approx(0.3)
    assert summarize(table).attrs["edits"] == "2 stretches left out"


@pytest.mark.parametrize(("track", "left"), [(0, 16), (1, 18)])
def test_a_stretch_of_a_person_holds_for_what_was_joined(table: Path, track: int, left: int):
    """Of the person, or of what was a track of its own: then of its rows alone (8 and 9; track 0 has both of them)."""
    found = corrected(table, Edits(merged={1: 0}, excluded=[Stretch(0.75, 1.15, track)]))
    assert found.loc[0, "frames"] == left
    assert found.loc[2, "frames"] == 20


def test_where_nothing_is_left(table: Path):
    write_edits(table, Edits(excluded=[Stretch(0, 100)]))
    with pytest.raises(TableError, match=r"its corrections leave nothing; see talk\.edits\.json"):
        summarize(table)


def test_what_is_written_is_read(table: Path):
    edits = Edits({0: "Zoë"}, {1: 0, 3: 0}, [Stretch(0.5, 1.25, 2), Stretch(1, 2)])
    write_edits(table, edits)
    assert read_edits(table) == edits
    write_edits(table, Edits())
    assert not edits_path(table).exists()
    assert read_edits(table) == Edits()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "3", "{", '{"more": 1}', '{"names": {"x": "y"}}', '{"names": {"0": ""}}', '{"names": {"0": 7}}',
        '{"merged": {"1": 1}}', '{"merged": {"1": 0, "0": 2}}', '{"merged": {"1": "0"}}', '{"merged": [1]}',
        '{"excluded": [{}]}', '{"excluded": [{"from_s": 2, "to_s": 1}]}', '{"excluded": 3}',
        '{"excluded": [{"from_s": NaN, "to_s": 1}]}', '{"excluded": [{"from_s": 0, "to_s": 1, "track": -1}]}',
    ],
)  # fmt: skip
def test_damaged_corrections(table: Path, text: str):
    edits_path(table).write_text(text)
    with pytest.raises(TableError, match=r"talk\.edits\.json: damaged; remove it, or put it right"):
        summarize(table)
    assert len(summarize(table, raw=True)) == 3
