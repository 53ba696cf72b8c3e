import datetime
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import openpyxl
import pandas as pd
import pytest

from anclaf.cli.main import main
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.labels import SCALES
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


def test_further_columns_are_kept_with_their_frame(pictures):
    table = write(
        pictures / "t.csv",
        "Sex,image,valence,arousal,AGE ,empty,,time",
        "f,a.png,-0.5,0.25,31,,x,noon",
        ",b.jpg,0.5,-1,,,y,",
    )
    listing = list_table(table)
    kept = [frame.columns for clip in range(2) for frame in usable(listing, clip)]
    assert kept == [{"sex": "f", "age": "31", "time": "noon"}, {"sex": "", "age": "", "time": ""}]
    (frame,) = usable(list_table(table, columns=["age", "Sex"]))
    assert frame.columns == {"age": "31", "sex": "f"}
    with pytest.raises(CorpusError, match=r"column 'height' cannot be kept; expected one of sex, age, empty, time"):
        list_table(table, columns=["age", "height"])
    with pytest.raises(CorpusError, match="column 'valence' cannot be kept"):
        list_table(table, columns=["valence"])


def test_further_columns_of_a_video_whatever_they_are_called(video):
    lines = ["video,frame,valence,arousal,at,name,time,lost,camera"]
    lines += [f"v.avi,{k},0.{k},-0.{k},at{k},n{k},t{k},l{k},c{k % 2}" for k in (3, 1, 2)]
    table = write(video / "t.csv", *lines)
    listing = list_table(table)
    frames = usable(listing)
    assert [(frame.index, frame_of_green(frame)) for frame in frames] == [(1, 0), (2, 1), (3, 2)]
    assert [f.columns for f in frames] == [
        {"at": f"at{k}", "name": f"n{k}", "time": f"t{k}", "lost": f"l{k}", "camera": f"c{k % 2}"} for k in (1, 2, 3)
    ]
    before = listing.clips[0].stamp  # pyright: ignore[reportAttributeAccessIssue]
    write(table, *lines[:-1], lines[-1].replace("c0", "c9"))
    assert list_table(table).clips[0].stamp != before  # pyright: ignore[reportAttributeAccessIssue]


def test_a_table_of_measurements_keeps_none_unasked(pictures):
    names = [f"au{k}" for k in range(33)]
    table = write(
        pictures / "t.csv",
        ",".join(["image", "valence", "arousal", *names]),
        ",".join(["a.png", "-0.5", "0.5"] + ["1"] * 33),
    )
    listing = list_table(table)
    assert [f.columns for f in usable(listing)] == [{}]
    assert "33 further columns, none kept: name those by which results are to be split (--columns)" in listing.notes
    assert [f.columns for f in usable(list_table(table, columns=["au7"]))] == [{"au7": "1"}]


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


@pytest.mark.parametrize("comma", [",", ";"])
def test_numbers_as_people_type_them(pictures, comma):
    def quoted(cell: str) -> str:
        return f'"{cell}"' if "," in cell and comma == "," else cell

    cells = [("\u22120.5", "0,25"), ("\u2013,5", "+0,250"), ("-5e\u22121", "0.25"), ("", "n/a")]
    names = ("a.png", "b.jpg", "sub/c.png", "sub/d.png")
    rows = [comma.join([name, *map(quoted, pair)]) for name, pair in zip(names, cells, strict=True)]
    listing = list_table(write(pictures / "t.csv", comma.join(["image", "valence", "arousal"]), *rows))
    for clip in range(3):
        assert [(f.valence, f.arousal) for f in usable(listing, clip)] == [(-0.5, 0.25)], cells[clip]
    assert [s.reason for s in skipped(listing, 3)] == ["label_nan"]


