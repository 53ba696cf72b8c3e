"""D, the quadrant estimator: real or distorted, and which quadrant of the circumplex (Eq. 2)."""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn


class Judgement(NamedTuple):
    """real: (B, 1, p, p) logits, a map over patches; quadrant: (B, 4) logits."""

    real: Tensor
    quadrant: Tensor


class Discriminator(nn.Module):
    """Stride-2 convolutions down to a 2x2 plane (six at 128x128), doubling channels, then two heads.

    The real/fake map is read at the last plane; the quadrant head is a convolution over the whole of it.
    """

    def __init__(self, image_size: int = 128, width: int = 16):
        super().__init__()
        depth = image_size.bit_length() - 2
        channels = [3, *(width * 2**i for i in range(depth))]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*layers)
        self.real = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        self.quadrant = nn.Conv2d(channels[-1], 4, 2, bias=False)

    def forward(self, image: Tensor) -> Judgement:
        plane = self.body(image)
        return Judgement(self.real(plane), self.quadrant(plane).flatten(1))
