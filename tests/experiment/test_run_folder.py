"""A run's folder: where what is read from it belongs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import RunError
from anclaf.experiment.run_folder import RunFolder
from fake_run import FakeRun

SMALL = FakeRun(clips=6, frames=10, variants=("base", "SA-4"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return SMALL.write(tmp_path)


def keep(run: Path, clips: list[str], fold: int = 0) -> None:
    """Leave these clips in a fold's predictions and weights, as where the others were trained on."""
    for path in (run / f"fold{fold}").glob("*/predictions.parquet"):
        table = pd.read_parquet(path)
        tested = table["clip"].isin(clips).to_numpy()
        table[tested].to_parquet(path)
        if (path.parent / "attention.npz").is_file():
            with np.load(path.parent / "attention.npz") as file:
                weights = file["weights"][tested]
            # the rows are counted from the first test frame, not from the corpus's first
            np.savez(path.parent / "attention.npz", weights=weights, row=np.arange(len(weights)))


def test_faces_are_those_of_the_frames_tested(run: Path) -> None:
    """The test clips are not the first of the corpus."""
    keep(run, ["003", "005"])
    opened = RunFolder.open(run)
    stored = opened.attention(0, "SA-4")
    assert stored is not None
    table, weights = stored
    rows = opened.corpus_rows(table)
    assert rows.tolist() == [*range(20, 30), *range(40, 50)]
    assert weights.shape == (20, 3)
    assert opened.corpus is not None
    assert opened.corpus.clips[rows].tolist() == table["clip"].tolist()


def test_a_frame_that_the_corpus_has_not(run: Path) -> None:
    opened = RunFolder.open(run)
    table = opened.predictions(0, ["base"]).assign(frame=lambda t: t["frame"] + 5)
    with pytest.raises(RunError, match="clip 001, frame 10 was tested and is not in"):
        opened.corpus_rows(table)


def test_of_an_earlier_run_the_seed_decided_the_folds(run: Path) -> None:
    settings = json.loads((run / "run.json").read_text()) | {"seed": 3}
    for config, expected in ({}, 3), ({"config": {"steps": 1}}, 3), ({"config": {"fold_seed": 5}}, 5):
        (run / "run.json").write_text(json.dumps(settings | config))
        opened = RunFolder.open(run)
        assert (opened.seed, opened.fold_seed) == (3, expected)


def test_folds_are_pooled(run: Path) -> None:
    (run / "fold1").mkdir()
    for name in ("base", "SA-4"):
        path = run / "fold0" / name / "predictions.parquet"
        table = pd.read_parquet(path)
        (run / "fold1" / name).mkdir()
        table[table["clip"] >= "004"].to_parquet(run / "fold1" / name / "predictions.parquet")
        table[table["clip"] < "004"].to_parquet(path)
    metrics = (run / "metrics.json").read_text()
    (run / "metrics.json").write_text(metrics.replace('"folds": [\n  0\n ]', '"folds": [0, 1]'))
    opened = RunFolder.open(run)
    assert opened.folds == (0, 1)
    assert len(opened.pooled("base")) == 60
    (run / "fold1" / "base" / "predictions.parquet").unlink()
    assert opened.pooled("base").empty, "of some folds is not of all"
    assert len(opened.pooled("SA-4")) == 60


def test_card_has_what_either_file_says(run: Path) -> None:
    """metrics.json keeps the card's numbers only; that a corpus is drawn may stand in its notes."""
    metrics = run / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"notes"', '"x"'))
    changed = replace(SMALL, name="again", notes=("rendered people",))
    (run / "run.json").write_text((changed.write(run.parent / "other") / "run.json").read_text())
    assert RunFolder.open(run).card["notes"] == ["rendered people"]
    assert RunFolder.open(run).card["detector"] == "none"


def test_metrics_of_an_earlier_version(run: Path) -> None:
    """The comparators' key was `baselines`, and their labels were the report's."""
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["baselines"] = metrics.pop("comparators")
    for entry in metrics["baselines"].values():
        del entry["label"]
    (run / "metrics.json").write_text(json.dumps(metrics))
    opened = RunFolder.open(run)
    assert set(opened.metrics["comparators"]) == {"mean", "ridge-1", "ridge-8"}
    assert opened.label("ridge-8") == "ridge on landmarks, 8 frames"
    assert opened.best_comparator() in opened.metrics["comparators"]


def test_models_without_predictions(run: Path) -> None:
    opened = RunFolder.open(run)
    assert opened.predictions(0, ["S-8"]).empty
    assert opened.attention(0, "base") is None
    assert opened.predicted(["base", "S-8", "SA-4"]) == ["base", "SA-4"]