def test_one_and_three_digits_or_a_thousand(pictures):
    table = write(pictures / "t.csv", "image,valence,arousal", 'a.png,"1,000",0.5', 'b.jpg,"0,125",-0.5')
    listing = list_table(table)
    assert [s.detail for s in listing.skipped] == ["row 1: valence is '1,000'; expected a number"]
    assert [f.valence for f in usable(listing)] == [0.125]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["sep={}", "SEP={}", '"sep={}"', "\ufeffsep={}", "\nsep={}"])
def test_the_line_that_names_the_separator(pictures, separator, first):
    lines = ("image,valence,arousal,subject", "a.png,0.5,-0.2,a")
    text = "\r\n".join([first.format(separator), *(line.replace(",", separator) for line in lines)]) + "\r\n"
    (pictures / "t.csv").write_bytes(text.encode())
    listing = list_table(pictures / "t.csv")
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(0.5, -0.2)]
    assert [clip.subject for clip in listing.clips] == ["a"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_encodings(pictures, encoding):
    text = "image\tvalence\tarousal\tsubject\r\na.png\t0,5\t\u22120,2\tMüller\r\n"
    (pictures / "t.txt").write_bytes(text.encode(encoding))
    listing = list_table(pictures / "t.txt")
    assert [(f.valence, f.arousal) for f in usable(listing)] == [(0.5, -0.2)]
    assert [clip.subject for clip in listing.clips] == ["Müller"]


# workbooks


def workbook(path: Path, *rows: tuple[object, ...], sheets: Mapping[str, Sequence[tuple[object, ...]]] = {}) -> Path:
    book = openpyxl.Workbook()
    for title, content in {"labels": rows, **sheets}.items():
        sheet = book.create_sheet(title)
        for row in content:
            sheet.append(row)
    del book["Sheet"]
    book.save(path)
    return path


def test_a_workbook(pictures):
    rows = [
        ("Image", "valence", "arousal", None, "subject", "fold"),
        ("a.png", 0.5, -0.25, None, "Müller", 0),
        (),
        ("b.jpg", "\u22120,5", 1, None, 7.0, 1),
        ("sub/c.png", None, 0.5, None, None, 2),
        ("d.png", datetime.date(2026, 5, 1), 0.5, None, None, 2),
    ]
    notes = {"notes": [("who", "what"), ("ann", "rated")]}
    listing = list_table(workbook(pictures / "t.xlsx", *rows, sheets=notes))
    assert [(c.name, c.subject, c.fold) for c in listing.clips] == [
        ("a.png", "Müller", 0),
        ("b.jpg", "7", 1),
        ("sub/c.png", "clip sub/c.png", 2),
    ]
    assert [[(f.valence, f.arousal) for f in usable(listing, k)] for k in range(3)] == [[(0.5, -0.25)], [(-0.5, 1)], []]
    assert [s.reason for s in skipped(listing, 2)] == ["label_nan"]
    assert [s.detail for s in listing.skipped] == ["row 4: valence is '2026-05-01 00:00:00'; expected a number"], (
        "what Excel makes of 1.5 in some countries"
    )


def test_a_workbook_by_video_and_frame(video):
    rows = [("video", "frame", "valence", "arousal"), *(("v.avi", k, k / 10, 0.5) for k in range(10))]
    listing = list_table(workbook(video / "t.xlsx", *rows))
    assert [(f.index, f.valence) for f in usable(listing)] == [(k, pytest.approx(k / 10)) for k in range(10)]


HEADER = ("image", "valence", "arousal")


def test_workbooks_that_cannot_be_taken(tmp_path):
    path = tmp_path / "t.xlsx"
    with pytest.raises(CorpusError, match="the sheets 'labels', 'more' all hold such a table; expected one"):
        list_table(workbook(path, HEADER, ("a.png", 0, 0), sheets={"more": [HEADER, ("b.png", 0, 0)]}))
    with pytest.raises(CorpusError, match=r"sheet 'labels': B2 is a formula without a value\. Open it in Excel"):
        list_table(workbook(path, HEADER, ("a.png", "=1/2", 0)))
    with pytest.raises(CorpusError, match="got the columns who; expected"):
        list_table(workbook(path, ("who",), ("ann",)))
    with pytest.raises(CorpusError, match="a workbook without cells"):
        list_table(workbook(path))
    book = openpyxl.load_workbook(workbook(path, (*HEADER, "subject"), ("a.png", 0, 0, "ann"), ("b.png", 0, 0)))
    book["labels"].merge_cells("D2:D3")
    book.save(path)
    with pytest.raises(CorpusError, match=r"sheet 'labels' has merged cells \(D2:D3\), of which only the first"):
        list_table(path)
    whole = path.read_bytes()
    for content, message in (
        (b"image,valence", "not an .xlsx workbook, or protected by a password"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not an .xlsx workbook, or protected by a password"),
        (whole.replace(b"workbook.xml", b"workbook.abc"), "a damaged workbook"),
    ):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=message):
            list_table(path)


def test_a_workbook_without_its_reader(pictures, monkeypatch):
    path = workbook(pictures / "t.xlsx", HEADER, ("a.png", 0.5, 0.5))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ConfigError, match=r"pip install 'anclaf\[xlsx\]'; or save it as `CSV UTF-8`"):
        list_table(path)


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
        ((-0.1, 8), (-10, 10)),
        ((-9, -5, -4), (-10, 10)),
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
    with pytest.raises(CorpusError, match=r"the labels lie in \[1, 90\]; expected one of percent .* State the range"):
        list_table(with_labels(tmp_path, 1, 50, 90))
    with pytest.raises(ConfigError, match="state both or none"):
        list_table(with_labels(tmp_path, 1, 50, 90), high=100)
    with pytest.raises(ConfigError, match="low < high"):
        list_table(with_labels(tmp_path, 1, 50, 90), low=100, high=0)


