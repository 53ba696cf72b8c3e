"""What stage 2 reads of every frame, computed once a fold by the base model, by memory map.

On disk::

    latents.json            fingerprint, arrays, views (written last)
    view0.z.npy             float16 (N, c, p, p): Z of the training rows as they are
    view0.q.npy             float16 (N, 4)
    view0.landmarks.npy     float16 (N, 2P): standardised, of a network that finds any
    view0.motion.npy        float16 (N, 4): how the crop moved
    view1.z.npy …           augmented views: in each, one augmentation for a whole clip

Where stage 2 leaves C's convolutions as they are, `x` (N, F) stands in place of z, q and landmarks.
Stage 2 on view 0 alone memorises people just as stage 1 without augmentation does.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import AugmentationConfig, RunConfig
from anclaf.core.arguments import checked
from anclaf.core.errors import StaleError
from anclaf.core.files import atomic_path, write_json
from anclaf.core.seeds import Purpose, seed_of
from anclaf.data import augmentation
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import labelled_quadrants
from anclaf.faces.align import mirrored_motion
from anclaf.models.network import AffectNetwork, Latents, to_input
from anclaf.models.spec import Variant

Arrays = dict[str, NDArray]
"""Of some frames: `motion` (B, 4) and `z` (B, c, p, p) with `q` (B, 4), or `x` (B, F)."""


class LatentSource(Protocol):
    """Latents of some rows of a prepared corpus, in some views. View 0 is the plain one."""

    rows: NDArray[np.int64]
    views: int

    def read(self, view: int, positions: NDArray[np.int64]) -> Arrays:
        """Those of these positions, which are indices into `rows`."""
        ...


class LatentCache:
    """Latents of some rows of a prepared corpus, opened for reading. Positions are indices into `rows`."""

    def __init__(self, folder: Path, rows: NDArray[np.int64], views: int, arrays: Sequence[str]):
        self.rows, self.views = rows, views
        self._arrays = [
            {name: np.load(folder / f"view{view}.{name}.npy", mmap_mode="r") for name in arrays}
            for view in range(views)
        ]

    @classmethod
    def open(cls, folder: Path, rows: NDArray[np.int64], fingerprint: str) -> "LatentCache | None":
        """Open a finished cache; None where there is none.

        Raises:
            StaleError: it was made by another model, from another corpus or other rows, or with other augmentation.
        """
        path = folder / "latents.json"
        if not path.is_file():
            return None
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StaleError(
                f"{path}: damaged ({error}); delete {folder} to have the latents computed again"
            ) from error
        if card.get("fingerprint") != fingerprint:
            raise StaleError(
                f"{folder}: these latents are of another model, corpus or augmentation "
                f"(got {card.get('fingerprint')}, expected {fingerprint}); delete the folder to make them again"
            )
        return cls(folder, rows, card["views"], card["arrays"])

    def read(self, view: int, positions: NDArray[np.int64]) -> Arrays:
        """Float16 arrays of these positions."""
        return {name: array[positions] for name, array in self._arrays[view].items()}


@checked
def write_latents(folder: Path, source: LatentSource, fingerprint: str, batch: int = 128) -> Iterator[tuple[int, int]]:
    """Compute and write the cache; yields (frames done, frames in all) after each batch.

    Raises:
        OutputError: the disk is full or not writable. Nothing that looks finished is left.
    """
    count, names = len(source.rows), list[str]()
    for view in range(source.views):
        with ExitStack() as stack:
            files: Arrays = {}
            for start in range(0, count, batch):
                stop = min(start + batch, count)
                for name, values in source.read(view, np.arange(start, stop)).items():
                    if name not in files:
                        path = stack.enter_context(atomic_path(folder / f"view{view}.{name}.npy"))
                        files[name] = open_memmap(path, "w+", np.float16, (count, *values.shape[1:]))
                    files[name][start:stop] = values
                yield view * count + stop, count * source.views
            names = list(files)
            files.clear()
    card = {"fingerprint": fingerprint, "arrays": names, "views": source.views, "frames": count}
    write_json(folder / "latents.json", card)


def frame_bytes(config: RunConfig, points: int) -> int:
    """What the cache takes of each frame in each view: x, or Z, Q and landmarks, and the crop's motion.

    Args:
        points: landmarks that the base model finds.
    """
    model = config.model
    with torch.device("meta"):  # without weights
        x = AffectNetwork(model, Variant("base"), points).feature_size
    z_and_q = 4 * model.g_width * (model.image_size // 4) ** 2 + 4 + (2 * points if model.geometry else 0)
    return np.dtype(np.float16).itemsize * ((x if config.stage2.combiner_lr_scale == 0 else z_and_q) + 4)


class FreshLatents:
    """A `LatentSource` that computes from the images whenever it is asked: what the cache is filled from.

    View 0 is the plain face; in view v > 0 all frames of a clip share one augmentation.

    Args:
        features: give x in place of Z and Q.
    """

    def __init__(
        self,
        network: AffectNetwork,
        corpus: PreparedCorpus,
        rows: NDArray[np.int64],
        views: int,
        config: AugmentationConfig,
        seed: int,
        device: torch.device | str,
        features: bool = False,
    ):
        self.features = features
        self.network, self.corpus, self.rows, self.views = network.eval(), corpus, rows, views
        self.config, self.seed, self.device = config, seed, device
        names, self._clip = np.unique(corpus.clips[rows], return_inverse=True)
        self._clips = len(names)

    @torch.inference_mode()
    def read(self, view: int, positions: NDArray[np.int64]) -> Arrays:
        """Float32 arrays of these positions."""
        rows = self.rows[positions]
        images, motion = to_input(torch.from_numpy(self.corpus.images(rows))), self.corpus.crop_motion[rows]
        if view > 0:
            per_clip = torch.Generator().manual_seed(seed_of(self.seed, Purpose.VIEW_CHANGES, view))
            changes = augmentation.draw(self._clips, self.config, per_clip)[torch.from_numpy(self._clip[positions])]
            noise = torch.Generator().manual_seed(seed_of(self.seed, Purpose.VIEW_NOISE, view, int(positions[0])))
            images = augmentation.apply(images, changes, noise)
            motion = np.where(changes.flip.numpy()[:, None], mirrored_motion(motion), motion)
        labelled = labelled_quadrants(self.network, self.corpus, rows)
        latents = self.network.latents(images.to(self.device), None if labelled is None else labelled.to(self.device))
        found = {"x": self.network.features(latents)} if self.features else latents._asdict()
        found = {name: value for name, value in found.items() if value is not None}
        return {name: value.float().cpu().numpy() for name, value in found.items()} | {"motion": motion}


def features(network: AffectNetwork, arrays: Mapping[str, Tensor]) -> Tensor:
    """(B, F) x of what a source gave of B frames."""
    if "x" in arrays:
        return arrays["x"].float()
    landmarks = arrays["landmarks"].float() if "landmarks" in arrays else None
    return network.features(Latents(arrays["z"].float(), arrays["q"].float(), landmarks))


@torch.inference_mode()
def features_from(
    network: AffectNetwork, source: LatentSource, device: torch.device | str, batch: int = 512
) -> tuple[Tensor, Tensor]:
    """(N, F) x and (N, 4) motion of all positions of a source, in its plain view."""
    network.eval()
    x, motion = list[Tensor](), list[Tensor]()
    for start in range(0, len(source.rows), batch):
        read = source.read(0, np.arange(start, min(start + batch, len(source.rows))))
        arrays = {name: torch.from_numpy(value).to(device) for name, value in read.items()}
        x.append(features(network, arrays))
        motion.append(arrays["motion"].float())
    network.train()
    return torch.cat(x), torch.cat(motion)
