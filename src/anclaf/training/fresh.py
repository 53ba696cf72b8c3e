"""Latents computed from the images whenever they are asked for: what the cache is filled from, and measured against."""

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.data import augmentation
from anclaf.data.augmentation import AugmentationConfig
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import told_quadrants
from anclaf.models.network import AffectNetwork, to_input
from anclaf.training.seeds import seed_of


class FreshLatents:
    """A `LatentSource`. View 0 is the plain face; in view v > 0 all frames of a clip share one augmentation."""

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
        images = to_input(torch.from_numpy(self.corpus.images(self.rows[positions])))
        if view > 0:
            per_clip = torch.Generator().manual_seed(seed_of(self.seed, 7, view))
            changes = augmentation.draw(self._clips, self.config, per_clip)
            noise = torch.Generator().manual_seed(seed_of(self.seed, 8, view, int(positions[0])))
            images = augmentation.apply(images, changes[torch.from_numpy(self._clip[positions])], noise)
        told = told_quadrants(self.network, self.corpus, self.rows[positions])
        latent = self.network.latents(images.to(self.device), None if told is None else told.to(self.device))
        return latent.latent.float().cpu().numpy(), latent.quadrant.float().cpu().numpy()
