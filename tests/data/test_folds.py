"""Splits: no subject on two sides, everything covered, balanced, deterministic, the user's own folds, and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.data.folds import split
from anclaf.data.store import INDEX_COLUMNS, CorpusCard, PreparedCorpus


def corpus(frames_of: dict[str, list[int]], fold_of: dict[str, int] | None = None, fps: float = 25.0) -> PreparedCorpus:
    """A prepared corpus without pixels. frames_of: subject -> frames of each of the subject's clips."""
    rows = [
        (f"{subject}-{clip}", subject, (fold_of or {}).get(subject, -1), frame, frame / (fps or 1), 0.0, 0.0, 0, 0)
        for subject, clips in frames_of.items()
        for clip, frames in enumerate(clips)
        for frame in range(frames)
    ]
    index = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    card = CorpusCard(
        *("table", -1.0, 1.0, "five-point", 64, fps, len(index), index["clip"].nunique(), len(frames_of), 68, "none"),
        *({}, [], {}, {}, "0"),
    )
    return PreparedCorpus(Path("people"), card, index)


def many(subjects: int = 23) -> PreparedCorpus:
    rng = np.random.default_rng(0)
    return corpus({f"p{i:02d}": rng.integers(3, 30, rng.integers(1, 4)).tolist() for i in range(subjects)})


def test_strict_shares_no_subject_and_covers_every_row():
    whole = many()
    tested: list[int] = []
    for fold in range(5):
        s = split(whole, "strict", fold)
        assert (s.protocol, s.fold, s.folds, s.seed) == ("strict", fold, 5, 0)
        parts = s.train, s.validation, s.test
        people = [set(whole.subjects[rows]) for rows in parts]
        assert len(set.union(*people)) == sum(map(len, people))
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(whole)))
        for rows in parts:
            assert rows.dtype == np.int64
            assert len(rows) > 0
            assert (np.diff(rows) > 0).all()
        tested += s.test.tolist()
    assert sorted(tested) == list(range(len(whole)))


def test_strict_is_balanced_in_frames():
    whole = many(60)
    splits = [split(whole, "strict", fold) for fold in range(5)]
    largest = np.unique(whole.subjects, return_counts=True)[1].max()
    sizes = [len(s.test) for s in splits]
    assert max(sizes) - min(sizes) <= largest
    for s in splits:
        assert abs(len(s.validation) / (len(s.train) + len(s.validation)) - 1 / 5) < 0.03


def test_strict_is_the_same_for_the_same_seed_whatever_the_order_of_clips():
    whole = many()
    a, b = split(whole, "strict", 1, seed=7), split(whole, "strict", 1, seed=7)
    np.testing.assert_array_equal(a.train, b.train)
    np.testing.assert_array_equal(a.validation, b.validation)
    other = split(whole, "strict", 1, seed=8)
    assert set(whole.subjects[a.test]) != set(whole.subjects[other.test])
    backwards = PreparedCorpus(whole.folder, whole.card, whole.index[::-1].reset_index(drop=True))
    again = split(backwards, "strict", 1, seed=7)
    assert set(backwards.subjects[again.test]) == set(whole.subjects[a.test])
    assert set(backwards.subjects[again.validation]) == set(whole.subjects[a.validation])


def test_paper_has_no_seed():
    with pytest.raises(ConfigError, match="fold_seed: got 3 with protocol paper, whose folds are not drawn"):
        split(many(), "paper", 0, seed=3)


def test_stills_of_many_people():
    whole = corpus({f"p{i}": [1] * (1 + i % 3) for i in range(500)}, fps=0.0)
    s = split(whole, "strict", 2)
    assert not set(whole.subjects[s.train]) & set(whole.subjects[np.concatenate([s.validation, s.test])])
    assert len(s.test) == pytest.approx(len(whole) / 5, abs=3)


def test_paper_cuts_sorted_clip_names_into_blocks_and_validates_on_the_test_block():
    whole = corpus({"b": [2, 2, 2], "a": [2, 2], "c": [2] * 7})  # 12 clips: blocks of 2, the last has 4
    names = sorted(set(whole.clips))
    for fold, expected in enumerate((names[0:2], names[2:4], names[4:6], names[6:8], names[8:])):
        s = split(whole, "paper", fold)
        assert sorted(set(whole.clips[s.test])) == expected
        np.testing.assert_array_equal(s.validation, s.test)
        assert sorted(np.concatenate([s.train, s.test]).tolist()) == list(range(len(whole)))
    # people are not kept apart: that is what the protocol is
    s = split(whole, "paper", 1)
    assert set(whole.subjects[s.train]) & set(whole.subjects[s.test]) == {"b"}


def test_paper_works_with_one_subject():
    assert len(split(corpus({"a": [3] * 5}), "paper", 4).test) == 3


def test_a_users_folds_are_the_test_folds():
    fold_of = {f"p{i}": [3, 7, 9][i % 3] for i in range(9)}
    whole = corpus({name: [4] for name in fold_of}, fold_of)
    for fold, value in enumerate((3, 7, 9)):
        s = split(whole, "strict", fold)
        assert s.folds == 3
        assert set(whole.subjects[s.test]) == {name for name, of in fold_of.items() if of == value}
        assert not set(whole.subjects[s.train]) & set(whole.subjects[s.validation])
    assert split(whole, "strict", 0, folds=3).folds == 3
    with pytest.raises(ConfigError, match=r"got 5, but the corpus's own fold column has 3\. Leave --folds out"):
        split(whole, "strict", 0, folds=5)


