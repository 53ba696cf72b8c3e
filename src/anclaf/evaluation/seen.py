"""Scores of people whom a model has seen: those it learnt by, and those by whom its checkpoint was chosen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from anclaf.evaluation.bootstrap import RESAMPLES, aligned
from anclaf.evaluation.comparable import FRAME
from anclaf.evaluation.values import values_of

PARTS = ("train", "validation")
"""Of the column `part`."""


def seen_rows(
    runs: Sequence[Mapping[int, pd.DataFrame]], names: Sequence[str], folds: Sequence[int], part: str
) -> dict[str, list[pd.DataFrame]]:
    """Model -> its estimates of one part's frames, a table for each run, all of the same rows in the same order.

    Args:
        runs: for each seed fold -> table with the columns variant and part. names: of the models; those that lack a
            fold with one of the seeds are left out. folds: that are pooled. A person may be in several of them.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for name in names:
        tables = [_pooled(run, name, folds, part) for run in runs]
        if all(table["fold"].nunique() == len(folds) for table in tables):
            found[name] = tables
    if not found:
        return {}
    flat = iter(aligned([table for tables in found.values() for table in tables], FRAME))
    return {name: [next(flat) for _ in runs] for name in found}


def _pooled(run: Mapping[int, pd.DataFrame], name: str, folds: Sequence[int], part: str) -> pd.DataFrame:
    parts = [
        table[(table["variant"] == name) & (table["part"] == part)].assign(fold=f)
        for f, table in run.items()
        if f in folds
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"fold": []})


def seen_scores(
    runs: Sequence[Mapping[int, pd.DataFrame]],
    names: Sequence[str],
    folds: Sequence[int],
    middle: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(model, part, its scores pooled over folds, with frames and subjects); arguments as of `seen_rows`.

    People are resampled once for all the folds that they are in, and once for all seeds.
    """
    for part in PARTS:
        for name, rows in seen_rows(runs, names, folds, part).items():
            counts = {"frames": len(rows[0]), "subjects": rows[0]["subject"].nunique()}
            yield name, part, values_of(rows, middle, resamples, seed) | counts
