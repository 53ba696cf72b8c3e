"""Ratings over time as labels of `anclaf prepare table --labels FORMAT`: each format, several raters, lag."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anclaf.cli.main import main
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.rated import list_rated
from anclaf.corpora.rating_files import RATING_FORMATS
from anclaf.corpora.ratings import Ratings
from anclaf.faces import TEMPLATE, Face
from anclaf.faces.detect import DETECTORS
from lookalike import carma, talking, written

FPS = 10
nan = float("nan")


def darma(path: Path, ends: Sequence[float], x: Sequence[float], y: Sequence[float], axes: str = "X,Y") -> Path:
    head = ["Time of Rating,01-Mar-2020,,", "Multimedia File,a.mp4,,", "Multimedia Name,a,,", "Duration,3,,"]
    head += ["Magnitude,1000,,", f"Second,{axes},Button", "%%%%%%,%%%%%%,%%%%%%,%%%%%%"]
    rows = [f"{t},{written(a)},{written(b)},0" for t, a, b in zip(ends, x, y, strict=True)]
    path.write_text("\n".join(head + rows) + "\n")
    return path


def nova(
    path: Path, values: Sequence[float], rate: float = FPS, kind: str = "CONTINUOUS", name: str = "", who: str = ""
) -> Path:
    binary = path.stem.endswith("binary")
    meta = f'<meta role="novice" annotator="{who}" />' if who else ""
    path.write_text(
        f'<?xml version="1.0" ?>\n<annotation ssi-v="3">\n<info ftype="{"BINARY" if binary else "ASCII"}" '
        f'size="{len(values)}" />{meta}\n<scheme name="{name}" type="{kind}" sr="{rate}" min="0" max="1" />\n'
        "</annotation>"
    )
    data = path.with_name(path.name + "~")
    if binary:
        data.write_bytes(np.array([(v, 1) for v in values], [("s", "<f4"), ("c", "<f4")]).tobytes())
    else:
        data.write_text("".join(f"{written(v)};1\n" for v in values))
    return path


def recola(path: Path, values: Sequence[float], step: float = 0.1) -> Path:
    head = ["@relation GOLDSTANDARD", "", "@attribute Instance_name string", "@attribute frameTime numeric"]
    head += ["@attribute GoldStandard numeric", "", "% the gold standard", "@data", ""]
    rows = [f"'dev_1',{k * step:.2f},{'?' if np.isnan(v) else v}" for k, v in enumerate(values)]
    path.write_text("\n".join(head + rows) + "\n")
    return path


def pagan(path: Path, *sessions: tuple[str, str, str, Sequence[tuple[float, float]]]) -> Path:
    lines = ["OriginalName,DatabaseName,Participant,SessionID,Timestamp,VideoTime,Value"]
    for video, participant, session, changes in sessions:
        lines += [f"{video},db,{participant},{session},{9e11 + t:.0f},{t:.0f},{v:g}" for t, v in changes]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def films(tmp_path, write_video) -> Path:
    """Two videos of three seconds."""
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", 3 * FPS, FPS)
    return tmp_path


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def valence(listing: CorpusListing, clip: int = 0) -> list[float]:
    """Of each frame, NaN where it has no label; the frames are all of the video's, in order."""
    found = [nan] * 3 * FPS
    for frame in listing.clips[clip].frames():
        if isinstance(frame, LabelledFrame):
            assert frame.time_s == pytest.approx(frame.index / FPS, abs=1e-3)
            found[frame.index] = frame.valence
    return found


def test_carma_a_bin_is_of_the_second_before_its_stamp(films):
    carma(films / "v.csv", [1, 2, 3], [10, nan, 30])
    carma(films / "a.csv", [1, 2, 3], [-100, 0, 100])
    listing = list_rated(write(films / "t.csv", "video,valence,arousal,subject", "a.mp4,v.csv,a.csv,Ann"), "carma")
    np.testing.assert_array_equal(valence(listing), [10] * 10 + [nan] * 10 + [30] * 10)
    assert (listing.scale.low, listing.scale.high, listing.fps) == (-100, 100, FPS)
    frames = [f for f in listing.clips[0].frames() if isinstance(f, LabelledFrame)]
    assert [f.arousal for f in frames] == [-100] * 10 + [100] * 10
    gone = [f for f in listing.clips[0].frames() if isinstance(f, SkippedFrame)]
    assert [(f.index, f.reason, f.detail) for f in gone] == [(k, "no_label", "no valence") for k in range(10, 20)]
    assert "label range [-100, 100], which the files state" in listing.notes


