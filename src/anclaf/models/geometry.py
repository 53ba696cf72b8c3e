"""Geometry: where the landmarks of a face are, found by G's encoder; and how its crop moved, as sequence models see it.

Not in the paper, whose x is C(ZQ) alone. C's loss on labels, on few people, learns who they are. Held to where the
landmarks are, it learns what of them matters, and that carries over to other people.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.faces import align
from anclaf.models.anclaf import LEAK, Planes

MOTION_GAIN = 50.0
"""The crop of somebody who talks moves by about a fiftieth of its side from frame to frame."""
MOTION_INPUTS = 8
"""Columns of `motion_input`."""


class _Seen(NamedTuple):
    """squares: (P, B, SIDE, SIDE * w). pixels: (P * B * (SIDE + 1)²,) of the planes, that they are made of. x, y:
    (P, B, 1, 1), how far between two pixels."""

    squares: Tensor
    pixels: Tensor
    x: Tensor
    y: Tensor


def _look(plane: Tensor, start: Tensor, side: int) -> _Seen:
    """Squares of samples a pixel apart, bilinear; beyond its border a plane goes on as it is there.

    plane: (B, S, S, w). start: (B, P, 2) x, y of each square's first sample, in pixels.
    """
    batch, size, _, channels = plane.shape
    first = start.floor()
    part, first = (start - first).to(plane), first.long()
    near = torch.arange(side + 1, device=plane.device)
    columns, rows = ((first[..., i, None] + near).clamp(0, size - 1) for i in (0, 1))
    image = torch.arange(batch, device=plane.device)[:, None, None, None] * size
    pixels = ((image + rows[..., None]) * size + columns[..., None, :]).transpose(0, 1).flatten()
    x, y = (part[..., i].t()[..., None, None] for i in (0, 1))
    patches = plane.reshape(-1, channels).index_select(0, pixels).view(-1, batch, side + 1, (side + 1) * channels)
    between = torch.lerp(patches[:, :, :-1], patches[:, :, 1:], y)
    return _Seen(torch.lerp(between[..., :-channels], between[..., channels:], x), pixels, x, y)


class _Look(torch.autograd.Function):
    """The squares of `_look`, with a gradient for the plane alone. By hand: `grid_sample` adds each of a pixel's many
    parts by itself, and PyTorch's backward of `_look` copies all patches six times."""

    @staticmethod
    def forward(ctx: Any, plane: Tensor, start: Tensor, side: int) -> Tensor:
        seen = _look(plane, start, side)
        ctx.save_for_backward(*seen[1:])
        ctx.shape = plane.shape
        return seen.squares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        pixels, x, y = ctx.saved_tensors
        *_, channels = ctx.shape
        points, batch, side, width = gradient.shape
        between = gradient.new_empty(points, batch, side, width + channels)
        between[..., :channels] = 0
        torch.mul(gradient, x, out=between[..., channels:])
        between[..., :width].addcmul_(gradient, 1 - x)
        patches = gradient.new_empty(points, batch, side + 1, width + channels)
        patches[:, :, 0] = 0
        torch.mul(between, y, out=patches[:, :, 1:])
        patches[:, :, :side].addcmul_(between, 1 - y)
        plane = gradient.new_zeros(ctx.shape)
        plane.view(-1, channels).index_add_(0, pixels, patches.view(-1, channels))
        return plane, None, None


class CloserLook(nn.Module):
    """Corrects landmarks by what is around each of them: cascaded regression (Xiong & De la Torre 2013), the
    descriptors learnt.

    Each landmark has weights of its own for the square around it; what all squares show moves all landmarks. A square's
    samples are a pixel apart, so all of them lie at the same place between pixels.

    Args:
        points: P. channels: of the plane that is looked at, w. size: side of that plane, S.
    """

    SIDE = 7
    """Samples along a side of the square, a pixel of the plane apart."""
    SHOWN = 16
    """Numbers that a landmark's square is brought down to."""

    def __init__(self, points: int, channels: int, size: int):
        super().__init__()
        self.size = size
        inputs = channels * self.SIDE**2
        self.weight = nn.Parameter(torch.randn(points, inputs, self.SHOWN) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(points, 1, self.SHOWN))
        self.move = nn.Linear(points * self.SHOWN, 2 * points)
        nn.init.zeros_(self.move.weight)
        nn.init.zeros_(self.move.bias)
        self._in_use: Tensor | None
        self.register_buffer("_in_use", None, persistent=False)

    def fix(self) -> None:
        """Keep the weights as they are used, too: for a network that learns no more, and sees few faces at a time."""
        self._in_use = self._ordered().detach()

    def _ordered(self) -> Tensor:
        """The weights, kept by channel and sample, by sample and channel."""
        return self.weight.unflatten(1, (-1, self.SIDE**2)).transpose(1, 2).flatten(1, 2)

    def forward(self, plane: Tensor, landmarks: Tensor) -> Tensor:
        """(B, S, S, w), (B, P, 2) -> (B, P, 2) how far they are off, in standard deviations of each."""
        start = (landmarks + 1) * (self.size / 2) - self.SIDE / 2
        start = start.clamp(-self.SIDE - 1, self.size + 1)  # there a square is border alone
        if torch.is_grad_enabled():
            squares: Any = _Look.apply(plane, start, self.SIDE)
        else:
            squares = _look(plane, start, self.SIDE).squares
        weight = self._ordered() if self._in_use is None else self._in_use
        shown = torch.baddbmm(self.bias.to(plane), squares.flatten(2), weight.to(plane))
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
        plane = planes.detail.permute(0, 2, 3, 1).contiguous() if self.looks else planes.detail
        for look in self.looks:
            # where it looks is not learnt through
            start = found[-1].detach()
            if jitter:
                together = torch.randn(len(start), 1, 2, device=start.device)
                start = start + jitter / 2**0.5 * (together + torch.randn_like(start))
            found.append(start + self.scale * look(plane, start))
        return found

    def fix(self) -> None:
        """As `CloserLook.fix`."""
        for look in self.looks:
            cast(CloserLook, look).fix()

    def five(self, landmarks: Tensor) -> Tensor:
        """(B, P, 2) landmarks -> (B, 5, 2) their five points."""
        return self._five.to(landmarks) @ landmarks

    def aligned(self, landmarks: Tensor) -> Tensor:
        """(B, P, 2) landmarks -> the same in float32, moved, turned and scaled: five points lie as on any crop.

        What is left is the face itself, not how well it was cut out.
        """
        # half precision is as coarse as what standardising makes large
        with torch.autocast(landmarks.device.type, enabled=False):
            landmarks = landmarks.float()
            five, goal = self.five(landmarks), self._template - self._template.mean(0)
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
        return torch.stack([functional.l1_loss(self.five(one), five) for one in found]).mean()

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
