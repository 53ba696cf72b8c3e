"""Models, and other tools, on a corpus that the models never saw: who of it they did learn from, and every score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import CorpusError
from anclaf.core.people import is_unnamed
from anclaf.core.progress import Progress, silent
from anclaf.core.words import counted
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.bootstrap import RESAMPLES, aligned, compare
from anclaf.evaluation.values import clip_values, plain_values, values_of
from anclaf.models.spec import ModelSpec

UNKNOWN = "not stated"
"""The group of frames of which a column says nothing."""
_MOST_GROUPS = 12
_BINS = 4
"""Groups that numbers are divided into where there are more than `_MOST_VALUES` of them, of about equally many
frames."""
_MOST_VALUES = 8


def untold(name: str, spec: ModelSpec, corpus: PreparedCorpus) -> str:
    """Why it cannot be known for sure that a model has seen nobody of this corpus; nothing where it can."""
    if not spec.subjects:
        return f"{name} does not say whom it learnt from, so that it may have seen these people."
    if spec.fingerprints.get("corpus") == corpus.card.fingerprint:
        return ""
    nameless = sum(is_unnamed(person) for person in spec.subjects)
    if nameless == len(spec.subjects):
        return f"{name} learnt from people without names, so that it cannot be told whether it has seen these."
    return (
        f"{name} learnt from {counted(len(spec.subjects), 'person').replace('persons', 'people')} of another corpus "
        f"({', '.join(spec.corpora)}), compared with these by name: somebody who is in both under two names would not "
        "be noticed."
    )


@dataclass(frozen=True)
class Column:
    """A column by which results are split. groups: of each frame, its group's name."""

    name: str
    groups: NDArray[np.str_]

    @property
    def names(self) -> list[str]:
        """In their order: of numbers rising, `UNKNOWN` last."""
        return [*dict.fromkeys(sorted(self.groups.tolist(), key=_order))]


def _order(group: str) -> tuple[bool, float, str]:
    first = group.partition(" ")[0]
    try:
        return group == UNKNOWN, float(first), group
    except ValueError:
        return group == UNKNOWN, np.inf, group


def columns_of(corpus: PreparedCorpus, rows: NDArray[np.int64]) -> tuple[list[Column], list[str]]:
    """The columns of a corpus that divide these rows, and of each other one why it does not."""
    found: list[Column] = []
    without: list[str] = []
    for name, column in corpus.columns.iloc[rows].items():
        groups = _groups(column)
        count = len(set(groups.tolist()) - {UNKNOWN})
        if count > _MOST_GROUPS:
            without.append(f"{name}: {count} different values, more than {_MOST_GROUPS}")
        elif len(set(groups.tolist())) < 2:
            without.append(f"{name}: the same in all frames")
        else:
            found.append(Column(str(name), groups))
    return found, without


def _groups(column: pd.Series) -> NDArray[np.str_]:
    if not pd.api.types.is_numeric_dtype(column):
        text = column.astype(str)
        return text.where(text != "", UNKNOWN).to_numpy(str)
    values = column.to_numpy(np.float64)
    known = values[np.isfinite(values)]
    if len(np.unique(known)) <= _MOST_VALUES:
        return np.array([f"{value:g}" if np.isfinite(value) else UNKNOWN for value in values], str)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)))
    place = np.searchsorted(edges[1:-1], values, side="left")
    # each group is called by the values that it has, so that no two of them share one
    ends = {k: values[(place == k) & np.isfinite(values)] for k in range(len(edges) - 1)}
    names = {k: f"{own.min():g} … {own.max():g}" for k, own in ends.items() if len(own)}
    return np.array([names[k] if np.isfinite(v) else UNKNOWN for k, v in zip(place, values, strict=True)], str)


@checked
def foreign_scores(
    tables: Mapping[str, pd.DataFrame],
    corpus: PreparedCorpus,
    rows: NDArray[np.int64],
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Every score of models and tools on rows of a corpus, all of the same frames: those that each of them estimates.

    Args:
        tables: name -> predictions with the columns of `scores.COLUMNS`, of these rows.
        resamples: of the bootstrap over people. seed: of the bootstrap.

    Returns:
        `frames` and `subjects` of all scores; `entries`: name -> dimension -> metric -> value, with `ci95`, `per_clip`
        (the mean over clips), `coverage` (how many of the rows it estimates, and their share) and, where that is more
        than the common ones, `all_frames` (scores on all of its own); `paired`: comparisons of each with each before
        it; `splits`: column -> group -> `frames`, `subjects` and `entries`; `not_split`: columns that do not divide
        the corpus, and why.

    Raises:
        CorpusError: no frame is estimated by all of them.
    """
    middle = corpus.card.scale.middle
    if empty := [name for name, table in tables.items() if not len(table)]:
        raise CorpusError(f"{empty[0]} has no estimate of any frame that is tested of {corpus.folder}")
    common = dict(zip(tables, aligned(list(tables.values())), strict=True))
    if not len(next(iter(common.values()))):
        raise CorpusError(f"{', '.join(tables)} have no frame of {corpus.folder} in common; evaluate them apart")
    columns, without = columns_of(corpus, corpus.rows_of(next(iter(common.values()))))
    total = len(common) * (1 + sum(len(column.names) for column in columns))
    done = 0
    entries: dict[str, dict[str, Any]] = {}
    for name, table in common.items():
        progress(done, total, "scores", name)
        own = tables[name]
        coverage = {"frames": len(own), "share": len(own) / len(rows)}
        entries[name] = values_of([table], middle, resamples, seed) | {
            "per_clip": clip_values([table], middle), "coverage": coverage
        }  # fmt: skip
        if len(own) > len(table):
            entries[name]["all_frames"] = plain_values([own], middle) | _size(own)
        done += 1
    splits: dict[str, dict[str, Any]] = {}
    for column in columns:
        splits[column.name] = {}
        for group in column.names:
            of_group = {name: table[column.groups == group] for name, table in common.items()}
            values: dict[str, Any] = {}
            for name, table in of_group.items():
                progress(done, total, "scores", f"{column.name} {group}")
                values[name] = values_of([table], middle, resamples, seed)
                done += 1
            splits[column.name][group] = _size(next(iter(of_group.values()))) | {"entries": values}
    progress(total, total, "scores")
    paired = [
        {"a": a, "b": b} | one.to_json()
        for a, b in _pairs(list(tables))
        for one in compare(common[a], common[b], middle, resamples, seed)
    ]
    counts = _size(next(iter(common.values())))
    return counts | {
        "entries": entries, "paired": paired, "splits": splits, "not_split": without, "resamples": resamples
    }  # fmt: skip


def _size(table: pd.DataFrame) -> dict[str, int]:
    return {"frames": len(table), "subjects": int(table["subject"].nunique())}


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each with each before it, the later one first."""
    return ((b, a) for a, b in combinations(names, 2))