def test_lag_takes_what_was_said_later(films):
    carma(films / "v.csv", [1, 2, 3], [10, 20, 30])
    table = write(films / "t.csv", "video,valence,arousal,subject", "a.mp4,v.csv,v.csv,Ann")
    listing = list_rated(table, "carma", lag=1.5)
    np.testing.assert_array_equal(valence(listing), [20] * 5 + [30] * 10 + [nan] * 15)
    assert "raters' lag: a frame's label is what was said 1.5 s after it, as stated" in listing.notes
    assert any(note.startswith("raters' lag: none taken off") for note in list_rated(table, "carma").notes)
    assert listing.options["lag_s"] == 1.5
    for wrong in (-1.0, nan, float("inf")):
        with pytest.raises(ConfigError, match=r"lag: got .*; expected 0 or more seconds"):
            list_rated(table, "carma", lag=wrong)


@pytest.mark.parametrize(
    ("axes", "first"),
    [("X,Y", "valence"), ("Valence,Arousal", "valence"), ("arousal (calm-excited),Valence", "arousal")],
)
def test_darma_has_both(films, axes, first):
    darma(films / "r.csv", [0.5 * k for k in range(1, 7)], [100] * 6, [-500, nan, 0, 1, 2, 3], axes)
    listing = list_rated(write(films / "t.csv", "video,ratings", "a.mp4,r.csv"), "darma")
    assert (listing.scale.low, listing.scale.high) == (-1000, 1000)
    frames = [f for f in listing.clips[0].frames() if isinstance(f, LabelledFrame)]
    assert [f.index for f in frames] == [*range(5), *range(10, 30)]
    x, y = (frames[0].valence, frames[0].arousal) if first == "valence" else (frames[0].arousal, frames[0].valence)
    assert (x, y) == (100, -500)


@pytest.mark.parametrize("name", ["n", "n_binary"])
def test_nova(films, name):
    values = [k / 32 for k in range(30)]
    nova(films / f"{name}.annotation", values, name="Valence", who="carl")
    nova(films / f"a{name}.annotation", [0.5, nan] * 15)
    for tilde in ("", "~"):
        row = f"a.mp4,{name}.annotation{tilde},a{name}.annotation{tilde}"
        listing = list_rated(write(films / "t.csv", "video,valence,arousal", row), "nova")
        assert valence(listing) == pytest.approx([v if k % 2 == 0 else nan for k, v in enumerate(values)], nan_ok=True)
        assert (listing.scale.low, listing.scale.high) == (0, 1)


def test_recola(films):
    values = [0.01 * k for k in range(30)]
    recola(films / "v.arff", values)
    recola(films / "a.arff", [nan, -0.5] * 15)
    listing = list_rated(write(films / "t.csv", "video,valence,arousal", "a.mp4,v.arff,a.arff"), "recola")
    assert valence(listing) == pytest.approx([v if k % 2 else nan for k, v in enumerate(values)], nan_ok=True)
    assert (listing.scale.low, listing.scale.high) == (-1, 1)


def test_pagan_holds_changes_and_its_last_line_is_the_end(films):
    pagan(
        films / "v.csv",
        ("a.mp4", "p1", "s1", [(0, 0), (1000, 5), (2000, -5), (3000, 0)]),
        ("b.mp4", "p1", "s2", [(0, 0), (500, 9), (3000, 0)]),
    )
    rows = ["a.mp4,v.csv,v.csv", "b.mp4,v.csv,v.csv"]
    listing = list_rated(write(films / "t.csv", "video,valence,arousal", *rows), "pagan", low=-10, high=10)
    assert valence(listing, 0) == [0] * 10 + [5] * 10 + [-5] * 10
    assert valence(listing, 1) == [0] * 5 + [9] * 25
    with pytest.raises(CorpusError, match=r"the files state none; the ratings lie in \[-5, 9\]\. State"):
        list_rated(films / "t.csv", "pagan")


