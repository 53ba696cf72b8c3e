import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.afew_va import list_afew_va
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame


def usable(listing: CorpusListing, clip: int = 0) -> list[LabelledFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, LabelledFrame)]


def skipped(listing: CorpusListing, clip: int = 0) -> list[SkippedFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, SkippedFrame)]


def test_frames_carry_image_labels_landmarks_and_time(tmp_path, afew_clip):
    afew_clip(tmp_path / "001")
    listing = list_afew_va(tmp_path)
    assert (listing.source, listing.scale.low, listing.scale.high, listing.fps) == ("afew-va", -10, 10, 25)
    assert any("25 frames a second assumed" in note for note in listing.notes)
    clip = listing.clips[0]
    assert (clip.name, clip.subject, clip.fold) == ("001", "Ann", -1)
    frames = usable(listing)
    assert [(f.index, f.valence, f.arousal) for f in frames] == [(0, -2, 0), (1, -1, 1), (2, 0, 2), (3, 1, 3)]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    for k, frame in enumerate(frames):
        assert frame.image.shape == (48, 64, 3)
        assert frame.image[0, 0].tolist() == [200, 20 + 10 * k, 0], "RGB"
        assert frame.landmarks is not None
        assert frame.landmarks.shape == (68, 2)
        assert (
            frame.landmarks[5].tolist()
            == json.loads((tmp_path / "001/001.json").read_text())["frames"]["00000"]["landmarks"][5]
        )


@pytest.mark.parametrize("where", ["001", "01/001", "data/001", "samples/12/001", "AFEW-VA/data/03/001"])
def test_any_layout(tmp_path, afew_clip, where):
    afew_clip(tmp_path / where)
    assert [clip.name for clip in list_afew_va(tmp_path).clips] == ["001"]
    assert len(usable(list_afew_va(tmp_path))) == 4


def test_a_clip_given_as_the_folder_itself(tmp_path, afew_clip):
    assert len(list_afew_va(afew_clip(tmp_path / "001")).clips) == 1


def test_cropped_folders_are_ignored(tmp_path, afew_clip):
    afew_clip(tmp_path / "001")
    afew_clip(tmp_path / "001_cropped" / "002")
    afew_clip(tmp_path / "01_cropped" / "003")
    assert [clip.name for clip in list_afew_va(tmp_path).clips] == ["001"]


@pytest.mark.parametrize("first", [0, 1, 37])
def test_any_first_index(tmp_path, afew_clip, first):
    afew_clip(tmp_path / "001", first=first)
    frames = usable(list_afew_va(tmp_path))
    assert [f.index for f in frames] == list(range(first, first + 4))
    assert [f.time_s for f in frames] == pytest.approx([0, 0.04, 0.08, 0.12])


@pytest.mark.parametrize("label", [int, float, str])
def test_labels_of_any_number_type_and_extra_keys(tmp_path, afew_clip, label):
    def edit(record):
        record["emotion"] = "sad"
        record["frames"]["00000"] |= {"emotion": "sad", "score": None}

    afew_clip(tmp_path / "001", label=label, edit=edit)
    assert [(f.valence, f.arousal) for f in usable(list_afew_va(tmp_path))] == [(-2, 0), (-1, 1), (0, 2), (1, 3)]


def test_anamorphic_divides_x_and_stretches_the_frame(tmp_path, afew_clip):
    afew_clip(tmp_path / "001")
    plain, wide = (usable(list_afew_va(tmp_path, anamorphic=on))[0] for on in (False, True))
    assert plain.landmarks is not None
    assert wide.landmarks is not None
    np.testing.assert_allclose(wide.landmarks, plain.landmarks / [0.75, 1])
    assert wide.image.shape == (48, 85, 3)
    assert wide.image[10, 80].tolist() == plain.image[10, 60].tolist()
    listing = list_afew_va(tmp_path, anamorphic=True)
    assert listing.options["anamorphic"] is True
    assert any("0.75" in note for note in listing.notes)


