"""A model's folder: `model.safetensors` (weights) and `model.json` (its spec). No pickle is ever loaded.

A packed model has a part of its weights in `shared.safetensors` of the folder above."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from anclaf.config import ModelConfig
from anclaf.core.arguments import checked
from anclaf.core.errors import AnclafError, ConfigError, ModelError
from anclaf.core.files import atomic_path, write_json
from anclaf.models.network import AffectNetwork
from anclaf.models.shipped import shipped_model, shipped_names
from anclaf.models.spec import HEADS, SPEC_VERSION, ModelSpec, Variant

WEIGHTS, SPEC = "model.safetensors", "model.json"
SHARED = "shared.safetensors"
"""In the folder above: the weights that packed models have in common (`models/bundle.py`)."""


@checked
def save_model(folder: Path, network: AffectNetwork, spec: ModelSpec) -> None:
    """Write weights, then spec: a folder with a `model.json` is a whole model."""
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(weights, temporary, metadata={"format": "anclaf", "variant": spec.variant})
    write_json(folder / SPEC, asdict(spec))


@checked
def model_folder(model: Path | str) -> Path:
    """The folder of a model that a user names: the one place that says what can be named. A folder's path goes before
    the name of a model that comes with the package.

    Raises:
        ModelError: there is no model of this name.
    """
    folder = Path(model)
    if (folder / SPEC).is_file():
        return folder
    if (shipped := shipped_model(str(model))) is not None:
        return shipped
    expected = ", ".join(["a model folder such as RUN/fold0/SA-8", *shipped_names()])
    raise ModelError(f"{folder}: no {SPEC} here; expected {expected}")


@checked
def model_fingerprint(network: AffectNetwork, spec: ModelSpec) -> str:
    """16 hex digits of a model's spec and weights."""
    digest = hashlib.sha256(repr(spec).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@checked
def load_spec(folder: Path) -> ModelSpec:
    """Read `model.json`, of this version of the format or of an earlier one.

    Raises:
        ModelError: no model here, damaged JSON, an unknown spec version, a field missing or unknown, or a kind of model
            whose package is not installed.
    """
    return _load_spec(model_folder(folder))[0]


@checked
def load_model(folder: Path | str, device: str | torch.device = "cpu") -> tuple[AffectNetwork, ModelSpec]:
    """Load a model for use, in evaluation mode.

    Raises:
        ModelError: as `load_spec`; the package of its head cannot be imported; or the weights are missing, truncated,
            of another network, or not safetensors.
    """
    folder = model_folder(folder)
    spec, version = _load_spec(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        pickles = sorted(p.name for p in folder.glob("*") if p.suffix in {".pt", ".pth", ".pkl", ".bin", ".ckpt"})
        hint = f" ({', '.join(pickles)} is there, but pickles are never loaded)" if pickles else ""
        raise ModelError(f"{folder}: no {WEIGHTS}{hint}; copy the model folder again")
    try:
        weights = _read(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: not a whole safetensors file ({error}); a pickle is never loaded. Copy the file again"
        ) from error
    if version == 1:
        weights = _weights_of_version_1(weights)
    if version < 3:
        weights["trust"] = torch.ones(())
    try:
        network = AffectNetwork(spec.model, spec.parsed_variant, spec.points)
    except ConfigError as error:
        raise ModelError(f"{folder}: {error}") from error
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in weights.items()}
    if expected != got:
        odd = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
        raise ModelError(
            f"{path}: weights of another network than {SPEC} describes ({len(odd)} tensors differ, first {odd[0]})"
        )
    network.load_state_dict(weights)
    return network.eval().to(device), spec


def _read(path: Path) -> dict[str, Tensor]:
    """All weights of a model, those that it shares with others included."""
    with safe_open(path, "pt") as file:
        shared = "shared" in (file.metadata() or {})
    common = path.parent.parent / SHARED
    if shared and not common.is_file():
        raise ModelError(f"{common}: no such file, and {path.parent.name} has a part of its weights there; copy it too")
    return (load_file(common) if shared else {}) | load_file(path)


def _load_spec(folder: Path) -> tuple[ModelSpec, int]:
    """The spec, and the version of the format that it was written in."""
    path = folder / SPEC
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); copy the model folder again") from error
    version: Any = content.get("spec_version") if isinstance(content, dict) else None
    if version not in range(1, SPEC_VERSION + 1):
        raise ModelError(
            f"{path}: spec version {version!r}; this anclaf reads versions 1 to {SPEC_VERSION}. "
            "Use the anclaf that wrote it"
        )
    try:
        model = model_of_version_1(content.pop("sizes")) if version == 1 else content["model"]
        model = ModelConfig.from_json(_with_later_settings(model, version))
        content |= {"model": model, "spec_version": SPEC_VERSION}
        content["corpora"], content["subjects"] = tuple(content["corpora"]), tuple(content["subjects"])
        spec = ModelSpec(**content)
        kind = Variant.recorded(spec.variant).kind
        _ = spec.scale
    except (TypeError, KeyError, AnclafError) as error:
        raise ModelError(f"{path}: not a model's spec ({error}); copy the model folder again") from error
    if kind not in HEADS:
        raise ModelError(
            f"{folder}: {spec.variant} is of kind {kind}, which is not installed here (there are "
            f"{', '.join(HEADS.names())}); install the package that brings it"
        )
    return spec, version


def model_of_version_1(sizes: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a `model.json` of version 1, which called it sizes, as version 2 has it."""
    return {
        "image_size": sizes["image_size"],
        "g_width": sizes["generator"],
        "d_width": sizes["discriminator"],
        "c_width": sizes["combiner"],
        "quadrant_source": sizes["quadrant"],
        "lstm": {"hidden_size": sizes["hidden"], "change_input": sizes["motion"]},
        "attention": {
            "score": sizes["attention_score"],
            "divide_context": sizes["attention_divide"],
            "attend_cell": sizes["attention_cell"],
        },
        "options": {},
    }


LATER: dict[int, dict[str, Any]] = {
    3: {
        "geometry": False,
        "crop_motion": False,
        "discriminator_init": "he",
        "discriminator_norm": "none",
        "lstm.forget_bias": 1.0,
        "attention.query": "previous",
        "attention.normalise_states": False,
        "attention.lead_in": False,
        "attention.pad_states": False,
    },
    4: {"landmark_refinements": 0, "lstm.residual": False},
}
"""Version -> the settings that came with it, and what models before it do."""


def _with_later_settings(model: dict[str, Any], version: int) -> dict[str, Any]:
    """`model` of a `model.json` of version 2 or later, with what is `LATER` than it."""
    whole = {name: dict(value) if isinstance(value, dict) else value for name, value in model.items()}
    for since, settings in LATER.items():
        for name, value in settings.items() if since > version else ():
            *section, last = name.split(".")
            (whole[section[0]] if section else whole)[last] = value
    return whole


def _weights_of_version_1(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Version 1 called the head `affect` in the base model and `recurrent` in the others."""
    renamed = {}
    for name, value in weights.items():
        first, _, rest = name.partition(".")
        renamed[{"affect": "head.affect", "recurrent": "head"}.get(first, first) + f".{rest}"] = value
    return renamed
