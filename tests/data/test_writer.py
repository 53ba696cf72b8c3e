import gc
import io
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa

from anclaf.core.labels import LabelScale
from anclaf.core.people import unnamed
from anclaf.corpora.base import CorpusListing, SkippedFrame
from anclaf.data import writer
from anclaf.data.store import PreparedCorpus
from anclaf.data.writer import ClipFaces, CorpusWriter, unfinished


def add_still(to: CorpusWriter, number: int, subject: str = "") -> None:
    """A picture of 8 x 8 of which everything is known, and beside it one that cannot be used."""
    name = f"train/{number:06d}"
    faces = ClipFaces(
        name,
        -1,
        [(0, 0.0, 0.5, -0.5)],
        [np.zeros((5, 2))],
        [np.zeros((2, 3))],
        [SkippedFrame(f"{name}b", 0, "no_label", f"no valence {number}")],
        columns=[{"set": "train", "expression": f"{number} of many"}],
    )
    to.add(faces, subject or unnamed(name), io.BytesIO(bytes(8 * 8 * 3)))


def held() -> int:
    """Bytes of Python's, NumPy's and Arrow's objects; without the table of interned strings, to which pathlib adds."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, "*pathlib*")])
    return sum(one.size for one in snapshot.statistics("filename")) + pa.total_allocated_bytes()


def test_a_writer_s_memory_does_not_grow_by_what_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "FACES_PER_SHARD", 200)
    with unfinished(tmp_path / "out") as part:
        made = CorpusWriter(part, 8, 5)
        tracemalloc.start()
        for number in range(600):
            add_still(made, number)
        before = held()
        for number in range(600, 3000):
            add_still(made, number)
        grown = held() - before
        tracemalloc.stop()
    assert grown < 2400 * 30, "bytes a picture; eight of them tell people apart"


def test_people_and_skipped_frames_are_counted_over_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "FACES_PER_SHARD", 4)
    with unfinished(tmp_path / "out") as part:
        made = CorpusWriter(part, 8, 5)
        made.skip([SkippedFrame("z", -1, "bad_zip", "broken")])
        for number, subject in enumerate(["ann", "bo", "", "ann", "", "ann", "clip train/000002", "cy", "bo"]):
            add_still(made, number, subject)
        made.finish(CorpusListing("table", LabelScale(-1, 1), 0.0, []), "five-point", "none", "request")
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.card.subjects == corpus.index["subject"].nunique() == 5
    assert corpus.card.skipped == {"bad_zip": 1, "no_label": 9}
    table = pd.read_parquet(tmp_path / "out" / "skipped.parquet")
    assert table["clip"].tolist() == ["z", *(f"train/{number:06d}b" for number in range(9))]
    assert table.iloc[9].tolist() == ["train/000008b", 0, "no_label", "no valence 8"]
    assert not list((tmp_path / "out").glob("*.raw"))