@pytest.mark.parametrize(
    ("values", "offered"),
    [
        ((1, 5, 9), "afew-va (-10 to 10), sam9 (1 to 9), percent (0 to 100)"),
        ((1, 2, 5), "afew-va (-10 to 10), sam5 (1 to 5), sam7 (1 to 7), sam9 (1 to 9), percent (0 to 100)"),
        ((-3, 0, 4), "afew-va (-10 to 10)"),
        ((-7, 7), "afew-va (-10 to 10)"),
        ((*[0.5] * 200, 3), "afew-va (-10 to 10), percent (0 to 100)"),
        ((-100, 100), ""),
    ],
)
def test_a_range_that_is_not_certain_is_asked_for(tmp_path, values, offered):
    table = with_labels(tmp_path, *values)
    with pytest.raises(CorpusError) as error:
        list_table(table)
    expected = f"expected one of {offered + ', ' if offered else ''}another by its ends. State the range: --scale NAME"
    assert f"the labels lie in [{min(values):g}, {max(values):g}]; {expected}, or --low and --high" in str(error.value)


@pytest.mark.parametrize("name", SCALES)
def test_ranges_by_name(tmp_path, name):
    scale = SCALES[name]
    listing = list_table(with_labels(tmp_path, scale.low, scale.high), scale=name)
    assert listing.scale == scale
    assert listing.options == {"low": scale.low, "high": scale.high}, "as if its ends were stated"
    assert f"label range [{scale.low:g}, {scale.high:g}] as stated ({name})" in listing.notes


def test_sam_on_the_command_line(pictures, capsys):
    table = write(pictures / "t.csv", "image,valence,arousal,subject", "a.png,1,5,a", "b.jpg,9,4,b")
    words = ["prepare", "table", str(table), str(pictures / "out"), "--detector", "haar"]
    assert main(words) == 2
    assert "State the range: --scale NAME" in capsys.readouterr().err
    assert main([*words, "--scale", "sam9"]) == 2  # which are pictures without faces
    assert "no_face 2" in capsys.readouterr().err
    listing = list_table(table, scale="sam9")
    assert listing.scale.normalise([1, 5, 9]).tolist() == [-1, 0, 1]
    assert [(f.valence, f.arousal) for f in usable(listing, 1)] == [(9, 4)]


