"""Ridge regression on detected landmarks: what is fitted, and that its folder is a model like any other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from anclaf.cli import main as cli
from anclaf.comparators.classical import ALPHAS, windowed
from anclaf.config import Resources
from anclaf.core.errors import ConfigError, LeakError, ModelError
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_rows, features_of
from anclaf.experiment.engine import make_fabric, train_run
from anclaf.experiment.evaluate import evaluate_models
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import RunSpec
from anclaf.inference.estimator import AffectEstimator
from anclaf.models.calibration import load_calibration
from anclaf.models.io import load_model
from anclaf.models.ridge import RidgeHead
from anclaf.models.spec import Variant
from anclaf.training.curriculum import parse_variants
from tiny_run import CONFIG
from whole_frame import WholeFrame

NAMES = ("ridge-1@detected", "ridge-8@detected")


@pytest.fixture(scope="module")
def run(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """A base model with the quick comparators."""
    spec = RunSpec("", corpus.folder, tmp_path_factory.mktemp("run"), CONFIG)
    train_run(make_fabric(Resources(cpus=1)), spec, variants=[Variant("base")])
    return spec


def test_it_is_the_regression_on_what_the_base_model_finds(corpus: PreparedCorpus, run: RunSpec):
    part = split(corpus, "strict", 0)
    base, _ = load_model(run.folder.job(0, "base").path)
    for name in NAMES:
        network, spec = load_model(run.folder.job(0, name).path)
        n = network.variant.n
        found = features_of(base, corpus, part.train, "cpu")[:, base.combiner.features :].numpy()
        asked = features_of(base, corpus, part.test, "cpu")[:, base.combiner.features :].numpy()
        if n > 1:
            found, asked = (
                windowed(points, corpus.crop_motion[rows], corpus.segment_positions(rows), n)
                for points, rows in ((found, part.train), (asked, part.test))
            )
        estimate = np.empty((len(part.test), 2))
        for k in range(2):
            folds = list(GroupKFold(5).split(found, groups=corpus.subjects[part.train]))
            ridge = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, cv=folds))
            estimate[:, k] = ridge.fit(found, corpus.labels[part.train, k]).predict(asked)
        table = pd.read_parquet(run.folder.job(0, name).predictions)
        np.testing.assert_allclose(table[["valence_hat", "arousal_hat"]], estimate, atol=2e-3)
        assert (spec.variant, spec.protocol, spec.fps) == (name, "strict", 25)
        got = corpus.card.scale.restore(estimate_rows(network, corpus, part.test, spec.fps, "cpu"))
        np.testing.assert_allclose(table[["valence_hat", "arousal_hat"]], got, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_predict_and_step_take_it(tmp_path: Path, corpus: PreparedCorpus, run: RunSpec, name: str):
    folder = run.folder.job(0, name).path
    frames = [np.asarray(cv2.resize(image, (64, 64)), np.uint8) for image in corpus.images(np.arange(9))]
    estimator = AffectEstimator.load(folder, detector=WholeFrame())
    table = estimator.predict(np.stack(frames))
    stream = estimator.stream(25)
    steps = [stream.step(frame)[0] for frame in frames]
    np.testing.assert_allclose([[s.valence, s.arousal] for s in steps], table[["valence", "arousal"]], atol=1e-5)
    assert table["valence"].std() > 0
    assert list(table["status"])[-1] == "ok"
    calibrated = load_calibration(folder, estimator.spec) is not None
    assert calibrated
    assert (table["valence_low"] <= table["valence"]).all()
    video = tmp_path / "talk"
    video.mkdir()
    for k, frame in enumerate(frames):
        cv2.imwrite(str(video / f"{k}.png"), frame[..., ::-1])
    words = ["predict", str(video), "--model", str(folder), "--detector", "haar", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--no-overlay"]) == 0
    assert f'"{name}"' in (tmp_path / "out" / "talk.json").read_text()


def test_evaluate_takes_it_beside_networks(
    tmp_path: Path, make_corpus: Callable[..., PreparedCorpus], corpus: PreparedCorpus, run: RunSpec
):
    other = make_corpus(subjects=6, seed=5)
    models = [run.folder.job(0, name).path for name in ("base", *NAMES)]
    scores = evaluate_models(models, other.folder, tmp_path / "test", seen="keep", resamples=20)
    assert list(scores["entries"]) == ["base", *NAMES]
    assert {entry["coverage"]["share"] for entry in scores["entries"].values()} == {1.0}
    with pytest.raises(LeakError, match="base learnt from"):
        evaluate_models(models, corpus.folder, tmp_path / "leak", resamples=20)


def test_the_report_names_exact_and_detected_points_apart(run: RunSpec):
    entries = run.folder.metrics["comparators"]
    assert list(entries) == ["mean", "ridge-1", "ridge-8", *NAMES]
    assert entries["ridge-8"]["label"] == "ridge on landmarks, 8 frames"
    assert entries["ridge-8@detected"]["label"] == "ridge on detected landmarks, 8 frames"
    assert set(run.folder.metrics["variants"]) == {"base"}


def test_nobody_who_is_tested_is_known_to_the_finder(corpus: PreparedCorpus, run: RunSpec):
    tested = set(corpus.subjects[split(corpus, "strict", 0).test])
    for name in NAMES:
        assert not tested & set(load_model(run.folder.job(0, name).path)[1].subjects)


def test_exact_points_are_no_model_of_new_faces(run: RunSpec, capsys: pytest.CaptureFixture[str]):
    folder = run.folder.job(0, "ridge-8").path
    with pytest.raises(ModelError, match=r"fitted on the landmarks of its corpus, .*; use .*@detected"):
        AffectEstimator.load(folder, detector=WholeFrame())
    assert cli.main(["predict", "talk.mp4", "--model", str(folder), "--out", "out"]) == 2
    assert "ridge-8@detected" in capsys.readouterr().err


def test_it_needs_a_base_model_that_finds_landmarks(
    corpus: PreparedCorpus, make_corpus: Callable[..., PreparedCorpus], tmp_path: Path
):
    spec = RunSpec("", corpus.folder, tmp_path, CONFIG)
    names = [job.name for job in Fold.of(spec, 0).jobs([Variant("base")], NAMES)]
    assert names == ["base", *NAMES]
    assert not Fold.of(spec, 0).jobs([], NAMES)
    without = replace(CONFIG, model=replace(CONFIG.model, geometry=False))
    assert [job.name for job in Fold.of(replace(spec, config=without), 0).jobs([Variant("base")], NAMES)] == ["base"]
    stills = make_corpus(subjects=10, clips=9, frames=1, fps=0.0)
    jobs = Fold.of(replace(spec, corpus=stills.folder), 0).jobs([Variant("base")], NAMES)
    assert [job.name for job in jobs] == ["base", "ridge-1@detected"]


def test_it_is_fitted_and_not_trained():
    assert Variant.recorded("ridge-8@detected") == Variant("ridge", 8, "@detected")
    assert str(Variant.recorded("ridge-1@detected")) == "ridge-1@detected"
    with pytest.raises(ConfigError, match="expected base, S-n, SA-n"):
        parse_variants("base,ridge-8@detected")
    assert not any(variant.kind == "ridge" for variant in parse_variants("all"))


def test_the_head_by_hand():
    head = RidgeHead(3, CONFIG.model)
    weights = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for layer, weight in zip((head.last, head.mean, head.change, head.later), weights, strict=True):
            layer.weight.copy_(weight)
        head.last.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    got = head(x).affect
    for t in range(5):
        seen, change = x[:, : t + 1], (x[:, 1 : t + 1] - x[:, :t]).abs()
        parts = [x[:, t], seen.mean(1)]
        parts += [change.mean(1), x[:, 1 : t + 1].mean(1)] if t else [torch.zeros(2, 3)] * 2
        expected = sum(part @ weight.T for part, weight in zip(parts, weights, strict=True)) + torch.tensor([0.5, -0.5])
        torch.testing.assert_close(got[:, t], expected, atol=1e-5, rtol=1e-5)
