"""docs/extending.md: its files, installed as a package, run through the commands that it gives."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import anclaf
from anclaf.comparators import COMPARATORS
from anclaf.config import ModelConfig, Stage1Config, StreamOptions
from anclaf.core.errors import ConfigError, ModelError, TrainingError
from anclaf.core.people import digests
from anclaf.corpora import READERS
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.engine import train_run
from anclaf.experiment.job import RunSpec
from anclaf.faces import DETECTORS, TEMPLATE, Face
from anclaf.inference.estimator import AffectEstimator
from anclaf.losses import TERMS, LossTerm, TermInput
from anclaf.models import HEADS, Estimate, Head, Variant, load_model
from anclaf.training.stage1 import Trained, train_base
from anclaf.training.stage2 import Stage2
from tiny_run import CONFIG

TEXT = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|toml|sh)\n(.*?)```", TEXT, re.DOTALL)
SIDE = 72
"""Of the test's pictures."""


def _files() -> dict[str, str]:
    """The blocks that name a file in their first line."""
    return {match[1]: code for _, code in BLOCKS if (match := re.match(r"# (\S+\.\w+)\n", code))}


def _commands() -> list[list[str]]:
    (block,) = (code for kind, code in BLOCKS if kind == "sh")
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, not installed."""
    folder = tmp_path_factory.mktemp("package")
    for name, code in _files().items():
        if name.endswith(".py"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process for which the package is installed."""
    project = tomllib.loads(_files()["pyproject.toml"])["project"]
    site = tmp_path_factory.mktemp("site")
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in points.items())])
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    paths = [str(site), str(package), str(Path(anclaf.__file__).parents[1])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def _picture(rng: np.random.Generator, skin: np.ndarray, valence: float, arousal: float) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: a mouth whose corners rise with valence, eyes that open with arousal."""
    grid = np.linspace(-1, 1, SIDE)
    image = np.tile(skin, (SIDE, SIDE, 1))
    image[np.abs(grid[:, None] - (0.45 - 0.35 * valence * grid**2)[None]) < 0.12] = (50, 40, 160)
    image[(np.abs(grid) > 0.2)[None, :] & (np.abs(grid + 0.3) < 0.05 + 0.1 * (arousal + 1))[:, None]] = 30
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def work(installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of eight people and a video, and what the page's commands make of them."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    for person in range(8):
        clip = folder / "recordings" / f"person{person}" / "talk"
        clip.mkdir(parents=True)
        skin, labels = rng.uniform(90, 200, 3), np.clip(rng.uniform(-1, 1, 2) + rng.normal(0, 0.3, (12, 2)), -1, 1)
        rows = [f"{number:04d}.png,{valence:.3f},{arousal:.3f}" for number, (valence, arousal) in enumerate(labels)]
        (clip / "labels.csv").write_text("\n".join(["picture,valence,arousal", *rows]))
        for number, label in enumerate(labels):
            cv2.imwrite(str(clip / f"{number:04d}.png"), _picture(rng, skin, *label))
    (folder / "recordings" / "person0" / "talk" / "0011.png").write_bytes(b"no picture")
    video = cv2.VideoWriter(str(folder / "talk.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (SIDE, SIDE))
    for valence in np.linspace(-1, 1, 10):
        video.write(_picture(rng, np.full(3, 150.0), valence, 0.0))
    video.release()
    for words in _commands():
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, env=installed, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"
    return folder


def test_the_reader_and_the_detector_prepare_a_corpus(work: Path):
    corpus = PreparedCorpus.open(work / "corpus")
    assert (corpus.card.source, corpus.card.frames, corpus.card.subjects) == ("folders", 95, 8)
    assert (corpus.card.detector, corpus.card.options) == ("centre:0.9+starter", {"fps": 25.0})
    assert corpus.card.skipped == {"unreadable_picture": 1}


def test_the_head_is_trained_and_tested(work: Path):
    folder = work / "run" / "fold0" / "GRU-4"
    spec = json.loads((folder / "model.json").read_text())
    assert (spec["variant"], spec["model"]["options"]) == ("GRU-4", {"GRU.hidden": 16})
    weights = load_file(folder / "model.safetensors")
    assert weights["head.gru.weight_hh_l0"].shape == (48, 16)
    assert json.loads((work / "run" / "run.json").read_text())["config"]["model"]["options"] == {"GRU.hidden": 16}
    assert spec["subjects"]
    assert not set(spec["subjects"]) & {*digests(pd.read_parquet(folder / "predictions.parquet")["subject"])}
    metrics = json.loads((work / "run" / "metrics.json").read_text())
    assert list(metrics["variants"]) == ["base", "GRU-2", "GRU-4"], "by the curriculum"
    assert ("GRU-4", "base") in {(pair["a"], pair["b"]) for pair in metrics["paired"]}


def test_the_term_is_in_the_loss(work: Path):
    history = pd.read_csv(work / "run" / "fold0" / "base" / "history.csv").query("phase == 'C' and step == 25")
    values = history.set_index("name")["value"]
    assert values["loss"] == pytest.approx(values["affect"] + 50 * values["landmarks"] + 0.5 * values["absolute"])
    assert 0 < values["absolute"] < 2


def test_the_comparator_is_scored_and_all_are_in_the_report(work: Path):
    entry = json.loads((work / "run" / "metrics.json").read_text())["comparators"]["nearest"]
    assert entry["label"] == "nearest faces, 8×8 pixels"
    assert np.isfinite(entry["mean"]["rmse"])
    table = (work / "run" / "report" / "table.md").read_text()
    rows = re.findall(r"^\| ([^|*]+) \| ", table, re.MULTILINE)
    assert rows[:5] == ["base", "GRU-2", "GRU-4", "GRU-AVG", "nearest faces, 8×8 pixels"]
    page = (work / "run" / "report" / "index.html").read_text()
    assert "has the highest CCC of GRU-n" in page
    assert "nearest faces, 8×8 pixels" in page


def test_the_model_is_used_on_a_video(work: Path):
    table = pd.read_csv(work / "results" / "talk.csv")
    assert len(table) == 10
    assert set(table["status"]) == {"warming_up", "ok"}
    assert np.isfinite(table[["valence", "arousal"]]).all(axis=None)
    np.testing.assert_allclose(table["w"], 0.9 * SIDE)
    assert "centre:0.9" in (work / "results" / "talk.json").read_text()


def test_without_the_package_a_model_names_its_kind(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from anclaf.cli.main import main

    models = work / "run" / "fold0"
    words = ["predict", str(work / "talk.mp4"), "--out", str(tmp_path), "--model"]
    assert main([*words, str(models / "GRU-4")]) == 2
    assert "GRU-4 is of kind GRU, which is not installed here" in capsys.readouterr().err
    assert main([*words, str(models / "base")]) == 0, "another model of the run can be used"


# parts that are registered in this process


@pytest.fixture
def registered(package: Path, monkeypatch: pytest.MonkeyPatch):
    """As the page's last piece of Python does."""
    monkeypatch.syspath_prepend(str(package))
    (code,) = (code for kind, code in BLOCKS if kind == "python" and not code.startswith("#"))
    exec(code, {})
    yield
    HEADS.unregister("GRU")


def _run(corpus: PreparedCorpus, out: Path, variants: list[Variant], options: dict[str, float]) -> RunSpec:
    run = RunSpec("", corpus.folder, out, replace(CONFIG, model=replace(CONFIG.model, options=options)))
    train_run(Fabric(accelerator="cpu", devices=1), run, variants=variants, comparators=())
    return run


def test_every_registry_is_on_the_page():
    for registry in (HEADS, TERMS, COMPARATORS, DETECTORS, READERS):
        assert f'[project.entry-points."{registry.group}"]' in TEXT


def test_a_registered_head(registered, corpus: PreparedCorpus, tmp_path: Path):
    _run(corpus, tmp_path, [Variant("GRU", 2)], {"GRU.hidden": 8})
    folder = tmp_path / "fold0" / "GRU-2"
    estimator = AffectEstimator.load(folder, detector="haar")
    assert estimator.spec.variant == "GRU-2"
    network, _ = load_model(folder)
    assert network.head.get_parameter("gru.weight_hh_l0").shape == (24, 8)
    HEADS.unregister("GRU")
    try:
        with pytest.raises(ModelError, match="GRU-2 is of kind GRU, which is not installed here"):
            load_model(folder)
    finally:
        HEADS.register("GRU", type(network.head))


def test_a_killed_training_of_a_registered_head_goes_on_bit_for_bit(
    registered, corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = CONFIG.changed({"stage2.checkpoint_every": 2})
    runs = [RunSpec("", corpus.folder, tmp_path / name, config) for name in ("whole", "killed")]
    fabric, gru = Fabric(accelerator="cpu", devices=1), [Variant("GRU", 2)]
    train_run(fabric, runs[0], variants=gru, comparators=())

    def kill(done: int, total: int, task: str, note: str = "", /) -> None:
        if "GRU-2" in task and (done, total > 3) == (3, True):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(fabric, runs[1], variants=gru, comparators=(), progress=kill)
    done_again: list[int] = []
    draw = Stage2.draw
    monkeypatch.setattr(Stage2, "draw", lambda self, step: done_again.append(step) or draw(self, step))
    train_run(fabric, runs[1], variants=gru, comparators=())
    assert done_again[0] == 2, "it went on from its checkpoint"
    whole, killed = (load_file(run.out / "fold0" / "GRU-2" / "model.safetensors") for run in runs)
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


class MeanHead(Head):
    """Attends to all previous frames alike."""

    attends = True
    starts_from: ClassVar[str | None] = "S"
    options: ClassVar[dict[str, float]] = {"gain": 2.0}

    def __init__(self, features: int, config: ModelConfig):
        super().__init__()
        self.affect, self.gain = nn.Linear(2 * features, 2), config.options["gain"]

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:
        weights = torch.ones(x.shape[1], x.shape[1]).tril(-1)
        weights = weights / weights.sum(1, keepdim=True).clamp_min(1)
        past = torch.einsum("ti,bif->btf", weights, x)
        affect = self.affect(functional.dropout(torch.cat([x, self.gain * past], -1), dropout))
        return Estimate(affect, weights.expand(len(x), -1, -1))


@pytest.fixture
def mean_head():
    HEADS.register("M", MeanHead)
    yield
    HEADS.unregister("M")


def test_a_head_that_attends(mean_head, corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = _run(corpus, tmp_path, [Variant("M", 4)], {})
    fold = tmp_path / "fold0"
    with np.load(fold / "M-4" / "attention.npz") as file:
        weights = file["weights"]
    full = np.isfinite(weights).all(1)
    assert full.any()
    np.testing.assert_allclose(weights[full], 1 / 3, rtol=1e-6)
    metrics = run.folder.metrics
    assert list(metrics["variants"]) == ["base", "S-2", "S-4", "S-4+M", "M-4"], "it starts from S-4"
    pairs = {(pair["a"], pair["b"]) for pair in metrics["paired"]}
    assert {("M-4", "S-4+M"), ("S-4+M", "S-4")} <= pairs
    assert ("M-4", "S-4") not in pairs
    assert load_model(fold / "S-4")[1].model.options == {}
    assert load_model(fold / "M-4")[1].model.options == {"M.gain": 2.0}, "its defaults too"
    video = np.repeat(corpus.images(np.arange(4)), 3, 1).repeat(3, 2)
    monkeypatch.setattr(MeanHead, "options", {"gain": 5.0})
    assert cast(MeanHead, load_model(fold / "M-4")[0].head).gain == 2.0
    DETECTORS.register("whole", lambda _: Whole())
    try:
        estimator = AffectEstimator.load(fold / "M-4", detector="whole")
    finally:
        DETECTORS.unregister("whole")
    stream = estimator.stream(25, StreamOptions(attention=True, min_sharpness=0, min_size=0))
    found = [row for frame in video for row in stream.step(frame)]
    assert [row.status for row in found] == ["warming_up"] * 3 + ["ok"]
    np.testing.assert_allclose(found[-1].attention, 1 / 3, rtol=1e-6)


class Whole:
    """Takes the whole frame for a face."""

    name = "whole"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        side = float(len(image))
        return [Face((0.0, 0.0, side, side), TEMPLATE * side, 1.0)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("M.gian", r"model\.options M\.gian: M has no such option; expected one of M\.gain"),
        ("S.gain", r"model\.options S\.gain: S has no such option; it has none"),
        ("T.gain", r"model\.options T\.gain: expected KIND\.NAME, with KIND one of base, S, SA, M"),
        ("gain", r"model\.options gain: expected KIND\.NAME"),
    ],
)
def test_an_option_that_no_head_has_is_refused(
    mean_head, corpus: PreparedCorpus, tmp_path: Path, option: str, message: str
):
    with pytest.raises(ConfigError, match=message):
        _run(corpus, tmp_path / "run", [Variant("base")], {option: 1.0})
    assert not (tmp_path / "run").exists(), "before anything is trained"


class Wrong(MeanHead):
    """Gives something else than it says."""

    starts_from = None
    gives: ClassVar[str]

    def forward(self, x: Tensor, dropout: float = 0.0) -> Any:
        affect, attention = super().forward(x, dropout)
        found = {"tensor": affect, "last": Estimate(affect[:, -1], attention), "no attention": Estimate(affect, None)}
        return found[self.gives]


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("tensor", "M-2: its head gave Tensor; expected an Estimate"),
        ("last", r"its head gave affect \(2, 2\) and attention \(2, 2, 2\); expected \(2, 2, 2\) and \(2, 2, 2\)"),
        ("no attention", r"affect \(2, 2, 2\) and attention None; expected \(2, 2, 2\) and \(2, 2, 2\)"),
    ],
)
def test_a_head_that_gives_something_else_is_refused(corpus: PreparedCorpus, tmp_path: Path, gives: str, message: str):
    HEADS.register("M", type("Gives", (Wrong,), {"gives": gives}))
    try:
        with pytest.raises(ConfigError, match=message):
            _run(corpus, tmp_path, [Variant("M", 2)], {})
    finally:
        HEADS.unregister("M")


