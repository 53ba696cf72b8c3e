"""Tables of other tools, brought onto a corpus's frames, however they call videos, frames and people."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.other_tool import read_tool


def table(corpus: PreparedCorpus, **columns) -> pd.DataFrame:
    """The labels as a tool that is never wrong would write them."""
    index = corpus.index
    plain = {
        "video": index["clip"] + ".mp4",
        "frame": index["frame"],
        "valence": index["valence"],
        "arousal": index["arousal"],
    }
    return pd.DataFrame({**plain, **columns})


def written(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "tool.csv", index=False)
    return folder / "tool.csv"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_formats(corpus: PreparedCorpus, tmp_path: Path, suffix: str):
    path = tmp_path / f"tool.{suffix}"
    rows = table(corpus)
    {"csv": rows.to_csv, "parquet": rows.to_parquet, "xlsx": rows.to_excel}[suffix](path, index=False)
    found = read_tool(path, corpus)
    np.testing.assert_allclose(found.affect, corpus.labels, atol=1e-9)
    assert found.notes == []


@pytest.mark.parametrize(
    "name",
    ["{}", "{}.mp4", "C:\\films\\{}.AVI", "/data/a.b/{}.mov", "./{}.mkv"],
    ids=["name", "mp4", "windows", "abs", "rel"],
)
def test_names_of_videos(corpus: PreparedCorpus, tmp_path: Path, name: str):
    rows = table(corpus, video=[name.format(clip) for clip in corpus.clips])
    np.testing.assert_allclose(read_tool(written(rows, tmp_path), corpus).affect, corpus.labels)


def renamed(corpus: PreparedCorpus, names: dict[str, str]) -> PreparedCorpus:
    index = corpus.index.assign(clip=corpus.index["clip"].replace(names))
    return PreparedCorpus(corpus.folder, corpus.card, index)


def test_the_longest_common_end_of_a_path_counts(corpus: PreparedCorpus, tmp_path: Path):
    own = renamed(corpus, {"000": "a/talk.mp4", "001": "b/talk.mp4", "002": "p1.1", "003": "p1.2"})
    rows = table(own, video=["X/" + clip for clip in own.clips])
    found = read_tool(written(rows, tmp_path), own)
    np.testing.assert_allclose(found.affect, own.labels)
    rows = table(own, video=[Path(clip).name for clip in own.clips])
    found = read_tool(written(rows, tmp_path), own)
    two = np.isin(own.clips, ["a/talk.mp4", "b/talk.mp4"])
    assert np.isnan(found.affect[two]).all(), "which of the two is not known"
    np.testing.assert_allclose(found.affect[~two], own.labels[~two])
    assert found.notes == ["18 rows of other videos than this corpus's left out"]


@pytest.mark.parametrize("tool_from", [0, 1])
@pytest.mark.parametrize("corpus_from", [0, 1])
def test_frames_counted_from_0_or_1(corpus: PreparedCorpus, tmp_path: Path, tool_from: int, corpus_from: int):
    own = PreparedCorpus(corpus.folder, corpus.card, corpus.index.assign(frame=corpus.index["frame"] + corpus_from))
    found = read_tool(written(table(own, frame=corpus.index["frame"] + tool_from), tmp_path), own)
    np.testing.assert_allclose(found.affect, own.labels)
    shifted = f"its frames are counted from {tool_from}, this corpus's from {corpus_from}: shifted to meet"
    assert found.notes == ([shifted] if tool_from != corpus_from else [])


def test_times_that_lie_between_frames(corpus: PreparedCorpus, tmp_path: Path):
    index = corpus.index
    sparse = (index["frame"] % 2 == 0).to_numpy()
    own = PreparedCorpus(corpus.folder, corpus.card, index[sparse].reset_index(drop=True))
    rows = table(corpus, time_s=index["time_s"] + 0.008).drop(columns="frame")
    found = read_tool(written(rows, tmp_path), own)
    np.testing.assert_allclose(found.affect, corpus.labels[sparse])
    late = table(corpus, time_s=index["time_s"] + 100).drop(columns="frame")
    found = read_tool(written(late, tmp_path), own)
    assert np.isnan(found.affect).all()
    assert found.notes == ["180 rows of frames that this corpus has no label for"]


def test_frames_that_it_lacks(corpus: PreparedCorpus, tmp_path: Path):
    rows = table(corpus).astype({"valence": object})
    rows.loc[3, "valence"] = ""
    found = read_tool(written(rows.drop(index=7), tmp_path), corpus)
    assert np.flatnonzero(np.isnan(found.affect).any(1)).tolist() == [3, 7]


def test_a_tool_s_own_range(corpus: PreparedCorpus, tmp_path: Path):
    rows = table(corpus, valence=corpus.index["valence"] / 10, arousal=corpus.index["arousal"] / 10)
    path = written(rows, tmp_path)
    np.testing.assert_allclose(read_tool(path, corpus, LabelScale(-1, 1)).affect, corpus.labels)
    (note,) = read_tool(path, corpus).notes
    assert "of a range -10 … 10; if they are of another range, state it" in note
    (note,) = read_tool(path, corpus, LabelScale(0, 1)).notes
    assert "% of its values lie outside 0 … 1" in note


def test_several_people_in_a_frame(corpus: PreparedCorpus, tmp_path: Path):
    one = table(corpus, person=corpus.index["subject"])
    passer = table(corpus, person="passer-by", valence=9, arousal=9).iloc[::2]
    found = read_tool(written(pd.concat([passer, one]), tmp_path), corpus)
    np.testing.assert_allclose(found.affect, corpus.labels)
    assert found.notes == []
    tracks = pd.concat([passer.assign(person=1), one.assign(person=0)])
    found = read_tool(written(tracks, tmp_path), corpus)
    np.testing.assert_allclose(found.affect, corpus.labels)
    assert found.notes == ["several people in 20 clips: the one with the most rows of each was taken"]
    with pytest.raises(
        CorpusError, match=r"of a frame that another row has too; give one row a frame, or a column `pers"
    ):
        read_tool(written(tracks.drop(columns="person"), tmp_path), corpus)
    with pytest.raises(CorpusError, match="of a frame and person that another row has too"):
        read_tool(written(pd.concat([one, one]), tmp_path), corpus)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="video"), "Missing: video, image or clip"),
        (lambda t: t.drop(columns="frame"), "Missing: frame or time_s"),
        (lambda t: t.drop(columns="arousal"), "Missing: arousal"),
        (lambda t: t.assign(clip="x"), "video, clip: expected one of them"),
        (
            lambda t: t.assign(video="elsewhere"),
            "none of its videos is of this corpus; it has 'elsewhere', the corpus '000'",
        ),
        (lambda t: t.assign(frame=t["frame"] + 0.5), "row 1 has the frame '0.5'; expected a whole number"),
        (lambda t: t.assign(valence="sad"), "row 1 has valence 'sad', arousal"),
        (lambda t: t[:0], "a header without rows"),
    ],
)
def test_what_is_refused(corpus: PreparedCorpus, tmp_path: Path, change, said: str):
    with pytest.raises(CorpusError, match=said):
        read_tool(written(change(table(corpus)), tmp_path), corpus)
    with pytest.raises(CorpusError, match="no such file"):
        read_tool(tmp_path / "none.csv", corpus)


def test_stills_need_no_frame(make_corpus, tmp_path: Path):
    stills = make_corpus(frames=1, fps=0.0)
    rows = table(stills).rename(columns={"video": "image"}).drop(columns="frame")
    np.testing.assert_allclose(read_tool(written(rows, tmp_path), stills).affect, stills.labels)
