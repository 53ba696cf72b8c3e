"""Whole small runs: what they leave, that they are not done twice, what they refuse, comparators of other packages."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import load_file

from anclaf.comparators.registry import COMPARATORS, Comparator, Task
from anclaf.config import RunConfig
from anclaf.core.errors import AnclafError, ConfigError, StaleError
from anclaf.core.labels import label_quadrant
from anclaf.core.people import digests
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.attention_motion import attended
from anclaf.evaluation.estimate import estimate_of_frames, features_of, latents_of
from anclaf.evaluation.quadrants import COLUMNS, PROBABILITIES
from anclaf.experiment import execute
from anclaf.experiment.engine import score_run, train_run
from anclaf.experiment.job import RunSpec
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.calibration import load_calibration
from anclaf.models.folder import load_spec
from anclaf.models.io import load_model
from anclaf.models.spec import Variant
from anclaf.recipes import RECIPES, make_run
from anclaf.report.run_report import write_report
from tiny_run import CONFIG

SA4 = [Variant("SA", 4)]


def _fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def _run(corpus: PreparedCorpus, out: Path, config: RunConfig = CONFIG, **kwargs: Any) -> RunSpec:
    return RunSpec("", corpus.folder, out, config, **kwargs)


@pytest.fixture(scope="module")
def run(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train_run(_fabric(), _run(corpus, out), variants=SA4)
    return out


def test_what_a_run_leaves(corpus: PreparedCorpus, run: Path):
    fold = run / "fold0"
    for name in ("base", "S-2", "S-4", "SA-4", "S-4+"):
        network, spec = load_model(fold / name)
        assert str(network.variant) == name
        assert (fold / name / "history.csv").read_text().startswith("step,phase,name,value")
        assert not (fold / name / "checkpoint.safetensors").exists()
        assert spec.fps == 25
        calibration = load_calibration(fold / name, spec)
        assert calibration is not None
        assert calibration.frames == json.loads((fold / "split.json").read_text())["validation_frames"]
    assert not (fold / "latents").exists()
    split = json.loads((fold / "split.json").read_text())
    assert not set(split["train_subjects"]) & set(split["test_subjects"])
    assert not set(split["train_subjects"]) & set(split["validation_subjects"])
    learnt_from = set(split["train_subjects"]) | set(split["validation_subjects"])
    assert spec.subjects == digests(learnt_from)
    settings = json.loads((run / "run.json").read_text())
    assert settings["config"]["stage1"]["batch_size"] == 16
    assert settings["corpus"]["fingerprint"] == corpus.card.fingerprint
    table = pd.concat([pd.read_parquet(path) for path in fold.glob("*/predictions.parquet")], ignore_index=True)
    counts = table["variant"].value_counts()
    ridge = {"ridge-1", "ridge-8", "ridge-1@detected", "ridge-8@detected"}
    assert set(counts.index) == {"base", "S-2", "S-4", "S-4+", "SA-4", "mean", *ridge}
    assert len(set(counts)) == 1, "every frame of a clip has an estimate by every model"
    attention = np.load(fold / "SA-4" / "attention.npz")
    assert attention["weights"].shape == (counts["SA-4"], 3)
    known = np.isfinite(attention["weights"])
    first = table[table["variant"] == "SA-4"].groupby("clip").head(1).index - table[table["variant"] == "SA-4"].index[0]
    assert not known[first].any(), "the first frame of a clip has no previous state"
    np.testing.assert_allclose(np.nansum(attention["weights"], 1)[known.any(1)], 1, atol=1e-5)
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["variants"]) == {"base", "S-2", "S-4", "S-4+", "SA-4"}
    assert set(metrics["variants"]["base"]["mean"]) >= {"rmse", "cor", "ccc", "icc", "sagr", "ci95"}


def test_a_model_estimates_people_it_has_seen_too(corpus: PreparedCorpus, run: Path):
    fold = run / "fold0"
    split = json.loads((fold / "split.json").read_text())
    for name in ("base", "SA-4"):
        seen = pd.read_parquet(fold / name / "seen.parquet")
        assert set(seen["variant"]) == {name}
        for part in ("train", "validation"):
            rows = seen[seen["part"] == part]
            assert set(rows["subject"]) == set(split[f"{part}_subjects"])
            assert len(rows) == split[f"{part}_frames"]
    network = load_model(fold / "base")[0]
    rows = np.flatnonzero(np.isin(corpus.subjects, split["train_subjects"]))
    seen = pd.read_parquet(fold / "base" / "seen.parquet").query("part == 'train'")
    expected = corpus.card.scale.restore(estimate_of_frames(network, features_of(network, corpus, rows, "cpu")))
    np.testing.assert_allclose(seen[["valence_hat", "arousal_hat"]], expected, atol=1e-5)
    assert not (fold / "ridge-1" / "seen.parquet").exists()
    parts = json.loads((run / "metrics.json").read_text())["variants"]["base"]["parts"]
    for part in ("train", "validation"):
        assert (parts[part]["frames"], parts[part]["subjects"]) == (
            split[f"{part}_frames"],
            len(split[f"{part}_subjects"]),
        )
    rmse = np.sqrt(np.mean((seen["arousal_hat"] - seen["arousal"]) ** 2))
    assert parts["train"]["arousal"]["rmse"] == pytest.approx(rmse)


def test_the_base_model_leaves_what_d_says_of_each_quadrant(corpus: PreparedCorpus, run: Path):
    fold = run / "fold0"
    split = json.loads((fold / "split.json").read_text())
    table = pd.read_parquet(fold / "base" / "quadrants.parquet")
    assert set(table.columns) == set(COLUMNS)
    scores = json.loads((run / "metrics.json").read_text())["quadrants"]
    for part in ("test", "validation", "train"):
        frames = (table["part"] == part).sum()
        assert frames == scores[part]["frames"] == split[f"{part}_frames"]
        assert set(table.loc[table["part"] == part, "subject"]) == set(split[f"{part}_subjects"])
    # it is Q as the network makes it
    network, test = load_model(fold / "base")[0], table.query("part == 'test'")
    rows = np.flatnonzero(np.isin(corpus.subjects, split["test_subjects"]))
    q = latents_of(network, corpus, rows, "cpu").q.numpy()
    np.testing.assert_allclose(test[list(PROBABILITIES)], q, atol=1e-5)
    right = q.argmax(1) == label_quadrant(*corpus.targets[rows].T)
    assert scores["test"]["accuracy"] == pytest.approx(right.mean())
    assert not (fold / "SA-4" / "quadrants.parquet").exists()


def test_where_q_is_not_ds_there_is_none(corpus: PreparedCorpus, tmp_path: Path):
    plain = _run(corpus, tmp_path)
    given = replace(plain, config=replace(plain.config, model=replace(plain.config.model, quadrant_source="true")))
    scores = train_run(_fabric(), given, variants=[Variant("base")], comparators=[])
    assert "quadrants" not in scores
    assert not (tmp_path / "fold0" / "base" / "quadrants.parquet").exists()


def test_of_many_training_frames_some_of_every_clip(
    corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(execute, "SEEN_FRAMES", 40)
    out, whole = tmp_path / "some", tmp_path / "whole"
    train_run(_fabric(), _run(corpus, out), variants=[Variant("S", 2)], comparators=[])
    monkeypatch.undo()
    train_run(_fabric(), _run(corpus, whole), variants=[Variant("S", 2)], comparators=[])
    read = {folder: pd.read_parquet(folder / "fold0" / "S-2" / "seen.parquet") for folder in (out, whole)}
    few, all_of_them = (table.query("part == 'train'").set_index(["clip", "frame"]) for table in read.values())
    assert 20 < len(few) <= 40 < len(all_of_them)
    assert set(few.index.get_level_values("clip")) == set(all_of_them.index.get_level_values("clip"))
    assert few.index.equals(
        pd.read_parquet(out / "fold0" / "base" / "seen.parquet")
        .query("part == 'train'")
        .set_index(["clip", "frame"])
        .index
    )
    np.testing.assert_allclose(few["arousal_hat"], all_of_them.loc[few.index, "arousal_hat"], atol=1e-5)


def test_in_paper_the_validation_people_are_the_test_people(corpus: PreparedCorpus, tmp_path: Path):
    train_run(_fabric(), _run(corpus, tmp_path, protocol="paper"), variants=[Variant("base")], comparators=[])
    assert set(pd.read_parquet(tmp_path / "fold0" / "base" / "seen.parquet")["part"]) == {"train"}


def _median(task: Task) -> np.ndarray:
    """An outside comparator, without an estimate of the first frame of a clip."""
    middle = np.median(task.corpus.labels[task.split.train], axis=0)
    estimate = np.tile(middle, (len(task.split.test), 1))
    estimate[task.corpus.index["frame"].to_numpy()[task.split.test] == 0] = np.nan
    return estimate


@pytest.fixture
def median():
    yield COMPARATORS.register("median", Comparator("training median", _median, needs=("mean",)))
    COMPARATORS.unregister("median")


def test_a_comparator_of_another_package(corpus: PreparedCorpus, tmp_path: Path, median: Comparator):
    out = tmp_path / "run"
    train_run(_fabric(), _run(corpus, out), variants=[Variant("base")], comparators=["median"])
    scores = json.loads((out / "metrics.json").read_text())
    assert list(scores["comparators"]) == ["mean", "median"], "what it needs is run before it"
    assert scores["comparators"]["median"]["label"] == "training median"
    table = pd.read_parquet(out / "fold0" / "median" / "predictions.parquet")
    truth = pd.read_parquet(out / "fold0" / "mean" / "predictions.parquet")
    assert len(table) == scores["comparators"]["median"]["frames"] < len(truth)
    error = np.sqrt(np.mean((table["valence_hat"] - table["valence"]) ** 2))
    assert scores["comparators"]["median"]["valence"]["rmse"] == pytest.approx(error)
    assert ("base", "median") in {(pair["a"], pair["b"]) for pair in scores["paired"]}
    COMPARATORS.unregister("median")
    try:  # the report is read where that package is not installed
        assert "training median" in (write_report(out).parent / "table.md").read_text()
        assert score_run(_run(corpus, out))["comparators"].keys() == {"mean", "median"}, "job.json says what it is"
    finally:
        COMPARATORS.register("median", median)


def test_a_comparator_that_does_not_fit(corpus: PreparedCorpus, tmp_path: Path):
    COMPARATORS.register("S-2", Comparator("a model's name", _median))
    COMPARATORS.register("short", Comparator("too few rows", lambda task: np.zeros((1, 2))))
    try:
        with pytest.raises(ConfigError, match="comparator 'S-2': a model is called the same"):
            train_run(_fabric(), _run(corpus, tmp_path / "a"), variants=SA4, comparators=["S-2"])
        with pytest.raises(ConfigError, match=r"'short': estimates have shape \(1, 2\); expected \(\d+, 2\)"):
            train_run(_fabric(), _run(corpus, tmp_path / "b"), variants=[], comparators=["short"])
    finally:
        for name in ("S-2", "short"):
            COMPARATORS.unregister(name)


def test_run_json_has_the_recipe_and_what_was_changed(corpus: PreparedCorpus, tmp_path: Path):
    spec = _run(corpus, tmp_path, recipe="small", overrides={"stage1.batch_size": 16})
    spec.folder.claim(spec, corpus, 5)
    settings = json.loads((tmp_path / "run.json").read_text())
    assert (settings["recipe"], settings["overrides"], settings["seed"]) == ("small", {"stage1.batch_size": 16}, 0)


def test_metrics_say_what_attention_looks_at(run: Path):
    """The same numbers as of the weights that were written, beside the rows that they are of."""
    scores, opened = json.loads((run / "metrics.json").read_text())["attention"], RunFolder.open(run)
    assert set(scores) == {"SA-4"}
    stored, corpus = opened.attention(0, "SA-4"), opened.corpus
    assert stored is not None
    assert corpus is not None
    table, weights = stored
    windows = attended(corpus, [(table, weights, opened.corpus_rows(table))])
    assert len(windows.weights) == np.isfinite(weights).all(1).sum() > 0
    expected = windows.scores(CONFIG.bootstrap)
    assert 0 < scores["SA-4"]["place"]["value"] == pytest.approx(expected.place.value)
    assert scores["SA-4"]["place"]["ci95"] == pytest.approx([expected.place.low, expected.place.high])
    assert scores["SA-4"]["localisation"]["frames"] == expected.localisation.frames
    assert scores["SA-4"]["by_lag"] == pytest.approx(windows.weights.mean(0).tolist())
    assert sum(scores["SA-4"]["by_lag"]) == pytest.approx(1)


def test_a_finished_run_does_nothing(corpus: PreparedCorpus, run: Path):
    stamps = {path: path.stat().st_mtime_ns for path in run.rglob("model.safetensors")}
    train_run(_fabric(), _run(corpus, run), variants=SA4)
    assert stamps == {path: path.stat().st_mtime_ns for path in run.rglob("model.safetensors")}


def test_other_settings_are_refused(corpus: PreparedCorpus, make_corpus, run: Path, tmp_path: Path):
    other = replace(CONFIG, stage1=replace(CONFIG.stage1, lr=0.1))
    with pytest.raises(StaleError, match="holds a run with other settings"):
        train_run(_fabric(), _run(corpus, run, other), variants=SA4)
    with pytest.raises(StaleError, match="or of another corpus"):
        train_run(_fabric(), _run(make_corpus(seed=5), run), variants=SA4)
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        train_run(_fabric(), _run(corpus, tmp_path), variants=SA4)


def test_paper_protocol_tumbles(corpus: PreparedCorpus, tmp_path: Path):
    scores = train_run(_fabric(), _run(corpus, tmp_path / "run", protocol="paper"), fold=4, variants=[Variant("S", 4)])
    assert (scores["protocol"], scores["windows"]) == ("paper", "tumbling")
    table = pd.read_parquet(tmp_path / "run" / "fold4" / "S-4" / "predictions.parquet")
    frames = table.groupby("clip").size()
    assert (frames == 8).all(), "9 frames hold two windows of 4; the remainder is dropped"


def test_the_official_sets_are_trained_and_tested(make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=9, seed=5)
    sets = np.where(np.isin(corpus.subjects, ["p0", "p1"]), "validation", "train")
    pd.DataFrame({"set": sets}).to_parquet(corpus.folder / "columns.parquet")
    run = _run(PreparedCorpus.open(corpus.folder), tmp_path / "run", protocol="official")
    scores = train_run(_fabric(), run, fold=None, variants=[Variant("S", 4)], comparators=["mean"])
    assert (scores["protocol"], scores["windows"]) == ("official", "sliding")
    table = pd.read_parquet(tmp_path / "run" / "fold0" / "S-4" / "predictions.parquet")
    assert {*table["subject"]} == {"p0", "p1"}
    spec = load_spec(tmp_path / "run" / "fold0" / "S-4")
    assert spec.subjects
    assert not spec.known(["p0", "p1"])
    said = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "own sets; where it has two sets, the second is tested" in said


def test_all_folds_test_everybody_once(make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=6, clips=1, frames=6)
    scores = train_run(_fabric(), _run(corpus, tmp_path / "run", folds=3), fold=None, variants=[Variant("base")])
    assert scores["folds"] == [0, 1, 2]
    assert sum(fold["frames"] for fold in scores["variants"]["base"]["folds"]) == len(corpus)


def test_stills_have_no_sequences(make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=40, clips=1, frames=1, fps=0)
    train_run(_fabric(), _run(corpus, tmp_path / "base"), variants=[Variant("base")])
    with pytest.raises(ConfigError, match="use --variants base"):
        train_run(_fabric(), _run(corpus, tmp_path / "sa"), variants=SA4)


@pytest.mark.parametrize(
    ("subjects", "message"), [(1, r"1 subject.*; the strict protocol needs"), (4, "4 subjects cannot")]
)
def test_too_few_people(make_corpus, tmp_path: Path, subjects: int, message: str):
    with pytest.raises(AnclafError, match=message):
        train_run(_fabric(), _run(make_corpus(subjects=subjects, clips=5), tmp_path / "run"), variants=SA4)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["as-written", "demo", "small", "paper"])
def test_every_recipe_says_what_it_is(name: str):
    config = make_run(name, 3)
    assert config.seed == 3
    assert (RECIPES[name].__doc__ or "").splitlines()[0]


def test_no_such_recipe():
    with pytest.raises(ConfigError, match="expected one of as-written, demo, paper, small"):
        make_run("large")


_TWO = """
import sys, torch
from pathlib import Path
from lightning_fabric import Fabric
from numpy.typing import NDArray
from anclaf.data.store import PreparedCorpus
from anclaf.data.folds import split
from anclaf.models.io import save_model
from anclaf.config import LstmConfig, ModelConfig, RunConfig, Stage1Config
from anclaf.training.stage1 import train_base
from safetensors.torch import save_file
torch.set_num_threads(1)
corpus = PreparedCorpus.open(sys.argv[1]); fold = split(corpus, "strict", 0)
fabric = Fabric(accelerator="cpu", devices=int(sys.argv[3])); fabric.launch()
# dropout, jitter and the faces that D sees twice are each process's own, so these are off here
sizes = dict(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(12), discriminator_norm="none")
training = dict(batch_size=16, warmup_steps=2, adversarial_interval=1, ema_decay=0.0, dropout=0.0,
    appearance_dropout=0.0, landmark_jitter=0.0, quadrant_lr=0.0)