class Brightness(LossTerm):
    """The mean of x and 1, which a layer of its own finds again."""

    def __init__(self, features: int):
        super().__init__()
        self.layer = nn.Linear(features, 1)

    @classmethod
    def make(cls, features: int, points: int) -> Self | None:
        return cls(features)

    def forward(self, seen: TermInput) -> Tensor:
        return functional.mse_loss(self.layer(seen.x)[:, 0], seen.x.mean(1).detach() + 1)


class NoScalar(LossTerm):
    def forward(self, seen: TermInput) -> Tensor:
        return (seen.estimate - seen.target).abs()


@pytest.fixture
def terms():
    TERMS.register("brightness", Brightness)
    TERMS.register("each", NoScalar)
    yield
    TERMS.unregister("brightness")
    TERMS.unregister("each")


def _base(corpus: PreparedCorpus, folder: Path, terms: dict[str, float], steps: int) -> Trained:
    stage1 = Stage1Config(
        steps=steps, batch_size=16, evaluate_every=steps, checkpoint_every=steps, warmup_steps=2, terms=terms,
        adversarial_interval=steps,
    )  # fmt: skip
    fold, fabric = split(corpus, "strict", 0), Fabric(accelerator="cpu", devices=1)
    return train_base(fabric, corpus, fold, replace(CONFIG, stage1=stage1), folder)


