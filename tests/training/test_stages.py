"""Both stages on a corpus of a moment: they learn, refuse what is not theirs, and survive kill -9 bit for bit."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from anclaf.core.errors import ConfigError, StaleError, TrainingError
from anclaf.data.augmentation import AugmentationConfig
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_frames
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Sizes, Variant
from anclaf.training.fresh import FreshLatents
from anclaf.training.stage1 import train_base
from anclaf.training.stage1_config import Stage1Config
from anclaf.training.stage2 import Stage2Config, epoch_windows, train_recurrent

SIZES = Sizes(image_size=32, generator=4, discriminator=4, combiner=8, hidden=12)
STAGE1 = Stage1Config(steps=12, batch=16, evaluate_every=4, checkpoint_every=4, warmup=2)
STAGE2 = Stage2Config(first_epochs=2, epochs=2, frames=32, views=1, warmup=2, checkpoint_every=2)


def _fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def _base(corpus: PreparedCorpus, folder: Path, config: Stage1Config = STAGE1) -> AffectNetwork:
    fold = split(corpus, "strict", 0)
    return train_base(_fabric(), corpus, fold.train, fold.validation, SIZES, config, folder)[0]


@pytest.fixture(scope="module")
def fold(corpus: PreparedCorpus) -> Split:
    return split(corpus, "strict", 0)


@pytest.fixture(scope="module")
def base(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> AffectNetwork:
    return _base(corpus, tmp_path_factory.mktemp("base"))


def _sources(corpus: PreparedCorpus, fold: Split, base: AffectNetwork) -> tuple[FreshLatents, FreshLatents]:
    make = [
        FreshLatents(base, corpus, rows, 2, AugmentationConfig(), 0, "cpu") for rows in (fold.train, fold.validation)
    ]
    return make[0], make[1]


def _same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("adversary", ["gan", "wgan-gp"])
def test_stage_1_learns(corpus: PreparedCorpus, fold: Split, tmp_path: Path, adversary):
    config = replace(STAGE1, steps=120, batch=32, interval=4, adversary=adversary, rate=2e-3, evaluate_every=60)
    network, history, known = train_base(_fabric(), corpus, fold.train, fold.validation, SIZES, config, tmp_path)
    estimate = estimate_frames(network, corpus, fold.test, "cpu")
    assert np.corrcoef(estimate[:, 0], corpus.targets[fold.test, 0])[0, 1] > 0.5
    losses = {
        (phase, name): [v for _, p, n, v in history.rows if (p, n) == (phase, name)]
        for _, phase, name, _ in history.rows
    }
    assert losses["G", "reconstruction"][-1] < losses["G", "reconstruction"][0]
    assert losses["C", "affect"][-1] < losses["C", "affect"][0]
    assert losses["C", "landmarks"][-1] < losses["C", "landmarks"][0]
    assert ("D", "penalty") in losses or adversary == "gan"
    assert known["best_step"] in (60, 120)


def test_the_affect_loss_reaches_g_through_z_and_d_only_through_its_own_phase(
    corpus: PreparedCorpus, fold: Split, tmp_path
):
    """With D and G off after the first step, C's phase still moves G's encoder, and never D or the decoder."""
    config = replace(
        STAGE1, steps=6, interval=1000, evaluate_every=100, checkpoint_every=100, adversarial_rate=0.0, average=0.0
    )
    torch.manual_seed(0)
    network, *_ = train_base(_fabric(), corpus, fold.train, fold.validation, SIZES, config, tmp_path)
    from anclaf.training.seeds import seed_of

    torch.manual_seed(seed_of(config.seed, 0))
    start = AffectNetwork(SIZES, Variant("base"))
    assert not _same(network.generator.encoder, start.generator.encoder)
    assert _same(network.generator.decoder, start.generator.decoder)
    assert _same(network.discriminator, start.discriminator)


@pytest.mark.parametrize("adversary", ["gan", "wgan-gp"])
def test_half_precision_trains_alike(
    corpus: PreparedCorpus, fold: Split, tmp_path: Path, adversary, monkeypatch: pytest.MonkeyPatch
):
    """Both stages in bf16: weights stay whole, and losses are those of full precision but for rounding."""
    monkeypatch.setattr("anclaf.training.history.EVERY", 1)
    stage1 = replace(STAGE1, steps=3, adversary=adversary)

    def losses(precision) -> np.ndarray:
        fabric, folder = Fabric(accelerator="cpu", devices=1, precision=precision), tmp_path / precision
        network, of_base, _ = train_base(fabric, corpus, fold.train, fold.validation, SIZES, stage1, folder / "base")
        train, validation = _sources(corpus, fold, network)
        config = replace(STAGE2, first_epochs=1)
        last, of_last, _ = train_recurrent(
            fabric, corpus, train, validation, network, Variant("S", 4), "sliding", config, folder / "S-4", "parent"
        )
        assert {value.dtype for value in last.state_dict().values()} == {torch.float32}
        rows = [row for found in (of_base, of_last) for row in found.rows if row[1] != "validation"]
        return np.array([value for *_, value in rows])

    whole, half = losses("32-true"), losses("bf16-mixed")
    assert len(whole) > 10
    assert not np.array_equal(whole, half)
    np.testing.assert_allclose(half, whole, rtol=0.1, atol=0.05)


def test_stage_1_refuses(corpus: PreparedCorpus, fold: Split, tmp_path: Path):
    with pytest.raises(ConfigError, match="prepare it with --image-size 64"):
        train_base(_fabric(), corpus, fold.train, fold.validation, replace(SIZES, image_size=64), STAGE1, tmp_path)
    with pytest.raises(TrainingError, match="9 training frames; a batch takes 16"):
        train_base(_fabric(), corpus, fold.train[:9], fold.validation, SIZES, STAGE1, tmp_path)
    _base(corpus, tmp_path)
    with pytest.raises(StaleError, match="made with other settings"):
        _base(corpus, tmp_path, replace(STAGE1, rate=0.1))
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half a checkpoint")
    with pytest.raises(StaleError, match="damaged checkpoint"):
        _base(corpus, tmp_path)


def test_stage_2_children_start_as_their_parents(
    corpus: PreparedCorpus, fold: Split, base: AffectNetwork, tmp_path: Path
):
    train, validation = _sources(corpus, fold, base)
    plain = train_recurrent(
        _fabric(), corpus, train, validation, base, Variant("S", 2), "sliding", STAGE2, tmp_path / "S-2", "b"
    )[0]
    assert _same(plain.generator, base.generator)
    assert _same(plain.discriminator, base.discriminator)
    assert not _same(plain.combiner, base.combiner)
    still = replace(STAGE2, rate=0.0, decay=0.0, average=0.0)
    for variant in (Variant("S", 4), Variant("SA", 2)):
        child = train_recurrent(
            _fabric(), corpus, train, validation, plain, variant, "sliding", still, tmp_path / str(variant), "s"
        )[0]
        x = torch.randn(3, variant.n, plain.combiner.features)
        assert torch.equal(child.eval().recur(x).affect, plain.eval().recur(x).affect)
        assert _same(child.combiner, plain.combiner)


def test_stage_2_refuses_a_window_longer_than_any_clip(
    corpus: PreparedCorpus, fold: Split, base: AffectNetwork, tmp_path: Path
):
    train, validation = _sources(corpus, fold, base)
    with pytest.raises(TrainingError, match="S-16: the longest training clip has 9 frames"):
        train_recurrent(_fabric(), corpus, train, validation, base, Variant("S", 16), "sliding", STAGE2, tmp_path, "b")


def test_windows_of_an_epoch_do_not_overlap():
    runs = [np.arange(0, 11), np.arange(11, 14), np.arange(14, 30)]
    seen: set[int] = set()
    for seed in range(20):
        windows = epoch_windows(runs, 4, np.random.default_rng(seed))
        frames = windows.reshape(-1)
        assert len(frames) == len(set(frames.tolist()))
        assert (np.diff(windows, axis=1) == 1).all()
        assert not set(range(11, 14)) & set(frames.tolist())
        seen |= set(frames.tolist())
    assert seen == set(range(11)) | set(range(14, 30))


def test_views_share_one_augmentation_a_clip(corpus: PreparedCorpus, base: AffectNetwork):
    still = AugmentationConfig(noise=0.0)
    rows = corpus.segments()[0]
    source = FreshLatents(base, corpus, rows, 3, still, 0, "cpu")
    plain, first, second = (source.read(v, np.arange(4))[0] for v in range(3))
    assert not np.allclose(plain, first, atol=1e-3)
    assert not np.allclose(first, second, atol=1e-3)
    alone = np.concatenate([source.read(1, np.array([i]))[0] for i in range(4)])
    np.testing.assert_allclose(first, alone, atol=1e-4)


_RUN = """
import sys, torch
from pathlib import Path
from lightning_fabric import Fabric
from anclaf.experiment.engine import train_run
from anclaf.experiment.job import RunSpec
from anclaf.models.spec import Sizes, Variant
from anclaf.recipes.run import RunConfig
from anclaf.training.stage1_config import Stage1Config
from anclaf.training.stage2 import Stage2Config
torch.set_num_threads(1)
config = RunConfig("test", Sizes(32, 4, 4, 8, 12),
    Stage1Config(steps=60, batch=16, evaluate_every=20, checkpoint_every=5, warmup=2, interval=2),
    Stage2Config(first_epochs=6, epochs=6, frames=32, views=1, warmup=2, checkpoint_every=3),
    lengths=(2, 4), bootstrap=50)
