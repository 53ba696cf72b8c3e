"""`python -m starter build`: from rendering to packed models."""

from pathlib import Path

import pytest

from anclaf.models.io import SHARED, load_model
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
    trained = load_model(tmp_path / "run" / "fold0" / "SA-2")[0].state_dict()
    for name, value in network.state_dict().items():
        assert (value - trained[name]).abs().max() <= 1e-3 * max(1, trained[name].abs().max()), name
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.safetensors")}
    assert main(command(tmp_path)) == 0  # nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.safetensors")} == before


def test_errors_are_one_line(tmp_path, capsys):
    assert main(command(tmp_path, "--threads", "0")) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == "starter: threads: got 0; expected 1 or more"
