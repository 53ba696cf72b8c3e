"""Which predictions stand in one table, and what is said of the others."""

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import CorpusError
from anclaf.evaluation.comparable import comparable
from anclaf.evaluation.seen import seen_rows, seen_scores
from anclaf.metrics.regression import metrics


def table(variants: dict[str, tuple[int, ...]], frames: int = 6, seed: int = 0) -> pd.DataFrame:
    """variants: name -> the folds that it was tested in."""
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame(
            {
                "variant": name, "fold": fold, "clip": f"f{fold}", "subject": f"p{fold}", "frame": np.arange(frames),
                "valence": np.arange(frames) + fold, "arousal": np.arange(frames) - fold,
                "valence_hat": rng.normal(size=frames), "arousal_hat": rng.normal(size=frames),
            }
        )
        for name, folds in variants.items()
        for fold in folds
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_folds_in_which_every_model_was_tested():
    found = comparable(
        [table({"base": (0, 1, 2), "S-8": (0, 2), "ridge-1": (0, 1, 2), "svr": (0, 1)})], ["ridge-1", "svr"]
    )
    assert found.folds == [0, 2]
    assert list(found.rows) == ["base", "S-8", "ridge-1"]
    assert found.left_out == ["fold 1: not every model has estimates of it", "svr: was not tested in folds 0, 2"]
    assert found.counts == {"frames": 12, "subjects": 2}


def test_frames_that_all_have():
    whole = table({"base": (0, 1), "S-8": (0, 1)})
    short = whole[(whole["variant"] == "base") | (whole["frame"] < 4)]
    found = comparable([short], [])
    assert [len(rows[0]) for rows in found.rows.values()] == [8, 8]
    assert len(found.own["base"][0]) == 12
    assert found.left_out == []


def test_every_seed_must_have_it():
    a, b = table({"base": (0, 1), "S-8": (0, 1)}), table({"base": (0, 1)}, seed=1)
    found = comparable([a, b], [])
    assert list(found.rows) == ["base"]
    assert [len(tables) for tables in found.rows.values()] == [2]
    assert found.left_out == ["S-8: was not tested in folds 0, 1 with each of 2 seeds"]


def test_nothing_in_common():
    with pytest.raises(CorpusError, match="no model was tested in the same fold with every seed"):
        comparable([table({"base": (0,)}), table({"base": (1,)})], [])
    whole = table({"base": (0,), "S-8": (0,)})
    with pytest.raises(CorpusError, match="base, S-8 have no frame in common"):
        comparable([whole[(whole["variant"] == "base") ^ (whole["frame"] < 3)]], [])


def test_known_people_are_pooled_over_folds():
    """A person trains in one fold and validates in another; a frame's estimates by two folds' models are two rows."""
    folds = {f: table({"base": (0,), "S-8": (0,)}, seed=f).drop(columns="fold").assign(part="train") for f in (0, 1)}
    folds[1].loc[folds[1]["frame"] > 3, "part"] = "validation"
    rows = seen_rows([folds], ["base", "S-8", "SA-8"], [0, 1], "train")
    assert list(rows) == ["base", "S-8"], "SA-8 has none"
    assert len(rows["base"][0]) == 6 + 4
    assert seen_rows([folds], ["base"], [0, 1], "validation") == {}, "fold 0 has no validation rows"
    found = {(name, part): entry for name, part, entry in seen_scores([folds], ["base"], [0, 1], 0.0, 50)}
    assert list(found) == [("base", "train")]
    pooled = pd.concat([t[(t["variant"] == "base") & (t["part"] == "train")] for t in folds.values()])
    expected = metrics(pooled["valence_hat"].to_numpy(), pooled["valence"].to_numpy())["ccc"]
    entry = found["base", "train"]
    assert entry["valence"]["ccc"] == pytest.approx(expected)
    assert (entry["frames"], entry["subjects"]) == (10, 1)
