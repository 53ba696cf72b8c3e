from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anclaf.config import LstmConfig, ModelConfig
from anclaf.core.errors import ModelError
from anclaf.core.people import digests
from anclaf.models.bundle import pack_models
from anclaf.models.calibration import Calibration, load_calibration, save_calibration
from anclaf.models.familiarity import Familiarity
from anclaf.models.io import SHARED, load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

MODEL = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12))
SPEC = ModelSpec(
    variant="base", model=MODEL, low=-1, high=1, crop="five-point", fps=25.0, corpora=("starter",),
    subjects=digests("a"), protocol="strict", fold=0, fingerprints={"model": "0"}, versions={}, points=68,
)  # fmt: skip


@pytest.fixture
def curriculum(tmp_path: Path) -> list[Path]:
    """base, S-2 and SA-2, each begun from the one before."""
    torch.manual_seed(0)
    network, folders = AffectNetwork(MODEL, Variant.parse("base"), 68), []
    for name in ("base", "S-2", "SA-2"):
        if name != "base":
            network = network.successor(Variant.parse(name))
        network.trust.fill_(0.5 if name == "base" else 1.0)
        folders.append(tmp_path / "run" / name)
        save_model(folders[-1], network, replace(SPEC, variant=name))
    return folders


def _estimates(folder: Path) -> torch.Tensor:
    network, spec = load_model(folder)
    torch.manual_seed(1)
    with torch.inference_mode():
        x = network.features(network.latents(torch.rand(4, 3, 32, 32) * 2 - 1))
        motion = None if spec.variant == "base" else torch.randn(1, 4, 4) / 50
        return network.estimate(x[None], motion).affect


def test_packed_models_say_the_same_in_a_fraction_of_the_size(curriculum: list[Path], tmp_path: Path):
    packed = pack_models(curriculum, tmp_path / "packed")
    assert [folder.name for folder in packed] == ["base", "S-2", "SA-2"]
    for folder, original in zip(packed, curriculum, strict=True):
        assert load_model(folder)[1] == load_model(original)[1]
        assert float(load_model(folder)[0].trust) == float(load_model(original)[0].trust)
        assert torch.allclose(_estimates(folder), _estimates(original), atol=3e-3)
        assert all(value.dtype != torch.float16 for value in load_model(folder)[0].state_dict().values())
    size = sum(path.stat().st_size for path in (tmp_path / "packed").rglob("*.safetensors"))
    whole = sum(path.stat().st_size for folder in curriculum for path in folder.glob("*.safetensors"))
    assert size < whole / 4


def test_how_sure_a_model_is_goes_with_it(curriculum: list[Path], tmp_path: Path):
    faces = np.random.default_rng(0).normal(size=(40, 64))
    familiarity = Familiarity.fit(faces[:30], faces[30:], np.full(10, 1 / 11))
    given = Calibration(0.9, (0.5, 0.25), 10, 10, "sliding", familiarity)
    spec = load_model(curriculum[2])[1]
    save_calibration(curriculum[2], spec, given)
    packed = pack_models(curriculum, tmp_path / "packed")
    found = load_calibration(packed[2], spec)
    assert found is not None
    assert found.digest == given.digest
    assert load_calibration(packed[0], load_model(packed[0])[1]) is None


def test_a_packed_model_alone_says_what_is_missing(curriculum: list[Path], tmp_path: Path):
    folder = pack_models(curriculum, tmp_path / "packed")[0]
    (tmp_path / "packed" / SHARED).unlink()
    with pytest.raises(ModelError, match=rf"{SHARED}: no such file, and base has a part of its weights there"):
        load_model(folder)


def test_what_cannot_be_packed(curriculum: list[Path], tmp_path: Path):
    with pytest.raises(ModelError, match=r"got base; expected two or more"):
        pack_models(curriculum[:1], tmp_path / "out")
    with pytest.raises(ModelError, match=r"got base, base; expected two or more"):
        pack_models([curriculum[0]] * 2, tmp_path / "out")
    torch.manual_seed(5)
    stranger = AffectNetwork(MODEL, Variant.parse("S-4"), 68)
    save_model(tmp_path / "stranger", stranger, replace(SPEC, variant="S-4"))
    with pytest.raises(ModelError, match="base, S-4 do not share G"):
        pack_models([curriculum[0], tmp_path / "stranger"], tmp_path / "out")
    huge = AffectNetwork(MODEL, Variant.parse("S-8"), 68)
    huge.generator.load_state_dict(load_model(curriculum[0])[0].generator.state_dict())
    torch.nn.init.constant_(huge.state_dict()["combiner.body.4.weight"], 1e6)
    save_model(tmp_path / "huge", huge, replace(SPEC, variant="S-8"))
    with pytest.raises(ModelError, match="which float16 cannot hold"):
        pack_models([curriculum[0], tmp_path / "huge"], tmp_path / "out")
    assert not (tmp_path / "out" / "base").exists()
