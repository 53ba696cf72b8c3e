"""Geometry: where the landmarks of a face are, found by G's encoder; and how its crop moved, as sequence models see it.

Not in the paper, whose x is C(ZQ) alone. C's loss on labels, on few people, learns who they are. Held to where the
landmarks are, it learns what of them matters, and that carries over to other people.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.faces import align
from anclaf.models.anclaf import LEAK, Planes

MOTION_GAIN = 50.0
"""The crop of somebody who talks moves by about a fiftieth of its side from frame to frame."""
MOTION_INPUTS = 8
"""Columns of `motion_input`."""


class CloserLook(nn.Module):
    """Corrects landmarks by what is around each of them: cascaded regression (Xiong & De la Torre 2013), the
    descriptors learnt.

    Each landmark has weights of its own for the square around it; what all squares show moves all landmarks.

    Args:
        points: P. channels: of the plane that is looked at, w. size: side of that plane, S.
    """

    SIDE = 7
    """Samples along a side of the square, a pixel of the plane apart."""
    SHOWN = 16
    """Numbers that a landmark's square is brought down to."""

    offsets: Tensor

    def __init__(self, points: int, channels: int, size: int):
        super().__init__()
        along = (torch.arange(self.SIDE) - (self.SIDE - 1) / 2) * (2 / size)
        y, x = torch.meshgrid(along, along, indexing="ij")
        self.register_buffer("offsets", torch.stack([x, y], -1).view(-1, 2), persistent=False)
        inputs = channels * self.SIDE**2
        self.weight = nn.Parameter(torch.randn(points, inputs, self.SHOWN) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(points, 1, self.SHOWN))
        self.move = nn.Linear(points * self.SHOWN, 2 * points)
        nn.init.zeros_(self.move.weight)
        nn.init.zeros_(self.move.bias)

    def forward(self, detail: Tensor, landmarks: Tensor) -> Tensor:
        """(B, w, S, S), (B, P, 2) -> (B, P, 2) how far they are off, in standard deviations of each."""
        places = landmarks[:, :, None] + self.offsets
        squares = functional.grid_sample(detail, places.to(detail), padding_mode="border", align_corners=False)
        shown = torch.baddbmm(self.bias.to(detail), squares.permute(2, 0, 1, 3).flatten(2), self.weight.to(detail))
        moves = self.move(functional.leaky_relu(shown, LEAK).transpose(0, 1).flatten(1))
        return moves.float().view(landmarks.shape)


class LandmarkFinder(nn.Module):
    """Planes -> landmarks (B, P, 2) on the crop, [-1, 1] from its left (top) to its right (bottom) edge.

    First by regression from the whole of Z, which knows what faces look like; then `refinements` times by a closer look
    at the full-size plane around each landmark. Heatmaps with soft-argmax were less precise and took longer
    (docs/method.md).

    Args:
        channels, plane: of Z (B, c, p, p). points: P. detail: channels of the full-size plane.
        refinements: how often they are corrected.

    mean, scale: (P, 2) of the training faces, for `standardise`.
    """

    mean: Tensor
    scale: Tensor
    _five: Tensor
    _template: Tensor

    def __init__(self, channels: int, plane: int, points: int, detail: int, refinements: int, width: int = 64):
        super().__init__()
        self.points = points
        quarter = plane // 4
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(LEAK),
            nn.Flatten(), nn.Linear(2 * width * quarter * quarter, 4 * width), nn.LeakyReLU(LEAK),
            nn.Linear(4 * width, 2 * points),
        )  # fmt: skip
        self.looks = nn.ModuleList(CloserLook(points, detail, 4 * plane) for _ in range(refinements))
        self.register_buffer("mean", torch.zeros(points, 2))
        self.register_buffer("scale", torch.ones(points, 2))
        five, template = align.five_point_weights(points), 2 * align.TEMPLATE - 1
        self.register_buffer("_five", torch.from_numpy(five).float(), persistent=False)
        self.register_buffer("_template", torch.from_numpy(template).float(), persistent=False)

    def forward(self, planes: Planes, jitter: float = 0.0) -> list[Tensor]:
        """Landmarks (B, P, 2) as first found and after each correction; the last are the most precise.

        Args:
            jitter: standard deviation, in half sides of the crop, of how far they are moved before a correction, all
                together and each by itself, in training: they are less precise on people whom it has not seen.
        """
        found = [self.mean + self.scale * self.body(planes.z).float().view(-1, self.points, 2)]
        for look in self.looks:
            # where it looks is not learnt through
            start = found[-1].detach()
            if jitter:
                together = torch.randn(len(start), 1, 2, device=start.device)
                start = start + jitter / 2**0.5 * (together + torch.randn_like(start))
            found.append(start + self.scale * look(planes.detail, start))
        return found

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

    def loss(self, found: list[Tensor], landmarks: Tensor) -> Tensor:
        """Mean absolute error of what `forward` gave, in half sides of the crop, as they lie and aligned: (B, P, 2)."""
        goal = self.aligned(landmarks)
        errors = [functional.l1_loss(one, landmarks) + functional.l1_loss(self.aligned(one), goal) for one in found]
        return torch.stack(errors).mean()

    def five_point_loss(self, found: list[Tensor], landmarks: Tensor) -> Tensor:
        """As `loss`, of the five points alone, for (B, P', 2) landmarks of another kind than those found."""
        five = torch.from_numpy(align.five_point_weights(landmarks.shape[1])).to(landmarks) @ landmarks
        return torch.stack([functional.l1_loss(self._five.to(one) @ one, five) for one in found]).mean()

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
