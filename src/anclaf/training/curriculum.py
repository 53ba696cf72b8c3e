"""The order of training: base, then S-2 -> S-4 -> ... , and each SA-n from its S-n (section 3.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anclaf.config import LENGTHS
from anclaf.core.errors import ConfigError
from anclaf.models.spec import HEADS, Variant, variant_order


@dataclass(frozen=True)
class Lesson:
    """A model to train and the one it starts from; the base model has no parent."""

    variant: Variant
    parent: Variant | None


def plan(variants: Iterable[Variant], lengths: Sequence[int] = LENGTHS, curriculum: bool = True) -> list[Lesson]:
    """The models wanted and all that they start from, parents first.

    A kind whose head names another in `starts_from` (SA: S) starts from the model of that kind with the same window;
    any other goes through the windows by itself, from the base model.

    Args:
        variants: those wanted.
        lengths: the curriculum's windows; a wanted length that is not among them is added.
        curriculum: False: each model of such a kind starts from the base model; only the lengths wanted are trained.

    Raises:
        ConfigError: nothing is wanted, or what a kind starts from leads back to itself.
    """
    needed = list(variants)
    if not needed:
        raise ConfigError("no variants: expected some of base, S-n, SA-n")
    for variant in needed:  # grows while it is gone through
        if variant.starts_from is not None and variant.starts_from not in needed:
            needed.append(variant.starts_from)
    base = Variant("base")
    lessons = [Lesson(base, None)]
    sequential = sorted({v for v in needed if v.kind != "base"}, key=lambda v: variant_order(str(v)))
    own = [v for v in sequential if v.starts_from is None]
    for kind in dict.fromkeys(v.kind for v in own):
        windows = {v.n for v in own if v.kind == kind}
        on_the_way = {n for n in lengths if n <= max(windows)} if curriculum else set()
        parent = base
        for n in sorted(windows | on_the_way):
            lessons.append(Lesson(Variant(kind, n), parent))
            if curriculum:
                parent = lessons[-1].variant
    waiting = [v for v in sequential if v not in own]
    while waiting:
        done = {lesson.variant for lesson in lessons}
        ready = [v for v in waiting if v.starts_from in done]
        if not ready:
            raise ConfigError(f"variant {waiting[0]}: what it starts from leads back to itself")
        lessons += [Lesson(v, v.starts_from) for v in ready]
        waiting = [v for v in waiting if v not in ready]
    return lessons


def parse_variants(text: str, lengths: Sequence[int] = LENGTHS) -> list[Variant]:
    """`all` (base, and every other kind of model with these lengths), or names with commas between: `base,S-8,SA-8`."""
    if text == "all":
        return [Variant("base"), *(Variant(kind, n) for kind in HEADS.names() if kind != "base" for n in lengths)]
    return [Variant.parse(name.strip()) for name in text.split(",")]
