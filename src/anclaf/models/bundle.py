"""Models of one curriculum in one folder: what they share is stored once, in float16, to be given away."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from anclaf.core.arguments import checked
from anclaf.core.errors import ModelError
from anclaf.core.files import atomic_path, write_json
from anclaf.models.calibration import load_calibration, save_calibration
from anclaf.models.folder import SPEC, WEIGHTS
from anclaf.models.io import SHARED, load_model

_SINGLE = 4096
"""Tensors of fewer numbers stay in float32: they are biases and statistics, and weigh nothing."""


@checked
def pack_models(folders: Sequence[Path], out: Path) -> list[Path]:
    """Write models that have G, D, C and what finds landmarks in common, such as base, S-8 and SA-8 of a fold, as
    `out/base`, `out/S-8`, `out/SA-8` and `out/shared.safetensors`. `models.io.load_model` reads each.

    Weights are rounded to float16 (11 bits), and float32 when they are loaded. Calibrations go with them.

    Args:
        folders: of the models, as training leaves them; each name once.

    Returns:
        The models' new folders.

    Raises:
        ModelError: no models, one that cannot be read, two of one variant, models of different G, or weights
            beyond what float16 can hold.
        OutputError: `out` cannot be written.
    """
    models = [load_model(folder) for folder in folders]
    names = [spec.variant for _, spec in models]
    if len(folders) < 2 or len(set(names)) < len(names):
        raise ModelError(f"to pack: got {', '.join(names) or 'no models'}; expected two or more, each variant once")
    weights = [network.state_dict() for network, _ in models]
    shared = [
        name
        for name, value in weights[0].items()
        if all(name in other and torch.equal(value, other[name]) for other in weights[1:])
    ]
    if not {name for name in weights[0] if name.startswith("generator.")} <= set(shared):
        raise ModelError(f"{', '.join(names)} do not share G; expected models of one fold's curriculum")
    halves = [{name: _half(name, value) for name, value in own.items()} for own in weights]
    _save(out / SHARED, {name: halves[0][name] for name in shared}, {"format": "anclaf"})
    packed = []
    for folder, (_, spec), own in zip(folders, models, halves, strict=True):
        to = out / spec.variant
        rest = {name: value for name, value in own.items() if name not in shared}
        _save(to / WEIGHTS, rest, {"format": "anclaf", "variant": spec.variant, "shared": SHARED})
        if (calibration := load_calibration(folder, spec)) is not None:
            save_calibration(to, spec, calibration)
        write_json(to / SPEC, asdict(spec))
        packed.append(to)
    return packed


def _save(path: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with atomic_path(path) as temporary:
        save_file(weights, temporary, metadata=metadata)


def _half(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or value.numel() < _SINGLE:
        return value.contiguous()
    half = value.contiguous().to(torch.float16)
    if not torch.isfinite(half).all():
        raise ModelError(f"{name}: weights beyond 65,504, which float16 cannot hold")
    return half
