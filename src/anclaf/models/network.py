"""The whole model: G, D and C as one network, base or with the recurrent part."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

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
            )

    def latents(self, image: Tensor) -> Latent:
        """(B, 3, S, S) RGB in [-1, 1] -> Z, and Q, which D sees on the reconstruction (Eq. 3)."""
        latent = self.generator.encode(image)
        judgement = self.discriminator(self.generator.decode(latent))
        return Latent(latent, judgement.quadrant.softmax(1))

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
