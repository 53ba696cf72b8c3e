"""Recipes against each other, ablations among them: on test people, and on the people by whom one would choose."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anclaf.core.words import DASH, difference_text, number_text
from anclaf.evaluation.bootstrap import RESAMPLES, Comparison, compare
from anclaf.evaluation.comparable import FRAME
from anclaf.evaluation.seen import seen_rows
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.grid import seed_words
from anclaf.report.tables import PlainTable, heading

_LEADING = (1, 8)
"""Windows of the models by which a recipe is judged: base, and of every other kind (S, SA…) the one of 8 frames."""
COMPARED = (("valence", "ccc"), ("arousal", "ccc"), ("mean", "ccc"), ("mean", "rmse"))


@dataclass(frozen=True)
class Difference:
    """The score of one recipe's model less that of another's, by the seeds that both have.

    part: test or validation. found: by (dimension, metric); empty where the two cannot be compared.
    """

    of: RunFolder
    less: RunFolder
    model: str
    part: str
    found: dict[tuple[str, str], Comparison]

    @property
    def name(self) -> str:
        """`+no-quadrant` of an ablation, else `paper − small`."""
        cut = self.of.recipe.removeprefix(self.less.recipe)
        return cut if cut.startswith("+") else f"{self.of.recipe} − {self.less.recipe}"

    def to_json(self) -> dict[str, Any]:
        of = {"corpus": self.of.name, "a": self.of.recipe, "b": self.less.recipe, "model": self.model}
        return (
            of
            | {"part": self.part, "seeds": _shared(self.of, self.less)}
            | {"compared": [one.to_json() for one in self.found.values()]}
        )


def differences(pairs: Iterable[tuple[RunFolder, RunFolder]], part: str) -> list[Difference]:
    """Of each pair (of, less), by the leading models that both have."""
    found: list[Difference] = []
    for of, less in pairs:
        shared = [name for name in less.variants if name in of.variants]
        for name in [name for name in shared if Variant.recorded(name).n in _LEADING] or shared[-1:]:
            rows = [_rows(run, name, part, of, less) for run in (of, less)]
            resamples = int(less.metrics.get("resamples") or RESAMPLES)
            compared: Sequence[Comparison] = []
            if all(tables and all(len(table) for table in tables) for tables in rows):
                keys = FRAME if part == "validation" else FRAME[1:]
                compared = compare(rows[0], rows[1], less.scale.middle, resamples, keys=keys)
            found.append(Difference(of, less, name, part, {(one.dimension, one.metric): one for one in compared}))
    return found


def _rows(run: RunFolder, name: str, part: str, of: RunFolder, less: RunFolder) -> Sequence[Any]:
    """A table for each seed that both have."""
    seeds = _shared(of, less)
    if part == "test":
        return [table for seed, table in zip(run.seeds, run.by_seed(name), strict=True) if seed in seeds]
    folds = sorted(set(of.folds) & set(less.folds))
    runs = [seen for seed, seen in zip(run.seeds, run.seen_by_seed([name]), strict=True) if seed in seeds]
    return seen_rows(runs, [name], folds, part).get(name, [])


def _shared(of: RunFolder, less: RunFolder) -> list[int]:
    return sorted(set(of.seeds) & set(less.seeds))


def difference_table(found: Sequence[Difference]) -> PlainTable:
    """On the test people; all of pairs with the same `less`."""
    rows = [[one.name, one.model, *(difference_words(one.found.get(key)) for key in COMPARED)] for one in found]
    heads = ["", "model", *(f"{heading(metric)} {dimension}" for dimension, metric in COMPARED)]
    return PlainTable(_caption(found, "Test people"), heads, rows)


def validation_table(found: Sequence[Difference]) -> PlainTable:
    """On the validation people, and whether they could have told the two apart."""
    rows = []
    for one in found:
        cells = [difference_words(one.found.get((d, "ccc"))) for d in ("valence", "arousal", "mean")]
        rows.append([one.name, one.model, *cells, verdict(one.found.get(("mean", "ccc")))])
    heads = ["", "model", *(f"CCC {d}" for d in ("valence", "arousal", "mean")), "the mean's interval"]
    return PlainTable(_caption(found, "Validation people"), heads, rows)


def _caption(found: Sequence[Difference], who: str) -> str:
    less = found[0].less
    kind = "ablation" if found[0].name.startswith("+") else "first recipe"
    subject = f"Ablations of recipe {less.recipe}" if kind == "ablation" else "Recipes"
    seeds = "; ".join(dict.fromkeys(seed_words(_shared(one.of, less)) for one in found))
    second = "the plain recipe's" if kind == "ablation" else "the second one's"
    several = any(len(_shared(one.of, less)) > 1 for one in found)
    share = ". After the interval: the part of one training's variance that is training" if several else ""
    return (
        f"{subject} on corpus {less.name}, fingerprint {less.card.get('fingerprint')}, protocol "
        f"{less.metrics.get('protocol')}, {seeds}. {who}: the {kind}'s score less {second}{share}."
    )


def difference_words(found: Comparison | None) -> str:
    """`+0.021 [-0.010, 0.052]`, with several seeds `; 34 %` after it; a dash where the two cannot be compared."""
    if found is None:
        return DASH
    low, high = found.ci95
    return difference_text(found.difference, low, high, found.training_share)


def verdict(found: Comparison | None) -> str:
    """Whether an interval is narrower than the difference that it is to decide."""
    if found is None:
        return DASH
    low, high = found.ci95
    width, size = high - low, abs(found.difference)
    said = f"{number_text(width)} wide, the difference {number_text(size)}: "
    if width < size:
        return f"{said}narrower, they decide"
    if low > 0 or high < 0:
        return f"{said}wider, though without 0"
    return f"{said}wider and with 0, they cannot tell"
