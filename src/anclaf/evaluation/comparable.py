"""Which predictions can stand in one table: rows of the same frames, for every model and with every seed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from anclaf.core.errors import CorpusError
from anclaf.core.words import counted, fold_words
from anclaf.evaluation.bootstrap import aligned

FRAME = ("fold", "clip", "frame")
"""Which row of one model's table is which of another's."""


@dataclass(frozen=True)
class Comparable:
    """Of each variant a table for each seed, with the column `fold`.

    rows: of the frames that all have, in the same order. own: of all frames that it estimates in `folds`. folds: that
    are counted. left_out: what is not, and why, as sentences without a full stop.
    """

    rows: Mapping[str, list[pd.DataFrame]]
    own: Mapping[str, list[pd.DataFrame]]
    folds: list[int]
    left_out: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """Frames and subjects of every row."""
        rows = next(iter(self.rows.values()))[0]
        return {"frames": len(rows), "subjects": rows["subject"].nunique()}


def comparable(tables: Sequence[pd.DataFrame], comparators: Collection[str]) -> Comparable:
    """What can be compared among the variants of these tables, one table for each seed.

    The folds are those of which every model has estimates with every seed; a comparator that lacks one of them is left
    out, and so is a model that has no fold with every seed. Then the frames are those that all the others estimate.

    Args:
        tables: predictions with the columns variant, fold, clip, frame, subject; a frame once a variant.
        comparators: which variants are no models.

    Raises:
        CorpusError: nothing is left.
    """
    found = [{str(name): rows for name, rows in table.groupby("variant", sort=False)} for table in tables]
    names = list(dict.fromkeys(name for one in found for name in one))
    tested = {name: _folds(name, found) for name in names}
    models = [name for name in names if name not in comparators and tested[name]] or [n for n in names if tested[n]]
    if not models:
        raise CorpusError("predictions: no model was tested in the same fold with every seed; train the seeds alike")
    folds = set.intersection(*(tested[name] for name in models)) or tested[models[0]]
    kept = [name for name in names if folds <= tested[name]]
    own = {name: [one[name][one[name]["fold"].isin(folds)] for one in found] for name in kept}
    flat = aligned([table for of_seeds in own.values() for table in of_seeds], FRAME)
    if not len(flat[0]):
        raise CorpusError(f"predictions: {', '.join(kept)} have no frame in common; give --variants that have")
    seeds = len(tables)
    rows = {name: flat[i * seeds : (i + 1) * seeds] for i, name in enumerate(kept)}
    return Comparable(rows, own, sorted(folds), list(_left_out(names, kept, found, folds)))


def _folds(name: str, found: Sequence[Mapping[str, pd.DataFrame]]) -> set[int]:
    """Folds in which a variant was tested with every seed."""
    return set.intersection(*({int(f) for f in one[name]["fold"].unique()} if name in one else set() for one in found))


def _left_out(
    names: Sequence[str], kept: Sequence[str], found: Sequence[Mapping[str, pd.DataFrame]], folds: set[int]
) -> Any:
    others = {int(fold) for one in found for rows in one.values() for fold in rows["fold"].unique()} - folds
    if others:
        yield f"{fold_words(sorted(others))}: not every model has estimates of {'it' if len(others) == 1 else 'them'}"
    seeds = f" with each of {counted(len(found), 'seed')}" if len(found) > 1 else ""
    yield from (f"{name}: was not tested in {fold_words(sorted(folds))}{seeds}" for name in names if name not in kept)
