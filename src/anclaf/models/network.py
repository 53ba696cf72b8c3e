"""The whole network, frame by frame (`latents`, `features`) and over windows (`estimate`)."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.config import ModelConfig
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.models.anclaf import Combiner, Discriminator, Estimate, Generator, Head, condition
from anclaf.models.familiarity import GRID
from anclaf.models.geometry import MOTION_INPUTS, LandmarkFinder, motion_input
from anclaf.models.spec import Variant, head_options


class Latents(NamedTuple):
    """z: Z (B, 4w, S/4, S/4). q: Q (B, 4), probabilities. landmarks: (B, 2P), standardised, of a network that
    finds any."""

    z: Tensor
    q: Tensor
    landmarks: Tensor | None = None


class AffectNetwork(nn.Module):
    """G, D and C as one network: images of faces to valence and arousal.

    `latents` and `features` work frame by frame and are computed once a frame; `estimate` runs over a window of
    features.

    Args:
        points: landmarks P that it finds, those of the corpus that it is trained on; 0 for none.

    Raises:
        ConfigError: no such kind of model, or an option of it that its head does not declare.
    """

    head: Head
    trust: Tensor

    def __init__(self, config: ModelConfig, variant: Variant, points: int = 0):
        super().__init__()
        kind, options = variant.kind, head_options(variant.kind, config)
        # with the defaults: a model is to be the same when a later version of its package has others
        all_options = config.options | {f"{kind}.{name}": value for name, value in options.items()}
        self.config, self.variant = replace(config, options=all_options), variant
        self.points = points if config.geometry else 0
        plane = config.image_size // 4
        self.generator = Generator(config.g_width)
        self.discriminator = Discriminator(
            config.image_size, config.d_width, init=config.discriminator_init, norm=config.discriminator_norm
        )
        self.combiner = Combiner(4 * config.g_width + 4, plane, config.c_width)
        self.landmarks: LandmarkFinder | None = None
        if self.points:
            sizes = 4 * config.g_width, plane, self.points, config.g_width
            self.landmarks = LandmarkFinder(*sizes, config.landmark_refinements)
        self.moves = config.crop_motion and variant.kind != "base"
        self.head = variant.head.build(self.head_inputs, replace(config, options=options), variant.n)
        if variant.follows is not None:
            self.head.lead_in = self._lead_in_of(variant.follows)
        # λ, how far C's appearance features are trusted; chosen on people whom training has not seen
        self.register_buffer("trust", torch.ones(()))

    def _lead_in_of(self, variant: Variant) -> int:
        """S-n+ reads what SA-n reads: what SA-n is ahead of it is attention, not more frames."""
        options = head_options(variant.kind, self.config)
        with torch.device("meta"):  # without weights
            head = variant.head.build(self.head_inputs, replace(self.config, options=options), variant.n)
        return head.lead_in

    @property
    def feature_size(self) -> int:
        """F, numbers of x a frame: C's features, and two a landmark."""
        return self.combiner.features + 2 * self.points

    @property
    def head_inputs(self) -> int:
        """Numbers a frame that the head reads: x, and the crop's motion."""
        return self.feature_size + MOTION_INPUTS * self.moves

    def latents(self, image: Tensor, labelled: Tensor | None = None) -> Latents:
        """I (B, 3, S, S) -> Z, Q and landmarks. labelled: as in `quadrants`."""
        planes = self.generator.planes(image)
        landmarks = None if self.landmarks is None else self.landmarks.standardise(self.landmarks(planes)[-1])
        return Latents(planes.z, self.quadrants(image, planes.z, labelled), landmarks)

    def quadrants(self, image: Tensor, z: Tensor, labelled: Tensor | None = None) -> Tensor:
        """Q (B, 4): what D says of the reconstruction (Eq. 3), or another `QuadrantSource`.

        Args:
            labelled: (B,) quadrants, for a network that needs labels.

        Raises:
            ConfigError: it needs them and has none.
        """
        source = self.config.quadrant_source
        if self.config.needs_labels:
            if labelled is None:
                raise ConfigError(
                    f"this network was trained with quadrant_source={source}: it is given each frame's label and can "
                    "only be tested, not used; use another model"
                )
            return functional.one_hot(labelled, 4).to(z)
        if source == "none":
            return z.new_zeros(z.shape[0], 4)
        return self.discriminator(image if source == "image" else self.generator.decode(z)).quadrant.softmax(1)

    def features(self, latents: Latents) -> Tensor:
        """Z, Q, landmarks -> x (B, F): C(ZQ), and where the landmarks are."""
        x = self.combiner(condition(latents.z, latents.q))
        return x if latents.landmarks is None else torch.cat([x, latents.landmarks.to(x)], 1)

    def estimate(
        self, x: Tensor, motion: Tensor | None = None, dropout: float = 0.0, shown: Tensor | None = None
    ) -> Estimate:
        """Windows to valence and arousal.

        Args:
            x: (B, T, F) features, frames in time order.
            motion: (B, T, 4) of the crop (`align.crop_motion`), for networks with `moves`.
            dropout: part of the head's input that is left out, in training.
            shown: (B,) 1 where the window's appearance is shown and 0 where it is left out, in training; None: as much
                of it as is trusted.
        """
        if self.landmarks is not None:
            scale = self.trust if shown is None else shown[:, None, None]
            x = torch.cat([x[..., : self.combiner.features] * scale, x[..., self.combiner.features :]], -1)
        if self.moves:
            assert motion is not None
            x = torch.cat([x, motion_input(motion).to(x)], -1)
        return self.head(x, dropout)

    def successor(self, variant: Variant) -> "AffectNetwork":
        """A network of another variant that begins with everything this one has; its G, D and landmarks are frozen."""
        child = AffectNetwork(self.config, variant, self.points)
        child.take_parts(self)
        child.head.inherit(self.head)
        for frozen in (child.generator, child.discriminator, child.landmarks):
            if frozen is not None:
                frozen.requires_grad_(False)
        return child

    def take_parts(self, other: "AffectNetwork") -> None:
        """Take G, D, C and what finds landmarks, where there is any, from a network of the same sizes."""
        for name in ("generator", "discriminator", "combiner", "landmarks"):
            if (part := getattr(other, name)) is not None:
                getattr(self, name).load_state_dict(part.state_dict())


def pooled(z: Tensor) -> Tensor:
    """Z (B, c, p, p) -> (B, 16c) its means over a 4x4 grid: what `Familiarity` goes by."""
    return functional.adaptive_avg_pool2d(z.float(), GRID).flatten(1)


@checked
def to_input(images: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 in [-1, 1]."""
    return images.movedim(-1, -3).to(torch.float32).div_(127.5).sub_(1.0)
