"""Scores of Q by part, over folds, beside the prior's: by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from anclaf.core.labels import label_quadrant
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.quadrants import COLUMNS, PROBABILITIES, mean_over_seeds, quadrant_scores, quadrant_table


def _rows(part: str, labels: list[int], said: list[int], sure: float = 0.7, subject: str = "a") -> pd.DataFrame:
    """Frames whose quadrant is said to be `said`, `sure` so."""
    q = np.full((len(labels), 4), (1 - sure) / 3)
    q[np.arange(len(said)), said] = sure
    known = {"part": part, "clip": "c", "subject": subject, "frame": range(len(labels)), "quadrant": labels}
    return pd.DataFrame(known | dict(zip(PROBABILITIES, q.T, strict=True)))


def test_folds_are_pooled_and_each_has_its_own_prior():
    first = pd.concat([_rows("train", [0, 0, 0, 1], [0, 0, 0, 1], 0.97), _rows("test", [0, 1, 2], [0, 0, 2])])
    second = pd.concat([_rows("train", [1, 1, 2, 3], [1, 1, 2, 3], 0.97), _rows("test", [1], [3], subject="b")])
    scores = quadrant_scores({0: first, 3: second})
    assert list(scores) == ["test", "train"]
    test = scores["test"]
    assert (test["frames"], test["subjects"], test["accuracy"]) == (4, 2, 0.5)
    # quadrant 0: its one frame is told; 1: none of two; 2: its one
    assert test["balanced_accuracy"] == pytest.approx((1 + 0 + 1) / 3)
    assert test["cross_entropy"] == pytest.approx(-(2 * math.log(0.7) + 2 * math.log(0.1)) / 4)
    # the prior says quadrant 0 in the first fold (3/4; 1/4 for quadrant 1), and quadrant 1 in the second (1/2)
    assert test["prior"]["accuracy"] == 0.5
    assert test["prior"]["balanced_accuracy"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    known = math.log(3 / 4) + math.log(1 / 4) + math.log(1e-6) + math.log(1 / 2)
    assert test["prior"]["cross_entropy"] == pytest.approx(-known / 4)
    assert [(one["fold"], one["frames"], one["accuracy"]) for one in test["folds"]] == [(0, 3, 2 / 3), (3, 1, 0.0)]
    assert scores["train"]["accuracy"] == 1


def test_several_seeds_have_the_mean_of_their_scores():
    runs = [
        quadrant_scores({0: pd.concat([_rows("train", [0, 1], [0, 1]), _rows("test", [0, 1], said)])})
        for said in ([0, 1], [0, 0])
    ]
    del runs[1]["train"]
    mean = mean_over_seeds(runs)
    assert list(mean) == ["test"]
    assert (mean["test"]["accuracy"], mean["test"]["prior"]["accuracy"]) == (0.75, 0.5)
    assert mean["test"]["cross_entropy"] == pytest.approx(-(3 * math.log(0.7) + math.log(0.1)) / 4)
    assert (mean["test"]["frames"], mean["test"]["subjects"]) == (2, 1)
    assert mean_over_seeds([]) == {}


def test_the_table_of_a_corpus(corpus: PreparedCorpus):
    rows, q = np.array([3, 40, 7]), np.random.default_rng(0).dirichlet(np.ones(4), 3)
    table = quadrant_table(corpus, rows, q).assign(part="test")
    assert set(table.columns) == set(COLUMNS)
    np.testing.assert_array_equal(table[list(PROBABILITIES)], q)
    assert table["quadrant"].tolist() == label_quadrant(*corpus.targets[rows].T).tolist()
    assert table["clip"].tolist() == corpus.clips[rows].tolist()
