import tracemalloc

import numpy as np
import pytest

from anclaf.core.errors import CorpusError
from anclaf.corpora import affectnet as affectnet_module
from anclaf.corpora.affectnet import AffectNetClip, list_affectnet
from anclaf.corpora.base import LabelledFrame, SkippedFrame
from anclaf.data.folds import split
from anclaf.data.prepare import prepare_corpus
from lookalike import affectnet


@pytest.fixture
def folder(tmp_path):
    return affectnet(tmp_path / "AffectNet", {"train_set": 12, "val_set": 3})


def test_a_picture_with_its_texts_and_landmarks(folder):
    listing = list_affectnet(folder)
    assert [one.name for one in listing.clips][:2] == ["train/10", "train/11"]
    (frame,) = listing.clips[0].frames()
    assert isinstance(frame, LabelledFrame)
    assert (frame.index, frame.valence, frame.arousal) == (0, -0.5, 0.25)
    assert frame.image.shape == (96, 96, 3)
    assert frame.landmarks is not None
    assert frame.landmarks.shape == (68, 2)
    assert frame.landmarks.ravel().tolist() == np.load(folder / "train_set/annotations/10_lnd.npy").tolist()
    assert frame.columns == {"set": "train", "expression": "happiness"}
    assert (listing.fps, listing.scale.low) == (0, -1)
    assert any("every picture counts as a person of its own" in note for note in listing.notes)


def test_what_cannot_be_used_is_told(folder):
    annotations, images = folder / "train_set/annotations", folder / "train_set/images"
    np.save(annotations / "10_val.npy", np.array("-2"))
    np.save(annotations / "10_aro.npy", np.array("-2"))
    np.save(annotations / "11_val.npy", np.array("-1.2"))
    np.save(annotations / "12_aro.npy", np.array("x"))
    (annotations / "13_val.npy").write_bytes(b"no array")
    np.save(annotations / "14_val.npy", np.array([None]), allow_pickle=True)
    (annotations / "15_lnd.npy").unlink()
    np.save(annotations / "16_lnd.npy", np.zeros(10))
    (images / "17.jpg").write_bytes(b"\xff\xd8 cut")
    (images / "18.jpg").unlink()
    np.save(annotations / "19_val.npy", np.array([0.5], np.float32))
    (annotations / "20_exp.npy").unlink()
    (annotations / "21_aro.npy").unlink()
    (images / "._10.jpg").write_bytes(b"\0\5\x16\7")
    (images / ".DS_Store").write_bytes(b"\0")
    listing = list_affectnet(folder)
    assert [(s.clip, s.reason) for s in listing.skipped] == [("train/18", "missing_image")]
    found = {one.name: next(iter(one.frames())) for one in listing.clips}
    reasons = {name: f.reason for name, f in found.items() if isinstance(f, SkippedFrame)}
    assert reasons == {
        "train/10": "no_label", "train/11": "label_out_of_range", "train/12": "corrupt_annotation",
        "train/13": "corrupt_annotation", "train/14": "corrupt_annotation", "train/15": "missing_landmarks",
        "train/16": "bad_landmarks", "train/17": "corrupt_image", "train/21": "no_label",
    }  # fmt: skip
    plain, bare = found["train/19"], found["train/20"]
    assert isinstance(plain, LabelledFrame)
    assert isinstance(bare, LabelledFrame)
    assert plain.valence == 0.5
    assert bare.columns["expression"] == ""


def test_prepared_with_the_official_split(folder, tmp_path):
    corpus = prepare_corpus(list_affectnet(folder), tmp_path / "out", image_size=32)
    assert len(corpus) == 15
    assert corpus.source_landmarks.shape == (15, 68, 2)
    np.testing.assert_array_equal(corpus.source_landmarks[3], corpus.source_landmarks[0])
    assert corpus.index["clip"].tolist()[0] == "train/10"
    assert not [path.name for path in corpus.folder.glob("*.raw")]
    whole = split(corpus, "official", 0)
    assert set(corpus.columns["set"].to_numpy()[whole.test]) == {"validation"}
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (10, 2, 3)


def test_one_set_alone(tmp_path):
    listing = list_affectnet(affectnet(tmp_path / "a", {"val_set": 2}))
    assert "train_set is not there" in listing.notes
    with pytest.raises(CorpusError, match="expected AffectNet's train_set"):
        list_affectnet(tmp_path / "a" / "val_set" / "images")


def test_a_listing_is_small_for_there_are_hundreds_of_thousands(tmp_path, monkeypatch):
    monkeypatch.setattr(affectnet_module, "_PIECE", 32)
    folder = affectnet(tmp_path, {"train_set": 800})
    list_affectnet(folder)
    tracemalloc.start()
    listing = list_affectnet(folder)
    size, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(size / 800, most / 800)
    assert [one.name for one in listing.clips] == sorted(f"train/{number}" for number in range(10, 810))
    assert size < 800 * 30
    assert most < 800 * 100


def test_of_two_pictures_of_one_number_the_last_is_taken(folder):
    images = folder / "train_set/images"
    for name in ("10.png", "10-a.JPG", "10.b.jpeg", "notes.txt"):
        (images / name).write_bytes((images / "11.jpg").read_bytes())
    listing = list_affectnet(folder)
    assert [clip.name for clip in listing.clips][:4] == ["train/10", "train/10-a", "train/10.b", "train/11"]
    assert [clip.file for clip in listing.clips if isinstance(clip, AffectNetClip)][:3] == [
        "10.png", "10-a.JPG", "10.b.jpeg"
    ]  # fmt: skip
    assert [clip.name for clip in listing.clips[-2:]] == ["validation/11", "validation/12"]
    assert listing.clips[-1].name == "validation/12"