def test_a_range_is_stated_once(tmp_path):
    table = with_labels(tmp_path, 1, 5, 9)
    with pytest.raises(ConfigError, match="scale=sam9, low=1 and high=9; state the one or the other"):
        list_table(table, scale="sam9", low=1, high=9)
    with pytest.raises(ConfigError, match="scale='sam'; expected one of unit, signed, afew-va, sam5, sam7, sam9"):
        list_table(table, scale="sam")


def test_labels_that_are_never_negative_may_be_of_a_range_that_is(tmp_path):
    note = "no label is below 0: if they could be, state --scale signed"
    assert note in list_table(with_labels(tmp_path, 0.1, 0.9)).notes
    assert note not in list_table(with_labels(tmp_path, 0.1, 0.9), scale="unit").notes
    assert note not in list_table(with_labels(tmp_path, -0.1, 0.9)).notes


def test_a_text_where_a_label_belongs_is_quoted(pictures):
    rows = ("a.png,0.5,0.5", "b.jpg,good,0.5", "sub/c.png,n/a,0.5", "d.png,0.5,2026-05-01")
    listing = list_table(write(pictures / "t.csv", "image,valence,arousal", *rows))
    assert [(s.clip, s.reason, s.detail) for s in listing.skipped] == [
        ("b.jpg", "label_no_number", "row 2: valence is 'good'; expected a number"),
        ("d.png", "label_no_number", "row 4: arousal is '2026-05-01'; expected a number"),
    ]
    assert [s.reason for s in skipped(listing, 1)] == ["label_nan"], "n/a is no label, as nothing is"
    assert [clip.name for clip in listing.clips] == ["a.png", "sub/c.png"]


def test_no_number_among_the_labels(tmp_path):
    with pytest.raises(CorpusError, match="not one label is a number; row 1: valence is 'good' and arousal is 'bad'"):
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


# frame and time_s together


def both(video: Path, *rows: tuple[int, str], name: str = "v.avi") -> CorpusListing:
    lines = (f"{name},{frame},{time},0.5,-0.5" for frame, time in rows)
    return list_table(write(video / "t.csv", "video,frame,time_s,valence,arousal", *lines))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("digits", [1, 2, 3, 6])
def test_frame_and_time_that_agree(video, first, digits):
    listing = both(video, *((first + k, f"{k / 25:.{digits}f}") for k in range(10)), (9 + first, ""))
    assert [frame_of_green(f) for f in usable(listing)] == list(range(10))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (((0, "0"), (5, "1.0")), "row 2 says frame 5 and time_s 1, but that frame is at 0.2 s"),
        (((0, "0.20"), (1, "0.24")), "row 1 says frame 0 and time_s 0.2, but that frame is at 0 s"),
        (((0, "0"), (2, "0.04"), (1, "0.08")), "row 3 says frame 1 and time_s 0.08, but that frame is at 0.04 s"),
    ],
)
def test_frame_and_time_that_contradict_each_other(video, rows, said):
    with pytest.raises(CorpusError) as error:
        both(video, *rows)
    assert str(error.value) == f"v.avi: {said}. Correct one, or leave one of the two columns out"


def test_a_text_for_a_time_beside_frames_is_quoted(video):
    listing = both(video, (0, "0"), (1, "about 1"), (2, "NA"))
    assert [frame_of_green(f) for f in usable(listing)] == [0, 2]
    assert [(s.reason, s.detail) for s in listing.skipped] == [
        ("corrupt_annotation", "row 2: video 'v.avi', frame '1', time_s 'about 1'")
    ]


