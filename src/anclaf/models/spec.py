"""What a model is: its variant and sizes, and everything needed to use it without its training configuration."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from anclaf.core.errors import ConfigError
from anclaf.core.labels import LabelScale
from anclaf.faces.align import CropName

SPEC_VERSION = 1
LENGTHS = (2, 4, 8, 16, 32)
"""The paper's curriculum."""
QuadrantSource = Literal["reconstruction", "image", "none", "true", "false"]
"""What Q is: D's estimate on the reconstruction (the paper) or on the image itself; zeros; or, one-hot, the label's own
quadrant or a wrong one. The last two are an upper bound and a control: they need labels, which a video has not."""


@dataclass(frozen=True)
class Variant:
    """`base`, `S-n` or `SA-n`. n is the window in frames, 1 for the base model."""

    kind: Literal["base", "S", "SA"]
    n: int = 1

    def __post_init__(self) -> None:
        if (self.kind == "base") != (self.n == 1) or self.n < 1:
            raise ConfigError(f"variant {self.kind} with window {self.n}: base has window 1, S and SA at least 2")

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """`base`, `S-8`, `SA-32`… as written everywhere.

        Raises:
            ConfigError: anything else.
        """
        match = re.fullmatch(r"(S|SA)-(\d+)", text)
        if text == "base":
            return cls("base")
        if match is None:
            raise ConfigError(
                f"variant {text!r}: expected base, S-n or SA-n with n a number of frames, for example SA-8"
            )
        return cls("SA" if match[1] == "SA" else "S", int(match[2]))

    def __str__(self) -> str:
        return "base" if self.kind == "base" else f"{self.kind}-{self.n}"


def variant_order(name: str) -> tuple[int, int]:
    """Sorting key: base, S-2 … S-32, SA-2 … SA-32."""
    variant = Variant.parse(name)
    return ("base", "S", "SA").index(variant.kind), variant.n


@dataclass(frozen=True)
class Sizes:
    """Sizes of the networks; the defaults are the paper's.

    image_size: side of the face crop, a power of two from 32. generator, discriminator, combiner: first widths.
    hidden: of the LSTM. attention_score, attention_divide, attention_cell, motion: see `RecurrentCombiner`.
    quadrant: see `QuadrantSource`.
    """

    image_size: int = 128
    generator: int = 16
    discriminator: int = 16
    combiner: int = 64
    hidden: int = 512
    attention_score: Literal["additive", "location"] = "additive"
    attention_divide: bool = False
    attention_cell: bool = True
    motion: bool = True
    quadrant: QuadrantSource = "reconstruction"

    def __post_init__(self) -> None:
        if self.image_size < 32 or self.image_size & (self.image_size - 1):
            raise ConfigError(f"image_size {self.image_size}: expected a power of two, 32 or more")
        if min(self.generator, self.discriminator, self.combiner, self.hidden) < 1:
            raise ConfigError("network widths must be at least 1")

    @property
    def needs_labels(self) -> bool:
        """Whether the model is told each frame's quadrant, so that it cannot be used on unlabelled video."""
        return self.quadrant in ("true", "false")


@dataclass(frozen=True)
class ModelSpec:
    """`model.json`.

    variant: as in `Variant.parse`. low, high: the label scale of the outputs. crop: the crop recipe the model knows.
    fps: frame rate it was trained at, 0 for stills. corpora, subjects: what it was trained on (for the leak check).
    fingerprints: of the prepared corpus, the configuration and the parent model.
    """

    variant: str
    sizes: Sizes
    low: float
    high: float
    crop: CropName
    fps: float
    corpora: tuple[str, ...]
    subjects: tuple[str, ...]
    protocol: str
    fold: int
    fingerprints: dict[str, str]
    versions: dict[str, str]
    training: dict[str, Any] = field(default_factory=dict)
    spec_version: int = SPEC_VERSION

    @property
    def parsed_variant(self) -> Variant:
        return Variant.parse(self.variant)

    @property
    def scale(self) -> LabelScale:
        return LabelScale(self.low, self.high)
