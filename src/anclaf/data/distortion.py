"""The distorted image that the generator must clean (the paper's I with a tilde); kinds as in the authors' code."""

import torch
from torch import Tensor
from torch.nn import functional

from anclaf.core.arguments import checked

KINDS = ("resolution", "blur", "noise", "brightness", "greyscale", "occlusion")


@checked
def distort(images: Tensor, generator: torch.Generator, probability: float = 0.5) -> Tensor:
    """(B, 3, S, S) RGB in [-1, 1] -> a copy in which each image is, with this probability, distorted in one way.

    The kinds: resolution halved 1-3 times and back; Gaussian blur of radius 1, 3 or 5 pixels at 128x128; Gaussian noise
    of variance 0.001, 0.005 or 0.01; brightness x0.75, 1.25 or 1.5; greyscale; a grid of blank cells.
    Deviation: noise is clipped to the range, where the authors' wraps around.
    """
    batch = len(images)
    chosen = torch.rand(batch, generator=generator) < probability
    kind = torch.randint(len(KINDS), (batch,), generator=generator)
    level = torch.randint(3, (batch,), generator=generator)
    out = images.clone()
    for k, name in enumerate(KINDS):
        for strength in range(3):
            rows = torch.nonzero(chosen & (kind == k) & (level == strength))[:, 0].to(images.device)
            if len(rows):
                out[rows] = _distorted(images[rows], name, strength, generator)
    return out


def _distorted(x: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
    side = x.shape[-1]
    if kind == "resolution":
        small = functional.interpolate(x, scale_factor=0.5 ** (level + 1), mode="area")
        return functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    if kind == "blur":
        return _blur(x, (1, 3, 5)[level] * side / 128)
    if kind == "noise":
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        return (x + 2 * (0.001, 0.005, 0.01)[level] ** 0.5 * noise).clamp(-1, 1)
    if kind == "brightness":
        return ((x + 1) * (0.75, 1.25, 1.5)[level] - 1).clamp(-1, 1)
    if kind == "greyscale":
        grey = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
        return grey.expand_as(x)
    cells = (4, 6, 8)[level]
    blank = torch.rand(len(x), 1, cells, cells, generator=generator) < 0.25
    mask = functional.interpolate(blank.to(x.dtype), size=(side, side), mode="nearest").to(x.device)
    return torch.where(mask > 0, -torch.ones_like(x), x)


def _blur(x: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(2 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    channels = x.shape[1]
    x = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = functional.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return functional.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
