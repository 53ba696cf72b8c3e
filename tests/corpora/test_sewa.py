import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.sewa import list_sewa

NAME = "C1_S003_P007_VC1_001204_001208"


def usable(listing: CorpusListing, clip: int = 0) -> list[LabelledFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, LabelledFrame)]


def skipped(listing: CorpusListing, clip: int = 0) -> list[SkippedFrame]:
    return [frame for frame in listing.clips[clip].frames() if isinstance(frame, SkippedFrame)]


def frame_of_green(frame: LabelledFrame) -> int:
    """Which frame of the video this is: its green says so."""
    return round((float(frame.image[2:-2, 2:-2, 1].mean()) - 20) / 10)


def landmark_file(frame: LabelledFrame) -> int:
    """Which landmark file this frame got: x says so."""
    assert frame.landmarks is not None
    rng = np.random.default_rng(49)
    return round((frame.landmarks[0, 0] - rng.uniform((16, 12), (48, 36), (49, 2)).round(3)[0, 0]) * 1000)


def extract(folder: Path, target: Path, dimension: str) -> None:
    path = folder / f"{folder.name}-{dimension}.zip"
    with zipfile.ZipFile(path) as file:
        file.extractall(target)
    path.unlink()


def test_frames_carry_image_labels_landmarks_and_time(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    listing = list_sewa(tmp_path)
    assert (listing.source, listing.fps) == ("sewa", 50)
    assert (listing.scale.low, listing.scale.high) == (0, 1)
    assert "label range [0, 1] detected: the labels lie in [0.2, 0.64]" in listing.notes
    assert not any("shifted" in note for note in listing.notes)
    (clip,) = listing.clips
    assert (clip.name, clip.subject, clip.fold) == (NAME, "P007", -1)
    frames = usable(listing)
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
    assert [f.valence for f in frames] == pytest.approx([0.20, 0.21, 0.22, 0.23, 0.24])
    assert [f.arousal for f in frames] == pytest.approx([0.60, 0.61, 0.62, 0.63, 0.64])
    assert [frame_of_green(f) for f in frames] == [0, 1, 2, 3, 4]
    assert [landmark_file(f) for f in frames] == [0, 1, 2, 3, 4]
    assert not skipped(listing)


@pytest.mark.parametrize(("channel", "first"), [("A", 0.2), ("V", 0.3), ("AV", 0.4)])
def test_channels(tmp_path, sewa_clip, channel, first):
    sewa_clip(tmp_path)
    listing = list_sewa(tmp_path, channel=channel)
    assert usable(listing)[0].valence == pytest.approx(first)
    assert f"labels of channel {channel}" in listing.notes


@pytest.mark.parametrize(
    "place",
    [
        lambda folder, dim: folder / f"extracted_{folder.name}-{dim}",
        lambda folder, dim: folder,
        lambda folder, dim: folder / f"extracted_{folder.name}",
        lambda folder, dim: folder.parent / f"extracted_{folder.name}-{dim}",
        lambda folder, dim: folder.parent / f"extracted_{folder.name}",
    ],
)
def test_extracted_folders_instead_of_zips(tmp_path, sewa_clip, place):
    folder = sewa_clip(tmp_path)
    for dimension in ("Valence", "Arousal", "Landmarks"):
        extract(folder, place(folder, dimension), dimension)
    listing = list_sewa(tmp_path)
    assert [clip.name for clip in listing.clips] == [NAME]
    assert [landmark_file(f) for f in usable(listing)] == [0, 1, 2, 3, 4]


def test_loose_files_beside_the_video(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    for dimension in ("Valence", "Arousal", "Landmarks"):
        extract(folder, folder, dimension)
        inner = folder / f"{folder.name}-{dimension}"
        for path in inner.iterdir():
            path.rename(folder / path.name)
        inner.rmdir()
    assert len(usable(list_sewa(tmp_path))) == 5


def test_zips_beside_the_folder(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    for path in folder.glob("*.zip"):
        path.rename(tmp_path / path.name)
    assert len(usable(list_sewa(tmp_path))) == 5


def test_a_bad_zip_beside_what_was_extracted_does_no_harm(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    path = folder / f"{NAME}-Valence.zip"
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / f"extracted_{NAME}-Valence")
    path.write_bytes(b"cut")
    assert len(usable(list_sewa(tmp_path))) == 5


def convert(folder: Path, write_picture, first: int) -> None:
    """The layout of the paper's authors."""
    for dimension in ("Valence", "Arousal"):
        extract(folder, folder / "tmp", dimension)
        target = folder / dimension.lower()
        (folder / "tmp" / f"{folder.name}-{dimension}").rename(target)
    shutil.rmtree(folder / "tmp")
    (folder / f"{folder.name}-Landmarks.zip").unlink()
    (folder / f"{folder.name}.avi").unlink()
    for k in range(5):
        write_picture(folder / f"{first + k:05d}.png", 20 + 10 * k)


@pytest.mark.parametrize("first", [0, 1])
def test_the_authors_converted_layout(tmp_path, sewa_clip, write_picture, first):
    convert(sewa_clip(tmp_path), write_picture, first)
    listing = list_sewa(tmp_path)
    frames = usable(listing)
    assert [f.valence for f in frames] == pytest.approx([0.20, 0.21, 0.22, 0.23, 0.24])
    assert [frame_of_green(f) for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
    assert all(f.landmarks is None for f in frames)
    assert "no landmarks beside the segments: faces are found by the detector" in listing.notes
    assert any("50 frames a second assumed" in note for note in listing.notes)
    assert any("images count frames from 1" in note for note in listing.notes) == (first == 1)
    assert list_sewa(tmp_path, fps=25).fps == 25


def test_an_image_missing_or_corrupt_in_the_middle(tmp_path, sewa_clip, write_picture):
    folder = sewa_clip(tmp_path)
    convert(folder, write_picture, 0)
    (folder / "00002.png").unlink()
    (folder / "00003.png").write_bytes(b"")
    listing = list_sewa(tmp_path)
    assert [f.index for f in usable(listing)] == [0, 1, 4]
    assert sorted((s.index, s.reason) for s in skipped(listing)) == [(2, "missing_image"), (3, "corrupt_image")]


# columns and range


def several(number: int, value: float) -> str:
    return f"{number},{value:.4f},{value + 0.1:.4f},"


def test_value_columns_are_averaged(tmp_path, sewa_clip):
    sewa_clip(tmp_path, header="frame_idx,a1,a2,a3", row=several)
    listing = list_sewa(tmp_path)
    assert usable(listing)[0].valence == pytest.approx(0.25), "empty cells are left out"
    assert "labels are means of the columns a1, a2, a3" in listing.notes
    assert usable(list_sewa(tmp_path, value_columns=["a2"]))[0].valence == pytest.approx(0.3)
    assert skipped(list_sewa(tmp_path, value_columns=["a3"], low=0, high=1))[0].reason == "label_nan"


def test_a_column_that_is_not_there(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    with pytest.raises(CorpusError, match=r"missing_column 1; .*got the columns frame_idx, value; expected gold"):
        list_sewa(tmp_path, value_columns=["gold"])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(tmp_path, sewa_clip, separator):
    sewa_clip(
        tmp_path, header=f"frame_idx{separator}value", row=lambda n, v: f"{n}{separator}{v:.4f}".replace(".", ",")
    )
    assert usable(list_sewa(tmp_path))[0].valence == pytest.approx(0.2)


def test_range_stated_and_detected(tmp_path, sewa_clip):
    sewa_clip(tmp_path, row=lambda n, v: f"{n},{2 * v - 1:.4f}")
    listing = list_sewa(tmp_path)
    assert (listing.scale.low, listing.scale.high) == (-1, 1)
    stated = list_sewa(tmp_path, low=-0.5, high=0.5)
    assert (stated.scale.low, stated.scale.high) == (-0.5, 0.5)
    assert "label range [-0.5, 0.5] as stated" in stated.notes
    assert {s.reason for s in skipped(stated)} == {"label_out_of_range"}
    assert "expected -0.5..0.5" in skipped(stated)[0].detail
    with pytest.raises(ConfigError, match="label range: got low=0, high=None; state both or none"):
        list_sewa(tmp_path, low=0)


def test_a_range_that_nobody_uses_must_be_stated(tmp_path, sewa_clip):
    sewa_clip(tmp_path, row=lambda n, v: f"{n},{100 * v}")
    with pytest.raises(CorpusError, match=r"the labels lie in \[20, 64\].*State the range"):
        list_sewa(tmp_path)
    assert len(usable(list_sewa(tmp_path, low=0, high=100))) == 5
    assert len(usable(list_sewa(tmp_path, scale="percent"))) == 5


def test_nan_labels_and_missing_rows(tmp_path, sewa_clip):
    sewa_clip(tmp_path, labels=[0, 1, 3, 4], row=lambda n, v: f"{n},{'' if n == 1 else v}")
    listing = list_sewa(tmp_path)
    assert [f.index for f in usable(listing)] == [0, 3, 4]
    assert [(s.index, s.reason) for s in skipped(listing)] == [(1, "label_nan"), (2, "no_label")]
    assert [frame_of_green(f) for f in usable(listing)] == [0, 3, 4]


# numbering


@pytest.mark.parametrize("labels", [0, 1, 1204])
@pytest.mark.parametrize("landmarks", [0, 1, 1204])
def test_shifts_are_found_and_noted(tmp_path, sewa_clip, labels, landmarks):
    sewa_clip(tmp_path, labels=[labels + k for k in range(5)], landmarks=[landmarks + k for k in range(5)])
    listing = list_sewa(tmp_path)
    frames = usable(listing)
    assert [f.index for f in frames] == [labels + k for k in range(5)], "the labels' own numbers"
    assert [f.valence for f in frames] == pytest.approx([0.20, 0.21, 0.22, 0.23, 0.24])
    assert [frame_of_green(f) for f in frames] == [0, 1, 2, 3, 4]
    assert [landmark_file(f) - landmarks for f in frames] == [0, 1, 2, 3, 4]
    words = {1: "count frames from 1", 1204: "count frames from the segment's own first frame"}
    notes = [note for note in listing.notes if "shifted" in note]
    assert len(notes) == (labels > 0) + (landmarks > 0)
    for what, first in (("labels", labels), ("landmarks", landmarks)):
        assert any(note.startswith(f"{what} {words[first]}") for note in notes) if first else True


def test_a_clip_without_its_first_label_does_not_shift_the_others(tmp_path, sewa_clip):
    sewa_clip(tmp_path, NAME)
    sewa_clip(tmp_path, "C1_S004_P008_VC1_000000_000004", labels=[1, 2, 3, 4])
    sewa_clip(tmp_path, "C1_S005_P009_VC1_000000_000004", labels=[1, 2, 3])
    listing = list_sewa(tmp_path)
    assert not any("shifted" in note for note in listing.notes)
    assert [frame_of_green(f) for f in usable(listing, 1)] == [1, 2, 3, 4]


def test_more_rows_than_frames(tmp_path, sewa_clip):
    sewa_clip(tmp_path, labels=list(range(8)))
    listing = list_sewa(tmp_path)
    assert len(usable(listing)) == 5
    assert [(s.index, s.reason) for s in skipped(listing)] == [(n, "missing_image") for n in (5, 6, 7)]
    assert skipped(listing)[0].detail == "the segment has 5 frames"


def test_video_cut_short(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path, frames=120)
    video = folder / f"{NAME}.avi"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 3])
    listing = list_sewa(tmp_path, low=0, high=2)
    frames, rest = usable(listing), skipped(listing)
    assert 0 < len(frames) < 120
    assert len(frames) + len(rest) == 120
    assert {s.reason for s in rest} == {"corrupt_video"}


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "missing_video"), (b"", "corrupt_video"), (b"x", "corrupt_video")]
)
def test_video_missing_or_none(tmp_path, sewa_clip, content, reason):
    video = sewa_clip(tmp_path) / f"{NAME}.avi"
    video.unlink()
    if content is not None:
        video.write_bytes(content)
    (skip,) = list_sewa(tmp_path).clips[0].frames()
    assert isinstance(skip, SkippedFrame)
    assert (skip.index, skip.reason) == (-1, reason)