def test_pagan_participants_are_raters(films):
    log = [("a.mp4", who, f"s{who}", [(0, 0), (1000, v), (3000, 0)]) for who, v in (("p", 2), ("q", 4), ("r", 9))]
    pagan(films / "v.csv", *log, ("a.mp4", "p", "again", [(0, 1), (3000, 0)]))
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,v.csv,v.csv")
    listing = list_rated(table, "pagan", low=-10, high=10)
    assert valence(listing) == [0.25] * 10 + [4] * 20
    (note,) = (note for note in listing.notes if note.startswith("valence: "))
    assert note.startswith("valence: 4 raters a video, 4 in all; their agreement, mean over videos")


def test_omg_emotion_is_its_own_table(tmp_path, write_video):
    for name in ("v1/utterance_1.mp4", "v1/utterance_2.mp4", "v2/utterance_1.mp4"):
        write_video(tmp_path / "Videos" / name, 3, FPS)
    table = write(
        tmp_path / "omg_TrainVideos.csv",
        "link,start,end,video,utterance,arousal,valence,EmotionMaxVote",
        "https://y.tube/1,0,1.5,v1,utterance_1.mp4,0.25,-0.5,4",
        "https://y.tube/1,1.5,3,v1,utterance_2.mp4,1,0.5,3",
        "https://y.tube/2,4,9,v2,utterance_1.mp4,,0.1,3",
        "https://y.tube/3,4,9,v3,utterance_1.mp4,1.5,0,3",
    )
    listing = list_rated(table, "omg-emotion", root=tmp_path / "Videos")
    assert [(clip.name, clip.subject) for clip in listing.clips] == [
        ("v1/utterance_1.mp4", "v1"), ("v1/utterance_2.mp4", "v1"), ("v3/utterance_1.mp4", "v3"),
    ]  # fmt: skip
    frames = [f for f in listing.clips[0].frames() if isinstance(f, LabelledFrame)]
    assert [(f.valence, f.arousal) for f in frames] == [(-0.5, -0.5)] * 3
    assert any("arousal [0, 1]; valence [-1, 1]) are each stretched to it" in note for note in listing.notes)
    assert [(s.clip, s.reason) for s in listing.skipped] == [("v2/utterance_1.mp4", "no_label")]
    assert "1 ratings outside their range were left out" in listing.notes
    assert [f.reason for f in listing.clips[2].frames() if isinstance(f, SkippedFrame)] == ["missing_video"]
    with pytest.raises(ConfigError, match="lag: 1 has no effect"):
        list_rated(table, "omg-emotion", lag=1)


def test_lag_auto_finds_how_late_raters_answer(tmp_path):
    """A face whose mouth moves at random, and two raters who say so 1.4 s later."""
    rng = np.random.default_rng(1)
    seconds = np.arange(0, 60, 1 / FPS)
    for name in ("a", "b"):
        mouth = np.convolve(rng.normal(size=len(seconds) + 40), np.ones(15), "same")[: len(seconds)]
        mouth /= np.abs(mouth).max()
        talking(tmp_path / f"{name}.mp4", mouth.tolist(), FPS)
        late = np.interp(seconds - 1.4, seconds, mouth)
        for rater, noise in (("x", 0.05), ("y", 0.1)):
            for dimension, sign in (("v", 0.4), ("a", -0.4)):
                values = 0.5 + sign * late + noise * rng.normal(size=len(late))
                nova(tmp_path / f"{name}{rater}{dimension}.annotation", np.clip(values, 0, 1).tolist())
    rows = [f"{n}.mp4,{n}{r}v.annotation,{n}{r}a.annotation,{r}" for n in "ab" for r in "xy"]
    table = write(tmp_path / "t.csv", "video,valence,arousal,rater", *rows)
    DETECTORS.register("whole", Whole)
    try:
        listing = list_rated(table, "nova", lag="auto", detector="whole")
    finally:
        DETECTORS.unregister("whole")
    assert listing.options["lag_s"] == pytest.approx(1.4, abs=0.21)
    (note,) = (note for note in listing.notes if note.startswith("raters' lag: "))
    assert "There ratings tell most of faces" in note
    best, without = map(float, re.findall(r"([\d.]+) nats; without a shift ([\d.]+);", note)[0])
    assert best > 1.3 * without


