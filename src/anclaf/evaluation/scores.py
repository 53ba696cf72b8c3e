"""`metrics.json`: from the folds' predictions tables to every number of a report. And the check for leaks."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError, LeakError
from anclaf.core.progress import Progress, silent
from anclaf.data.folds import Protocol
from anclaf.data.store import CorpusCard
from anclaf.evaluation.bootstrap import RESAMPLES, Scores, Sums, compare, intervals
from anclaf.models.spec import HEADS, ModelSpec, Variant

COLUMNS = ("variant", "clip", "subject", "frame", "time_s", "valence", "arousal", "valence_hat", "arousal_hat")
"""Of a predictions table, in corpus units. `variant` is a model (`base`, `S-8`, `SA-8`…) or a comparator's name."""
_CARD = (
    "source",
    "low",
    "high",
    "crop",
    "image_size",
    "fps",
    "frames",
    "clips",
    "subjects",
    "landmarks",
    "fingerprint",
    "kind",
)


def run_scores(
    tables: Mapping[int, pd.DataFrame],
    name: str,
    card: CorpusCard,
    protocol: Protocol,
    windows: Literal["sliding", "tumbling"],
    comparators: Mapping[str, str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """What `metrics.json` holds.

    A variant's values are those of all its folds' frames pooled, with 95 % intervals over subjects; `folds` has each
    fold's; `per_clip` is the mean over clips, a clip counting only where the metric is defined (constant labels have
    no correlation). `mean` is always the mean of valence and arousal. `paired` compares every sequence model with base
    and with the model of the same window that it was trained from (SA-n with S-n), and every model with every
    comparator, each on the frames both have.

    Args:
        tables: fold -> predictions with `COLUMNS`.
        name: what the corpus is called in the report.
        card: of the prepared corpus that was tested.
        comparators: name -> label of those variants of the tables that are comparators; the others are models.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        CorpusError: no predictions, a column missing, a value that is not finite, or a frame twice in one variant.
    """
    table = _joined(tables)
    middle = card.scale.middle
    by_variant = {str(v): rows.reset_index(drop=True) for v, rows in table.groupby("variant", sort=False)}
    values: dict[str, Any] = {}
    for done, (variant, rows) in enumerate(by_variant.items()):
        progress(done, len(by_variant), "scores")
        values[variant] = _variant_scores(rows, middle, resamples, seed)
    progress(len(by_variant), len(by_variant), "scores")
    models = [variant for variant in by_variant if variant not in comparators]
    others = [variant for variant in by_variant if variant in comparators]
    pairs = _pairs(models, others)
    paired: list[dict[str, Any]] = []
    for done, (a, b) in enumerate(pairs):
        progress(done, len(pairs), "comparisons")
        found = compare(by_variant[a], by_variant[b], middle, resamples, seed)
        paired += [{"a": a, "b": b} | asdict(one) for one in found]
    if pairs:
        progress(len(pairs), len(pairs), "comparisons")
    return {
        "protocol": protocol,
        "corpus": {"name": name} | {key: getattr(card, key) for key in _CARD},
        "windows": windows,
        "folds": sorted(tables),
        "variants": {variant: values[variant] for variant in models},
        "comparators": {variant: {"label": comparators[variant]} | values[variant] for variant in others},
        "paired": paired,
        "resamples": resamples,
    }


def _joined(tables: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    for fold, table in tables.items():
        missing = [column for column in COLUMNS if column not in table.columns]
        if missing:
            raise CorpusError(
                f"predictions of fold {fold}: no column {', '.join(missing)}; expected {', '.join(COLUMNS)}"
            )
    table = (
        pd.concat([t.assign(fold=fold) for fold, t in tables.items()], ignore_index=True) if tables else pd.DataFrame()
    )
    if len(table) == 0:
        raise CorpusError("no predictions to score; train at least one fold first")
    numbers = table[["valence", "arousal", "valence_hat", "arousal_hat"]].to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers).all(1))
    if len(bad):
        row = table.iloc[int(bad[0])]
        raise CorpusError(
            f"predictions: {row['variant']} has no finite number for clip {row['clip']}, frame {row['frame']}"
        )
    twice = table.duplicated(["variant", "clip", "frame"])
    if twice.any():
        row = table.loc[twice].iloc[0]
        raise CorpusError(
            f"predictions: {row['variant']} has clip {row['clip']}, frame {row['frame']} twice; "
            "a frame is tested in one fold only"
        )
    return table


def _variant_scores(rows: pd.DataFrame, middle: float, resamples: int, seed: int) -> dict[str, Any]:
    sums = Sums.of(rows, "subject", middle)
    ci95 = intervals(sums, resamples, seed)
    clips = Sums.of(rows, "clip", middle)
    per_clip = {dimension: {m: _mean(v) for m, v in of.items()} for dimension, of in clips.scores_per_group().items()}
    folds = [
        {"fold": int(str(fold))} | _floats(Sums.of(part, "subject", middle).scores()) | {"frames": len(part)}
        for fold, part in rows.groupby("fold")
    ]
    pooled = {dimension: of | {"ci95": ci95[dimension]} for dimension, of in _floats(sums.scores()).items()}
    return pooled | {
        "folds": folds,
        "per_clip": per_clip | {"clips": len(clips.groups)},
        "frames": len(rows),
        "subjects": len(sums.groups),
    }


def _floats(scores: Scores) -> dict[str, dict[str, Any]]:
    return {dimension: {metric: float(value) for metric, value in of.items()} for dimension, of in scores.items()}


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan


def _pairs(models: list[str], comparators: list[str]) -> list[tuple[str, str]]:
    pairs = [(name, "base") for name in models if name != "base" and "base" in models]
    for name in models:
        variant = Variant.recorded(name)
        start = variant.starts_from if variant.kind in HEADS else None  # its predictions count without its package
        if start is not None and start.n > 1 and str(start) in models:
            pairs.append((name, str(start)))
    return pairs + [(name, other) for name in models for other in comparators]


def refuse_leak(spec: ModelSpec, tested: Iterable[str]) -> None:
    """Check that nobody is tested by a model that was trained on them.

    People are compared by name, whatever the corpus: one database may be prepared in several ways.
    The `paper` protocol tests people it trained on by construction; its own test block is not for this check.

    Args:
        spec: of the model; `spec.subjects` are those that trained it or chose its checkpoint.
        tested: subjects it is to be tested on.

    Raises:
        LeakError: the two share a subject.
    """
    tested = set(tested)
    shared = sorted(tested & set(spec.subjects))
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise LeakError(
            f"{spec.variant} of fold {spec.fold} was trained on {len(shared)} of the {len(tested)} people to be tested "
            f"({', '.join(shared[:3])}{more}); test it on others, for example on the test people of its own fold"
        )