def test_anamorphic_keeps_landmarks_on_their_pixels(tmp_path, afew_clip):
    import cv2

    folder = afew_clip(tmp_path / "001", frames=1)
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 40] = 255
    cv2.imwrite(str(folder / "00000.png"), image)
    wide = usable(list_afew_va(tmp_path, anamorphic=True))[0].image[20, :, 0].astype(float)
    assert (wide * np.arange(len(wide))).sum() / wide.sum() == pytest.approx(40 / 0.75, abs=0.1), (
        "cv2.resize would be 0.17 off"
    )


def test_no_actor_counts_as_a_person_of_its_own(tmp_path, afew_clip):
    afew_clip(tmp_path / "001", actor=None)
    afew_clip(tmp_path / "002", actor=None)
    afew_clip(tmp_path / "003", actor="Bo")
    listing = list_afew_va(tmp_path)
    assert len({clip.subject for clip in listing.clips}) == 3
    assert "2 clips name no actor: each counts as a person of its own" in listing.notes


def test_the_same_clip_twice_is_taken_once(tmp_path, afew_clip):
    afew_clip(tmp_path / "01" / "001")
    afew_clip(tmp_path / "data" / "001")
    listing = list_afew_va(tmp_path)
    assert len(listing.clips) == 1
    assert [(s.clip, s.reason) for s in listing.skipped] == [("001", "duplicate_clip")]


def test_source_name_is_the_caller_s(tmp_path, afew_clip):
    afew_clip(tmp_path / "001")
    listing = list_afew_va(tmp_path, source_name="puppet")
    assert listing.source == "puppet"
    assert not any("assumed" in note for note in listing.notes)


def test_clips_are_light_and_picklable(tmp_path, afew_clip):
    afew_clip(tmp_path / "001", frames=30)
    data = pickle.dumps(list_afew_va(tmp_path).clips[0])
    assert len(data) < 2000
    assert len(list(pickle.loads(data).frames())) == 30


def test_stamp_changes_with_the_files(tmp_path, afew_clip):
    folder = afew_clip(tmp_path / "001")
    before = list_afew_va(tmp_path).clips
    (folder / "00001.png").write_bytes(b"other")
    after = list_afew_va(tmp_path).clips
    assert before != after
    assert after == list_afew_va(tmp_path).clips


# what is wrong on disk


def test_json_cut_short(tmp_path, afew_clip):
    afew_clip(tmp_path / "002")
    path = afew_clip(tmp_path / "001") / "001.json"
    clip = list_afew_va(tmp_path).clips[0]
    path.write_text(path.read_text()[:-300])
    listing = list_afew_va(tmp_path)
    assert [clip.name for clip in listing.clips] == ["002"]
    assert [(s.clip, s.index, s.reason) for s in listing.skipped] == [("001", -1, "corrupt_annotation")]
    assert "001.json: not readable as JSON" in listing.skipped[0].detail
    # cut after the listing
    assert [s.reason for s in clip.frames() if isinstance(s, SkippedFrame)] == ["corrupt_annotation"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"frames": []}', "\ud83d", "[" * 100_000])
def test_json_of_another_shape(tmp_path, afew_clip, text):
    path = afew_clip(tmp_path / "001") / "001.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert [s.reason for s in list_afew_va(tmp_path).skipped] == ["corrupt_annotation"]


def set_in(frame, **values):
    return lambda record: record["frames"][frame].update(values)


