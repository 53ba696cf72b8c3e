"""The order of training: base, then S-2 -> S-4 -> ... , each SA-n from its S-n (section 3.4), and their controls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anclaf.config import LENGTHS
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.models.spec import DIRECT, HEADS, Variant, variant_order

CONTROLLED = 8
"""The window whose S-n has a from-base control in `all`: the one that the paper finds best. With long windows such a
control takes as long as all other models together."""


@dataclass(frozen=True)
class Lesson:
    """A model to train and the one it starts from; the base model has no parent.

    as_many_as: of a control, the models whose updates together are as many as it gets; of any other none, it is trained
    until validation no longer improves.
    """

    variant: Variant
    parent: Variant | None
    as_many_as: tuple[Variant, ...] = ()


@checked
def plan(variants: Iterable[Variant], lengths: Sequence[int] = LENGTHS, curriculum: bool = True) -> list[Lesson]:
    """The models wanted, all that they start from, and the controls S-n+ of all SA-n among them, parents first.

    A kind whose head names another in `starts_from` (SA: S) starts from the model of that kind with the same window;
    any other goes through the windows by itself, from the base model.

    Args:
        variants: those wanted.
        lengths: the curriculum's windows; a wanted length that is not among them is added.
        curriculum: False: each model of such a kind starts from the base model; only the lengths wanted are trained.

    Raises:
        ConfigError: nothing is wanted, what a kind starts from leads back to itself, or a control is wanted of a kind
            from which no other starts.
    """
    needed = list(variants)
    if not needed:
        raise ConfigError("no variants: expected some of base, S-n, SA-n")
    for variant in needed:  # grows while it is gone through
        needed += [other for other in _needs(variant) if other not in needed]
    base = Variant("base")
    lessons = [Lesson(base, None)]
    sequential = sorted({v for v in needed if v.kind != "base"}, key=lambda v: variant_order(str(v)))
    own = [v for v in sequential if v.starts_from is None]
    chains: dict[Variant, tuple[Variant, ...]] = {}
    for kind in dict.fromkeys(v.kind for v in own):
        windows = {v.n for v in own if v.kind == kind}
        on_the_way = {n for n in lengths if n <= max(windows)} if curriculum else set()
        chain: tuple[Variant, ...] = ()
        for n in sorted(windows | on_the_way):
            variant = Variant(kind, n)
            lessons.append(Lesson(variant, chain[-1] if chain else base))
            chains[variant] = (*chain, variant)
            if curriculum:
                chain = chains[variant]
    waiting = [v for v in sequential if v not in own]
    while waiting:
        done = {lesson.variant for lesson in lessons}
        ready = [v for v in waiting if {v.starts_from, v.follows} <= {None, *done}]
        if not ready:
            raise ConfigError(f"variant {waiting[0]}: what it starts from leads back to itself")
        lessons += [Lesson(v, v.starts_from, _as_many_as(v, chains)) for v in ready]
        waiting = [v for v in waiting if v not in ready]
    return lessons


def _needs(variant: Variant) -> list[Variant]:
    """What a model starts from or follows; the plain one that a control is of; S-n+ of SA-n."""
    followed = variant.follows
    plain = Variant(variant.kind, variant.n) if variant.control else None
    if followed is not None and (followed.kind not in HEADS or followed.further != variant):
        raise ConfigError(
            f"variant {variant}: a control of {plain} that is given the updates of {followed}, for which there would "
            f"have to be a model {followed} that starts from {plain}; leave it out"
        )
    return [other for other in (variant.starts_from, followed, plain, variant.further) if other is not None]


def _as_many_as(variant: Variant, chains: dict[Variant, tuple[Variant, ...]]) -> tuple[Variant, ...]:
    if variant.control != DIRECT:
        return () if variant.follows is None else (variant.follows,)
    plain = Variant(variant.kind, variant.n)
    if plain not in chains:
        raise ConfigError(
            f"variant {variant}: {plain} does not go through the windows from the base model by itself; leave it out"
        )
    return chains[plain]


@checked
def parse_variants(text: str, lengths: Sequence[int] = LENGTHS) -> list[Variant]:
    """`all`: base, every other kind of model with these lengths, and the from-base control of S-8, or of the longest
    where 8 is not among them; or names with commas between: `base,S-8,SA-8`."""
    if text == "all":
        every = [Variant(kind, n) for kind in HEADS.names() if kind != "base" for n in lengths]
        return [Variant("base"), *every, Variant("S", CONTROLLED if CONTROLLED in lengths else lengths[-1]).direct]
    return [Variant.parse(name.strip()) for name in text.split(",")]
