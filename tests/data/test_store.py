import json
import shutil

import numpy as np
import pytest

from anclaf.core.errors import CorpusError
from anclaf.data.store import CorpusCard, PreparedCorpus, card_json, corpus_kind, restate
from anclaf.faces import align


@pytest.fixture
def folder(corpus, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(corpus.folder, tmp_path / "corpus")


def test_rows_in_any_order_and_twice(corpus):
    faces = np.load(corpus.folder / "shards" / "00000.npy")
    rows = np.array([5, 0, 5, len(corpus) - 1])
    np.testing.assert_array_equal(corpus.images(rows), faces[rows])
    assert corpus.images(np.array([], int)).shape == (0, 32, 32, 3)


def test_several_shards(folder):
    faces = np.load(folder / "shards" / "00000.npy")
    np.save(folder / "shards" / "00000.npy", faces[:7])
    np.save(folder / "shards" / "00001.npy", faces[7:])
    corpus = PreparedCorpus.open(folder)
    row = np.arange(len(corpus))
    corpus.index["shard"], corpus.index["offset"] = (row >= 7).astype(int), np.where(row < 7, row, row - 7)
    rows = np.array([8, 3, 7, 6])
    np.testing.assert_array_equal(corpus.images(rows), faces[rows])


def test_labels_and_targets(corpus):
    np.testing.assert_allclose(corpus.targets, corpus.labels / 10, atol=1e-6)
    assert corpus.targets.dtype == np.float32
    assert np.abs(corpus.targets).max() <= 1


def test_crop_landmarks_are_relative_to_the_crop(corpus):
    expected = align.TEMPLATE[0] * 2 - 1  # the left eye never moves in this corpus
    np.testing.assert_allclose(corpus.crop_landmarks[:, 0], np.tile(expected, (len(corpus), 1)), atol=1e-6)


def test_runs_end_with_their_clip_and_at_gaps(corpus):
    runs = corpus.segments()
    assert [len(run) for run in runs] == [9] * 20
    some = np.setdiff1d(np.arange(18), [4, 9, 10, 11])  # one frame missing, then the second clip's first three
    assert [run.tolist() for run in corpus.segments(some)] == [[0, 1, 2, 3, 5, 6, 7, 8], [12, 13, 14, 15, 16, 17]]
    few = np.array([0, 1, 5, 6])  # four frames farther
    assert [run.tolist() for run in corpus.segments(few)] == [[0, 1], [5, 6]]


def test_crop_motion_is_zero_where_a_segment_begins(folder):
    with np.load(folder / "geometry.npz") as file:
        geometry = dict(file)
    geometry["matrix"][:, 0, 2] = np.arange(len(geometry["matrix"])) ** 2
    np.savez(folder / "geometry.npz", **geometry)
    corpus = PreparedCorpus.open(folder)
    moved, began = corpus.crop_motion, np.arange(len(corpus)) % 9 == 0
    assert moved.shape == (len(corpus), 4)
    np.testing.assert_array_equal(moved[began], 0)
    # the frame was moved right under a crop of 32 pixels, so that the crop moved left in it
    rows = np.arange(len(corpus))
    np.testing.assert_allclose(moved[~began, 0], ((rows - 1.0) ** 2 - rows**2)[~began] / 32, rtol=1e-6)
    np.testing.assert_array_equal(moved[:, 1:], 0)


def test_shards_are_mapped_not_read(corpus):
    corpus = PreparedCorpus.open(corpus.folder)
    corpus.images(np.array([0]))
    assert isinstance(corpus._shard(0), np.memmap)


def test_no_prepared_corpus(tmp_path):
    with pytest.raises(CorpusError, match=r"not a prepared corpus \(no corpus.json\)"):
        PreparedCorpus.open(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "corpus.json").write_text("{"), "damaged prepared corpus"),
        (lambda f: (f / "index.parquet").write_bytes(b"x"), "damaged prepared corpus"),
        (lambda f: (f / "index.parquet").unlink(), "damaged prepared corpus"),
        (lambda f: edit_card(f, format=99), "format 99; this version reads 1 and 2"),
        (lambda f: edit_card(f, kind="painted"), "kind is 'painted'; expected one of real, synthetic, drawn, unknown"),
        (lambda f: (f / "corpus.json").write_text("[]"), "damaged prepared corpus"),
        (lambda f: edit_card(f, frames=3), "index.parquet does not fit corpus.json"),
        (lambda f: edit_card(f, colour="red"), "damaged prepared corpus"),
    ],
)
def test_damaged_corpora(folder, damage, message):
    damage(folder)
    with pytest.raises(CorpusError, match=message):
        PreparedCorpus.open(folder)


@pytest.mark.parametrize(
    "damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"x"), lambda p: p.write_bytes(p.read_bytes()[:999])]
)
def test_damaged_shards(folder, damage):
    damage(folder / "shards" / "00000.npy")
    with pytest.raises(CorpusError, match=r"00000\.npy: cannot be read"):
        PreparedCorpus.open(folder).images(np.array([0]))


# the corpus's kind


def old_card(corpus, source):
    """A card as it was written before there was a kind."""
    return {key: value for key, value in card_json(corpus.card).items() if key != "kind"} | {
        "format": 1,
        "source": source,
    }


@pytest.mark.parametrize(
    ("source", "kind"), [("puppet", "drawn"), ("afew-va", "unknown"), ("sewa", "unknown"), ("table", "unknown")]
)
def test_cards_without_a_kind_open(folder, corpus, source, kind):
    (folder / "corpus.json").write_text(json.dumps(old_card(corpus, source) | {"notes": ["rendered, synthetic"]}))
    card = PreparedCorpus.open(folder).card
    assert (card.kind, card.format, card.fingerprint) == (kind, 2, corpus.card.fingerprint)


def test_a_card_says_what_it_was_told_and_nothing_is_guessed():
    assert corpus_kind({"source": "puppet", "kind": "unknown"}) == "unknown"
    assert corpus_kind({"source": "afew-va", "name": "puppets", "notes": ["rendered", "real"]}) == "unknown"
    assert corpus_kind({"source": "sewa", "kind": "real"}) == "real"


def test_a_card_survives_json(corpus):
    assert CorpusCard.from_json(json.loads(json.dumps(card_json(corpus.card)))) == corpus.card


def test_a_kind_stated_later_changes_the_card_alone(folder):
    corpus = PreparedCorpus.open(folder)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}
    stated = restate(corpus, "real", ["seen by me"])
    assert (stated.card.kind, stated.card.notes) == ("real", ["seen by me"])
    assert PreparedCorpus.open(folder).card == stated.card
    assert stated.card.fingerprint == corpus.card.fingerprint
    changed = {p.name for p, was in before.items() if (p.read_bytes(), p.stat().st_mtime_ns) != was}
    assert changed == {"corpus.json"}
    written = (folder / "corpus.json").stat().st_mtime_ns
    assert restate(stated, "unknown", ["seen by me"]) is stated, "saying nothing takes nothing back"
    assert (folder / "corpus.json").stat().st_mtime_ns == written
    assert restate(stated, "synthetic").card.kind == "synthetic", "a mistake can be corrected"


def edit_card(folder, **values):
    path = folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