def test_lag_auto_is_refused_where_nothing_can_be_learnt(films):
    carma(films / "v.csv", [1, 2, 3], [10, 20, 30])
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,v.csv,v.csv")
    with pytest.raises(CorpusError, match=r"lag auto: 0 faces with ratings up to 6 s later; expected 100 or more"):
        list_rated(table, "carma", lag="auto", detector="haar")


# several raters


@pytest.fixture
def three(films) -> Path:
    """Three raters of a.mp4 and b.mp4: two agree; the third says something else, and nothing in the last second."""
    lines = ["video,valence,arousal,rater,subject"]
    for video, base in (("a", 0), ("b", 5)):
        for rater, said in (("x", [10, 20, 30]), ("Y ", [20, 30, 40]), ("z", [50, 48, nan])):
            carma(films / f"{video}{rater.strip()}.csv", [1, 2, 3], [v + base for v in said])
            lines.append(f"{video}.mp4,{video}{rater.strip()}.csv,{video}x.csv,{rater},{video}")
    return write(films / "t.csv", *lines)


def test_several_raters_are_joined_by_the_mean(three):
    listing = list_rated(three, "carma")
    assert len(listing.clips) == 2
    assert valence(listing) == pytest.approx([80 / 3] * 10 + [98 / 3] * 10 + [35] * 10)
    notes = [note for note in listing.notes if note.startswith("valence: ")]
    assert notes[0].startswith("valence: 3 raters a video, 3 in all; their agreement, mean over videos: pairwise CCC ")
    assert "ICC(A,1) 0.016" in notes[0]
    assert notes[1] == "valence: 33.3% of the rated time was rated by some of its raters only"
    agreed = next(note for note in listing.notes if note.startswith("arousal: "))
    assert agreed.endswith("pairwise CCC 1.000 (1.000 to 1.000), ICC(A,1) 1.000 (1.000 to 1.000), "
                           "ICC(A,k) 1.000 (1.000 to 1.000)")  # fmt: skip


def test_several_raters_are_joined_by_ewe(three):
    listing = list_rated(three, "carma", join="ewe")
    x, y, z = np.array([[10.0, 20, 30, 15, 25, 35], [20.0, 30, 40, 25, 35, 45], [50.0, 48, nan, 55, 53, nan]])
    both = np.isfinite(z)
    of_x = np.corrcoef(x, np.nanmean([y, z], 0))[0, 1]
    of_y = np.corrcoef(y, np.nanmean([x, z], 0))[0, 1]
    of_z = np.corrcoef(z[both], ((x + y) / 2)[both])[0, 1]
    weights = np.array([of_x, of_y, of_z])
    assert (weights > 0).all()
    first, second = (np.average(np.array([x[k], y[k], z[k]]), weights=weights) for k in (0, 1))
    third = np.average([30, 40], weights=weights[:2])
    assert valence(listing) == pytest.approx([first] * 10 + [second] * 10 + [third] * 10)
    assert f"valence: joined by EWE, weights {weights.min():.3f} to {weights.max():.3f}" in listing.notes
    assert listing.options["join"] == "ewe"


def test_ewe_is_refused_where_nobody_agrees_or_nobody_else_is(films):
    carma(films / "up.csv", [1, 2, 3], [1, 2, 3])
    carma(films / "down.csv", [1, 2, 3], [3, 2, 1])
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,up.csv,up.csv", "a.mp4,down.csv,up.csv")
    with pytest.raises(CorpusError, match="valence: no rater agrees with the others"):
        list_rated(table, "carma", join="ewe")
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,up.csv,up.csv")
    with pytest.raises(ConfigError, match="join: ewe has no effect: no video has several raters"):
        list_rated(table, "carma", join="ewe")


def test_raters_of_different_rates_and_ranges(films):
    carma(films / "slow.csv", [1, 2, 3], [0, 5, 10], 0, 10)
    carma(films / "fast.csv", [0.25 * k for k in range(1, 13)], [-100] * 6 + [100] * 6)
    rows = ["a.mp4,slow.csv,slow.csv", "a.mp4,fast.csv,fast.csv"]
    listing = list_rated(write(films / "t.csv", "video,valence,arousal", *rows), "carma")
    assert (listing.scale.low, listing.scale.high) == (-1, 1)
    assert valence(listing) == [-1] * 10 + [-0.5] * 5 + [0.5] * 5 + [1] * 10
    assert "ratings at 1 to 4 a second: each value holds for its own interval" in listing.notes
    assert any("valence [-100, 100]; valence [0, 10]) are each stretched" in note for note in listing.notes)
    assert any("those whom no file names are others in each video" in note for note in listing.notes)
    stated = list_rated(films / "t.csv", "carma", low=-100, high=100)
    assert valence(stated)[0] == -50, "the user's word counts"


