"""Each person's resting face is taken off: the same whether frames come one by one, in a file, or after a break."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from anclaf.config import OutputOptions, StreamOptions
from anclaf.core.errors import ConfigError, StaleError, TableError
from anclaf.core.labels import LabelScale
from anclaf.inference import prediction
from anclaf.inference.baseline import Baseline, KnownRest, Rest, Rests, read_rests
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.plot import source_figure
from anclaf.inference.prediction import SourceResult, predict_source
from anclaf.inference.source import open_source
from anclaf.inference.summary import summarize
from anclaf.inference.table import FaceEstimate, make_table, read_table

Make = Callable[..., AffectEstimator]
FolderOf = Callable[[Path, Sequence[NDArray]], Path]
SCALE = LabelScale(-10, 10)
FROM_REST = ["valence_from_rest", "arousal_from_rest"]


@pytest.fixture
def video(tmp_path: Path, comings_and_goings: list[NDArray], folder_of: FolderOf) -> Path:
    return folder_of(tmp_path / "talk", comings_and_goings)


def analyse(made: AffectEstimator, path: Path, out: Path, baseline: Any, **output: Any) -> SourceResult:
    settings: dict[str, Any] = {"overlay": False, "plot": False} | output
    options = OutputOptions(**settings)
    return predict_source(made, open_source(path), out, None, options, baseline=baseline)


def estimate(time_s: float, valence: float, arousal: float = 0.0, track: int | None = 0) -> FaceEstimate:
    return FaceEstimate(
        round(time_s * 25), time_s, track, valence=valence, arousal=arousal, quadrant="V+A+", status="ok"
    )


def test_the_first_seconds_are_the_rest_and_have_no_difference_from_it():
    rests = Rests(Baseline(first_s=1.0))
    given = [(0.4, 1.0), (0.8, 9.0), (1.3, 2.0), (1.4, 5.0), (9.0, -1.0)]  # from 0.4 s on: until before 1.4 s
    found = [rests.corrected(estimate(time, value, -value)) for time, value in given]
    assert np.isnan([row.valence_from_rest for row in found[:3]]).all()
    assert [row.valence_from_rest for row in found[3:]] == [3.0, -3.0]
    assert [row.arousal_from_rest for row in found[3:]] == [-3.0, 3.0]
    assert [row.valence for row in found] == [value for _, value in given], "what was estimated stays"
    assert rests.note == ""


def test_whoever_has_gone_before_their_rest_is_known_is_told():
    rests = Rests(Baseline(first_s=1.0))
    for track in (0, 1):
        rests.corrected(estimate(0, 1.0, track=track))
    rests.corrected(FaceEstimate(1, 0.04))
    rests.keep([1])
    rests.corrected(estimate(2.0, 1.0, track=1))
    assert rests.note == "no difference from rest for 1 track, seen for less than 1 s"


def test_the_rest_that_says_most_of_whose_it_is_counts():
    known = [
        KnownRest(None, None, Rest(1, 0)),
        KnownRest(None, 1, Rest(2, 0)),
        KnownRest("talk", None, Rest(3, 0)),
        KnownRest("talk", 1, Rest(4, 0)),
    ]
    for order in (known, known[::-1]):
        baseline = Baseline(known=tuple(order))
        for source, expected in (("talk", (3, 4)), ("other", (1, 2))):
            rests = Rests(baseline, source)
            got = [-rests.corrected(estimate(0, 0, track=track)).valence_from_rest for track in (0, 1)]
            assert tuple(got) == expected
    rests = Rests(Baseline(known=(KnownRest(None, 1, Rest(2, 0)),)))
    assert np.isnan(rests.corrected(estimate(0, 0)).valence_from_rest)
    assert rests.note == "no difference from rest for 1 track, not in the table of rests"


@pytest.mark.parametrize("variant", ["base", "SA-4"])
def test_predict_equals_step(estimator: Make, comings_and_goings: list[NDArray], video: Path, variant: str):
    made = estimator(variant)
    with pytest.warns(UserWarning, match="no difference from rest for 1 track, seen for less than 0.9 s"):
        predicted = made.predict(video, baseline="first:0.9")
    stream = made.stream(25, None, "first:0.9")
    stepped = make_table([row for frame in comings_and_goings for row in stream.step(frame)])
    pd.testing.assert_frame_equal(predicted.drop(columns="file"), stepped.drop(columns="file"), atol=1e-5, rtol=0)
    plain = made.predict(video)
    pd.testing.assert_frame_equal(predicted.drop(columns=FROM_REST), plain.drop(columns=FROM_REST))
    assert plain[FROM_REST].isna().all(axis=None)
    known = predicted["valence_from_rest"].notna()
    assert predicted.loc[known, "track"].eq(0).all()
    assert known.sum() > 10


def test_the_median_is_of_all_of_a_track(estimator: Make, video: Path):
    table = estimator("base").predict(video, baseline="median")
    assert table["valence_from_rest"].notna().equals(table["valence"].notna())
    middle = table.groupby("track")[FROM_REST].median()
    assert len(middle) == 2
    np.testing.assert_allclose(middle, 0, atol=1e-12)
    gaps = (table["arousal"] - table["arousal_from_rest"]).groupby(table["track"]).std()
    np.testing.assert_allclose(gaps, 0, atol=1e-12)


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("baseline", ["median", "first:0.2"])
def test_files_hold_what_predict_gives(tmp_path: Path, estimator: Make, video: Path, baseline: str, format: str):
    made = estimator("base")
    done = analyse(made, video, tmp_path / "out", baseline, format=format)
    written = pd.read_csv(done.table) if format == "csv" else pd.read_parquet(done.table)
    expected = made.predict(video, baseline=baseline)
    assert list(written.columns) == list(expected.columns)
    for name in expected.select_dtypes("float64"):
        np.testing.assert_allclose(written[name], expected[name], atol=2e-6, err_msg=name)
    assert written["valence_from_rest"].notna().any()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([f"talk.{format}", "talk.json"])


@pytest.mark.parametrize("baseline", ["median", "first:0.5"])
def test_a_broken_analysis_ends_with_the_same_table(
    tmp_path: Path, estimator: Make, video: Path, monkeypatch: pytest.MonkeyPatch, baseline: str
):
    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 8)
    made = estimator("SA-4")
    whole = analyse(made, video, tmp_path / "whole", baseline)

    def stop(done: int, *_: object) -> None:
        if done == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_source(
            made, open_source(video), tmp_path / "out", None, OutputOptions(overlay=False, plot=False), stop, baseline
        )
    part = pd.read_csv(tmp_path / "out" / "talk.csv")
    assert part["valence_from_rest"].notna().any() == (baseline != "median"), "a median is known at the end only"
    for other in ("first:0.4", None):
        with pytest.raises(StaleError, match="begun with other baseline"):
            analyse(made, video, tmp_path / "out", other, resume=True)
    done = analyse(made, video, tmp_path / "out", baseline, resume=True)
    assert done.kept > 0
    assert done.table.read_bytes() == whole.table.read_bytes()


def test_frame_by_frame_there_is_no_median(estimator: Make):
    with pytest.raises(ConfigError, match="baseline median: known when a source is over only"):
        estimator("base").stream(25, None, "median")


def test_a_picture_of_the_resting_face(tmp_path: Path, estimator: Make, video: Path):
    made = estimator("base")
    rest = made.predict(video / "0.png").iloc[0]
    table = made.predict(video, baseline=video / "0.png")
    seen = table["valence"].notna()
    np.testing.assert_allclose(table.loc[seen, "valence_from_rest"], table.loc[seen, "valence"] - rest["valence"])
    with pytest.raises(ConfigError, match=r"5\.png: no estimate in it; expected a video or picture of a resting face"):
        made.baseline(video / "5.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first:0", "baseline first:0: expected first:SECONDS with seconds above 0"),
        ("first:nan", "expected first:SECONDS with seconds above 0"),
        ("first:soon", "expected first:SECONDS with seconds above 0"),
        ("mean", "baseline mean: no such file; expected first:SECONDS, median, or a file"),
        ("rtsp://host/cam", "no such file; expected first:SECONDS, median, or a file"),
    ],
)
def test_what_is_no_baseline(estimator: Make, text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        estimator("base").baseline(text)


def test_a_table_of_rests(tmp_path: Path):
    path = tmp_path / "rests.csv"
    path.write_text("Source;Track;Valence;Arousal;note\ntalk;0;-1,5;2;tired\n;1;0;0,25;\ntalk;;1;1;\n;;;;nobody\n")
    expected = (
        KnownRest("talk", 0, Rest(-1.5, 2.0)),
        KnownRest(None, 1, Rest(0.0, 0.25)),
        KnownRest("talk", None, Rest(1.0, 1.0)),
    )
    assert read_rests(path, SCALE) == Baseline(known=expected)
    parquet = tmp_path / "rests.parquet"
    frame = pd.DataFrame({"source": ["talk", None, "talk"], "track": pd.array([0, 1, None], "Int64")})
    frame.assign(valence=[-1.5, 0, 1], arousal=[2, 0.25, 1]).to_parquet(parquet)
    assert read_rests(parquet, SCALE) == Baseline(known=expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a CSV file"),
        ("valence\n1\n", "no column arousal; expected a row for each resting face"),
        ("valence,arousal\n", "a table without rows"),
        ("valence,arousal\n,\n", "a table without rows"),
        ("valence,arousal\n1,high\n", "row 1: arousal is 'high'; expected a number"),
        ("valence,arousal\n1,\n", "row 1: arousal is ''; expected a number"),
        ("valence,arousal\n1,11\n", "row 1 rests at 1, 11; expected values in the model's units, -10 to 10"),
        ("track,valence,arousal\n1.5,1,1\n", "row 1: track is 1.5; expected a whole number from 0"),
        ("track,valence,arousal\n1,1,1\n1,2,2\n", "row 2 is of the same source and track as one before it"),
    ],
)
def test_what_is_no_table_of_rests(tmp_path: Path, text: str, message: str):
    path = tmp_path / "rests.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        read_rests(path, SCALE)
    with pytest.raises(TableError, match="no such file; expected first:SECONDS, median, or a file"):
        read_rests(tmp_path / "none.csv", SCALE)


# what is made of it


def resting(count: int = 50) -> pd.DataFrame:
    rests = Rests(Baseline(known=(KnownRest(None, 0, Rest(2.0, -1.0)),)))
    rows = [estimate(k / 25, 2 + np.sin(k / 5), -1 + k / 25, track) for k in range(count) for track in (0, 1)]
    return make_table(map(rests.corrected, rows))


def test_the_summary_has_the_difference_from_rest():
    summary: dict[int, dict[Any, Any]] = {int(row["track"]): row for row in summarize(resting()).to_dict("records")}
    for name, rest in (("valence", 2.0), ("arousal", -1.0)):
        for key in ("mean", "median", "p5", "max"):
            got, raw = summary[0][f"{name}_from_rest_{key}"], summary[0][f"{name}_{key}"]
            assert got == pytest.approx(raw - rest), key
        assert summary[0][f"{name}_from_rest_sd"] == pytest.approx(summary[0][f"{name}_sd"])
        assert np.isnan(summary[1][f"{name}_from_rest_mean"])


def test_tables_of_earlier_versions_have_no_difference(tmp_path: Path):
    resting().drop(columns=FROM_REST).to_csv(tmp_path / "old.csv", index=False)
    assert read_table(tmp_path / "old.csv")[FROM_REST].isna().all(axis=None)
    assert np.isnan(summarize(tmp_path / "old.csv")["valence_from_rest_mean"]).all()


def test_the_plot_shows_where_a_person_rests():
    figure = source_figure(resting(), SCALE, "talk")
    panels = [ax for ax in figure.axes if ax.get_ylabel() in ("valence", "arousal") and not ax.get_xlabel()]
    dashed = [[np.asarray(line.get_ydata())[0] for line in ax.lines if line.get_zorder() == 1.5] for ax in panels[:5]]
    assert [2.0] in dashed
    assert [-1.0] in dashed
    assert any("the person's rest" in text.get_text() for text in figure.texts)
    plain = source_figure(resting().assign(valence_from_rest=np.nan, arousal_from_rest=np.nan), SCALE, "talk")
    assert not any("the person's rest" in text.get_text() for text in plain.texts)


def test_the_overlay_shows_where_a_person_rests(tmp_path: Path):
    face = FaceEstimate(
        0, 0.0, 0, 200, 100, 120, 160, 0.9, 5.0, 5.0, "V+A+", status="ok", valence_from_rest=7.0, arousal_from_rest=9.0
    )
    image = np.full((360, 640, 3), 90, np.uint8)
    with OverlayVideo(tmp_path / "a.mp4", 25, SCALE) as video:
        video.add(0, image, [face])
        with_rest = video._held
        at = video._on_dial(-2.0, -4.0, (400, 180), 60)
        video.add(0.04, image, [FaceEstimate(**{**vars(face), "valence_from_rest": np.nan})])
        without = video._held
    assert at == (400 - 12, 180 + 24)
    assert with_rest is not None
    assert without is not None
    changed = np.argwhere((with_rest != without).any(-1))
    assert 10 < len(changed) < 3000


def test_the_options_of_the_stream_are_those_of_the_resting_picture(estimator: Make, video: Path):
    made = estimator("SA-4")
    known = made.baseline(video / "0.png", StreamOptions(attention=True, windows="tumbling"))
    assert known == made.baseline(video / "0.png")
