"""A model run by torch: the folder that training writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.config import BackendName
from anclaf.core.errors import ConfigError
from anclaf.inference.backend import Encoded
from anclaf.models.calibration import Calibration, load_calibration
from anclaf.models.io import load_model, model_fingerprint
from anclaf.models.network import AffectNetwork, pooled, to_input
from anclaf.models.points import StarterPoints
from anclaf.models.spec import ModelSpec


def load(folder: Path, device: str = "cpu", threads: int | None = None) -> "TorchBackend":
    """As `backend.load_backend`; `threads` holds for all of torch in this process.

    Raises:
        ModelError: as `load_model` and `load_calibration`. ConfigError: no such device.
    """
    torch_device = _device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    network, spec = load_model(folder, torch_device)
    return TorchBackend(network, spec, load_calibration(folder, spec))


class TorchBackend:
    """A `Backend`. It runs where the network's parameters are."""

    name: BackendName = "torch"

    def __init__(self, network: AffectNetwork, spec: ModelSpec, calibration: Calibration | None = None):
        self.network, self.spec, self.calibration = network.eval(), spec, calibration
        if network.landmarks is not None:
            network.landmarks.fix()
        self._device = next(network.parameters()).device
        self.device = self._device.type

    @property
    def fingerprint(self) -> str:
        return model_fingerprint(self.network, self.spec)

    @property
    def versions(self) -> dict[str, str]:
        return {"torch": metadata.version("torch")}

    @property
    def lead_in(self) -> int:
        return self.network.head.lead_in

    @property
    def attends(self) -> bool:
        return self.network.head.attends

    @property
    def reach(self) -> int:
        return self.network.head.reach(self.network.variant.n)

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> Encoded:
        latents = self.network.latents(to_input(torch.from_numpy(crops).to(self._device)))
        unfamiliar = None
        if self.calibration is not None:
            unfamiliar = self.calibration.familiarity.unfamiliar(pooled(latents.z).cpu().numpy())
        x = self.network.features(latents)
        return Encoded(x.cpu().numpy(), latents.q.cpu().numpy(), unfamiliar)

    @torch.inference_mode()
    def estimate(
        self, x: NDArray[np.float32], motion: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        windows, moved = (torch.from_numpy(one).to(self._device) for one in (x, motion))
        found = self.network.estimate(windows, moved)
        return found.affect.cpu().numpy(), None if found.attention is None else found.attention.cpu().numpy()

    def point_finder(self) -> StarterPoints:
        return StarterPoints()

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    @contextmanager
    def beside_a_thread(self) -> Iterator[None]:
        threads = torch.get_num_threads()
        torch.set_num_threads(max(1, threads - 1))
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r}: expected cpu, cuda, cuda:1, …") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r}: this PyTorch sees no CUDA device. Use device=cpu")
    return device
