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

SPEC_VERSION = 3

HEADS: Registry[type["Head"]] = Registry(
    "kind of model",
    "anclaf.heads",
    {
        "base": "anclaf.models.anclaf:LinearHead",
        "S": "anclaf.models.anclaf:LstmHead",
        "SA": "anclaf.models.attention:AttentionHead",
    },
)
"""Kind of model -> its head. `base` sees one frame; all others see windows of n, and are called KIND-n.

Its names are in the order in which models are trained and shown."""


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
            ConfigError: anything else, or a kind that is not installed.
        """
        variant = cls.recorded(text)
        if variant.kind not in HEADS:
            raise ConfigError(_expected(text))
        return variant

    @classmethod
    def recorded(cls, name: str) -> "Variant":
        """As a run or a model's folder names it; its kind may be of a package that is not installed here.

        Raises:
            ConfigError: not the name of a variant.
        """
        if name == "base":
            return cls("base")
        match = re.fullmatch(r"(.+)-(\d+)", name)
        if match is None or match[1] == "base":
            raise ConfigError(_expected(name))
        return cls(match[1], int(match[2]))

    @property
    def head(self) -> type["Head"]:
        """Its class; imports torch."""
        return HEADS.get(self.kind)

    @property
    def starts_from(self) -> "Variant | None":
        """The model that its head's `starts_from` names, with the same window; imports torch."""
        kind = self.head.starts_from
        return None if kind is None else Variant("base") if kind == "base" else Variant(kind, self.n)

    def __str__(self) -> str:
        return "base" if self.kind == "base" else f"{self.kind}-{self.n}"


def _expected(text: str) -> str:
    kinds = ", ".join(f"{kind}-n" for kind in HEADS.names() if kind != "base")
    return f"variant {text!r}: expected base, {kinds}, with n a number of frames, for example SA-8"


def variant_order(name: str) -> tuple[int, str, int]:
    """Sorting key: base, S-2 … S-32, SA-2 … SA-32, other heads in the order of `HEADS`, then those not installed."""
    variant, kinds = Variant.recorded(name), HEADS.names()
    return kinds.index(variant.kind) if variant.kind in kinds else len(kinds), variant.kind, variant.n


def head_options(kind: str, config: ModelConfig) -> dict[str, float]:
    """Every option that the head of this kind declares, by its own name: as in `config.options`, or its default.

    Raises:
        ConfigError: an option of this kind that its head does not declare.
    """
    declared, prefix = HEADS.get(kind).options, f"{kind}."
    given = {name.removeprefix(prefix): value for name, value in config.options.items() if name.startswith(prefix)}
    if odd := sorted(given.keys() - declared.keys()):
        known = f"expected one of {', '.join(prefix + name for name in declared)}" if declared else "it has none"
        raise ConfigError(f"model.options {prefix}{odd[0]}: {kind} has no such option; {known}")
    return {**declared, **given}


def check_options(config: ModelConfig) -> None:
    """Check that every option is one of a head that is installed.

    Raises:
        ConfigError: it is not.
    """
    for name in config.options:
        kind, dot, _ = name.partition(".")
        if not dot or kind not in HEADS:
            raise ConfigError(f"model.options {name}: expected KIND.NAME, with KIND one of {', '.join(HEADS.names())}")
        head_options(kind, config)


@dataclass(frozen=True)
class ModelSpec:
    """`model.json`.

    variant: as in `Variant.parse`. low, high: the label scale of the outputs. crop: how the faces were cut out.
    fps: frame rate it was trained at, 0 for stills. points: landmarks that it finds, 0 for none.
    corpora, subjects: what it was trained on (for the leak check).
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
    points: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    spec_version: int = SPEC_VERSION

    @property
    def parsed_variant(self) -> Variant:
        return Variant.parse(self.variant)

    @property
    def scale(self) -> LabelScale:
        return LabelScale(self.low, self.high)