def test_two_videos_of_which_none_has_the_folder_s_name(tmp_path, sewa_clip, write_video):
    folder = sewa_clip(tmp_path, video=False)
    write_video(folder / "left.avi", 5)
    write_video(folder / "right.avi", 5)
    with pytest.raises(CorpusError, match=r"ambiguous_video 1; .*left.avi, right.avi; expected one"):
        list_sewa(tmp_path)


# landmarks


def test_landmark_files_missing_or_wrong(tmp_path, sewa_clip, landmark_text):
    folder = sewa_clip(tmp_path)
    texts = {0: landmark_text(0), 1: landmark_text(1, 48), 2: "", 4: landmark_text(4).replace(".", "x", 5)}
    texts[4] = landmark_text(4).rsplit(" ", 1)[0] + " nan\n"
    with zipfile.ZipFile(folder / f"{NAME}-Landmarks.zip", "w") as file:
        for number, text in texts.items():
            file.writestr(f"{number:06d}.txt", text)
    listing = list_sewa(tmp_path)
    assert [f.index for f in usable(listing)] == [0]
    reasons = [(s.index, s.reason) for s in skipped(listing)]
    assert reasons == [(1, "bad_landmarks"), (2, "bad_landmarks"), (3, "missing_landmarks"), (4, "bad_landmarks")]


