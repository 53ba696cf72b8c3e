import numpy as np
import pytest

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.aff_wild2 import AffWild2Clip, list_aff_wild2
from anclaf.corpora.base import ClipNote, CorpusListing, LabelledFrame, SkippedFrame
from anclaf.data.folds import split
from anclaf.data.prepare import prepare_corpus
from anclaf.faces import TEMPLATE, Face
from anclaf.faces.detect import DETECTORS
from lookalike import aff_wild2


@pytest.fixture
def folder(tmp_path, write_picture, write_video):
    return aff_wild2(tmp_path / "Aff-Wild2", write_picture, write_video)


def clip(listing: CorpusListing, name: str) -> AffWild2Clip:
    (found,) = (one for one in listing.clips if one.name == name)
    assert isinstance(found, AffWild2Clip)
    return found


def parts(one: AffWild2Clip) -> tuple[list[LabelledFrame], list[SkippedFrame], list[str]]:
    found = list(one.frames())
    return (
        [f for f in found if isinstance(f, LabelledFrame)],
        [f for f in found if isinstance(f, SkippedFrame)],
        [f.text for f in found if isinstance(f, ClipNote)],
    )


def test_line_i_is_of_picture_i(folder):
    frames, skipped, notes = parts(clip(list_aff_wild2(folder), "1-30-1280x720"))
    assert [(f.index, f.valence, f.arousal) for f in frames] == [(k, k / 100, -k / 100) for k in (1, 3, 7, 8)]
    assert [f.time_s for f in frames] == pytest.approx([(k - 1) / 30 for k in (1, 3, 7, 8)])
    for frame in frames:
        height, width = frame.image.shape[:2]
        assert (height, width) == (72, 96), "a quarter of 48 and 64 on each side"
        assert frame.image[12:-12, 16:-16, 1].mean() == pytest.approx(20 + 10 * frame.index, abs=2), "its own picture"
        assert frame.columns == {"set": "train"}
    assert [(s.index, s.reason) for s in skipped] == [
        (2, "no_label"), (4, "missing_image"), (5, "no_label"), (6, "label_nan"), (9, "missing_image"),
    ]  # fmt: skip
    assert skipped[0].detail == "no valence and arousal"
    assert skipped[2].detail == "no arousal"
    assert notes == []


def test_a_video_alone_has_its_own_rate(folder):
    listing = list_aff_wild2(folder)
    one = clip(listing, "video 2")
    frames, _, notes = parts(one)
    assert [(f.index, f.valence) for f in frames] == [(k, k / 100) for k in range(1, 7)]
    assert [f.time_s for f in frames] == pytest.approx([k / 15 for k in range(6)], abs=1e-3)
    assert one.fps == pytest.approx(15)
    assert notes == ["8 lines of labels for 6 frames: matched from the first on"]


def test_two_people_of_a_video_are_taken_from_their_pictures_only(folder):
    listing = list_aff_wild2(folder)
    assert sorted(one.name for one in listing.clips) == ["1-30-1280x720", "pair_left", "video 2"]
    assert [(s.clip, s.reason) for s in listing.skipped] == [("pair_right", "two_people")]
    assert clip(listing, "pair_left").columns == {"set": "validation"}
    only = list_aff_wild2(folder, pictures="video")
    assert [one.name for one in only.clips] == ["video 2"]
    assert {(s.clip, s.reason) for s in only.skipped} == {
        ("1-30-1280x720", "missing_video"), ("pair_left", "two_people"), ("pair_right", "two_people"),
    }  # fmt: skip


def test_what_the_card_says(folder):
    listing = list_aff_wild2(folder)
    assert (listing.source, listing.scale.low, listing.scale.high, listing.kind) == ("aff-wild2", -1, 1, "unknown")
    notes = " | ".join(listing.notes)
    assert "read: 1 as cropped-aligned, 1 as cropped, 1 as video" in notes
    assert "1 videos are not there: 30 frames a second assumed" in notes
    assert "people: the database names nobody; 3 of 3 videos count as a person of their own" in notes


def test_people_of_the_users_own(folder, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("video,subject\npair,Ann\nvideo 2.mp4,Bo\n")
    listing = list_aff_wild2(folder, people=people)
    assert {one.name: one.subject for one in listing.clips} == {
        "1-30-1280x720": "clip 1-30-1280x720", "pair_left": "Ann", "video 2": "Bo",
    }  # fmt: skip
    people.write_text("clip,who\n")
    with pytest.raises(CorpusError, match="expected `video` and `subject`"):
        list_aff_wild2(folder, people=people)
    with pytest.raises(CorpusError, match=r"none\.csv: cannot be read"):
        list_aff_wild2(folder, people=tmp_path / "none.csv")


def test_refusals(folder, tmp_path):
    with pytest.raises(ConfigError, match="fps: got 0"):
        list_aff_wild2(folder, fps=0)
    with pytest.raises(CorpusError, match="found no clip; expected Aff-Wild2's Train_Set"):
        list_aff_wild2(folder / "batch1")


class Whole:
    name = "all-of-it"

    def __init__(self, argument: str | None):
        pass

    def detect(self, image: np.ndarray) -> list[Face]:
        side = float(min(image.shape[:2]))
        return [Face((0, 0, side, side), TEMPLATE * side, 1.0)]


def test_gaps_are_no_part_of_a_window_and_the_official_split(folder, tmp_path):
    DETECTORS.register("all-of-it", Whole)
    try:
        corpus = prepare_corpus(list_aff_wild2(folder), tmp_path / "out", image_size=32, detector="all-of-it")
    finally:
        DETECTORS.unregister("all-of-it")
    frames = [corpus.index.iloc[rows][["clip", "frame"]].to_numpy().tolist() for rows in corpus.segments()]
    assert [[number for _, number in rows] for rows in frames] == [[1], [3], [7, 8], [1, 2, 3], [1, 2, 3, 4, 5, 6]]
    for rows in frames:
        assert len({name for name, _ in rows}) == 1
    whole = split(corpus, "official", 0)
    assert set(corpus.clips[whole.test]) == {"pair_left"}
    assert (whole.protocol, whole.folds) == ("official", 1)
    assert not {*corpus.subjects[whole.train]} & {*corpus.subjects[whole.validation]}
    assert sorted([*whole.train, *whole.validation, *whole.test]) == list(range(len(corpus)))
