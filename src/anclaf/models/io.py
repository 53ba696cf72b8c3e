"""A model's folder: `model.safetensors` (weights) and `model.json` (its spec). No pickle is ever loaded.

A packed model has a part of its weights in `shared.safetensors` of the folder above."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.files import atomic_path, write_json
from anclaf.models.folder import ENCODER, SPEC, WEIGHTS, model_folder, read_spec
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec

SHARED = "shared.safetensors"
"""In the folder above: the weights that packed models have in common (`models/bundle.py`)."""


@checked
def save_model(folder: Path, network: AffectNetwork, spec: ModelSpec) -> None:
    """Write weights, then spec: a folder with a `model.json` is a whole model."""
    folder = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        # one key: of several, the order in the file is not always the same
        save_file(weights, temporary, metadata={"variant": spec.variant})
    write_json(folder / SPEC, asdict(spec))


@checked
def model_fingerprint(network: AffectNetwork, spec: ModelSpec) -> str:
    """16 hex digits of a model's spec and weights."""
    digest = hashlib.sha256(repr(spec).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@checked
def load_model(folder: Path | str, device: str | torch.device = "cpu") -> tuple[AffectNetwork, ModelSpec]:
    """Load a model for use, in evaluation mode.

    Raises:
        ModelError: as `load_spec`; the package of its head cannot be imported; or the weights are missing, truncated,
            of another network, or not safetensors.
    """
    folder = model_folder(folder)
    spec, version = read_spec(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        pickles = sorted(p.name for p in folder.glob("*") if p.suffix in {".pt", ".pth", ".pkl", ".bin", ".ckpt"})
        hint = f" ({', '.join(pickles)} is there, but pickles are never loaded)" if pickles else ""
        if (folder / ENCODER).is_file():
            raise ModelError(f"{folder}: no {WEIGHTS}; it was exported, for prediction with the onnx backend alone")
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


def _weights_of_version_1(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Version 1 called the head `affect` in the base model and `recurrent` in the others."""
    renamed = {}
    for name, value in weights.items():
        first, _, rest = name.partition(".")
        renamed[{"affect": "head.affect", "recurrent": "head"}.get(first, first) + f".{rest}"] = value
    return renamed
