"""The order of training: base, then S-2 -> S-4 -> ... , and each SA-n from its S-n (section 3.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anclaf.core.errors import ConfigError
from anclaf.models.spec import LENGTHS, Variant


@dataclass(frozen=True)
class Lesson:
    """A model to train and the one it starts from; the base model has no parent."""

    variant: Variant
    parent: Variant | None


def plan(variants: Iterable[Variant], lengths: Sequence[int] = LENGTHS, curriculum: bool = True) -> list[Lesson]:
    """The models wanted and all that they start from, parents first.

    Args:
        variants: those wanted.
        lengths: the curriculum's windows; a wanted length that is not among them is added.
        curriculum: False: each S-n starts from the base model, and only the lengths wanted are trained.

    Raises:
        ConfigError: nothing is wanted.
    """
    wanted = list(variants)
    if not wanted:
        raise ConfigError("no variants: expected some of base, S-n, SA-n")
    longest = max(v.n for v in wanted)
    on_the_way = {n for n in lengths if n <= longest} if curriculum else set()
    steps = sorted(on_the_way | {v.n for v in wanted if v.kind != "base"})
    lessons = [Lesson(Variant("base"), None)]
    parent = lessons[0].variant
    for n in steps:
        lessons.append(Lesson(Variant("S", n), parent))
        if curriculum:
            parent = lessons[-1].variant
    attending = sorted({v.n for v in wanted if v.kind == "SA"})
    return lessons + [Lesson(Variant("SA", n), Variant("S", n)) for n in attending]


def parse_variants(text: str, lengths: Sequence[int] = LENGTHS) -> list[Variant]:
    """`all`, or names with commas between: `base,S-8,SA-8`."""
    if text == "all":
        return [Variant("base"), *(Variant(kind, n) for kind in ("S", "SA") for n in lengths)]  # type: ignore[arg-type]
    return [Variant.parse(name.strip()) for name in text.split(",")]
