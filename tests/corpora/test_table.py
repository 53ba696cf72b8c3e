from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.table import list_table


def usable(listing: CorpusListing, clip: int = 0) -> list[LabelledFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, LabelledFrame)]


def skipped(listing: CorpusListing, clip: int = 0) -> list[SkippedFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, SkippedFrame)]


def frame_of_green(frame: LabelledFrame) -> int:
    """Which frame of the video this is: its green says so."""
    return round((float(frame.image[2:-2, 2:-2, 1].mean()) - 20) / 10)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def pictures(tmp_path, write_picture) -> Path:
    for name in ("a.png", "b.jpg", "sub/c.png"):
        write_picture(tmp_path / name)
    return tmp_path


@pytest.fixture
def video(tmp_path, write_video) -> Path:
    write_video(tmp_path / "v.avi", 10, fps=25)
    return tmp_path


# images


def test_images_are_clips_of_their_own(pictures):
    table = write(
        pictures / "t.csv",
        "image,valence,arousal,subject,fold",
        "a.png,-0.5,0.25,p1,0",
        "b.jpg,0.5,-1,p2,1",
        "./sub/c.png,0,0,p1,0",
    )
    listing = list_table(table)
    assert (listing.source, listing.fps, listing.scale.low, listing.scale.high) == ("table", 0, -1, 1)
    assert [(c.name, c.subject, c.fold) for c in listing.clips] == [
        ("a.png", "p1", 0),
        ("b.jpg", "p2", 1),
        ("sub/c.png", "p1", 0),
    ]
    (frame,) = usable(listing)
    assert (frame.index, frame.time_s, frame.valence, frame.arousal, frame.landmarks) == (0, 0, -0.5, 0.25, None)
    assert frame.image[0, 0].tolist() == [200, 50, 0], "RGB"
    assert "label range [-1, 1] detected: the labels lie in [-1, 0.5]" in listing.notes
    assert "the table's own folds: 0, 1" in listing.notes


def test_columns_in_any_order_and_case_and_more_of_them(pictures):
    listing = list_table(write(pictures / "t.csv", " Arousal , VALENCE,comment,Image", "0.5,-0.5,hm,a.png"))
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(-0.5, 0.5)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_and_byte_order_mark(pictures, separator, mark):
    lines = ["image,valence,arousal".replace(",", separator), f"a.png{separator}-0.5{separator}0.25"]
    listing = list_table(write(pictures / "t.csv", mark + lines[0], lines[1]))
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(-0.5, 0.25)]


def test_decimal_comma(pictures):
    listing = list_table(write(pictures / "t.csv", "image;valence;arousal", "a.png;-0,5;0,25", "b.jpg;1;"))
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(-0.5, 0.25)]
    assert [s.reason for s in skipped(listing, 1)] == ["label_nan"]


def test_parquet(pictures):
    table = pd.DataFrame({"image": ["a.png", "b.jpg"], "valence": [0.5, np.nan], "arousal": [0.1, 0.2]})
    table["subject"], table["fold"] = [7.0, None], [1, 2]
    table.to_parquet(pictures / "t.parquet")
    listing = list_table(pictures / "t.parquet")
    assert [(c.subject, c.fold) for c in listing.clips] == [("7", 1), ("clip b.jpg", 2)]
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(0.5, 0.1)]
    assert [s.reason for s in skipped(listing, 1)] == ["label_nan"]


def test_root(pictures, tmp_path_factory):
    table = write(tmp_path_factory.mktemp("else") / "t.csv", "image,valence,arousal", "a.png,0.5,0.5")
    assert [s.reason for s in skipped(list_table(table))] == ["missing_image"]
    assert len(usable(list_table(table, root=pictures))) == 1


def test_no_subject_counts_as_a_person_of_its_own(pictures):
    listing = list_table(write(pictures / "t.csv", "image,valence,arousal", "a.png,0.5,0.5", "b.jpg,0.5,0.5"))
    assert len({clip.subject for clip in listing.clips}) == 2
    assert {clip.fold for clip in listing.clips} == {-1}
    assert "2 of 2 images have no subject: each counts as a person of its own" in listing.notes


def test_images_missing_corrupt_or_named_twice(pictures):
    (pictures / "b.jpg").write_bytes(b"")
    rows = ("a.png,0.5,0.5", "b.jpg,0.5,0.5", "no.png,0.5,0.5", ",0.5,0.5", "./a.png,0.5,0.5")
    listing = list_table(write(pictures / "t.csv", "image,valence,arousal", *rows))
    assert len(usable(listing)) == 1
    assert [skipped(listing, k)[0].reason for k in (1, 2)] == ["corrupt_image", "missing_image"]
    assert [(s.clip, s.reason) for s in listing.skipped] == [("", "missing_image"), ("a.png", "duplicate_clip")]


