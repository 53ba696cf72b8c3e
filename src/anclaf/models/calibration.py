"""How sure a model is, as people have shown whom it did not train on: `calibration.safetensors` in its folder."""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from anclaf.config import WindowMode
from anclaf.core.errors import ModelError
from anclaf.core.files import atomic_path
from anclaf.models.familiarity import Familiarity
from anclaf.models.spec import ModelSpec

CALIBRATION = "calibration.safetensors"
_FORMAT = 1


@dataclass(frozen=True)
class Calibration:
    """What the validation people say of a model.

    level: share of the frames of people like these that intervals cover. reach: (2,) how far valence and arousal may be
    off, in [-1, 1] units; infinite where there are too few people for the level. people, frames: that it is of.
    windows: of the estimates. familiarity: of faces.
    """

    level: float
    reach: tuple[float, float]
    people: int
    frames: int
    windows: WindowMode
    familiarity: Familiarity

    @cached_property
    def digest(self) -> str:
        """Of all of it."""
        digest = hashlib.sha256(repr((self.level, self.reach, self.people, self.frames, self.windows)).encode())
        for value in self.familiarity.to_arrays().values():
            digest.update(value.tobytes())
        return digest.hexdigest()

    def intervals(self, affect: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends (…, 2) of estimates (…, 2), in [-1, 1], where all labels are."""
        affect = np.asarray(affect, np.float64)
        return np.clip(affect - self.reach, -1, 1), np.clip(affect + self.reach, -1, 1)


def of_model(spec: ModelSpec) -> str:
    """What a calibration knows its model by; weights of another precision are the same model."""
    return f"{spec.variant} {spec.fingerprints.get('model', '')}"


def save_calibration(folder: Path, spec: ModelSpec, calibration: Calibration) -> None:
    """Write it into the model's folder.

    Raises:
        OutputError: it cannot be written.
    """
    about = {
        "format": _FORMAT,
        "model": of_model(spec),
        "level": calibration.level,
        "reach": [value if math.isfinite(value) else None for value in calibration.reach],
        "people": calibration.people,
        "frames": calibration.frames,
        "windows": calibration.windows,
    }
    with atomic_path(Path(folder) / CALIBRATION) as temporary:
        save_file(calibration.familiarity.to_arrays(), temporary, metadata={"calibration": json.dumps(about)})


def load_calibration(folder: Path, spec: ModelSpec) -> Calibration | None:
    """Read it; None where a model has none.

    Raises:
        ModelError: damaged, of a later version, or of another model.
    """
    path = Path(folder) / CALIBRATION
    if not path.is_file():
        return None
    try:
        with safe_open(path, "np") as file:
            about = json.loads(file.metadata()["calibration"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["format"] != _FORMAT:
            raise ModelError(
                f"{path}: format {about['format']}; this anclaf reads {_FORMAT}. Use the anclaf that wrote it"
            )
        model = about["model"]
        valence, arousal = (math.inf if value is None else float(value) for value in about["reach"])
        found = Calibration(
            float(about["level"]), (valence, arousal), int(about["people"]), int(about["frames"]), about["windows"],
            Familiarity.from_arrays(arrays),
        )  # fmt: skip
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: damaged ({error}); copy it again, or remove it to do without intervals") from error
    if model != of_model(spec):
        raise ModelError(f"{path}: of another model ({model}) than this ({of_model(spec)}); calibrate this one")
    return found