def test_a_users_folds_may_not_split_a_subject():
    whole = corpus({f"p{i}": [2, 2] for i in range(6)}, {f"p{i}": i % 2 for i in range(6)})
    whole.index.loc[whole.index["clip"] == "p4-1", "fold"] = 1
    with pytest.raises(CorpusError, match="the fold column puts p4 into several folds; give each subject one fold"):
        split(whole, "strict", 0)


def test_a_users_folds_must_be_complete_and_more_than_one():
    whole = corpus({f"p{i}": [2] for i in range(6)}, {"p0": 0, "p1": 1})
    with pytest.raises(CorpusError, match="4 of 12 frames have a fold; give one to every row of the table, or to none"):
        split(whole, "strict", 0)
    whole = corpus({f"p{i}": [2] for i in range(6)}, {f"p{i}": 1 for i in range(6)})
    with pytest.raises(CorpusError, match="the one value 1; expected 2 or more folds, or no column"):
        split(whole, "strict", 0)


def test_one_subject_only():
    with pytest.raises(CorpusError, match=r"1 subject\(s\); the strict protocol needs at least 3.*--protocol paper"):
        split(corpus({"a": [5, 5, 5, 5, 5]}), "strict", 0)


def test_fewer_subjects_than_folds_and_the_advice_helps():
    whole = corpus({"a": [5], "b": [5], "c": [5]})
    with pytest.raises(CorpusError, match="3 subjects cannot make 5 folds; use --folds 3, or add people"):
        split(whole, "strict", 0)
    s = split(whole, "strict", 0, folds=3)
    assert [len(set(whole.subjects[rows])) for rows in (s.train, s.validation, s.test)] == [1, 1, 1]


def test_a_fold_that_leaves_one_person_to_train():
    whole = corpus({"a": [5], "b": [5], "c": [5]})
    with pytest.raises(CorpusError, match=r"leaves only \w to train and to choose the checkpoint.*Use more folds"):
        [split(whole, "strict", fold, folds=2) for fold in (0, 1)]


def test_fewer_clips_than_folds():
    with pytest.raises(CorpusError, match="3 clips cannot make 5 folds; add clips or use --folds 3"):
        split(corpus({"a": [5, 5, 5]}), "paper", 0)
    with pytest.raises(CorpusError, match="1 clips cannot make 5 folds; add clips or use a corpus of at least 2"):
        split(corpus({"a": [5]}), "paper", 0)


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_fold_and_folds_out_of_range(protocol):
    with pytest.raises(ConfigError, match="got 5; expected 0 to 4, for there are 5 folds"):
        split(many(), protocol, 5)
    with pytest.raises(ConfigError, match="got -1"):
        split(many(), protocol, -1)
    with pytest.raises(ConfigError, match="got 1; expected 2 or more"):
        split(many(), protocol, 0, folds=1)


def with_sets(whole: PreparedCorpus, sets: dict[str, str]) -> PreparedCorpus:
    """The corpus with the column `set`; sets: subject -> set."""
    whole.__dict__["columns"] = pd.DataFrame({"set": [sets.get(name, "train") for name in whole.subjects]})
    return whole


def test_official_tests_the_validation_set_where_no_other_is_there():
    whole = with_sets(many(), dict.fromkeys(("p00", "p01", "p02"), "validation"))
    s = split(whole, "official", 0)
    assert (s.protocol, s.fold, s.folds) == ("official", 0, 1)
    assert set(whole.subjects[s.test]) == {"p00", "p01", "p02"}
    assert not set(whole.subjects[s.train]) & set(whole.subjects[s.validation])
    assert sorted(np.concatenate([s.train, s.validation, s.test]).tolist()) == list(range(len(whole)))
    for rows in (s.train, s.validation, s.test):
        assert (np.diff(rows) > 0).all()
    other = split(whole, "official", 0, seed=1)
    assert other.test.tolist() == s.test.tolist()
    assert other.validation.tolist() != s.validation.tolist()


def test_official_takes_all_three_sets_as_they_are():
    whole = with_sets(many(), {"p00": "Test", "p01": " val", "p02": "validation"})
    s = split(whole, "official", 0)
    assert set(whole.subjects[s.test]) == {"p00"}
    assert set(whole.subjects[s.validation]) == {"p01", "p02"}
    assert len(set(whole.subjects[s.train])) == 20


def test_official_refuses():
    with pytest.raises(CorpusError, match="the database has no sets of its own"):
        split(many(), "official", 0)
    with pytest.raises(CorpusError, match="only the set train is there"):
        split(with_sets(many(), {}), "official", 0)
    with pytest.raises(CorpusError, match="the column 'set' says 'dev'; expected train, validation, test"):
        split(with_sets(many(), {"p00": "dev"}), "official", 0)
    whole = with_sets(many(), {"p00": "validation"})
    for wrong in ({"fold": 1}, {"fold": 0, "folds": 5}):
        with pytest.raises(ConfigError, match="expected fold 0 alone"):
            split(whole, "official", **wrong)
    whole.columns.loc[np.flatnonzero(whole.subjects == "p01")[:1], "set"] = "validation"
    with pytest.raises(CorpusError, match="p01 are in training and in test; use --protocol strict"):
        split(whole, "official", 0)
