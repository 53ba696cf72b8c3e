from pathlib import Path

import numpy as np
import pytest
import torch

from anclaf.config import LstmConfig, ModelConfig
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.metrics.conformal import person_weights
from anclaf.models.calibration import Calibration, save_calibration
from anclaf.models.familiarity import Familiarity
from anclaf.models.io import save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant
from anclaf.travel.push import push_model
from fake_run import FakeRun
from model_servers import PEOPLE

MODEL = ModelConfig(
    image_size=32, g_width=4, d_width=4, c_width=8, geometry=False, landmark_refinements=0,
    lstm=LstmConfig(hidden_size=8),
)  # fmt: skip


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SA-4 of random weights, calibrated, in the folder of a run that has results."""
    run = FakeRun(variants=("base", "SA-4"), comparators=("mean",)).write(tmp_path_factory.mktemp("home"))
    torch.manual_seed(0)
    network, folder = AffectNetwork(MODEL, Variant.parse("SA-4")), run / "fold0" / "SA-4"
    spec = ModelSpec(
        "SA-4", MODEL, -10, 10, "five-point", 25.0, ("puppet",), digests(PEOPLE), "strict", 0,
        {"model": "abc", "corpus": "0123456789abcdef"}, versions(), training={"recipe": "small", "clips": 4},
    )  # fmt: skip
    save_model(folder, network, spec)
    pooled = np.random.default_rng(0).normal(size=(60, 16 * 4 * MODEL.g_width))
    familiarity = Familiarity.fit(pooled[:40], pooled[40:], person_weights(np.arange(20)))
    save_calibration(folder, spec, Calibration(0.9, (0.3, 0.2), 20, 20, "sliding", familiarity))
    return folder


@pytest.fixture(scope="session")
def _pushed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("pushed") / "model"
    return folder, push_model(model, str(folder), licence="CC-BY-NC-4.0").fingerprint


@pytest.fixture
def pushed(_pushed: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the model as it was pushed to a folder."""
    folder = tmp_path / "srv" / "model"
    folder.mkdir(parents=True)
    for path in _pushed[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def fingerprint(_pushed: tuple[Path, str]) -> str:
    return _pushed[1]