WRONG_FRAMES = {
    "frame missing": (lambda r: r["frames"].pop("00001"), "no_label", "00001.png has no entry in the JSON"),
    "no arousal": (lambda r: r["frames"]["00001"].pop("arousal"), "no_label", "no arousal"),
    "null": (set_in("00001", valence=None, arousal=None), "no_label", "no valence and arousal"),
    "boolean": (set_in("00001", valence=True), "no_label", "no valence"),
    "text": (set_in("00001", valence="sad"), "no_label", "no valence"),
    "NaN": (set_in("00001", valence=float("nan")), "label_nan", "valence=nan"),
    "infinite": (set_in("00001", valence=float("inf")), "label_out_of_range", "valence=inf"),
    "out of range": (set_in("00001", arousal=-10.5), "label_out_of_range", "arousal=-10.5, expected -10..10"),
    "entry": (lambda r: r["frames"].update({"00001": [1, 2]}), "corrupt_annotation", "list, not an object"),
    "67 landmarks": (set_in("00001", landmarks=[[1, 2]] * 67), "bad_landmarks", "got 67, expected 68"),
    "no landmarks": (lambda r: r["frames"]["00001"].pop("landmarks"), "bad_landmarks", "got none"),
    "NaN landmarks": (set_in("00001", landmarks=[[1, float("nan")]] * 68), "bad_landmarks", "got NaN"),
    "triples": (set_in("00001", landmarks=[[1, 2, 3]] * 68), "bad_landmarks", "pairs of x, y"),
    "ragged": (set_in("00001", landmarks=[[1, 2]] * 67 + [[1]]), "bad_landmarks", "pairs of x, y"),
}


@pytest.mark.parametrize("case", WRONG_FRAMES)
def test_wrong_frames_are_skipped_and_the_others_kept(tmp_path, afew_clip, case):
    edit, reason, detail = WRONG_FRAMES[case]
    afew_clip(tmp_path / "001", edit=edit)
    listing = list_afew_va(tmp_path)
    assert [f.index for f in usable(listing)] == [0, 2, 3]
    assert [f.time_s for f in usable(listing)] == pytest.approx([0, 0.08, 0.12]), "the gap stays"
    (skip,) = skipped(listing)
    assert (skip.clip, skip.index, skip.reason) == ("001", 1, reason)
    assert detail in skip.detail


def test_a_key_that_is_no_number(tmp_path, afew_clip):
    afew_clip(tmp_path / "001", edit=lambda r: r["frames"].update(cover={}))
    listing = list_afew_va(tmp_path)
    assert len(usable(listing)) == 4
    assert [(s.reason, s.detail) for s in skipped(listing)] == [
        ("corrupt_annotation", "frame key 'cover' is not a number")
    ]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "missing_image"),
        (lambda path: path.write_bytes(b""), "corrupt_image"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50), "corrupt_image"),
        (cut, "corrupt_image"),
    ],
)
def test_png_missing_empty_or_corrupt(tmp_path, afew_clip, damage, reason):
    damage(afew_clip(tmp_path / "001") / "00002.png")
    listing = list_afew_va(tmp_path)
    assert [f.index for f in usable(listing)] == [0, 1, 3]
    assert [(s.index, s.reason) for s in skipped(listing)] == [(2, reason)]


# what is wrong with the folder


def test_no_such_folder(tmp_path):
    with pytest.raises(CorpusError, match="nothing there; expected a folder with AFEW-VA's clips"):
        list_afew_va(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="a file; expected a folder"):
        list_afew_va(tmp_path / "file")


def test_empty_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"an empty folder; expected AFEW-VA's clips as NNN/NNN\.json"):
        list_afew_va(tmp_path)


def test_a_folder_without_clips(tmp_path):
    (tmp_path / "holiday.txt").write_text("")
    with pytest.raises(CorpusError, match="found no clip; expected AFEW-VA's"):
        list_afew_va(tmp_path)


def test_sewa_is_recognised(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    with pytest.raises(CorpusError, match="this looks like SEWA: use `anclaf prepare sewa`"):
        list_afew_va(tmp_path)


def test_a_table_is_recognised(tmp_path):
    (tmp_path / "labels.csv").write_text("image,valence,arousal\n")
    with pytest.raises(CorpusError, match=r"a table of your own: use `anclaf prepare table .*labels.csv`"):
        list_afew_va(tmp_path)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_fps_must_be_positive(tmp_path, afew_clip, fps):
    afew_clip(tmp_path / "001")
    with pytest.raises(ConfigError, match=r"fps: got .*; expected a positive number"):
        list_afew_va(tmp_path, fps=fps)
