import shutil
from pathlib import Path

import numpy as np
import pytest

from anclaf.core.errors import CorpusError
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.circumplex import PLACES, weighted_place
from anclaf.corpora.crema_d import CremaDClip, list_crema_d
from lookalike import LFS_POINTER, crema_d


@pytest.fixture
def folder(tmp_path, write_video):
    return crema_d(tmp_path / "CREMA-D", write_video)


def labels(listing: CorpusListing) -> dict[str, tuple[float, float]]:
    return {one.name: (one.valence, one.arousal) for one in listing.clips if isinstance(one, CremaDClip)}


def test_labels_follow_from_votes_and_levels(folder):
    listing = list_crema_d(folder)
    found = labels(listing)
    assert found["1001_IEO_HAP_LO"] == pytest.approx(PLACES["happiness"]), "of the face, not of the voice"
    weights = np.array([4 * 50, 4 * 25, 2 * 100])
    places = np.array([PLACES["anger"], PLACES["disgust"], PLACES["neutral"]])
    assert found["1001_DFA_ANG_XX"] == pytest.approx(tuple(weights @ places / weights.sum())), "a tie"
    assert found["1002_TIE_SAD_HI"] == pytest.approx(PLACES["sadness"]), "a single vote"
    assert {(s.clip, s.reason) for s in listing.skipped} == {
        ("1002_TIE_FEA_HI", "no_label"), ("1002_IWL_NEU_XX", "missing_video"),
    }  # fmt: skip


def test_every_frame_has_the_clips_label_and_who_it_is(folder):
    listing = list_crema_d(folder)
    (clip,) = (one for one in listing.clips if one.name == "1001_DFA_ANG_XX")
    frames = [frame for frame in clip.frames() if isinstance(frame, LabelledFrame)]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert {(frame.valence, frame.arousal) for frame in frames} == {labels(listing)[clip.name]}
    assert clip.subject == "1001"
    assert frames[0].columns == {
        "age": "51", "sex": "Male", "race": "Caucasian", "ethnicity": "Not Hispanic", "sentence": "DFA",
        "intended_emotion": "ANG", "intended_level": "XX", "raters": "10",
    }  # fmt: skip


def test_pointers_are_told_as_such(folder):
    listing = list_crema_d(folder)
    (clip,) = (one for one in listing.clips if one.name == "1002_IWW_NEU_XX")
    (gone,) = clip.frames()
    assert isinstance(gone, SkippedFrame)
    assert (gone.reason, gone.index) == ("lfs_pointer", -1)
    assert "a Git LFS pointer, not the file itself" in gone.detail
    assert any("1 of its 5 videos are Git LFS pointers" in note and "git lfs pull" in note for note in listing.notes)
    for path in (folder / "VideoFlash").glob("1*"):
        path.write_text(LFS_POINTER)
    with pytest.raises(CorpusError, match=r"all 5 are Git LFS pointers, not the files themselves\. Fetch them"):
        list_crema_d(folder)


def test_the_assumption_is_on_the_card(folder):
    notes = list_crema_d(folder).notes
    assert notes[0].startswith("an assumption: labels are no ratings of valence and arousal")
    for name, (valence, arousal) in PLACES.items():
        assert f"{name} {valence:g}/{arousal:g}" in notes[0]
    assert notes[1] == "6 clips in tabulatedVotes.csv; 1 are ties, 2 have a single vote: all are taken"


def test_the_summary_table_alone(folder):
    (folder / "processedResults" / "tabulatedVotes.csv").unlink()
    (folder / "VideoDemographics.csv").unlink()
    (folder / "processedResults" / "summaryTable.csv").write_text(
        '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'
        '"1","1001_IEO_HAP_LO","N","69","H","57","H","57"\n"2","1001_DFA_ANG_XX","A","9","A:D","75:25","A","1"\n'
        '"3","1002_TIE_SAD_HI","A","9","","","A","1"\n'
    )
    listing = list_crema_d(folder)
    found = labels(listing)
    assert found["1001_IEO_HAP_LO"] == pytest.approx(PLACES["happiness"])
    expected = 0.75 * np.array(PLACES["anger"]) + 0.25 * np.array(PLACES["disgust"])
    assert found["1001_DFA_ANG_XX"] == pytest.approx(tuple(expected))
    notes = " | ".join(listing.notes)
    assert "levels are the weights" in notes
    assert "VideoDemographics.csv is not there" in notes
    assert {(s.clip, s.reason) for s in listing.skipped} == {
        ("1002_TIE_SAD_HI", "no_label"), ("1002_TIE_FEA_HI", "no_label"), ("1002_IWW_NEU_XX", "no_label"),
    }  # fmt: skip


def test_no_table_and_a_damaged_one(folder):
    with pytest.raises(CorpusError, match="expected CREMA-D's videos"):
        list_crema_d(folder / "VideoFlash")
    (folder / "processedResults" / "tabulatedVotes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="got the columns a, b; missing: fileName, A, D"):
        list_crema_d(folder)


def test_places():
    assert weighted_place({"anger": 0, "neutral": 0}) is None
    assert weighted_place({"anger": 1, "happiness": 3}) == pytest.approx(((-0.5 + 3 * 0.75) / 4, (0.6 + 3 * 0.25) / 4))


@pytest.mark.realdata
def test_the_real_tables(shared: Path, tmp_path, write_video):
    for path in (shared / "realdata" / "crema-d").iterdir():
        shutil.copy(path, tmp_path / path.name)
    with pytest.raises(CorpusError, match="all 1 are Git LFS pointers"):
        list_crema_d(tmp_path)
    write_video(tmp_path / "VideoFlash" / "1001_IEO_NEU_XX.mp4", 3, 30)
    listing = list_crema_d(tmp_path)
    assert [one.name for one in listing.clips] == ["1001_DFA_ANG_XX", "1001_IEO_NEU_XX"]
    assert "7442 clips in tabulatedVotes_face.csv; 470 are ties, 0 have a single vote: all are taken" in listing.notes
    assert sum(s.reason == "missing_video" for s in listing.skipped) == 7440
    assert labels(listing)["1001_IEO_NEU_XX"] == (0, 0)
    frame = next(f for f in listing.clips[1].frames() if isinstance(f, LabelledFrame))
    assert (frame.columns["age"], frame.columns["sex"], frame.columns["raters"]) == ("51", "Male", "9")
