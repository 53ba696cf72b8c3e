"""Z and Q of every frame, computed once a fold by a trained G and D, for stage 2 to read by memory map.

On disk::

    latents.json       fingerprint, shapes, views (written last)
    view0.z.npy        float16 (N, c, p, p): the training rows as they are
    view0.q.npy        float16 (N, 4)
    view1.z.npy …      augmented views: in each, one augmentation for a whole clip

Stage 2 on view 0 alone memorises people just as stage 1 without augmentation does.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import AugmentationConfig
from anclaf.core.errors import StaleError
from anclaf.core.files import atomic_path, write_json
from anclaf.core.seeds import Purpose, seed_of
from anclaf.data import augmentation
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import labelled_quadrants
from anclaf.models.anclaf import AffectNetwork, Latents, to_input


class LatentSource(Protocol):
    """Z and Q of some rows of a prepared corpus, in some views. View 0 is the plain one."""

    rows: NDArray[np.int64]
    views: int

    def read(self, view: int, positions: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
        """(B, c, p, p) Z and (B, 4) Q; positions are indices into `rows`."""
        ...


class LatentCache:
    """Latents of some rows of a prepared corpus, opened for reading. Positions are indices into `rows`."""

    def __init__(self, folder: Path, rows: NDArray[np.int64], views: int):
        self.rows, self.views = rows, views
        self._z = [np.load(folder / f"view{v}.z.npy", mmap_mode="r") for v in range(views)]
        self._q = [np.load(folder / f"view{v}.q.npy", mmap_mode="r") for v in range(views)]

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
        return cls(folder, rows, card["views"])

    def read(self, view: int, positions: NDArray[np.int64]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """(B, c, p, p) Z and (B, 4) Q of these positions."""
        return self._z[view][positions], self._q[view][positions]


def write_latents(folder: Path, source: LatentSource, fingerprint: str, batch: int = 128) -> Iterator[tuple[int, int]]:
    """Compute and write the cache; yields (frames done, frames in all) after each batch.

    Raises:
        OutputError: the disk is full or not writable. Nothing that looks finished is left.
    """
    count = len(source.rows)
    for view in range(source.views):
        with atomic_path(folder / f"view{view}.z.npy") as z_path, atomic_path(folder / f"view{view}.q.npy") as q_path:
            z_file = q_file = None
            for start in range(0, count, batch):
                stop = min(start + batch, count)
                z, q = source.read(view, np.arange(start, stop))
                if z_file is None or q_file is None:
                    z_file = open_memmap(z_path, "w+", np.float16, (count, *z.shape[1:]))
                    q_file = open_memmap(q_path, "w+", np.float16, (count, *q.shape[1:]))
                z_file[start:stop], q_file[start:stop] = z, q
                yield view * count + stop, count * source.views
            del z_file, q_file
    write_json(folder / "latents.json", {"fingerprint": fingerprint, "views": source.views, "frames": count})


class FreshLatents:
    """A `LatentSource` that computes from the images whenever it is asked: what the cache is filled from.

    View 0 is the plain face; in view v > 0 all frames of a clip share one augmentation.
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
    ):
        self.network, self.corpus, self.rows, self.views = network.eval(), corpus, rows, views
        self.config, self.seed, self.device = config, seed, device
        names, self._clip = np.unique(corpus.clips[rows], return_inverse=True)
        self._clips = len(names)

    @torch.inference_mode()
    def read(self, view: int, positions: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, c, p, p) Z and (B, 4) Q of these positions."""
        images = to_input(torch.from_numpy(self.corpus.images(self.rows[positions])))
        if view > 0:
            per_clip = torch.Generator().manual_seed(seed_of(self.seed, Purpose.VIEW_CHANGES, view))
            changes = augmentation.draw(self._clips, self.config, per_clip)
            noise = torch.Generator().manual_seed(seed_of(self.seed, Purpose.VIEW_NOISE, view, int(positions[0])))
            images = augmentation.apply(images, changes[torch.from_numpy(self._clip[positions])], noise)
        labelled = labelled_quadrants(self.network, self.corpus, self.rows[positions])
        latents = self.network.latents(images.to(self.device), None if labelled is None else labelled.to(self.device))
        return latents.z.float().cpu().numpy(), latents.q.float().cpu().numpy()


@torch.inference_mode()
def features_from(network: AffectNetwork, source: LatentSource, device: torch.device | str, batch: int = 512) -> Tensor:
    """(N, F) x of all positions of a source, in its plain view."""
    network.eval()
    parts = []
    for start in range(0, len(source.rows), batch):
        z, q = source.read(0, np.arange(start, min(start + batch, len(source.rows))))
        latents = Latents(torch.from_numpy(z).to(device).float(), torch.from_numpy(q).to(device).float())
        parts.append(network.features(latents))
    network.train()
    return torch.cat(parts)