def test_a_registered_term(terms, corpus: PreparedCorpus, tmp_path: Path):
    trained = _base(corpus, tmp_path, {"brightness": 2.0}, 75)
    assert not any("layer" in name for name in trained.network.state_dict())
    rows = pd.DataFrame(trained.log.rows, columns=pd.Index(["step", "phase", "name", "value"])).query("phase == 'C'")
    values = rows.pivot_table(index="step", columns="name", values="value")
    assert list(values.index) == [25, 50, 75]
    assert values["brightness"].iloc[-1] < 0.5 * values["brightness"].iloc[0], "its own layer is trained"
    expected = values["affect"] + 50 * values["landmarks"] + 2 * values["brightness"]
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)


def test_a_term_that_is_no_scalar_is_refused(terms, corpus: PreparedCorpus, tmp_path: Path):
    with pytest.raises(TrainingError, match=r"loss term 'each': got a tensor of shape \(16, 2\); expected a scalar"):
        _base(corpus, tmp_path, {"each": 1.0}, 2)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absolut", "loss term 'absolut': no package brings any"),
        ("landmarks", "loss term 'landmarks': C's loss has a part of this name; register it under another"),
        ("rmse", "loss term 'rmse': C's loss has a part of this name; register it under another"),
    ],
)
def test_a_term_that_there_is_not_is_refused(
    corpus: PreparedCorpus, tmp_path: Path, stage: str, name: str, message: str
):
    run = RunSpec("", corpus.folder, tmp_path / "run", CONFIG.changed({f"{stage}.terms": {name: 1.0}}))
    with pytest.raises(ConfigError, match=message):
        train_run(Fabric(accelerator="cpu", devices=1), run, variants=[Variant("S", 2)], comparators=())
    assert not run.out.exists(), "before anything is trained"
