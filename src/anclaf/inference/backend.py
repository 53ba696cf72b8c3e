"""What runs a model: all that prediction asks of one, whatever is behind it. Arrays are NumPy's; without torch.

Shapes: B faces or windows, S side of a face, T frames of a window, F numbers of x.
"""

from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from anclaf.config import BackendName
from anclaf.core.errors import ConfigError
from anclaf.faces.corrected import PointFinder
from anclaf.models.calibration import Calibration
from anclaf.models.folder import ENCODER
from anclaf.models.spec import ModelSpec


class Encoded(NamedTuple):
    """What is known of each face by itself. x: (B, F) float32, what windows are made of. q: (B, 4) float32,
    probabilities of the quadrants. unfamiliar: (B,) as in `FaceEstimate`; None of a model without a calibration."""

    x: NDArray[np.float32]
    q: NDArray[np.float32]
    unfamiliar: NDArray[np.floating] | None


class Backend(Protocol):
    """A model that is ready to estimate; it can be pickled.

    name: as in `BackendName`. device: `cpu`, `cuda`. spec: of the model. calibration: how sure it is, or None.
    fingerprint: 16 hex digits of all that its numbers depend on but `calibration`.
    versions: of the packages that run it, name -> version.
    lead_in: frames before the window that it reads too, as far as there are any.
    attends: whether its estimates have attention weights. reach: to how many previous states at most.
    """

    @property
    def name(self) -> BackendName: ...

    @property
    def device(self) -> str: ...

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def calibration(self) -> Calibration | None: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def versions(self) -> dict[str, str]: ...

    @property
    def lead_in(self) -> int: ...

    @property
    def attends(self) -> bool: ...

    @property
    def reach(self) -> int: ...

    def encode(self, crops: NDArray[np.uint8]) -> Encoded:
        """Faces (B, S, S, 3), RGB, cut out as `spec.crop` says."""
        ...

    def estimate(
        self, x: NDArray[np.float32], motion: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Windows to valence and arousal.

        Args:
            x: (B, T, F) of `encode`, frames in time order, 1 to n + `lead_in` of them.
            motion: (B, T, 4) how the crop moved since the frame before (`align.crop_motion`).

        Returns:
            (B, T, 2) valence and arousal in [-1, 1]; and (B, T, T) attention, where [b, t, i] is the weight that frame
            t gives to the state after frame i < t, or None of a model that does not attend.
        """
        ...

    def point_finder(self) -> PointFinder:
        """What finds five points in faces (`CorrectedDetector`), run as the model is.

        Raises:
            ModelError: an export without it.
        """
        ...

    def use_threads(self, threads: int) -> None:
        """Have so many threads of the CPU from now on; torch's are for all of it in this process."""
        ...

    def beside_a_thread(self) -> AbstractContextManager[None]:
        """While another thread decodes and detects: a core is left to it, because threads that outnumber the cores
        wait for one another."""
        ...


class _Loads(Protocol):
    def __call__(self, folder: Path, device: str, threads: int | None) -> Backend: ...


_KINDS: dict[BackendName, tuple[str, str]] = {
    "torch": ("model.safetensors", "anclaf.inference.torch_backend:load"),
    "onnx": (ENCODER, "anclaf.inference.onnx_backend:load"),
}
"""Name -> the file that a folder for it has, and the function that loads one."""


def load_backend(folder: Path, name: BackendName = "auto", device: str = "cpu", threads: int | None = None) -> Backend:
    """Make a model ready.

    Args:
        folder: of the model. name: of the backend; `auto`: the first one that the folder has the file of.
        device: `cpu`, `cuda`, `cuda:1`, …
        threads: CPU threads; None: as many as the backend takes by itself.

    Raises:
        ModelError: damaged, or of another backend. ConfigError: no such device, or fewer than 1 thread.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads {threads}: expected 1 or more")
    if name == "auto":
        there: list[BackendName] = [kind for kind, (file, _) in _KINDS.items() if (folder / file).is_file()]
        name = there[0] if there else "torch"
    module, _, function = _KINDS[name][1].partition(":")
    loads: _Loads = getattr(import_module(module), function)
    return loads(folder, device, threads)
