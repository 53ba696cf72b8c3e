"""A run's folder, opened for reading: the one place that knows where a run keeps what."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import AnclafError, CorpusError
from anclaf.core.labels import LabelScale
from anclaf.core.words import counted, number
from anclaf.data.store import PreparedCorpus, corpus_kind
from anclaf.models.spec import Variant, variant_order


class ReportError(AnclafError):
    """A folder is not a run, or there is nothing to report from it yet."""


@dataclass(frozen=True)
class Run:
    """A run's folder. folds: the tested ones that have predictions.

    corpus: the prepared corpus, or None; `corpus_trouble` then says why.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    folds: tuple[int, ...]
    corpus: PreparedCorpus | None
    corpus_trouble: str

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Raises ReportError: no run, no metrics yet, or damaged files."""
        if not (folder / "run.json").is_file():
            raise ReportError(
                f"{folder}: not a run (no run.json here); expected the folder given to `anclaf train --out`"
            )
        if not (folder / "metrics.json").is_file():
            raise ReportError(
                f"{folder}: no metrics.json yet; let `anclaf train` finish (the same command continues it)"
            )
        config, measured = _json(folder / "run.json"), _json(folder / "metrics.json")
        variants, card = measured.get("variants"), measured.get("corpus")
        whole = isinstance(variants, dict) and variants and all(isinstance(entry, dict) for entry in variants.values())
        if not (whole and isinstance(card, dict)):
            raise ReportError(f"{folder / 'metrics.json'}: no variants or no corpus in it; evaluate the run again")
        folds = [k for k in measured.get("folds") or [] if any((folder / f"fold{k}").glob("*/predictions.parquet"))]
        corpus, trouble = _corpus(folder, config, card)
        return cls(folder, config, measured, tuple(folds), corpus, trouble)

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """Of the corpus: all that run.json says of it, under what metrics.json says."""
        card = {**(self.config.get("corpus") or {}), **self.metrics["corpus"]}
        # the kind is no part of the fingerprint: it may have been stated since the run was made
        now = "unknown" if self.corpus is None else self.corpus.card.kind
        return card | {"kind": corpus_kind(card) if now == "unknown" else now}

    @property
    def name(self) -> str:
        """Of the corpus, for people."""
        place = Path(str(self.config.get("corpus_folder") or "")).name
        return str(self.card.get("name") or place or self.card.get("source", "unknown"))

    @property
    def recipe(self) -> str:
        return str(self.config.get("recipe") or "unknown")

    @property
    def seed(self) -> int:
        return int(self.config.get("seed") or 0)

    @property
    def scale(self) -> LabelScale:
        return LabelScale(float(self.card["low"]), float(self.card["high"]))

    @property
    def fps(self) -> float:
        """Frames a second; 0 for stills, NaN where it is not known."""
        return number(self.card.get("fps"))

    @property
    def fold(self) -> int | None:
        """The one that pictures of single clips are taken from, the first."""
        return self.folds[0] if self.folds else None

    @property
    def corpus_words(self) -> str:
        """Which corpus a picture is of."""
        clips = f", {counted(self.card['clips'], 'clip')}" if "clips" in self.card else ""
        source, mark = self.card.get("source", "unknown"), self.card.get("fingerprint", "")
        return f"corpus {self.name} ({source}){clips}, fingerprint {mark}"

    @property
    def caption(self) -> str:
        """Which corpus and fold a picture of single clips is of."""
        return self.corpus_words if self.fold is None else f"{self.corpus_words}, fold {self.fold}"

    @cached_property
    def variants(self) -> list[str]:
        return sorted(self.metrics["variants"], key=variant_order)

    def of_kind(self, kind: str, shortest: int = 1) -> list[str]:
        """The variants of a kind with a window of `shortest` frames or more, shortest first."""
        parsed = {name: Variant.parse(name) for name in self.variants}
        return [name for name, variant in parsed.items() if variant.kind == kind and variant.n >= shortest]

    def best(self, kinds: Sequence[str]) -> str | None:
        """The variant with the highest mean CCC, of these kinds."""
        own = [name for kind in kinds for name in self.of_kind(kind)]
        return max(own, key=lambda name: _order(self.score(name, "mean", "ccc")), default=None)

    def best_baseline(self) -> str | None:
        """The baseline with the highest mean CCC that is a number."""
        own = [name for name in self.metrics.get("baselines") or {} if math.isfinite(self.score(name, "mean", "ccc"))]
        return max(own, key=lambda name: self.score(name, "mean", "ccc"), default=None)

    def score(self, name: str, dimension: str, metric: str) -> float:
        """Of all test frames; NaN where it is not defined or not measured."""
        entry = self.metrics["variants"].get(name) or (self.metrics.get("baselines") or {}).get(name) or {}
        return number((entry.get(dimension) or {}).get(metric))

    def predicted(self, names: Sequence[str], fold: int | None = None) -> list[str]:
        """Those of these models whose predictions are there, in one fold (by default the first)."""
        fold = self.fold if fold is None else fold
        return [name for name in names if (self._model(fold, name) / "predictions.parquet").is_file()]

    def predictions(self, fold: int, names: Sequence[str]) -> pd.DataFrame:
        """Rows of these models on a fold's test frames, in the order written; models without a file have none."""
        tables: list[pd.DataFrame] = []
        for name in self.predicted(names, fold):
            path = self._model(fold, name) / "predictions.parquet"
            try:
                tables.append(pd.read_parquet(path, columns=list(_COLUMNS)))
            except (OSError, ValueError, KeyError) as error:
                raise ReportError(f"{path}: cannot be read ({error}); evaluate the run again") from error
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=pd.Index(_COLUMNS))

    def pooled(self, name: str) -> pd.DataFrame:
        """A model's rows of all folds; empty unless every fold has them."""
        if any(not self.predicted([name], fold) for fold in self.folds):
            return pd.DataFrame(columns=pd.Index(_COLUMNS))
        parts = [self.predictions(fold, [name]) for fold in self.folds]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=pd.Index(_COLUMNS))

    def attention(self, fold: int, variant: str) -> tuple[pd.DataFrame, NDArray[np.float32]] | None:
        """A model's rows on a fold and the (N, n - 1) weights of each, or None where they were not written.

        Weight [i, j] is of the state j + 1 frames before row i, NaN where there is none.
        """
        path = self._model(fold, variant) / "attention.npz"
        if not (path.is_file() and self.predicted([variant], fold)):
            return None
        try:
            with np.load(path) as file:
                weights = file["weights"]
        except (OSError, ValueError, KeyError) as error:
            raise ReportError(f"{path}: cannot be read ({error}); evaluate the run again") from error
        table = self.predictions(fold, [variant])
        if weights.shape != (len(table), Variant.parse(variant).n - 1):
            raise ReportError(
                f"{path} has weights {weights.shape}, predictions.parquet {len(table)} rows of {variant}; "
                "evaluate the run again"
            )
        return table, weights

    def corpus_rows(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Where the prepared corpus has the frames of a predictions table.

        Raises ReportError: it does not have one of them.
        """
        assert self.corpus is not None
        rows = self._places.get_indexer(pd.MultiIndex.from_frame(table[["clip", "frame"]]))
        if (rows < 0).any():
            missing = table.iloc[int(np.argmin(rows))]
            raise ReportError(
                f"{self.folder}: clip {missing['clip']}, frame {missing['frame']} was tested and is not in "
                f"{self.corpus.folder}; evaluate the run again"
            )
        return rows.astype(np.int64)

    @cached_property
    def _places(self) -> pd.MultiIndex:
        assert self.corpus is not None
        return pd.MultiIndex.from_frame(self.corpus.index[["clip", "frame"]])

    def histories(self) -> dict[str, pd.DataFrame]:
        """history.csv of the first fold by variant, of those that have one."""
        paths = {name: self._model(self.fold, name) / "history.csv" for name in self.variants}
        try:
            columns = ["step", "phase", "name", "value"]
            return {name: pd.read_csv(path, usecols=columns) for name, path in paths.items() if path.is_file()}
        except (OSError, ValueError) as error:
            raise ReportError(f"{self.folder}: a history.csv cannot be read ({error})") from error

    def _model(self, fold: int | None, name: str) -> Path:
        return self.folder / f"fold{fold}" / name


_COLUMNS = ("variant", "clip", "subject", "frame", "time_s", "valence", "arousal", "valence_hat", "arousal_hat")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: not JSON ({error}); run the same training command again") from error
    if not isinstance(content, dict):
        raise ReportError(f"{path}: expected a JSON object; run the same training command again")
    return content


def _corpus(folder: Path, config: Mapping[str, Any], card: Mapping[str, Any]) -> tuple[PreparedCorpus | None, str]:
    place = str(config.get("corpus_folder") or "")
    if not place:
        return None, "the run does not say where its prepared corpus is"
    candidates = [path for path in (Path(place), folder / place) if path.is_dir()]
    if not candidates:
        return None, "the prepared corpus is no longer where it was when the run was made"
    try:
        corpus = PreparedCorpus.open(candidates[0])
    except CorpusError as error:
        return None, f"the prepared corpus cannot be opened ({error})"
    if corpus.card.fingerprint != card.get("fingerprint"):
        return None, "the prepared corpus has changed since the run was made (its fingerprint differs)"
    return corpus, ""


def _order(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
