"""How the base model is trained; the comparators that are networks train alike."""

from dataclasses import dataclass, field

from anclaf.core.errors import ConfigError
from anclaf.data.augmentation import AugmentationConfig
from anclaf.losses.adversarial import Adversary


@dataclass(frozen=True)
class Stage1Config:
    """How the base model is trained.

    steps: updates of C. batch: frames a step, of all processes together. rate: learning rate of C's phase (AdamW);
    adversarial_rate: of D's and G's (Adam). decay: weight decay of C's phase. warmup: steps of rising rate.
    adversary: Eq. 9's log loss (`gan`), `wgan-gp`, or `none`, where D tells quadrants only. interval: D and G are
    updated at every interval-th step. reconstruction: weight of L1(G(distorted I), I). quadrant: weight of D's task in
    D's and G's losses: the cross-entropies, or L_afc in AEG-CD. penalty: weight of WGAN-GP's.
    dropout: of x, before the affect layer. landmarks: weight of an auxiliary task, where the corpus has landmarks: a
    linear layer on x tells where they are on the crop. It is dropped after training, and so is what it knows of a
    database's landmarks. Deviation: not in the paper, which uses landmarks to crop only; without it people are
    memorised (docs/results.md).
    class_limit: largest class weight f_i/F, 1 turns them off. average: decay of the running average of the weights
    that is evaluated and kept, 0 for none. evaluate_every, checkpoint_every: steps.
    """

    steps: int = 3000
    batch: int = 48
    rate: float = 1e-3
    adversarial_rate: float = 5e-4
    decay: float = 0.01
    warmup: int = 50
    adversary: Adversary = "gan"
    interval: int = 1
    reconstruction: float = 10.0
    quadrant: float = 1.0
    penalty: float = 10.0
    landmarks: float = 50.0
    dropout: float = 0.3
    class_limit: float = 3.0
    average: float = 0.99
    distortion: float = 0.5
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    evaluate_every: int = 250
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.interval < 1 or self.evaluate_every < 1 or self.checkpoint_every < 1:
            raise ConfigError("stage 1: steps, interval, evaluate_every and checkpoint_every must be 1 or more")
        if self.batch < 4:
            raise ConfigError(f"stage 1: batch {self.batch}; a correlation needs at least 4 frames")
        if not 0 <= self.average < 1:
            raise ConfigError(f"stage 1: average {self.average}; expected 0 <= average < 1")
