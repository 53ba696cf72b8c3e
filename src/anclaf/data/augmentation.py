"""Changes of a face's picture that keep its valence and arousal: flip, small similarity, light, noise.

On by default in both stages, because without it the networks memorise people. A draw is a row of parameters, so that a
whole clip can share one (stage 2) or every frame can have its own (stage 1).
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from anclaf.config import AugmentationConfig


@dataclass(frozen=True)
class Augmentation:
    """B draws. flip (B,) bool; matrix (B, 2, 3), from output to input in [-1, 1] units; erase (B, 4): x0, y0, x1, y1.

    surround (B, 2): half axes of the ellipse that is kept, large to keep all; paint (B, 3, 4, 4): colours around it.
    The rest are (B,), tint (B, 3).
    """

    flip: Tensor
    matrix: Tensor
    brightness: Tensor
    contrast: Tensor
    gamma: Tensor
    tint: Tensor
    noise: Tensor
    grey: Tensor
    erase: Tensor
    surround: Tensor
    paint: Tensor

    def __getitem__(self, index: Tensor) -> "Augmentation":
        return Augmentation(*(getattr(self, f.name)[index] for f in fields(self)))


def draw(count: int, config: AugmentationConfig, generator: torch.Generator) -> Augmentation:
    """`count` independent draws; the same generator state gives the same draws."""

    def uniform(limit: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=generator) * 2 - 1) * limit

    flip = torch.rand(count, generator=generator) < config.flip
    angle = uniform(config.angle) * (torch.pi / 180)
    scale = torch.exp(uniform(config.scale))
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    mirror = torch.where(flip, -1.0, 1.0)
    stretch = torch.exp(uniform(config.stretch, 2))
    shift = uniform(2 * config.shift, 2)
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)], 1
    )
    matrix[:, :, :2] *= stretch[:, None]
    centre, half = uniform(0.8, 2), 0.15 + 0.2 * torch.rand(count, 2, generator=generator)
    erase = torch.cat([centre - half, centre + half], 1)
    erase[torch.rand(count, generator=generator) >= config.erase] = 9.0
    surround = torch.tensor([0.62, 0.85]) + 0.3 * torch.rand(count, 2, generator=generator)
    surround[torch.rand(count, generator=generator) >= config.surround] = 99.0
    base = torch.rand(count, 3, 1, 1, generator=generator)
    paint = base + 0.25 * torch.randn(count, 3, 4, 4, generator=generator)
    return Augmentation(
        flip,
        matrix,
        1 + uniform(config.brightness),
        1 + uniform(config.contrast),
        torch.exp(uniform(config.gamma)),
        1 + uniform(config.tint, 3),
        config.noise * torch.rand(count, generator=generator),
        torch.rand(count, generator=generator) < config.grey,
        erase,
        surround,
        paint.clamp(0, 1),
    )


def apply(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """(B, 3, S, S) RGB in [-1, 1] -> the same, changed. Noise is drawn anew for every image."""
    a = augmentation
    grid = functional.affine_grid(a.matrix.to(images.dtype), list(images.shape), align_corners=False)
    x = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    x = (x + 1) / 2
    x = x.clamp(1e-4, 1) ** a.gamma[:, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * a.contrast[:, None, None, None] + mean * a.brightness[:, None, None, None]
    x = x * a.tint[:, :, None, None]
    luma = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    x = torch.where(a.grey[:, None, None, None], luma, x)
    axis = (torch.arange(images.shape[-1], dtype=x.dtype) + 0.5) * (2 / images.shape[-1]) - 1
    inside_x = (axis > a.erase[:, 0:1]) & (axis < a.erase[:, 2:3])
    inside_y = (axis > a.erase[:, 1:2]) & (axis < a.erase[:, 3:4])
    hidden = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    x = torch.where(hidden, mean * a.tint[:, :, None, None], x)
    # the middle of a face lies a little below that of the crop
    distance = (axis / a.surround[:, :1])[:, None, :] ** 2 + ((axis - 0.1) / a.surround[:, 1:])[:, :, None] ** 2
    outside = torch.sigmoid(8 * (distance - 1))[:, None]
    paint = functional.interpolate(a.paint, size=images.shape[-1], mode="bilinear", align_corners=False)
    x = torch.lerp(x, paint, outside)
    x = x + a.noise[:, None, None, None] * torch.randn(x.shape, generator=generator)
    return x.clamp(0, 1) * 2 - 1


def move_points(points: Tensor, augmentation: Augmentation, mirrored: Tensor) -> Tensor:
    """(B, P, 2) points on the crop in [-1, 1] -> where `apply` moves them.

    mirrored: (P,) the point that each becomes when left and right are swapped.
    """
    linear, shift = augmentation.matrix[:, :, :2], augmentation.matrix[:, :, 2]
    moved = torch.linalg.solve(linear, (points - shift[:, None]).transpose(1, 2)).transpose(1, 2)
    return torch.where(augmentation.flip[:, None, None], moved[:, mirrored], moved)


_IBUG68 = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
_IBUG68 += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
_IBUG68 += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]


def mirrored_points(count: int) -> Tensor:
    """(P,) the left-right partner of each of 68 (iBUG), 49 (iBUG without jaw and inner mouth corners) or 5 points."""
    if count == 5:
        return torch.tensor([1, 0, 2, 4, 3])
    if count == 68:
        return torch.tensor(_IBUG68)
    assert count == 49, count
    kept = [*range(17, 60), *range(61, 64), *range(65, 68)]
    index = {point: i for i, point in enumerate(kept)}
    return torch.tensor([index[_IBUG68[point]] for point in kept])
