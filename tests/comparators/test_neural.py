"""Comparators: they learn, are what they say, survive an interruption bit for bit, and refuse what is not theirs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorly
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from anclaf.comparators.neural import AVERAGED, NETWORKS, PlainCnn, TuckerCnn, coherence_loss, load_network
from anclaf.comparators.registry import COMPARATORS, Task
from anclaf.config import AugmentationConfig, ComparatorConfig, LstmConfig, ModelConfig, Stage1Config
from anclaf.core.errors import ConfigError, ModelError, StaleError
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score
from anclaf.models.network import to_input

MODEL = ModelConfig(image_size=32, g_width=4, d_width=8, c_width=16, lstm=LstmConfig(hidden_size=12))
SHORT = Stage1Config(
    steps=6, batch_size=16, terms={}, evaluate_every=3, checkpoint_every=3, warmup_steps=2, adversarial_interval=2
)


def _run(
    corpus: PreparedCorpus, fold: Split, name: str, folder: Path, training: Stage1Config = SHORT, **more
) -> np.ndarray:
    """(N, 2) in [-1, 1] units."""
    config = more.pop("config", ComparatorConfig(training, tucker_rank=8))
    fabric, identity = Fabric(accelerator="cpu", devices=1), more.pop("fingerprint", "one")
    task = Task(name, fabric, corpus, fold, MODEL, config, 0, folder, identity, **more)
    return COMPARATORS.get(name).estimate(task) / 10


@pytest.fixture(scope="module")
def fold(corpus: PreparedCorpus) -> Split:
    return split(corpus, "strict", 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_trains_and_is_found_again(corpus: PreparedCorpus, fold: Split, tmp_path: Path, name: str):
    estimate = _run(corpus, fold, name, tmp_path)
    assert estimate.shape == (len(fold.test), 2)
    assert np.isfinite(estimate).all()
    assert json.loads((tmp_path / "model.json").read_text())["comparator"] == name
    assert (tmp_path / "history.csv").read_text().startswith("step,phase,name,value")
    assert not (tmp_path / "checkpoint.safetensors").exists()

    def never(done: int, total: int, task: str, note: str = "") -> None:
        raise AssertionError("it is trained again")

    np.testing.assert_array_equal(estimate, _run(corpus, fold, name, tmp_path, progress=never))
    with pytest.raises(StaleError, match=f"a {name} of other settings"):
        _run(corpus, fold, name, tmp_path, fingerprint="other")


@pytest.mark.parametrize("name", NETWORKS)
def test_each_learns(corpus: PreparedCorpus, fold: Split, tmp_path: Path, name: str):
    config = replace(
        SHORT, steps=50, batch_size=32, evaluate_every=25, lr=3e-3, adversarial_lr=3e-3, adversarial_interval=1,
        reconstruction_weight=1.0, augmentation=AugmentationConfig.none(), dropout=0.0, ema_decay=0.8,
    )  # fmt: skip
    estimate = _run(corpus, replace(fold, test=fold.train), name, tmp_path, config)
    assert agreement_score(estimate, corpus.targets[fold.train])["ccc"] > 0.5


@pytest.mark.parametrize("name", ["coherence", "aeg-cd"])
def test_an_interrupted_training_ends_with_the_same_bits(
    corpus: PreparedCorpus, fold: Split, tmp_path: Path, name: str
):
    config = replace(SHORT, steps=8, dropout=0.2)
    _run(corpus, fold, name, tmp_path / "whole", config)

    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(corpus, fold, name, tmp_path / "cut", config, progress=interrupt)
    assert (tmp_path / "cut" / "checkpoint.safetensors").exists()
    seen: list[int] = []

    def count(done: int, total: int, task: str, note: str = "") -> None:
        seen.append(done)

    _run(corpus, fold, name, tmp_path / "cut", config, progress=count)
    assert seen == [4, 5, 6, 7, 8], "it goes on from step 3's checkpoint"
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "cut"))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert (tmp_path / "whole" / "history.csv").read_text() == (tmp_path / "cut" / "history.csv").read_text()


def test_the_moving_average_is_one_within_a_run(corpus: PreparedCorpus, fold: Split, tmp_path: Path):
    plain = _run(corpus, fold, "cnn", tmp_path / "cnn")
    smooth = _run(corpus, fold, "cnn-ma", tmp_path / "cnn-ma", parents={"cnn": tmp_path / "cnn"})
    card = json.loads((tmp_path / "cnn-ma" / "model.json").read_text())
    n = card["window"]
    assert set(card["scores"]) == {str(k) for k in AVERAGED}
    assert card["scores"][str(n)] == max(card["scores"].values())
    for run in corpus.segment_positions(fold.test):
        for place in range(len(run)):
            past = run[max(0, place - n + 1) : place + 1]
            np.testing.assert_allclose(smooth[run[place]], plain[past].mean(0), atol=1e-5)


def test_coherence_by_hand():
    x = torch.tensor([[3.0, 4.0], [0.0, 5.0], [3.0, 4.0], [4.0, 3.0]])  # all of length 5; the changes are 0, sqrt(20)
    still = torch.zeros(4, 2)
    assert coherence_loss(x, still).item() == pytest.approx(20**0.5 / 5 / 2, abs=1e-5)
    moving = still.clone()
    moving[3, 0] = 0.5
    assert coherence_loss(x, moving).item() == pytest.approx((20**0.5 / 5 - 0.5) / 2, abs=1e-5)
    moving[3, 0] = 1.0
    assert coherence_loss(x, moving).item() < 1e-6, "a feature may change as much as its label"
    same = torch.ones(4, 3, requires_grad=True)
    coherence_loss(same, still).backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_coherence_keeps_adjacent_features_together(corpus: PreparedCorpus, fold: Split, tmp_path: Path):
    config = replace(SHORT, steps=25, evaluate_every=25, checkpoint_every=25, lr=3e-3, ema_decay=0.5)
    image = to_input(torch.from_numpy(corpus.images(fold.test)))
    found = []
    for weight in (1e-6, 30.0):
        _run(corpus, fold, "coherence", tmp_path / str(weight), config=ComparatorConfig(config, weight))
        network, _ = load_network(tmp_path / str(weight))
        assert isinstance(network, PlainCnn)
        with torch.inference_mode():
            x = network.features(image)
        moved = torch.cat([x[run[1:]] - x[run[:-1]] for run in corpus.segment_positions(fold.test)])
        found.append(float(moved.norm(dim=1).mean() / x.norm(dim=1).mean()))
    assert found[1] < 0.8 * found[0], found


def test_tucker_is_a_full_regression_of_low_rank():
    torch.manual_seed(0)
    network = TuckerCnn(MODEL, 3)
    image = torch.randn(2, 3, 32, 32)
    core, (f, y, x, d) = network.core, network.factors
    weight = torch.einsum("abce,fa,yb,xc,de->fyxd", core, f, y, x, d)
    expected = torch.tensordot(network.body(image), weight, 3) + network.bias
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=1e-5)
    network(image).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    assert tensorly.get_backend() == "numpy", "others' backend is theirs"


def test_a_face_gets_the_same_numbers_alone():
    torch.manual_seed(0)
    network = PlainCnn(MODEL).eval()
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]), atol=1e-5, rtol=1e-5)


def test_refusals(corpus: PreparedCorpus, fold: Split, make_corpus, tmp_path: Path):
    stills = make_corpus(subjects=10, clips=2, frames=1, fps=0.0)
    for name in ("coherence", "cnn-ma"):
        with pytest.raises(ConfigError, match=f"{name}: .* holds stills"):
            _run(stills, split(stills, "strict", 0), name, tmp_path)
    with pytest.raises(ConfigError, match="no comparator has further terms"):
        ComparatorConfig(Stage1Config(terms={"absolute": 1.0}))
    with pytest.raises(ModelError, match="no whole comparator"):
        load_network(tmp_path)
