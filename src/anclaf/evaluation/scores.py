"""`metrics.json`: from the folds' predictions tables to every number of a report. And the check for leaks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from anclaf.core.arguments import checked
from anclaf.core.errors import CorpusError, LeakError
from anclaf.core.progress import Progress, silent
from anclaf.data.folds import Protocol
from anclaf.data.store import CorpusCard
from anclaf.evaluation.bootstrap import DIMENSIONS, RESAMPLES, compare
from anclaf.evaluation.comparable import comparable
from anclaf.evaluation.controls import contrasts
from anclaf.evaluation.seen import seen_scores
from anclaf.evaluation.values import clip_values, plain_values, values_of
from anclaf.metrics.regression import METRICS
from anclaf.models.spec import ModelSpec

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


Tables = Mapping[int, pd.DataFrame]
"""Fold -> predictions with `COLUMNS`."""


@checked
def run_scores(
    tables: Tables,
    name: str,
    card: CorpusCard,
    protocol: Protocol,
    windows: Literal["sliding", "tumbling"],
    comparators: Mapping[str, str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress = silent,
    seen: Tables | None = None,
) -> dict[str, Any]:
    """What `metrics.json` holds.

    Every row is of the same frames: those that all models and comparators estimate, in the folds in which every model
    was tested. What is left out for that is named in `left_out`; a model that estimates more frames has its scores on
    all of them in `all_frames`.

    A variant's values are those of all its folds' frames pooled, with 95 % intervals over subjects; `folds` has each
    fold's and `fold_mean` their mean; `per_clip` is the mean over clips, a clip counting only where the metric is
    defined (constant labels have no correlation); `parts` has those of training and validation people, pooled over the
    folds. `mean` is always the mean of valence and arousal. `paired` compares every sequence model with base and with
    the model of the same window that it was trained from (SA-n with S-n), and every model with every comparator.

    Args:
        tables: fold -> predictions with `COLUMNS`.
        name: what the corpus is called in the report.
        card: of the prepared corpus that was tested.
        comparators: name -> label of those variants of the tables that are comparators; the others are models.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        seen: fold -> predictions of people whom the models have seen, with a column `part` (`evaluation.seen`).

    Raises:
        CorpusError: no predictions, a column missing, a value that is not finite, a frame twice in one variant, or no
            frame that all variants have.
    """
    found = repeated_scores([(tables, seen or {})], card.scale.middle, comparators, resamples, seed, progress)
    what = {"corpus": {"name": name} | {key: getattr(card, key) for key in _CARD}, "windows": windows}
    return {"protocol": protocol} | what | found


def repeated_scores(
    runs: Sequence[tuple[Tables, Tables]],
    middle: float,
    comparators: Mapping[str, str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """What `metrics.json` holds beside protocol, corpus and windows, of runs that differ in their training's seed only.

    Every value is the mean over the seeds, intervals and comparisons are over people and seeds together
    (`evaluation.bootstrap`). With more than one seed, `training_share` is the part of the variance of one training's
    score, or difference, that is not due to the people.

    Args:
        runs: for each seed (tables, seen) as of `run_scores`, of the same folds.
        middle: of the label scale.
        comparators, resamples, seed: as of `run_scores`.

    Raises:
        CorpusError: as `run_scores`.
    """
    found = comparable([_joined(tables) for tables, _ in runs], comparators)
    values: dict[str, Any] = {}
    for done, (variant, rows) in enumerate(found.rows.items()):
        progress(done, len(found.rows), "scores")
        values[variant] = _variant_scores(rows, middle, resamples, seed)
        if len(found.own[variant][0]) > len(rows[0]):
            values[variant]["all_frames"] = _whole(found.own[variant], middle)
    models = [variant for variant in found.rows if variant not in comparators]
    others = [variant for variant in found.rows if variant in comparators]
    seen = [tables for _, tables in runs]
    for variant, part, of_part in seen_scores(seen, models, found.folds, middle, resamples, seed):
        values[variant].setdefault("parts", {})[part] = of_part
    progress(len(found.rows), len(found.rows), "scores")
    pairs = _pairs(models, others)
    paired: list[dict[str, Any]] = []
    for done, (a, b) in enumerate(pairs):
        progress(done, len(pairs), "comparisons")
        compared = compare(found.rows[a], found.rows[b], middle, resamples, seed)
        paired += [{"a": a, "b": b} | one.to_json() for one in compared]
    if pairs:
        progress(len(pairs), len(pairs), "comparisons")
    return {
        "folds": found.folds,
        **found.counts,
        "left_out": found.left_out,
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


def _variant_scores(rows: Sequence[pd.DataFrame], middle: float, resamples: int, seed: int) -> dict[str, Any]:
    """rows: of the frames that all variants have, a table for each seed."""
    folds: list[dict[str, Any]] = []
    for fold in sorted(rows[0]["fold"].unique()):
        part = _whole([table[table["fold"] == fold] for table in rows], middle)
        folds.append({"fold": int(fold)} | part)
    fold_mean = {
        dimension: {metric: float(np.mean([fold[dimension][metric] for fold in folds])) for metric in METRICS}
        for dimension in (*DIMENSIONS, "mean")
    }
    counts = {"frames": len(rows[0]), "subjects": rows[0]["subject"].nunique()}
    more = {"folds": folds, "fold_mean": fold_mean, "per_clip": clip_values(rows, middle)}
    return values_of(rows, middle, resamples, seed) | more | counts


def _whole(rows: Sequence[pd.DataFrame], middle: float) -> dict[str, Any]:
    """Scores of some frames, without intervals; and how many frames and subjects there are."""
    return plain_values(rows, middle) | {"frames": len(rows[0]), "subjects": rows[0]["subject"].nunique()}


def _pairs(models: list[str], comparators: list[str]) -> list[tuple[str, str]]:
    pairs = [(name, "base") for name in models if name != "base" and "base" in models]
    pairs += [(contrast.a, contrast.b) for contrast in contrasts(models)]
    return pairs + [(name, other) for name in models for other in comparators]


@checked
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
    if shared := spec.known(tested):
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise LeakError(
            f"{spec.variant} of fold {spec.fold} was trained on {len(shared)} of the {len(tested)} people to be tested "
            f"({', '.join(shared[:3])}{more}); test it on others, for example on the test people of its own fold"
        )
