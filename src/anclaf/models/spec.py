"""What a model is: its variant and sizes, and everything needed to use it without its training configuration."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anclaf.config import CropName, ModelConfig
from anclaf.core.errors import ConfigError
from anclaf.core.labels import LabelScale
from anclaf.core.people import is_digest, person_digest
from anclaf.core.registry import Registry

if TYPE_CHECKING:
    from anclaf.models.anclaf import Head

SPEC_VERSION = 5

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

FITTED: Registry[type["Head"]] = Registry("kind of comparator", "", {"ridge": "anclaf.models.ridge:RidgeHead"})
"""As `HEADS`, of comparators that are models on what a base model finds. They are fitted, not trained."""


FURTHER, DIRECT, DETECTED = "+", "-direct", "@detected"
_FOLLOWED = "SA"
"""The kind whose updates S-n+ gets; those of another kind's are called S-n+KIND."""
_NAME = re.compile(r"(?P<kind>.+)-(?P<n>\d+)(?P<control>\+.*|-direct|@detected)?")


@dataclass(frozen=True)
class Variant:
    """`base`, `S-n`, `SA-n`, or KIND-n of a head that another package brings. n is the window in frames, 1 for base.

    `ridge-n@detected` is a comparator (`FITTED`): ridge regression on the landmarks that the base model finds.

    Controls are models like any other, trained otherwise, so that a comparison shows one thing alone:

    - `S-n+`, control `+`: S-n, trained further with as many updates as SA-n was trained with, on the same windows and
      what SA-n reads before them. What SA-n is ahead of it is attention. `S-n+KIND` is the same for KIND-n, if that
      starts from S-n.
    - `S-n-direct`, control `-direct`: trained from the base model, with as many updates as all models from the base
      model to S-n together. What S-n is ahead of it is the curriculum.
    """

    kind: str
    n: int = 1
    control: str = ""

    def __post_init__(self) -> None:
        alone = self.kind == "base" or (self.kind in FITTED and self.n == 1)
        if alone != (self.n == 1) or self.n < 1:
            raise ConfigError(f"variant {self.kind} with window {self.n}: base has window 1, all others at least 2")
        if self.kind == "base" and self.control:
            raise ConfigError(f"variant base with control {self.control}: base has none")

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
        match = _NAME.fullmatch(name)
        if match is None or match["kind"] == "base":
            raise ConfigError(_expected(name))
        return cls(match["kind"], int(match["n"]), match["control"] or "")

    @property
    def head(self) -> type["Head"]:
        """Its class; imports torch."""
        return head_of(self.kind)

    @property
    def starts_from(self) -> "Variant | None":
        """The model that it starts from whatever the curriculum: of a control as above, of another the one that its
        head's `starts_from` names, with the same window; imports torch."""
        if self.control:
            return Variant("base") if self.control == DIRECT else Variant(self.kind, self.n)
        kind = self.head.starts_from
        return None if kind is None else Variant("base") if kind == "base" else Variant(kind, self.n)

    @property
    def follows(self) -> "Variant | None":
        """SA-n of S-n+: the model that this control has as many updates as."""
        if not self.control.startswith(FURTHER):
            return None
        return Variant(self.control.removeprefix(FURTHER) or _FOLLOWED, self.n)

    @property
    def further(self) -> "Variant | None":
        """S-n+ of SA-n: the control of a model that starts from another one with the same window; imports torch."""
        start = None if self.control else self.starts_from
        if start is None or start.kind == "base":
            return None
        return Variant(start.kind, self.n, FURTHER if self.kind == _FOLLOWED else FURTHER + self.kind)

    @property
    def direct(self) -> "Variant":
        """S-n-direct of S-n."""
        return Variant(self.kind, self.n, DIRECT)

    @property
    def series(self) -> str:
        """What variants that differ in n alone are together called: `base`, `S-n`, `S-n+`…"""
        return "base" if self.kind == "base" else f"{self.kind}-n{self.control}"

    def __str__(self) -> str:
        return "base" if self.kind == "base" else f"{self.kind}-{self.n}{self.control}"


def _expected(text: str) -> str:
    kinds = ", ".join(f"{kind}-n" for kind in HEADS.names() if kind != "base")
    return (
        f"variant {text!r}: expected base, {kinds}, with n a number of frames, for example SA-8; or a control of one, "
        "S-8+ or S-8-direct"
    )


def variant_order(name: str) -> tuple[int, str, str, int]:
    """Sorting key: base, S-2 … S-32, their controls, SA-2 … SA-32, other heads in the order of `HEADS`, then those not
    installed."""
    variant, kinds = Variant.recorded(name), HEADS.names()
    place = kinds.index(variant.kind) if variant.kind in kinds else len(kinds)
    return place, variant.kind, variant.control, variant.n


def head_of(kind: str) -> type["Head"]:
    """The class of a kind's head; imports torch.

    Raises:
        ConfigError: no such kind.
    """
    return FITTED.get(kind) if kind in FITTED else HEADS.get(kind)


def head_options(kind: str, config: ModelConfig) -> dict[str, float]:
    """Every option that the head of this kind declares, by its own name: as in `config.options`, or its default.

    Raises:
        ConfigError: an option of this kind that its head does not declare.
    """
    declared, prefix = head_of(kind).options, f"{kind}."
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
    corpora, subjects: what it was trained on, and whom it learnt from or was chosen by, as `person_digest`: for the
    leak check, of whoever has the model.
    fingerprints: of the prepared corpus, the configuration and the parent model.

    Raises:
        ConfigError: a subject is no digest.
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

    def __post_init__(self) -> None:
        if odd := [person for person in self.subjects if not is_digest(person)]:
            raise ConfigError(f"subjects: got {odd[0]!r}; expected digests of names, as person_digest makes them")

    def known(self, people: Iterable[str]) -> list[str]:
        """Those of these people, by name, whom the model learnt from or was chosen by, however they are spelled."""
        own = set(self.subjects)
        return sorted(name for name in set(people) if person_digest(name) in own)

    @property
    def parsed_variant(self) -> Variant:
        return Variant.recorded(self.variant)

    @property
    def scale(self) -> LabelScale:
        return LabelScale(self.low, self.high)