def test_the_clock_of_a_video_whose_rate_varies(tmp_path):
    """Pictures at 0, 0.04, 0.2, 0.24 s: the average rate fits none of them."""
    with av.open(str(tmp_path / "v.mkv"), "w") as box:
        stream = box.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in (0, 1, 5, 6):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * at, np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 25)
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    listing = both(tmp_path, (0, "0.00"), (1, "0.04"), (2, "0.20"), (3, "0.24"), name="v.mkv")
    assert [(f.index, round(f.time_s, 2)) for f in usable(listing)] == [(0, 0), (1, 0.04), (2, 0.2), (3, 0.24)]
    listing = both(tmp_path, (0, "0.00"), (1, "0.04"), (2, "0.08"), name="v.mkv")  # as if there were no hole
    assert [f.index for f in usable(listing)] == [0, 1]
    assert [(s.index, s.reason, s.detail) for s in skipped(listing)] == [
        (2, "contradictory_time", "time_s is 0.08, but the frame is at 0.2 s")
    ]
    with pytest.raises(CorpusError, match=r"row 3 says frame 2 and time_s 1, but that frame is at 0\.2 s"):
        both(tmp_path, (0, "0.00"), (1, "0.04"), (2, "1"), name="v.mkv")


def test_of_a_video_that_is_not_there_only_the_order_can_be_wrong(tmp_path):
    assert [s.reason for s in skipped(both(tmp_path, (0, "0"), (7, "1.5")))] == ["missing_video"]
    with pytest.raises(CorpusError, match=r"row 2 says frame 7 and time_s 1, but that frame is at 1\.5 s or later"):
        both(tmp_path, (3, "1.5"), (7, "1.0"))


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
    for second in ("Valence", "valence", '"valence"', "valence "):
        with pytest.raises(CorpusError, match="valence: there twice"):
            list_table(write(tmp_path / "t.csv", f"image,valence,{second},arousal", "a,0,0,0"))


@pytest.mark.parametrize("fold", ["", "x", "-1", "0.5"])
def test_folds_that_are_no_numbers(tmp_path, fold):
    with pytest.raises(CorpusError, match=f"fold of row 2 is '{fold}'; expected a whole number from 0"):
        list_table(write(tmp_path / "t.csv", "image,valence,arousal,fold", "a,0,0,1", f"b,0,0,{fold}"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "empty; expected a CSV file"),
        ("t.csv", b"image,valence,arousal\n", "a header without rows"),
        ("t.csv", "image;M\xfcller".encode("latin-1"), "not UTF-8 text; in Excel, save it as `CSV UTF-8`"),
        ("t.csv", b"\xff\xfe\x00image", "got the columns"),
        ("t.csv", b"PK\x03\x04\x00\x00", "a workbook or a zip archive without the suffix .xlsx; save it as .xlsx"),
        ("t.xls", b"\xd0\xcf\x11\xe0" + bytes(99), r"a workbook of an old Excel \(.xls\); save it as .xlsx or as"),
        ("t.csv", b"\0\1\2\3", "not a text"),
        ("t.csv", b"image,valence,arousal\na,0,0,0,0\nb,0,0\n", "more cells than the header|not a table"),
        ("t.parquet", b"image,valence,arousal\na,0,0\n", "not readable as Parquet"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        list_table(tmp_path / name)


def test_folders_and_missing_files(tmp_path, afew_clip):
    with pytest.raises(CorpusError, match=r"no such file; expected a CSV, \.xlsx or Parquet file"):
        list_table(tmp_path / "no.csv")
    afew_clip(tmp_path / "001")
    with pytest.raises(
        CorpusError, match=r"a folder; expected a CSV.*looks like AFEW-VA: use `anclaf prepare afew-va`"
    ):
        list_table(tmp_path)


def test_stamp_changes_with_labels_and_files(pictures):
    table = write(pictures / "t.csv", "image,valence,arousal", "a.png,0.5,0.5")
    first = list_table(table).clips
    assert [*first] == [*list_table(table).clips]
    write(table, "image,valence,arousal", "a.png,0.5,0.6")
    assert first[0].stamp != list_table(table).clips[0].stamp  # pyright: ignore[reportAttributeAccessIssue]