# landmarks are divided by how little they vary here, and rounding grows from step to step: of them one step is seen
for seed, geometry, steps in ((2, False, 5), (3, False, 5), (4, False, 5), (5, True, 1), (6, True, 1), (7, True, 1)):
    folder, model = Path(sys.argv[2]) / str(seed), ModelConfig(geometry=geometry, **sizes)
    stage1 = Stage1Config(steps=steps, evaluate_every=steps, checkpoint_every=steps, **training)
    network, *_ = train_base(fabric, corpus, fold, RunConfig(seed=seed, model=model, stage1=stage1), folder)
    if fabric.is_global_zero:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / "end.safetensors")
"""


@pytest.mark.thorough
def test_two_processes_train_as_one(corpus: PreparedCorpus, tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text(_TWO)
    for count in (1, 2):
        subprocess.run(
            [sys.executable, script, corpus.folder, tmp_path / str(count), str(count)], check=True, timeout=300
        )
    apart: list[NDArray] = []
    for seed in range(2, 8):
        one, two = (load_file(tmp_path / str(count) / str(seed) / "end.safetensors") for count in (1, 2))
        # which trust is best is a choice between scores that may be equal but for rounding
        differences = [(one[name] - two[name]).abs().flatten() for name in one if name != "trust"]
        apart.append(torch.cat(differences).numpy())
    # now and then rounding takes one ReLU over its edge, and Adam makes much of it; a fault would show with every seed
    assert min(one.max() for one in apart[:3]) < 5e-6
    # Adam's first step is the gradient's sign alone, and some gradients are 0 but for rounding
    assert all(np.quantile(one, 0.99) < 5e-6 for one in apart[3:])
