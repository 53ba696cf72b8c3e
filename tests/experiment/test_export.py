"""`anclaf export`, and what an eight-bit encoder costs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anclaf.cli.main import main
from anclaf.config import LstmConfig, ModelConfig
from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, estimate_rows, features_of
from anclaf.experiment import export
from anclaf.experiment.export import export_model
from anclaf.inference.backend import load_backend
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.models.anclaf import LinearHead
from anclaf.models.folder import ENCODER, SPEC
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

SIZES = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=32, geometry=False, lstm=LstmConfig(hidden_size=8))


@pytest.fixture
def fitted(tmp_path: Path, corpus: PreparedCorpus) -> Path:
    """The folder of a base model of random weights, whose last layer was fitted to everybody, so that it says
    something."""
    torch.manual_seed(0)
    network = AffectNetwork(SIZES, Variant("base")).eval()
    rows = np.arange(len(corpus))
    x = features_of(network, corpus, rows, "cpu").double().numpy()
    mean, scale = x.mean(0), x.std(0) + 1e-6
    inputs = (x - mean) / scale
    weights = np.linalg.solve(inputs.T @ inputs + 3 * np.eye(inputs.shape[1]), inputs.T @ corpus.targets[rows]).T
    assert isinstance(network.head, LinearHead)
    with torch.no_grad():
        network.head.affect.weight.copy_(torch.from_numpy(weights / scale))
        network.head.affect.bias.copy_(torch.from_numpy(corpus.targets[rows].mean(0) - weights @ (mean / scale)))
    spec = ModelSpec(
        "base", SIZES, -10, 10, "five-point", 25.0, ("test",), digests(corpus.subjects[rows]), "strict", 0,
        {"corpus": corpus.card.fingerprint}, versions(),
    )  # fmt: skip
    save_model(tmp_path / "model", network, spec)
    return tmp_path / "model"


def test_what_eight_bits_cost_is_measured(
    tmp_path: Path, fitted: Path, corpus: PreparedCorpus, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert main(["export", str(fitted), str(out), "--int8", str(corpus.folder), "--int8-loss", "0.1"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out)
    backend = load_backend(out, threads=1)
    assert isinstance(backend, OnnxBackend)
    cost, rows = backend.about["int8"], split(corpus, "strict", 0).test
    network, _ = load_model(fitted)
    expected = agreement_score(estimate_rows(network, corpus, rows, 25, "cpu"), corpus.targets[rows])["ccc"]
    assert cost["torch"] == pytest.approx(expected, abs=1e-6)
    assert expected > 0.3, "a model that says nothing has nothing to lose"
    x = backend.encode(corpus.images(rows)).x
    found = backend.estimate(x[:, None], np.zeros((len(x), 1, 4), np.float32))[0][:, 0]
    assert cost["int8"] == pytest.approx(agreement_score(found, corpus.targets[rows])["ccc"], abs=1e-4)
    assert cost["loss"] == cost["torch"] - cost["int8"]
    assert 0 < abs(cost["loss"]) < 0.1
    assert (cost["frames"], cost["people"]) == (len(rows), len({*corpus.subjects[rows].tolist()}))
    assert f"int8: CCC {cost['int8']:.3f} on {cost['people']} held-out people" in said.err
    exact = export_model(fitted, tmp_path / "exact").folder
    assert backend.about["precision"] == "int8"
    assert (out / ENCODER).stat().st_size < (exact / ENCODER).stat().st_size


def test_a_loss_above_the_bound_is_refused(
    tmp_path: Path, fitted: Path, corpus: PreparedCorpus, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(1)
    other = export.encoder_graph(AffectNetwork(SIZES, Variant("base")).eval())
    monkeypatch.setattr(export, "quantised", lambda *_: other)
    with pytest.raises(ModelError, match=r"CCC is .* held-out people, and .* lower, more than 0\.02. Leave --int8 out"):
        export_model(fitted, tmp_path / "out", int8=corpus)
    assert not (tmp_path / "out").exists()
    export_model(fitted, tmp_path / "out", int8=corpus, int8_loss=2)


def test_what_cannot_be_exported(
    tmp_path: Path, fitted: Path, corpus: PreparedCorpus, capsys: pytest.CaptureFixture[str]
):
    assert main(["export", str(fitted), str(tmp_path / "out"), "--int8-loss", "0.1"]) == 2
    assert "--int8-loss has no effect without --int8" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "out")]) == 2
    assert "no model.json here" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="int8_loss -1: expected a difference of CCC"):
        export_model(fitted, tmp_path / "out", int8_loss=-1)
    spec = json.loads((fitted / SPEC).read_text())
    spec["model"]["quadrant_source"] = "true"
    (fitted / SPEC).write_text(json.dumps(spec))
    with pytest.raises(ModelError, match="quadrant_source=true: a model that is given labels"):
        export_model(fitted, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_faces_of_another_size_calibrate_nothing(tmp_path: Path, fitted: Path, corpus: PreparedCorpus):
    network, known = load_model(fitted)
    large = replace(known.model, image_size=64)
    save_model(tmp_path / "large", AffectNetwork(large, network.variant), replace(known, model=large))
    with pytest.raises(ConfigError, match="faces of 32 pixels, crop five-point; the model's have 64"):
        export_model(tmp_path / "large", tmp_path / "out", int8=corpus)
