"""`python -m starter build`: from rendering to packed models."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from anclaf.config import LstmConfig, ModelConfig
from anclaf.models.calibration import load_calibration
from anclaf.models.io import SHARED, load_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from starter.build import to_least_squares
from starter.cli import main

SHARED_FOLDER = Path(__file__).parents[2].parent / "shared"
RIG, ASSETS = SHARED_FOLDER / "corpus" / "ict_facekit_light_id40.npz", SHARED_FOLDER / "assets"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(not (RIG.is_file() and ASSETS.is_dir()), reason="no head model beside the checkout"),
]


def command(out: Path, *more: str) -> list[str]:
    return ["build", str(out), "--rig", str(RIG), "--assets", str(ASSETS), "--identities", "10", "--frames", "4",
            "--stills-per-identity", "2", "--recipe", "tiny", "--variants", "base,S-2,SA-2", *more]  # fmt: skip


def test_build(tmp_path, capsys):
    assert main(command(tmp_path)) == 0
    assert "SA-2" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["S-2", "SA-2", "base", SHARED]
    network, spec = load_model(tmp_path / "model" / "SA-2")
    assert (spec.variant, spec.points, spec.low, spec.high) == ("SA-2", 68, -1, 1)
    assert network.points == 68
    assert load_calibration(tmp_path / "model" / "SA-2", spec) is not None
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.safetensors")}
    assert main(command(tmp_path)) == 0  # nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.safetensors")} == before


def test_scaled_estimates_have_the_least_squared_error(tmp_path):
    torch.manual_seed(0)
    model = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12))
    network = AffectNetwork(model, Variant.parse("SA-4"), 68).eval()
    x, motion = torch.randn(60, 4, network.feature_size), torch.randn(60, 4, 4) / 50

    def estimates() -> np.ndarray:
        with torch.inference_mode():
            return network.estimate(x, motion).affect[:, -1].double().numpy()

    before = estimates()
    truth = 0.3 * before + [0.1, -0.2] + np.random.default_rng(0).normal(0, 0.02, before.shape)
    seen = pd.DataFrame({"part": "validation", "valence": truth[:, 0], "arousal": truth[:, 1],
                         "valence_hat": before[:, 0], "arousal_hat": before[:, 1]})  # fmt: skip
    strangers = seen.assign(part="train", valence=5.0)
    lines = to_least_squares(network, pd.concat([seen, strangers]))
    np.testing.assert_allclose(estimates(), lines[:, 0] * before + lines[:, 1], atol=1e-6)
    np.testing.assert_allclose(lines, [[0.3, 0.1], [0.3, -0.2]], atol=0.1)
    assert np.abs((estimates() - truth).mean(0)).max() < 1e-6


def test_errors_are_one_line(tmp_path, capsys):
    assert main(command(tmp_path, "--threads", "0")) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == "starter: threads: got 0; expected 1 or more"


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m starter build --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""
