import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from anclaf.config import LstmConfig, ModelConfig
from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.people import digests
from anclaf.models.folder import LATER, load_spec
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

MODEL = ModelConfig(
    image_size=32, g_width=4, d_width=4, c_width=8, discriminator_norm="none", geometry=False, crop_motion=False,
    landmark_refinements=0, lstm=LstmConfig(hidden_size=12, residual=False),
)  # fmt: skip
"""As models were before version 3."""
PEOPLE = digests("ab")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    spec = ModelSpec(
        variant="SA-4", model=MODEL, low=-10, high=10, crop="five-point", fps=25.0, corpora=("puppet",),
        subjects=PEOPLE, protocol="strict", fold=0, fingerprints={"model": "0"}, versions={},
    )  # fmt: skip
    save_model(tmp_path / "SA-4", AffectNetwork(MODEL, Variant.parse("SA-4")), spec)
    return tmp_path / "SA-4"


def test_round_trip(folder: Path):
    network, spec = load_model(folder)
    torch.manual_seed(0)
    original = AffectNetwork(MODEL, Variant.parse("SA-4"))
    assert spec.subjects == PEOPLE
    assert spec.scale.high == 10
    assert not network.training
    for (name, a), b in zip(network.state_dict().items(), original.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_model_with_geometry_gives_the_same_numbers(folder: Path, tmp_path: Path):
    model = replace(MODEL, geometry=True, crop_motion=True)
    network = AffectNetwork(model, Variant.parse("SA-4"), 5).eval()
    assert network.landmarks is not None
    network.landmarks.fit_scale(torch.rand(20, 5, 2))
    network.trust.fill_(0.5)
    save_model(tmp_path / "geometry", network, replace(load_spec(folder), model=model, points=5))
    assert json.loads((tmp_path / "geometry" / "model.json").read_text())["points"] == 5
    again, spec = load_model(tmp_path / "geometry")
    assert (spec.points, again.points, float(again.trust)) == (5, 5, 0.5)
    motion = torch.randn(1, 4, 4) / 50
    with torch.inference_mode():
        image = torch.rand(4, 3, 32, 32) * 2 - 1
        x, x_again = (one.features(one.latents(image)) for one in (network, again))
        assert torch.equal(x, x_again)
        assert torch.equal(network.estimate(x[None], motion).affect, again.estimate(x[None], motion).affect)
    path = tmp_path / "geometry" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"points": 0}))
    with pytest.raises(ModelError, match="weights of another network"):
        load_model(tmp_path / "geometry")


def test_truncated_weights(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        load_model(folder)


def test_foreign_weights(folder: Path):
    save_file({"layer.weight": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="weights of another network"):
        load_model(folder)


class _Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_pickle_is_never_loaded(folder: Path, name: str):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(ModelError, match=r"pickle.* never loaded"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec_version": 99}, "spec version 99; this anclaf reads versions 1 to 5"),
        ({"variant": "T"}, "not a model's spec"),
        ({"model": {"image_size": 33}}, "not a model's spec"),
        ({"colour": "red"}, "not a model's spec"),
    ],
)
def test_damaged_spec(folder: Path, change: dict, message: str):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_a_kind_that_is_not_installed(folder: Path):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"variant": "GRU-4"}))
    message = r"model\.json: GRU-4 is of kind GRU, which is not installed here \(there are base, S, SA\); install"
    for load in (load_model, load_spec):
        with pytest.raises(ModelError, match=message):
            load(folder)


