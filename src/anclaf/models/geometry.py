"""Geometry: where the landmarks of a face are, found in Z; and how its crop moved, as the sequence models see it.

Not in the paper, whose x is C(ZQ) alone. C's loss on labels, on few people, learns who they are. Held to where the
landmarks are, it learns what of them matters, and that carries over to other people.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.faces import align
from anclaf.models.anclaf import LEAK

MOTION_GAIN = 50.0
"""The crop of somebody who talks moves by about a fiftieth of its side from frame to frame."""
MOTION_INPUTS = 8
"""Columns of `motion_input`."""


class LandmarkFinder(nn.Module):
    """Z (B, c, p, p) -> landmarks (B, P, 2) on the crop, [-1, 1] from its left (top) to its right (bottom) edge.

    By regression from the whole plane, which knows what faces look like; heatmaps with soft-argmax, alone or beside it,
    were not more precise and took longer (docs/method.md).

    mean, scale: (P, 2) of the training faces, for `standardise`.
    """

    mean: Tensor
    scale: Tensor
    _five: Tensor
    _template: Tensor

    def __init__(self, channels: int, plane: int, points: int, width: int = 64):
        super().__init__()
        self.points = points
        quarter = plane // 4
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK),
            nn.Flatten(), nn.Linear(2 * width * quarter * quarter, 4 * width), nn.LeakyReLU(LEAK),
            nn.Linear(4 * width, 2 * points),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(points, 2))
        self.register_buffer("scale", torch.ones(points, 2))
        five, template = align.five_point_weights(points), 2 * align.TEMPLATE - 1
        self.register_buffer("_five", torch.from_numpy(five).float(), persistent=False)
        self.register_buffer("_template", torch.from_numpy(template).float(), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.mean + self.scale * self.body(z).float().view(len(z), self.points, 2)

    def aligned(self, landmarks: Tensor) -> Tensor:
        """(B, P, 2) landmarks -> the same in float32, moved, turned and scaled: five points lie as on any crop.

        What is left is the face itself, not how well it was cut out.
        """
        # half precision is as coarse as what standardising makes large
        with torch.autocast(landmarks.device.type, enabled=False):
            landmarks = landmarks.float()
            five, goal = self._five @ landmarks, self._template - self._template.mean(0)
            centre = five.mean(1, keepdim=True)
            off = five - centre
            spread = off.square().sum((1, 2)).clamp_min(1e-6)
            cos = (off * goal).sum((1, 2)) / spread
            sin = (off[..., 0] * goal[:, 1] - off[..., 1] * goal[:, 0]).sum(1) / spread
            linear = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)
            return (landmarks - centre) @ linear + self._template.mean(0)

    def standardise(self, landmarks: Tensor) -> Tensor:
        """(B, P, 2) landmarks -> (B, 2P), aligned, of zero mean and unit variance over the training faces."""
        return ((self.aligned(landmarks) - self.mean) / self.scale).flatten(1)

    def loss(self, found: Tensor, landmarks: Tensor) -> Tensor:
        """Mean absolute error, in half sides of the crop, as they lie and aligned: found, landmarks (B, P, 2)."""
        aligned = functional.l1_loss(self.aligned(found), self.aligned(landmarks))
        return functional.l1_loss(found, landmarks) + aligned

    @torch.no_grad()
    def fit_scale(self, landmarks: Tensor) -> None:
        """Take mean and scale from the training faces' (N, P, 2) landmarks."""
        landmarks = self.aligned(landmarks)
        self.mean.copy_(landmarks.mean(0))
        # a point that the crop holds in place (the aligned eyes) must not become noise of unit size
        self.scale.copy_(landmarks.std(0, correction=0).clamp_min(0.005))


def motion_input(motion: Tensor) -> Tensor:
    """(B, T, 4) how the crop moved since the frame before (`align.crop_motion`) -> (B, T, 8) motion and its size.

    A window's first frame has no frame before it: it is zero there, as the change of x is.
    """
    moved = functional.pad(motion[:, 1:] * MOTION_GAIN, (0, 0, 1, 0))
    return torch.cat([moved, moved.abs()], -1)