train_run(Fabric(accelerator="cpu", devices=1), RunSpec("", Path(sys.argv[1]), Path(sys.argv[2]), config),
    variants=[Variant("SA", 4)])
"""


def _start(corpus: PreparedCorpus, out: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", _RUN, str(corpus.folder), str(out)], env=environment)


@pytest.mark.slow
def test_killed_runs_end_with_the_same_bits(make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=6, clips=2, frames=8)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _start(corpus, whole).wait(300) == 0
    kills = 0
    # in each part of the run: as soon as it has a checkpoint, and a moment later
    for part, wait in (("base", 0.0), ("S-4", 0.1), ("SA-4", 0.0)):
        process = _start(corpus, killed)
        checkpoint = killed / "fold0" / part / "checkpoint.safetensors"
        model = checkpoint.with_name("model.json")
        stamp = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and not model.exists():
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != stamp:
                time.sleep(wait)
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills == 3
    assert _start(corpus, killed).wait(300) == 0
    for part in ("base", "S-2", "S-4", "SA-4"):
        a, b = (load_file(run / "fold0" / part / "model.safetensors") for run in (whole, killed))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a), part
        assert (whole / "fold0" / part / "history.csv").read_text() == (
            killed / "fold0" / part / "history.csv"
        ).read_text()
    assert (whole / "metrics.json").read_text() == (killed / "metrics.json").read_text()
