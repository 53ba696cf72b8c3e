"""What a model is: its variant and sizes, and everything needed to use it without its training configuration."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anclaf.config import CropName, ModelConfig
from anclaf.core.errors import ConfigError
from anclaf.core.labels import LabelScale
from anclaf.core.registry import Registry

if TYPE_CHECKING:
    from anclaf.models.anclaf import Head

SPEC_VERSION = 2

HEADS: Registry[type["Head"]] = Registry(
    "kind of model",
    "anclaf.heads",
    {
        "base": "anclaf.models.anclaf:LinearHead",
        "S": "anclaf.models.anclaf:LstmHead",
        "SA": "anclaf.models.anclaf:AttentionHead",
    },
)
"""Kind of model -> its head. `base` sees one frame; all others see windows of n, and are called KIND-n."""


@dataclass(frozen=True)
class Variant:
    """`base`, `S-n`, `SA-n`, or KIND-n of a head that another package brings. n is the window in frames, 1 for base."""

    kind: str
    n: int = 1

    def __post_init__(self) -> None:
        if (self.kind == "base") != (self.n == 1) or self.n < 1:
            raise ConfigError(f"variant {self.kind} with window {self.n}: base has window 1, all others at least 2")

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """`base`, `S-8`, `SA-32`… as written everywhere.

        Raises:
            ConfigError: anything else.
        """
        if text == "base":
            return cls("base")
        match = re.fullmatch(r"(.+)-(\d+)", text)
        if match is None or match[1] not in HEADS or match[1] == "base":
            kinds = ", ".join(f"{kind}-n" for kind in HEADS.names() if kind != "base")
            raise ConfigError(f"variant {text!r}: expected base, {kinds}, with n a number of frames, for example SA-8")
        return cls(match[1], int(match[2]))

    @property
    def head(self) -> type["Head"]:
        """Its class; imports torch."""
        return HEADS.get(self.kind)

    def __str__(self) -> str:
        return "base" if self.kind == "base" else f"{self.kind}-{self.n}"


def variant_order(name: str) -> tuple[int, int]:
    """Sorting key: base, S-2 … S-32, SA-2 … SA-32, others."""
    variant = Variant.parse(name)
    return HEADS.names().index(variant.kind), variant.n


@dataclass(frozen=True)
class ModelSpec:
    """`model.json`.

    variant: as in `Variant.parse`. low, high: the label scale of the outputs. crop: how the faces were cut out.
    fps: frame rate it was trained at, 0 for stills. corpora, subjects: what it was trained on (for the leak check).
    fingerprints: of the prepared corpus, the configuration and the parent model.
    """

    variant: str
    model: ModelConfig
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
