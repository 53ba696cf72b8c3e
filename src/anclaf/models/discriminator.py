"""D, the quadrant estimator: real or distorted, and which quadrant of the circumplex (Eq. 2)."""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn


class Judgement(NamedTuple):
    """real: (B, 1, p, p) logits, a map over patches; quadrant: (B, outputs), by default 4 logits."""

    real: Tensor
    quadrant: Tensor


class Discriminator(nn.Module):
    """Stride-2 convolutions down to a 2x2 plane (six at 128x128), doubling channels, then two heads.

    outputs: 4 quadrants. D of the parent model AEG-CD gives 2 in their place: valence and arousal.
    The real/fake map is read at the last plane; the quadrant head is a convolution over the whole of it.
    """

    def __init__(self, image_size: int = 128, width: int = 16, outputs: int = 4):
        super().__init__()
        depth = image_size.bit_length() - 2
        channels = [3, *(width * 2**i for i in range(depth))]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*layers)
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                # PyTorch's own start makes each layer's output smaller, until the heads see next to nothing of the face
                nn.init.kaiming_normal_(layer.weight, a=0.01, nonlinearity="leaky_relu")
        self.real = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        self.quadrant = nn.Conv2d(channels[-1], outputs, 2, bias=False)

    def forward(self, image: Tensor) -> Judgement:
        plane = self.body(image)
        return Judgement(self.real(plane), self.quadrant(plane).flatten(1))