# the range


def with_labels(folder: Path, *values: float) -> Path:
    return write(folder / "t.csv", "image,valence,arousal", *(f"i{k}.png,{v},{v}" for k, v in enumerate(values)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.1, 0.9, 1.0), (0, 1)),
        ((-0.1, 0.9), (-1, 1)),
        ((-0.1, 7), (-10, 10)),
        ((-0.1, -5, -4), (-10, 10)),
        ((0.2, 0.5, -2, -2), (-1, 1)),  # -2: no label
        ((*[0.5] * 50, -0.5, *[-5] * 60), (-1, 1)),  # -5: no label
        ((*[0.01 * k - 0.99 for k in range(199)], 3), (-1, 1)),  # one slip of the pen
    ],
)
def test_detected_range(tmp_path, values, expected):
    listing = list_table(with_labels(tmp_path, *values))
    assert (listing.scale.low, listing.scale.high) == expected


def test_stated_range(tmp_path):
    listing = list_table(with_labels(tmp_path, 1, 5, 9), low=1, high=9)
    assert (listing.scale.low, listing.scale.high) == (1, 9)
    assert "label range [1, 9] as stated" in listing.notes
    assert listing.options == {"low": 1, "high": 9}


def test_a_range_that_nobody_uses_must_be_stated(tmp_path):
    with pytest.raises(CorpusError, match=r"the labels lie in \[1, 90\]; expected one of .* State the range"):
        list_table(with_labels(tmp_path, 1, 50, 90))
    with pytest.raises(ConfigError, match="state both or none"):
        list_table(with_labels(tmp_path, 1, 50, 90), high=100)
    with pytest.raises(ConfigError, match="low < high"):
        list_table(with_labels(tmp_path, 1, 50, 90), low=100, high=0)


def test_no_number_among_the_labels(tmp_path):
    with pytest.raises(CorpusError, match="not one label is a number"):
        list_table(write(tmp_path / "t.csv", "image,valence,arousal", "a.png,good,bad"))


# videos


@pytest.mark.parametrize("first", [0, 1])
def test_video_by_frame(video, first):
    rows = (f"v.avi,{first + k},{k / 10},0.5,ann" for k in range(10))
    listing = list_table(write(video / "t.csv", "video,frame,valence,arousal,subject", *rows))
    assert listing.fps == 25
    frames = usable(listing)
    assert [f.index for f in frames] == [first + k for k in range(10)]
    assert [frame_of_green(f) for f in frames] == list(range(10))
    assert [f.valence for f in frames] == pytest.approx([k / 10 for k in range(10)])
    assert [f.time_s for f in frames] == pytest.approx([k / 25 for k in range(10)])
    assert any("count frames from 1" in note for note in listing.notes) == (first == 1)


def test_video_by_time_slower_than_its_frames(video):
    rows = (f"v.avi,{time},{time},0.5" for time in (0.24, 0.0, 0.13))  # frames 6, 0, 3
    listing = list_table(write(video / "t.csv", "video,time_s,valence,arousal", *rows))
    frames = usable(listing)
    assert [(f.index, f.valence) for f in frames] == [(0, 0.0), (3, 0.13), (6, 0.24)]
    assert [frame_of_green(f) for f in frames] == [0, 3, 6]
    assert listing.fps == pytest.approx(1 / 0.12, abs=0.01)
    assert any("only labelled frames are taken" in note for note in listing.notes)
    assert not skipped(listing), "frames without a row are nobody's loss"


def test_video_by_time_faster_than_its_frames(video):
    rows = (f"v.avi,{time},{time},0.5" for time in (0.0, 0.01, 0.045, 0.055))
    listing = list_table(write(video / "t.csv", "video,time_s,valence,arousal", *rows))
    assert [(f.index, f.valence) for f in usable(listing)] == [(0, 0.0), (1, 0.045)]
    assert [s.reason for s in skipped(listing)] == ["duplicate_label"] * 2
    assert listing.fps == 25


def test_times_outside_the_video(video):
    rows = (f"v.avi,{time},0.5,0.5" for time in (-0.1, 0.0, 0.36, 0.39, 2))
    listing = list_table(write(video / "t.csv", "video,time_s,valence,arousal", *rows))
    assert [f.index for f in usable(listing)] == [0, 9]
    assert [(s.reason, s.detail) for s in skipped(listing)] == [
        ("missing_image", f"the video has no such frame at {time} s") for time in (-0.1, 0.39, 2)
    ]


def test_more_rows_than_frames(video):
    rows = (f"v.avi,{k},0.5,0.5" for k in range(12))
    listing = list_table(write(video / "t.csv", "video,frame,valence,arousal", *rows))
    assert len(usable(listing)) == 10
    assert [(s.index, s.reason) for s in skipped(listing)] == [(10, "missing_image"), (11, "missing_image")]


