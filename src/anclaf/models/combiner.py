"""C, the combiner: latent and quadrant to the feature x, and in the base model to valence and arousal (Eq. 3)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def condition(latent: Tensor, quadrant: Tensor) -> Tensor:
    """ZQ: Z (..., c, p, p) with Q (..., 4) broadcast over its plane -> (..., c + 4, p, p)."""
    plane = quadrant[..., None, None].expand(*quadrant.shape, *latent.shape[-2:])
    return torch.cat([latent, plane.to(latent.dtype)], -3)


class Combiner(nn.Module):
    """ZQ (B, c, p, p) -> x (B, F): stride-2 convolutions with LeakyReLU down to 1x1, doubling channels.

    F = width * 2**(log2(p) - 1): 1024 for the paper's 32x32 plane and width 64, 512 for a 16x16 plane.
    """

    def __init__(self, channels: int = 68, plane: int = 32, width: int = 64):
        super().__init__()
        depth = plane.bit_length() - 1
        sizes = [channels, *(width * 2**i for i in range(depth))]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*layers)
        # of the last kernel only the middle is read; with its channels last that is two whole pieces of memory
        last = layers[-2]
        assert isinstance(last, nn.Conv2d)
        last.weight = nn.Parameter(last.weight.detach().contiguous(memory_format=torch.channels_last))
        self.features = sizes[-1]

    def forward(self, zq: Tensor) -> Tensor:
        last = self.body[-2]
        assert isinstance(last, nn.Conv2d)
        plane = self.body[:-2](zq).permute(0, 2, 3, 1)
        # from 2x2 to 1x1 only the middle of the 4x4 kernel meets the plane, the rest meets padding
        kernel = last.weight.permute(0, 2, 3, 1)
        above = functional.linear(plane[:, 0].flatten(1), kernel[:, 1, 1:3].flatten(1), last.bias)
        below = functional.linear(plane[:, 1].flatten(1), kernel[:, 2, 1:3].flatten(1))
        return self.body[-1](above + below)
