"""G, the latent feature extractor: an autoencoder whose middle is the latent Z (Eq. 1).

Shapes: B batch, S image side, w width. Images are RGB in [-1, 1].
"""

import torch
from torch import Tensor, nn


def _norm(channels: int) -> nn.Module:
    # instance normalisation as groups of one channel: the same numbers, several times as fast for one image on a CPU
    return nn.GroupNorm(channels, channels)


class _Residual(nn.Module):
    def __init__(self, channels: int, skip: bool = True):
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skip else self.body(x)


def _convolution(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, _norm(channels), nn.ReLU())


class Generator(nn.Module):
    """Image -> latent Z -> cleaned image.

    encode: (B, 3, S, S) -> Z (B, 4w, S/4, S/4), the output of the third residual block, which has no skip.
    decode: Z -> reconstruction (B, 3, S, S) in [-1, 1].
    """

    def __init__(self, width: int = 16):
        super().__init__()
        w = width
        self.encoder = nn.Sequential(
            _convolution(nn.Conv2d(3, w, 7, padding=3, bias=False), w),
            _convolution(nn.Conv2d(w, 2 * w, 4, stride=2, padding=1, bias=False), 2 * w),
            _convolution(nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1, bias=False), 4 * w),
            _Residual(4 * w),
            _Residual(4 * w),
            _Residual(4 * w, skip=False),
        )
        self.decoder = nn.Sequential(
            _Residual(4 * w),
            _Residual(4 * w),
            _convolution(nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False), 2 * w),
            _convolution(nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False), w),
            nn.Conv2d(w, 3, 7, padding=3),
        )

    def encode(self, image: Tensor) -> Tensor:
        return self.encoder(image)

    def decode(self, latent: Tensor) -> Tensor:
        return torch.tanh(self.decoder(latent))

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image))
