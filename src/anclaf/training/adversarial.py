"""D's and G's phases (Eq. 9), whatever D tells of a face beside real or not: quadrants, or valence and arousal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from anclaf.data.distortion import distort
from anclaf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from anclaf.models.discriminator import Discriminator
from anclaf.models.generator import Generator
from anclaf.training.distributed import local
from anclaf.training.frames import Drawn, FrameBatch
from anclaf.training.phases import Phase
from anclaf.training.stage1_config import Stage1Config


@dataclass
class AdversarialBatch(FrameBatch):
    """distorted: Ĩ (B, 3, S, S); u: (B, 1, 1, 1), uniform in [0, 1]."""

    distorted: Tensor
    u: Tensor
    generator: Generator

    @classmethod
    def of(
        cls, fabric: Fabric, drawn: Drawn, weight: Tensor, generator: Generator, distortion: float, **more: Any
    ) -> Self:
        """This process's part of the frames drawn. more: what a subclass has beside."""
        distorted = distort(drawn.image, drawn.rng, distortion)
        u = torch.rand(len(drawn.rows), 1, 1, 1, generator=drawn.rng)
        image, target, weight = (local(fabric, value) for value in (drawn.image, drawn.target, weight))
        return cls(image, target, weight, local(fabric, distorted), local(fabric, u), generator, **more)

    @cached_property
    def cleaned(self) -> Tensor:
        """G(Ĩ), made once for D's and G's phases."""
        return self.generator(self.distorted)


B = TypeVar("B", bound=AdversarialBatch)


@dataclass(frozen=True)
class AdversarialLosses(Generic[B]):
    """A method for each phase. task: what D says of faces (B, outputs), and the batch -> its loss, called `name`."""

    generator: Generator
    judge: Discriminator
    task: Callable[[Tensor, B], Tensor]
    name: str
    config: Stage1Config

    def of_judge(self, batch: B) -> dict[str, Tensor]:
        """D: real on I, fake on G(Ĩ), its task on I."""
        config, judge = self.config, self.judge
        fake = batch.cleaned.detach()
        real = judge(batch.image)
        terms = {
            "adversarial": discriminator_loss(config.adversary, real.real, judge(fake).real),
            self.name: self.task(real.quadrant, batch),
        }
        loss = terms["adversarial"] + config.quadrant * terms[self.name]
        if config.adversary == "wgan-gp":
            terms["penalty"] = gradient_penalty(lambda x: judge(x).real, batch.image, fake, batch.u)
            loss = loss + config.penalty * terms["penalty"]
        return {"loss": loss, **terms}

    def of_generator(self, batch: B) -> dict[str, Tensor]:
        """G: fool D, give back I, keep what D's task needs visible."""
        config = self.config
        judged = self.judge(batch.cleaned)
        terms = {
            "adversarial": generator_loss(config.adversary, judged.real),
            "reconstruction": functional.l1_loss(batch.cleaned, batch.image),
            self.name: self.task(judged.quadrant, batch),
        }
        loss = (
            terms["adversarial"] + config.reconstruction * terms["reconstruction"] + config.quadrant * terms[self.name]
        )
        return {"loss": loss, **terms}

    def phases(self) -> list[Phase[B]]:
        """D's, where there is anything for it to learn, and G's."""
        d, g = list(self.judge.parameters()), list(self.generator.parameters())
        options: dict[str, Any] = {"lr": self.config.adversarial_rate, "betas": (0.5, 0.999)}
        phases = [Phase("G", self.of_generator, g, torch.optim.Adam(g, **options), self.config.interval)]
        if self.config.adversary != "none" or self.config.quadrant > 0:
            phases.insert(0, Phase("D", self.of_judge, d, torch.optim.Adam(d, **options), self.config.interval))
        return phases