def test_no_model(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no model\.json here"):
        load_model(tmp_path)


def test_spec_cut_short(folder: Path):
    path = folder / "model.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(ModelError, match="not JSON"):
        load_model(folder)


def test_people_of_earlier_versions_are_known_and_not_named(folder: Path):
    """Versions before 5 had names, and where the model that they began from lay."""
    content = json.loads((folder / "model.json").read_text())
    assert content["subjects"] == list(PEOPLE)
    old = {
        "spec_version": 4,
        "subjects": ["Zoe  Doe", "clip A"],
        "training": {"init": {"model": "/home/me", "people": 3}},
    }
    (folder / "model.json").write_text(json.dumps(content | old))
    spec = load_model(folder)[1]
    assert spec.known(["zoe doe", "clip A", "clip a", "Ann"]) == ["clip A", "zoe doe"]
    assert spec.training == {"init": {"people": 3}}
    assert not any(word in repr(spec).lower() for word in ("doe", "/home"))
    (folder / "model.json").write_text(json.dumps(content | {"subjects": ["Zoe Doe"]}))
    with pytest.raises(ModelError, match="subjects: got 'Zoe Doe'; expected digests"):
        load_spec(folder)
    with pytest.raises(ConfigError, match="subjects: got 'Zoe Doe'"):
        replace(spec, subjects=("Zoe Doe",))


def _rewrite_as_version_1(folder: Path, weights: dict[str, torch.Tensor], sizes: dict, **changes: str) -> None:
    """As written before: sizes in place of model, and other names for the head's weights."""
    content = json.loads((folder / "model.json").read_text())
    del content["model"]
    widths = {"image_size": 32, "generator": 4, "discriminator": 4, "combiner": 8, "hidden": 12}
    content |= {"sizes": widths | sizes, "spec_version": 1, "subjects": ["a", "b"], **changes}
    (folder / "model.json").write_text(json.dumps(content))
    _save_before_version_3(folder, weights)


def _save_before_version_3(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """There was no `trust`."""
    kept = {name: value.contiguous() for name, value in weights.items() if name != "trust"}
    save_file(kept, folder / "model.safetensors")


def test_a_model_of_version_2(folder: Path):
    """It has no setting that came with version 3, and is read as the model that it was."""
    network, spec = load_model(folder)
    content = json.loads((folder / "model.json").read_text()) | {"spec_version": 2, "subjects": ["a", "b"]}
    for name in [*LATER[3], *LATER[4]]:
        *section, last = name.split(".")
        del (content["model"][section[0]] if section else content["model"])[last]
    (folder / "model.json").write_text(json.dumps(content))
    _save_before_version_3(folder, network.state_dict())
    again, spec_again = load_model(folder)
    assert spec_again == spec
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), network.parameters(), strict=True))
    content["spec_version"] = 3
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="crop_motion is missing"):
        load_model(folder)


def test_a_model_of_version_3(folder: Path, tmp_path: Path):
    """Its landmarks are as they were first found."""
    model = replace(MODEL, geometry=True)
    network = AffectNetwork(model, Variant("base"), 5)
    save_model(tmp_path, network, replace(load_spec(folder), variant="base", model=model, points=5))
    content = json.loads((tmp_path / "model.json").read_text()) | {"spec_version": 3}
    del content["model"]["landmark_refinements"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    again, spec = load_model(tmp_path)
    assert spec.model.landmark_refinements == 0
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.equal(network.eval().features(network.latents(image)), again.features(again.latents(image)))


def test_a_model_of_version_1(folder: Path):
    network, spec = load_model(folder)
    weights = {
        f"recurrent.{name.removeprefix('head.')}" if name.startswith("head.") else name: value
        for name, value in network.state_dict().items()
    }
    sizes = {
        "attention_score": "additive", "attention_divide": False, "attention_cell": True, "motion": True,
        "quadrant": "reconstruction",
    }  # fmt: skip
    _rewrite_as_version_1(folder, weights, sizes)
    old, old_spec = load_model(folder)
    assert old_spec == spec
    x = torch.randn(2, 4, network.combiner.features)
    assert torch.equal(old.head(x).affect, network.head(x).affect)


def test_a_base_model_of_version_1(folder: Path):
    network = AffectNetwork(MODEL, Variant("base"))
    weights = {name.removeprefix("head."): value for name, value in network.state_dict().items()}
    sizes = {
        "attention_score": "location", "attention_divide": True, "attention_cell": False, "motion": False,
        "quadrant": "image",
    }  # fmt: skip
    _rewrite_as_version_1(folder, weights, sizes, variant="base")
    old, spec = load_model(folder)
    assert (spec.model.attention.score, spec.model.attention.divide_context) == ("location", True)
    assert (spec.model.attention.attend_cell, spec.model.lstm.change_input) == (False, False)
    assert spec.model.quadrant_source == "image"
    assert torch.equal(old.head.get_parameter("affect.weight"), network.head.get_parameter("affect.weight"))