def test_a_segment_without_landmarks_among_others(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    other = sewa_clip(tmp_path, "C1_S004_P008_VC1_000000_000004")
    (other / f"{other.name}-Landmarks.zip").unlink()
    listing = list_sewa(tmp_path)
    assert [clip.name for clip in listing.clips] == [NAME]
    assert [(s.clip, s.reason) for s in listing.skipped] == [(other.name, "missing_landmarks")]


# zips


def rezip(folder: Path, dimension: str, names: list[str]) -> None:
    with zipfile.ZipFile(folder / f"{folder.name}-{dimension}.zip", "w") as file:
        for name in names:
            file.writestr(name, "frame_idx,value\n0,0.1\n")


@pytest.mark.parametrize("dimension", ["Valence", "Arousal", "Landmarks"])
@pytest.mark.parametrize("member", ["../x_Valence_A.csv", "/etc/x", "a/../../x", "C:\\x", "..\\x"])
def test_zip_members_that_point_outside(tmp_path, sewa_clip, dimension, member):
    root = tmp_path / "sewa"
    sewa_clip(root)
    folder = sewa_clip(root, "C1_S004_P008_VC1_000000_000004")
    rezip(folder, dimension, [f"{folder.name}_{dimension}_A_Aligned.csv", member])
    listing = list_sewa(root)
    assert [clip.name for clip in listing.clips] == [NAME]
    (skip,) = listing.skipped
    assert (skip.clip, skip.index, skip.reason) == (folder.name, -1, "unsafe_zip")
    assert "points outside its folder" in skip.detail
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sewa"], "nothing was extracted"


@pytest.mark.parametrize("dimension", ["Valence", "Arousal", "Landmarks"])
@pytest.mark.parametrize("damage", ["text", "empty", "cut", "flipped"])
def test_zips_that_are_none(tmp_path, sewa_clip, dimension, damage):
    sewa_clip(tmp_path)
    folder = sewa_clip(tmp_path, "C1_S004_P008_VC1_000000_000004")
    path = folder / f"{folder.name}-{dimension}.zip"
    data = path.read_bytes()
    middle = data.index(b"frame_idx") if dimension != "Landmarks" else data.index(b"1.0 2.0")
    flipped = data[:middle] + b"0" + data[middle + 1 :]
    path.write_bytes({"text": b"frame_idx,value\n", "empty": b"", "cut": data[:-40], "flipped": flipped}[damage])
    listing = list_sewa(tmp_path)
    if damage == "flipped" and dimension == "Landmarks":  # its members are read with the frames
        assert [s.reason for s in skipped(listing, 1)] == ["bad_zip"]
        return
    assert [clip.name for clip in listing.clips] == [NAME]
    assert [(s.clip, s.index, s.reason) for s in listing.skipped] == [(folder.name, -1, "bad_zip")]


def test_a_zip_that_unpacks_to_too_much(tmp_path, sewa_clip, monkeypatch):
    monkeypatch.setattr("anclaf.corpora.files.MAX_BYTES", 20)
    sewa_clip(tmp_path)
    with pytest.raises(CorpusError, match=r"bad_zip 1; .*unpacks to more than"):
        list_sewa(tmp_path)


def test_hidden_files_of_a_mac_are_not_labels(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    with zipfile.ZipFile(folder / f"{NAME}-Valence.zip", "a") as file:
        file.writestr(f"__MACOSX/{NAME}-Valence/._{NAME}_Valence_A_Aligned.csv", b"\0\5\x16\7")
    assert len(usable(list_sewa(tmp_path))) == 5


# subjects and folders


def test_subject_from_metadata_where_the_name_has_none(tmp_path, sewa_clip):
    sewa_clip(tmp_path, "session_three")
    assert list_sewa(tmp_path).clips[0].subject == "P007"


def test_no_subject_counts_as_a_person_of_its_own(tmp_path, sewa_clip):
    for name in ("session_three", "session_four"):
        (sewa_clip(tmp_path, name) / "metadata.ini").write_text("no section\n")
    listing = list_sewa(tmp_path)
    assert len({clip.subject for clip in listing.clips}) == 2
    assert any(note.startswith("2 segments name no subject") for note in listing.notes)


def test_a_segment_without_labels_is_skipped(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    folder = sewa_clip(tmp_path, "C1_S004_P008_VC1_000000_000004")
    (folder / f"{folder.name}-Arousal.zip").unlink()
    (skip,) = list_sewa(tmp_path).skipped
    assert (skip.reason, skip.detail) == ("no_label", "no arousal file of channel A; found none of any channel")


def test_a_channel_that_is_not_there(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    for dimension in ("Valence", "Arousal"):
        rezip(folder, dimension, [f"{NAME}_{dimension}_{channel}_Aligned.csv" for channel in ("V", "AV")])
    with pytest.raises(CorpusError, match=r"no_label 1; .*no valence file of channel A; found channel AV, V"):
        list_sewa(tmp_path)


def test_a_label_file_that_is_no_table(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    with zipfile.ZipFile(folder / f"{NAME}-Valence.zip", "w") as file:
        file.writestr(f"{NAME}_Valence_A_Aligned.csv", "frame_idx,value\nzero,0.5\n")
    with pytest.raises(CorpusError, match=r"corrupt_annotation 1; .*'frame_idx' must hold frame numbers"):
        list_sewa(tmp_path)


def test_empty_and_other_folders(tmp_path, afew_clip):
    with pytest.raises(CorpusError, match="an empty folder; expected SEWA's segment folders"):
        list_sewa(tmp_path)
    afew_clip(tmp_path / "01" / "001")
    with pytest.raises(CorpusError, match="this looks like AFEW-VA: use `anclaf prepare afew-va`"):
        list_sewa(tmp_path)


def test_settings_are_checked(tmp_path, sewa_clip):
    sewa_clip(tmp_path)
    with pytest.raises(ConfigError, match="channel: got 'X'; expected one of A, V, AV"):
        list_sewa(tmp_path, channel="X")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="fps=25 has no effect"):
        list_sewa(tmp_path, fps=25)


def test_clips_are_picklable_and_stamped(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    clip = list_sewa(tmp_path).clips[0]
    assert len(list(pickle.loads(pickle.dumps(clip)).frames())) == 5
    assert clip == list_sewa(tmp_path).clips[0]
    (folder / f"{NAME}.avi").touch()
    assert clip != list_sewa(tmp_path).clips[0]


def test_the_same_segment_twice_is_taken_once(tmp_path, sewa_clip):
    sewa_clip(tmp_path / "a")
    sewa_clip(tmp_path / "b")
    listing = list_sewa(tmp_path)
    assert len(listing.clips) == 1
    assert [(s.clip, s.reason, s.detail) for s in listing.skipped] == [
        (NAME, "duplicate_clip", f"b/{NAME}; a/{NAME} was taken")
    ]


def test_two_label_files_of_one_channel(tmp_path, sewa_clip):
    folder = sewa_clip(tmp_path)
    rezip(folder, "Valence", [f"{rater}_Valence_A_Aligned.csv" for rater in ("ann", "bo")])
    with pytest.raises(CorpusError, match=r"ambiguous_label 1; .*2 valence files of channel A .*expected one"):
        list_sewa(tmp_path)


def test_segments_at_different_rates(tmp_path, sewa_clip, write_video):
    for k in range(3):
        sewa_clip(tmp_path, f"C1_S00{k}_P00{k}_VC1_000000_000004")
    write_video(tmp_path / "C1_S002_P002_VC1_000000_000004" / "C1_S002_P002_VC1_000000_000004.avi", 5, fps=25)
    listing = list_sewa(tmp_path)
    assert listing.fps == 50
    assert "frames a second differ: 25 in 1 segments, 50 in 2 segments" in listing.notes
    assert [f.time_s for f in usable(listing, 2)] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
