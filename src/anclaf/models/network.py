"""The whole model: G, D and C as one network, base or with the recurrent part."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.core.errors import ConfigError
from anclaf.models.combiner import Combiner, condition
from anclaf.models.discriminator import Discriminator
from anclaf.models.generator import Generator
from anclaf.models.recurrent import Recurrence, RecurrentCombiner
from anclaf.models.spec import Sizes, Variant


class Latent(NamedTuple):
    """latent: Z (B, 4w, S/4, S/4); quadrant: Q (B, 4), probabilities."""

    latent: Tensor
    quadrant: Tensor


class AffectNetwork(nn.Module):
    """Images of faces to valence and arousal in [-1, 1] units.

    `latents` and `features` work frame by frame and are computed once a frame; `recur` runs over a window of features.
    """

    def __init__(self, sizes: Sizes, variant: Variant):
        super().__init__()
        self.sizes, self.variant = sizes, variant
        self.generator = Generator(sizes.generator)
        self.discriminator = Discriminator(sizes.image_size, sizes.discriminator)
        self.combiner = Combiner(4 * sizes.generator + 4, sizes.image_size // 4, sizes.combiner)
        self.affect: nn.Linear | None = None
        self.recurrent: RecurrentCombiner | None = None
        if variant.kind == "base":
            self.affect = nn.Linear(self.combiner.features, 2)
        else:
            self.recurrent = RecurrentCombiner(
                self.combiner.features,
                sizes.hidden,
                variant.kind == "SA",
                sizes.attention_score,
                sizes.attention_divide,
                sizes.motion,
                sizes.attention_cell,
            )

    def latents(self, image: Tensor, told: Tensor | None = None) -> Latent:
        """(B, 3, S, S) RGB in [-1, 1] -> Z, and Q as `quadrant` gives it."""
        latent = self.generator.encode(image)
        return Latent(latent, self.quadrant(image, latent, told))

    def quadrant(self, image: Tensor, latent: Tensor, told: Tensor | None = None) -> Tensor:
        """Q (B, 4): what D sees on the reconstruction (Eq. 3), or another `QuadrantSource`.

        Args:
            told: (B,) quadrants, for a network that needs labels.

        Raises:
            ConfigError: it needs them and has none.
        """
        source = self.sizes.quadrant
        if self.sizes.needs_labels:
            if told is None:
                raise ConfigError(
                    f"this network was trained with quadrant={source}: it is told each frame's label and can only be "
                    "tested, not used; use another model"
                )
            return functional.one_hot(told, 4).to(latent)
        if source == "none":
            return latent.new_zeros(len(latent), 4)
        seen = image if source == "image" else self.generator.decode(latent)
        return self.discriminator(seen).quadrant.softmax(1)

    def features(self, latent: Latent) -> Tensor:
        """Z, Q -> x (B, F)."""
        return self.combiner(condition(latent.latent, latent.quadrant))

    def estimate(self, x: Tensor) -> Tensor:
        """Base model: x (B, F) -> (B, 2)."""
        assert self.affect is not None, "only the base model estimates from one frame"
        return self.affect(x)

    def recur(self, x: Tensor, dropout: float = 0.0) -> Recurrence:
        """S, SA: x (B, T, F) -> valence and arousal of every frame of the window. dropout: for training."""
        assert self.recurrent is not None, "the base model has no recurrent part"
        return self.recurrent(x, dropout)


def to_input(images: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 in [-1, 1]."""
    return images.movedim(-1, -3).to(torch.float32).div_(127.5).sub_(1.0)
