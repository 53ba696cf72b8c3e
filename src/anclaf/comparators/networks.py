"""Networks that ANCLaF is compared with. Each takes faces (B, 3, S, S) in [-1, 1] to valence and arousal (B, 2).

Their widths follow from ANCLaF's, so that they are about as large as what it uses at inference: at the paper's sizes
`cnn` has 11.2 million parameters and ANCLaF's base model 14.5.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tensorly.backend import backend_context  # pyright: ignore[reportAttributeAccessIssue] - made at import
from tensorly.tucker_tensor import tucker_to_tensor
from torch import Tensor, nn

from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.files import atomic_path, write_json
from anclaf.models.discriminator import Discriminator
from anclaf.models.generator import Generator
from anclaf.models.spec import Sizes

COMPARATORS = ("cnn", "cnn-ma", "aeg-cd", "coherence", "tucker")
"""`cnn-ma` is the network `cnn` with a moving average over its estimates; `coherence` is `cnn` with another loss."""
SEQUENTIAL = ("cnn-ma", "coherence")
"""Comparators that need sequences: not for stills."""


def _convolutions(image_size: int, width: int, plane: int) -> tuple[nn.Sequential, int]:
    """Stride-2 convolutions with doubling channels down to a plane of this side, and how many channels it has."""
    depth = (image_size // plane).bit_length() - 1
    channels = [3, *(width * 2**i for i in range(depth))]
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        # one group: the statistics are of one face, so that a batch's parts and single frames give the same numbers
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(1, after), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers), channels[-1]


class PlainCnn(nn.Module):
    """Convolutions down to 2x2, all of which is the feature x (B, F), and a linear layer."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.body, channels = _convolutions(sizes.image_size, max(1, sizes.combiner // 2), plane=2)
        self.affect = nn.Linear(4 * channels, 2)

    def features(self, image: Tensor) -> Tensor:
        return self.body(image).flatten(1)

    def forward(self, image: Tensor, dropout: float = 0.0) -> Tensor:
        return self.affect(nn.functional.dropout(self.features(image), dropout))


class TuckerCnn(nn.Module):
    """The same convolutions down to 4x4, and a regression whose weights are a Tucker tensor (Mitenkova et al. 2019).

    The regression's weights (F, 4, 4, 2) are core (r, 2, 2, 2) x factors (F, r), (4, 2), (4, 2), (2, 2), so that the
    map keeps its structure.
    """

    def __init__(self, sizes: Sizes, rank: int):
        super().__init__()
        self.body, channels = _convolutions(sizes.image_size, max(1, sizes.combiner // 2), plane=4)
        shape, ranks = (channels, 4, 4, 2), (min(rank, channels), 2, 2, 2)
        self.core = nn.Parameter(torch.randn(ranks) / ranks[0] ** 0.5)
        self.factors = nn.ParameterList(
            nn.Parameter(torch.randn(n, r) / n**0.5) for n, r in zip(shape, ranks, strict=True)
        )
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, image: Tensor, dropout: float = 0.0) -> Tensor:
        with backend_context("pytorch", local_threadsafe=True):
            weight = tucker_to_tensor((self.core, list(self.factors)))
        plane = nn.functional.dropout(self.body(image), dropout)
        return torch.einsum("bfyx,fyxd->bd", plane, weight) + self.bias


class AegCd(nn.Module):
    """The parent model AEG-CD (Aspandi et al. 2020): G and D as in ANCLaF, D tells valence and arousal, no C."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.generator = Generator(sizes.generator)
        self.discriminator = Discriminator(sizes.image_size, sizes.discriminator, outputs=2)

    def forward(self, image: Tensor) -> Tensor:
        return self.discriminator(self.generator(image)).quadrant


Comparator = PlainCnn | TuckerCnn | AegCd


def make_comparator(name: str, sizes: Sizes, rank: int) -> Comparator:
    """A new network. rank: of `tucker`'s channels.

    Raises:
        ConfigError: no such network.
    """
    if name in ("cnn", "coherence"):
        return PlainCnn(sizes)
    if name == "tucker":
        return TuckerCnn(sizes, rank)
    if name == "aeg-cd":
        return AegCd(sizes)
    raise ConfigError(f"comparator {name!r}: expected one of {', '.join(COMPARATORS)}")


def save_comparator(folder: Path, network: Comparator, card: dict[str, Any]) -> None:
    """Write `model.safetensors`, then `model.json`: card holds `comparator`, `sizes`, `rank` and what else is known."""
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(weights, temporary)
    write_json(folder / "model.json", card)


def load_comparator(folder: Path) -> tuple[Comparator, dict[str, Any]]:
    """A finished network, in evaluation mode, and its card.

    Raises:
        ModelError: none there, or a damaged one.
    """
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        network = make_comparator(card["comparator"], Sizes(**card["sizes"]), card["rank"])
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: no whole comparator ({error}); delete the folder to train it again") from error
    return network.eval(), card
