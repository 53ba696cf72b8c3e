"""Further terms of C's loss, beside L_afc: auxiliary tasks that are dropped after training.

A term is chosen by its name and weight in `stage1.terms` or `stage2.terms`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.registry import Registry
from anclaf.losses.affect import AffectLoss


@dataclass(frozen=True)
class TermInput:
    """What a term can be computed from. N: frames of the whole batch; M: those of this process.

    x: (M, F) features. landmarks: (M, P, 2) on the crop in [-1, 1], or None where the corpus has none, and in stage 2.
    estimate, target, weight: (N, 2) valence and arousal in [-1, 1], and their class weights.
    """

    x: Tensor
    landmarks: Tensor | None
    estimate: Tensor
    target: Tensor
    weight: Tensor


class LossTerm(nn.Module):
    """A term; its parameters are trained with C's."""

    @classmethod
    def make(cls, features: int, points: int) -> Self | None:  # noqa: ARG003 - as those that need them
        """A term for x of F features and this number of landmarks (0: none); None where it cannot be used."""
        return cls()

    def forward(self, seen: TermInput) -> Tensor:
        """A scalar, which is minimised."""
        raise NotImplementedError


TERMS: Registry[type[LossTerm]] = Registry("loss term", "anclaf.loss_terms", {})
"""Those that other packages bring."""

RESERVED = frozenset({"loss", *AffectLoss._fields, "affect", "landmarks"})
"""Names in C's loss that are no term's."""


def check_terms(names: Iterable[str]) -> None:
    """Check that there are such terms.

    Raises:
        ConfigError: there is none, or it has the name of a part of C's loss.
    """
    for name in names:
        if name in RESERVED:
            raise ConfigError(f"loss term {name!r}: C's loss has a part of this name; register it under another")
        if name not in TERMS:
            known = f"expected one of {', '.join(TERMS.names())}" if TERMS.names() else "no package brings any"
            raise ConfigError(f"loss term {name!r}: {known}")


def make_terms(weights: dict[str, float], features: int, points: int) -> nn.ModuleDict:
    """The terms of these names that have a weight above 0 and can be made.

    Raises:
        ConfigError: as `check_terms`, or a term's package cannot be imported.
    """
    check_terms(weights)
    made = {name: TERMS.get(name).make(features, points) for name, weight in weights.items() if weight > 0}
    return nn.ModuleDict({name: term for name, term in made.items() if term is not None})


def term_values(terms: nn.ModuleDict, seen: TermInput) -> dict[str, Tensor]:
    """The value of each term.

    Raises:
        TrainingError: a term gave something other than a scalar.
    """
    values = {name: term(seen) for name, term in terms.items()}
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.ndim:
            got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise TrainingError(f"loss term {name!r}: got {got}; expected a scalar tensor")
    return values