def test_wrong_rows_of_a_video(video):
    rows = ("v.avi,0,0.5,0.5", "v.avi,1,,0.5", "v.avi,2,3,0.5", "v.avi,2.5,0.5,0.5", ",3,0.5,0.5", "v.avi,0,-1,-1")
    listing = list_table(write(video / "t.csv", "video,frame,valence,arousal", *rows), low=-1, high=1)
    assert [(f.index, f.valence) for f in usable(listing)] == [(0, 0.5)]
    reasons = [(s.index, s.reason) for s in skipped(listing)]
    assert reasons == [(0, "duplicate_label"), (1, "label_nan"), (2, "label_out_of_range")]
    assert [s.detail for s in listing.skipped] == ["row 4: video 'v.avi', frame '2.5'", "row 5: video '', frame '3'"]


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "missing_video"), (b"", "corrupt_video"), (b"x", "corrupt_video")]
)
def test_video_missing_or_none(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "v.avi").write_bytes(content)
    listing = list_table(write(tmp_path / "t.csv", "video,frame,valence,arousal", "v.avi,0,0.5,0.5"))
    assert [s.reason for s in listing.clips[0].frames() if isinstance(s, SkippedFrame)] == [reason]


@pytest.mark.parametrize("column", ["subject", "fold"])
def test_two_people_in_one_video_are_refused(video, column):
    rows = ("v.avi,0,0.5,0.5,1", "v.avi,1,0.5,0.5,2")
    with pytest.raises(CorpusError, match=f"v.avi: {column} is 1 and 2; expected one {column} for a video"):
        list_table(write(video / "t.csv", f"video,frame,valence,arousal,{column}", *rows))


# what is wrong with the table


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("image,valence", "arousal"),
        ("path,valence,arousal", "image or video"),
        ("video,valence,arousal", "frame or time_s"),
    ],
)
def test_missing_columns_are_named(tmp_path, header, missing):
    table = write(tmp_path / "t.csv", header, ",".join("0" * len(header.split(","))))
    expected = rf"got the columns {header.replace(',', ', ')}; expected `image`, or `video` with .* Missing: {missing}$"
    with pytest.raises(CorpusError, match=expected):
        list_table(table)


def test_a_separator_that_is_none(tmp_path):
    with pytest.raises(CorpusError, match=r"got the columns image\|valence\|arousal; expected"):
        list_table(write(tmp_path / "t.csv", "image|valence|arousal", "a|0|0"))


def test_contradicting_columns(tmp_path):
    with pytest.raises(CorpusError, match="Both image and video are there: make a table of each"):
        list_table(write(tmp_path / "t.csv", "image,video,frame,valence,arousal", "a,b,0,0,0"))
    with pytest.raises(CorpusError, match="valence: there twice"):
        list_table(write(tmp_path / "t.csv", "image,valence,Valence,arousal", "a,0,0,0"))


@pytest.mark.parametrize("fold", ["", "x", "-1", "0.5"])
def test_folds_that_are_no_numbers(tmp_path, fold):
    with pytest.raises(CorpusError, match=f"fold of row 2 is '{fold}'; expected a whole number from 0"):
        list_table(write(tmp_path / "t.csv", "image,valence,arousal,fold", "a,0,0,1", f"b,0,0,{fold}"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "empty; expected a CSV file"),
        ("t.csv", b"image,valence,arousal\n", "a header without rows"),
        ("t.csv", b"\xff\xfe\x00image", "not UTF-8 text"),
        ("t.csv", b"PK\x03\x04\x00\x00", "not a text"),
        ("t.csv", b"image,valence,arousal\na,0,0,0,0\nb,0,0\n", "more cells than the header|not a table"),
        ("t.parquet", b"image,valence,arousal\na,0,0\n", "not readable as Parquet"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        list_table(tmp_path / name)


def test_folders_and_missing_files(tmp_path, afew_clip):
    with pytest.raises(CorpusError, match="no such file; expected a CSV or Parquet file"):
        list_table(tmp_path / "no.csv")
    afew_clip(tmp_path / "001")
    with pytest.raises(
        CorpusError, match=r"a folder; expected a CSV .*looks like AFEW-VA: use `anclaf prepare afew-va`"
    ):
        list_table(tmp_path)


def test_stamp_changes_with_labels_and_files(pictures):
    table = write(pictures / "t.csv", "image,valence,arousal", "a.png,0.5,0.5")
    first = list_table(table).clips
    assert first == list_table(table).clips
    write(table, "image,valence,arousal", "a.png,0.5,0.6")
    assert first[0].stamp != list_table(table).clips[0].stamp  # pyright: ignore[reportAttributeAccessIssue]