def test_a_rater_twice_in_a_video_is_refused(films):
    carma(films / "v.csv", [1, 2, 3], [1, 2, 3])
    rows = ["a.mp4,v.csv,v.csv,ann", "a.mp4,v.csv,v.csv,Ann"]
    table = write(films / "t.csv", "video,valence,arousal,rater", *rows)
    with pytest.raises(CorpusError, match="rater 'ann' has two ratings of one dimension"):
        list_rated(table, "carma")


def test_further_columns_of_a_video(three):
    lines = three.read_text().splitlines()
    sex = ["sex,site", "f,1", "f,2", ",1", "m,1", "m,1", "m,1"]
    write(three, *(f"{line},{more}" for line, more in zip(lines, sex, strict=True)))
    listing = list_rated(three, "carma")
    kept = [next(f for f in clip.frames() if isinstance(f, LabelledFrame)).columns for clip in listing.clips]
    assert kept == [{"sex": "f", "site": ""}, {"sex": "m", "site": "1"}]
    assert "a.mp4: its rows differ in site, which is left empty" in listing.notes
    listing = list_rated(three, "carma", columns=["sex"])
    assert next(f for f in listing.clips[1].frames() if isinstance(f, LabelledFrame)).columns == {"sex": "m"}


# what goes wrong


def test_files_that_cannot_be_used_are_named(films):
    carma(films / "v.csv", [1, 2, 3], [1, 2, 3])
    write(films / "no.csv", "Second,Rating", "1,2")
    rows = ["a.mp4,v.csv,v.csv", "b.mp4,gone.csv,v.csv", "b.mp4,no.csv,", ",v.csv,v.csv", "c.mp4,v.csv,v.csv"]
    listing = list_rated(write(films / "t.csv", "video,valence,arousal", *rows), "carma")
    assert [clip.name for clip in listing.clips] == ["a.mp4", "c.mp4"]
    assert [(s.clip, s.reason) for s in listing.skipped] == [
        ("b.mp4", "missing_labels"), ("b.mp4", "corrupt_annotation"), ("", "missing_video"), ("b.mp4", "no_label"),
    ]  # fmt: skip
    assert listing.skipped[1].detail == (
        "row 3: no.csv: no line `Second,…` before one of `%%%%%%`; expected a file that CARMA wrote"
    )
    assert [f.reason for f in listing.clips[1].frames() if isinstance(f, SkippedFrame)] == ["missing_video"]


def test_a_table_without_usable_files(films):
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,x.csv,x.csv")
    with pytest.raises(CorpusError, match=r"nothing in this table corpus is usable: missing_labels 2, no_label 1"):
        list_rated(table, "nova")
    with pytest.raises(CorpusError, match=r"expected `video`; `valence` and `arousal`, or `ratings`.*Missing: arousal"):
        list_rated(write(films / "t.csv", "video,valence", "a.mp4,x.csv"), "carma")
    with pytest.raises(ConfigError, match="rating format 'elan': expected one of carma, darma, nova, omg-emotion"):
        list_rated(table, "elan")


def test_a_file_of_another_dimension_than_its_column_is_refused(films):
    nova(films / "n.annotation", [0.5] * 30, name="arousal")
    table = write(films / "t.csv", "video,valence,arousal", "a.mp4,n.annotation,n.annotation")
    with pytest.raises(CorpusError, match=r"n.annotation: is of arousal, but stands under valence"):
        list_rated(table, "nova")


def test_subjects_that_contradict(films):
    carma(films / "v.csv", [1], [1])
    rows = ["a.mp4,v.csv,v.csv,Ann,x", "a.mp4,v.csv,v.csv,Bo,y"]
    with pytest.raises(CorpusError, match=r"a\.mp4: subject is Ann and Bo; expected one for a video"):
        list_rated(write(films / "t.csv", "video,valence,arousal,subject,rater", *rows), "carma")
    rows = ["a.mp4,v.csv,v.csv,,x", "a.mp4,v.csv,v.csv,Bo,y"]
    listing = list_rated(write(films / "t.csv", "video,valence,arousal,subject,rater", *rows), "carma")
    assert [clip.subject for clip in listing.clips] == ["Bo"]


