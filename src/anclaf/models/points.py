"""Five points of a face by the landmarks that the starter model's base finds: the `PointFinder` that comes with the
package. It learnt them from rendered heads."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anclaf.core.arguments import checked
from anclaf.models.folder import model_folder
from anclaf.models.io import load_model
from anclaf.models.network import AffectNetwork, to_input
from anclaf.models.shipped import SHIPPED

BASE = f"{SHIPPED}/base"


class StarterPoints:
    """A `PointFinder`."""

    name = SHIPPED

    def __init__(self):
        network, _ = load_model(model_folder(BASE))
        self._network = FivePoints(network).eval().requires_grad_(False)
        self._network.landmarks.fix()
        self.image_size = network.config.image_size

    def __reduce__(self) -> tuple[type["StarterPoints"], tuple[()]]:
        return StarterPoints, ()

    @checked
    @torch.inference_mode()
    def find(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self._network(to_input(torch.from_numpy(crops))).numpy().astype(np.float64)


class FivePoints(nn.Module):
    """(B, 3, S, S) as `to_input` -> (B, 5, 2) pixels of the crop: eye centres, nose tip and mouth corners of the
    landmarks that a network finds."""

    def __init__(self, network: AffectNetwork):
        super().__init__()
        assert network.landmarks is not None
        self.generator, self.landmarks, self.size = network.generator, network.landmarks, network.config.image_size

    def forward(self, image: Tensor) -> Tensor:
        landmarks = self.landmarks(self.generator.planes(image))[-1]
        # pixel centres lie at whole numbers
        return self.landmarks.five((landmarks + 1) * (self.size / 2) - 0.5)
