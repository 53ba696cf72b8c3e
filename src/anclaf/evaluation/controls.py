"""Which two models show what one part of the method gives: a model, and the control that lacks this part alone."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from anclaf.models.spec import FURTHER, HEADS, Variant

Part = Literal["head", "training", "curriculum", "head and training"]


class Contrast(NamedTuple):
    """What model `a` is ahead of model `b` is what a part gives.

    head: SA-n against S-n+, which had as many updates. training: S-n+ against S-n. curriculum: S-n against S-n-direct.
    head and training: SA-n against S-n, where there is no S-n+: which of the two gives it is not known.
    """

    a: str
    b: str
    part: Part


def contrasts(models: Sequence[str]) -> list[Contrast]:
    """All that these models, by name, can show; by part, in the order of the models."""
    found: list[Contrast] = []
    for name in models:
        variant = Variant.recorded(name)
        plain = str(Variant(variant.kind, variant.n))
        if variant.control.startswith(FURTHER) and plain in models:
            found.append(Contrast(name, plain, "training"))
        if variant.control or variant.kind == "base":
            continue
        if str(variant.direct) in models:
            found.append(Contrast(name, str(variant.direct), "curriculum"))
        # predictions of a head count without its package, but what it started from is not known then
        further = variant.further if variant.kind in HEADS else None
        if further is not None and str(further) in models:
            found.append(Contrast(name, str(further), "head"))
        elif further is not None and str(variant.starts_from) in models:
            found.append(Contrast(name, str(variant.starts_from), "head and training"))
    order: list[Part] = ["head", "head and training", "training", "curriculum"]
    return sorted(found, key=lambda contrast: order.index(contrast.part))