Make = Callable[[Path], object]
WRONG: dict[str, list[Make]] = {
    "carma": [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff"),
        lambda p: p.write_text(carma(p, [1], [1], 5, 5).read_text().replace('"5"', '"five"')),
        lambda p: carma(p, [1], [1], 5, 5),
    ],
    "darma": [
        lambda p: carma(p, [1], [1]),
        lambda p: darma(p, [1], [1], [1], "Valence,Valence"),
        lambda p: darma(p, [1], [1], [1], "Valence,Warmth"),
    ],
    "nova": [
        lambda p: p.write_text("<annotation"),
        lambda p: p.write_text('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>'),
        lambda p: p.write_text("<annotation/>"),
        lambda p: nova(p, [1], kind="DISCRETE"),
        lambda p: nova(p, [1], rate=0),
        lambda p: nova(p, [1]).with_name(p.name + "~").write_text("a;b\n"),
    ],
    "pagan": [lambda p: p.write_text("a,b\n1,2\n"), lambda p: p.write_bytes(b"\xff\xd8")],
    "recola": [
        lambda p: p.write_text("a,b\n1,2\n"),
        lambda p: p.write_text(recola(p, [1]).read_text() + "'dev_1',1\n"),
        lambda p: p.write_text(recola(p, [1]).read_text() + "'dev_1',x,1\n"),
        lambda p: p.write_bytes(b"\xff\xd8"),
    ],
    "omg-emotion": [lambda p: p.write_text("a,b\n1,2\n")],
}


@pytest.mark.parametrize(("name", "make"), [(name, make) for name, makes in WRONG.items() for make in makes])
def test_files_of_another_kind_are_told_in_a_line(tmp_path, name, make):
    path = tmp_path / "file.annotation"
    make(path)
    with pytest.raises((CorpusError, ConfigError), match=r"^[^\n]*(expected|in Excel)[^\n]*$"):
        RATING_FORMATS.get(name).read(path)


def test_a_decimal_comma_in_a_sheet_that_was_saved_again(tmp_path):
    carma(tmp_path / "v.csv", [0.5, 1], [1.5, -2.5])
    text = (tmp_path / "v.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "v.csv").write_bytes(text.encode("utf-16"))
    (ratings,) = RATING_FORMATS.get("carma").read(tmp_path / "v.csv")
    assert ratings.value.tolist() == [1.5, -2.5]
    assert ratings.stop.tolist() == [0.5, 1]


def test_two_instances_of_one_arff(tmp_path):
    path = recola(tmp_path / "v.arff", [0.1, 0.2])
    path.write_text(path.read_text() + "dev_2,0.00,0.7\ndev_2,0.10,0.8\n")
    found: list[Ratings] = RATING_FORMATS.get("recola").read(path)
    assert [(one.video, one.value.tolist()) for one in found] == [("dev_1", [0.1, 0.2]), ("dev_2", [0.7, 0.8])]


# the command


class Whole:
    """Takes the left of a frame for a face."""

    name = "whole"

    def __init__(self, argument: str | None):
        pass

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        height = float(image.shape[0])
        return [Face((0, 0, height, height), TEMPLATE * height, 1.0)]


def test_the_command_prepares_and_shows_agreement(three, tmp_path, capsys):
    assert main(["prepare", "table", str(three), str(tmp_path / "o"), "--lag", "1"]) == 2
    assert "--lag 1.0 has no effect without --labels" in capsys.readouterr().err
    assert main(["prepare", "table", str(three), str(tmp_path / "o"), "--join", "mean"]) == 2
    assert "--join mean has no effect without --labels" in capsys.readouterr().err
    DETECTORS.register("whole", Whole)
    try:
        argv = ["prepare", "table", str(three), str(tmp_path / "o"), "--labels", "carma", "--join", "ewe", "--lag", "1"]
        assert main([*argv, "--detector", "whole"]) == 0
    finally:
        DETECTORS.unregister("whole")
    said = capsys.readouterr().err
    assert "40 frames of 2 clips, 2 people (table)" in said
    assert "note: valence: 3 raters a video" in said
    assert "skipped, no_label: 20" in said
