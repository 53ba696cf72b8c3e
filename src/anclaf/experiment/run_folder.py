"""A run's folder: the one place that knows where a run keeps what, for writing and for reading.

run.json                            recipe, seed, configuration, corpus, versions
metrics.json                        scores of everything that was tested
fold0/split.json                    clips and people of training, validation and test
fold0/base/, S-2/, ... SA-8/        job.json, model.json, model.safetensors, history.csv, predictions.parquet,
                                    seen.parquet; of those that attend (SA-n) also attention.npz
fold0/ridge-1/, cnn/, ...           comparators: job.json, predictions.parquet, and the model's files of networks
fold0/latents/                      removed when no job waits for it any more
report/
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.comparators.registry import label_of
from anclaf.core.errors import ConfigError, CorpusError, RunError, StaleError
from anclaf.core.files import fingerprint, versions, write_json
from anclaf.core.labels import LabelScale
from anclaf.core.words import counted, number
from anclaf.data.store import PreparedCorpus, corpus_kind
from anclaf.evaluation.scores import COLUMNS
from anclaf.experiment.job_folder import PREDICTIONS, JobFolder
from anclaf.models.spec import Variant, variant_order

if TYPE_CHECKING:
    from anclaf.experiment.job import RunSpec


class RunFolder:
    """A run's folder, to be written by a run or, after `open`, to be read.

    Raises:
        RunError: when a file that is read is damaged or does not fit the others.
    """

    def __init__(self, path: Path):
        self.path = Path(path)

    @property
    def settings_file(self) -> Path:
        return self.path / "run.json"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def fold_folder(self, fold: int) -> Path:
        return self.path / f"fold{fold}"

    def split_file(self, fold: int) -> Path:
        return self.fold_folder(fold) / "split.json"

    def job(self, fold: int, name: str) -> JobFolder:
        return JobFolder(self.fold_folder(fold) / name)

    def tested(self) -> dict[int, list[str]]:
        """Folds, and the names in each that have predictions."""
        found: dict[int, list[str]] = {}
        for path in sorted(self.path.glob(f"fold*/*/{PREDICTIONS}")):
            found.setdefault(int(path.parts[-3].removeprefix("fold")), []).append(path.parts[-2])
        return found

    @property
    def unscored(self) -> bool:
        """Whether there are predictions that `metrics.json` does not have."""
        files = [self.job(fold, name).predictions for fold, names in self.tested().items() for name in names]
        written = [path.stat().st_mtime for path in files]
        scored = self.metrics_file.stat().st_mtime if self.metrics_file.is_file() else -math.inf
        return bool(written) and scored < max(written)

    def claim(self, run: "RunSpec", corpus: PreparedCorpus, folds: int) -> None:
        """Write `run.json`, or check that the run in this folder is the same.

        Args:
            folds: how many there are.

        Raises:
            StaleError: the folder holds another run. ConfigError: it holds something else.
        """
        content = {
            "config": run.config.to_json(),
            "protocol": run.protocol,
            "folds": folds,
            "corpus": corpus.card.fingerprint,
        }
        if run.init is not None:
            content["init"] = run.init.identity
        identity = fingerprint(content)
        if self.settings_file.is_file():
            try:
                there = json.loads(self.settings_file.read_text(encoding="utf-8")).get("fingerprint")
            except ValueError as error:
                raise StaleError(f"{self.settings_file}: damaged ({error}); use another --out") from error
            if there != identity:
                raise StaleError(
                    f"{self.path}: holds a run with other settings or of another corpus; use another --out"
                )
            return
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: is a file; --out wants a folder")
        if self.path.is_dir() and any(self.path.iterdir()):
            raise ConfigError(f"{self.path}: is not empty and holds no run; choose an empty folder for --out")
        write_json(
            self.settings_file,
            {
                "fingerprint": identity, "recipe": run.recipe, "overrides": dict(run.overrides), "seed": run.seed,
                **content, "corpus": asdict(corpus.card), "corpus_folder": str(corpus.folder.resolve()),
                "versions": versions(), **({} if run.init is None else {"init": run.init.located()}),
            },
        )  # fmt: skip

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """A run that has been scored, to be read.

        Raises:
            RunError: no run, no metrics yet, or damaged files.
        """
        run = cls(path)
        if not run.settings_file.is_file():
            raise RunError(f"{path}: not a run (no run.json here); expected the folder given to `anclaf train --out`")
        if not run.metrics_file.is_file():
            raise RunError(f"{path}: no metrics.json yet; let `anclaf train` finish (the same command continues it)")
        variants, card = run.metrics.get("variants"), run.metrics.get("corpus")
        whole = isinstance(variants, dict) and variants and all(isinstance(entry, dict) for entry in variants.values())
        if not (whole and isinstance(card, dict) and isinstance(run.settings, dict)):
            raise RunError(f"{run.metrics_file}: no variants or no corpus in it; evaluate the run again")
        return run

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What `run.json` holds."""
        return _read_json(self.settings_file)

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """What `metrics.json` holds; every comparator has a `label`."""
        content = _read_json(self.metrics_file)
        # in earlier versions the key was `baselines`, and labels were the report's
        comparators = content.pop("baselines", None) or content.get("comparators") or {}
        content["comparators"] = {name: {"label": label_of(name)} | entry for name, entry in comparators.items()}
        return content

    @cached_property
    def folds(self) -> tuple[int, ...]:
        """The scored folds that have predictions."""
        tested = self.tested()
        return tuple(fold for fold in self.metrics.get("folds") or [] if fold in tested)

    @property
    def corpus(self) -> PreparedCorpus | None:
        """The prepared corpus; None where it cannot be had, and `corpus_trouble` says why."""
        return self._corpus[0]

    @property
    def corpus_trouble(self) -> str:
        return self._corpus[1]

    @cached_property
    def _corpus(self) -> tuple[PreparedCorpus | None, str]:
        place = str(self.settings.get("corpus_folder") or "")
        if not place:
            return None, "the run does not say where its prepared corpus is"
        candidates = [path for path in (Path(place), self.path / place) if path.is_dir()]
        if not candidates:
            return None, "the prepared corpus is no longer where it was when the run was made"
        try:
            corpus = PreparedCorpus.open(candidates[0])
        except CorpusError as error:
            return None, f"the prepared corpus cannot be opened ({error})"
        if corpus.card.fingerprint != self.metrics["corpus"].get("fingerprint"):
            return None, "the prepared corpus has changed since the run was made (its fingerprint differs)"
        return corpus, ""

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """The corpus's card: all that run.json says of it, overruled by what metrics.json says."""
        card = {**(self.settings.get("corpus") or {}), **self.metrics["corpus"]}
        # the kind is no part of the fingerprint: it may have been stated since the run was made
        now = "unknown" if self.corpus is None else self.corpus.card.kind
        return card | {"kind": corpus_kind(card) if now == "unknown" else now}

    @property
    def name(self) -> str:
        """The corpus's name, as shown."""
        place = Path(str(self.settings.get("corpus_folder") or "")).name
        return str(self.card.get("name") or place or self.card.get("source", "unknown"))

    @property
    def recipe(self) -> str:
        return str(self.settings.get("recipe") or "unknown")

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.settings.get("seed") or 0)

    @property
    def fold_seed(self) -> int:
        """Of the folds. In runs of earlier versions, which do not have it, the seed of the training decided them."""
        return int((self.settings.get("config") or {}).get("fold_seed", self.seed))

    @property
    def scale(self) -> LabelScale:
        return LabelScale(float(self.card["low"]), float(self.card["high"]))

    @property
    def fps(self) -> float:
        """Frames a second; 0 for stills, NaN where it is not known."""
        return number(self.card.get("fps"))

    @property
    def fold(self) -> int | None:
        """The fold that pictures of single clips are taken from, the first."""
        return self.folds[0] if self.folds else None

    @property
    def corpus_words(self) -> str:
        """Which corpus a picture is of."""
        clips = f", {counted(self.card['clips'], 'clip')}" if "clips" in self.card else ""
        source, identity = self.card.get("source", "unknown"), self.card.get("fingerprint", "")
        return f"corpus {self.name} ({source}){clips}, fingerprint {identity}"

    @property
    def caption(self) -> str:
        """Which corpus and fold a picture of single clips is of."""
        return self.corpus_words if self.fold is None else f"{self.corpus_words}, fold {self.fold}"

    @cached_property
    def variants(self) -> list[str]:
        """The models, in the order of `variant_order`."""
        return sorted(self.metrics["variants"], key=variant_order)

    @cached_property
    def kinds(self) -> list[str]:
        """Of the models that are no controls, in their order."""
        return list(dict.fromkeys(v.kind for v in map(Variant.recorded, self.variants) if not v.control))

    @cached_property
    def attending(self) -> list[str]:
        """Those of `kinds` that attend: SA, and others that have attention weights in the run's folder."""
        weights = {name for name in self.variants for fold in self.folds if self.job(fold, name).attention.is_file()}
        return [kind for kind in self.kinds if kind == "SA" or weights & {*self.of_kind(kind)}]

    def of_kind(self, kind: str, shortest: int = 1) -> list[str]:
        """The variants of a kind with a window of `shortest` frames or more, shortest first; no controls."""
        own = [v for v in map(Variant.recorded, self.variants) if v.kind == kind and not v.control]
        return [str(v) for v in own if v.n >= shortest]

    def best(self, kind: str | None = None) -> str | None:
        """The variant with the highest mean CCC, of this kind if one is named."""
        names = self.variants if kind is None else self.of_kind(kind)
        scores = {name: self.score(name, "mean", "ccc") for name in names}
        return max(names, key=lambda name: scores[name] if math.isfinite(scores[name]) else -math.inf, default=None)

    def best_comparator(self) -> str | None:
        """The comparator with the highest mean CCC that is a number."""
        scores = {name: self.score(name, "mean", "ccc") for name in self.metrics["comparators"]}
        return max((name for name in scores if math.isfinite(scores[name])), key=scores.__getitem__, default=None)

    def label(self, name: str) -> str:
        """What tables call a model or comparator."""
        return str((self.metrics["comparators"].get(name) or {}).get("label") or name)

    def score(self, name: str, dimension: str, metric: str) -> float:
        """Over all test frames; NaN where it is not defined or not measured."""
        entry = self.metrics["variants"].get(name) or self.metrics["comparators"].get(name) or {}
        return number((entry.get(dimension) or {}).get(metric))

    def predicted(self, names: Sequence[str], fold: int | None = None) -> list[str]:
        """Those of these models that have predictions in one fold (by default the first)."""
        fold = self.fold if fold is None else fold
        return [name for name in names if fold is not None and self.job(fold, name).predictions.is_file()]

    def predictions(self, fold: int, names: Sequence[str]) -> pd.DataFrame:
        """Rows of these models on a fold's test frames, in the order written; models without a file have none."""
        return _tables([self.job(fold, name).predictions for name in self.predicted(names, fold)], COLUMNS)

    def seen(self, fold: int, names: Sequence[str]) -> pd.DataFrame:
        """Rows of these models on frames that they have seen, with `part` (see `JobFolder.write_seen`).

        Models of earlier versions, which have no such file, have none.
        """
        paths = [self.job(fold, name).seen for name in names]
        return _tables([path for path in paths if path.is_file()], (*COLUMNS, "part"))

    def pooled(self, name: str, folds: Sequence[int] | None = None) -> pd.DataFrame:
        """A model's rows of these folds (all by default); empty unless every one of them has some."""
        folds = self.folds if folds is None else folds
        if not folds or any(not self.predicted([name], fold) for fold in folds):
            return pd.DataFrame(columns=pd.Index(COLUMNS))
        return pd.concat([self.predictions(fold, [name]) for fold in folds], ignore_index=True)

    @property
    def seeds(self) -> list[int]:
        """Of the training: one here, several of a `SeedGroup`."""
        return [self.seed]

    def by_seed(self, name: str) -> list[pd.DataFrame]:
        """A model's rows of all folds, a table for each seed."""
        return [self.pooled(name)]

    def seen_by_seed(self, names: Sequence[str]) -> list[Mapping[int, pd.DataFrame]]:
        """Fold -> what these models estimate of people whom they have seen, for each seed."""
        return [{fold: self.seen(fold, names) for fold in self.folds}]

    def attention(self, fold: int, variant: str) -> tuple[pd.DataFrame, NDArray[np.float32]] | None:
        """A model's rows on a fold and the (N, K) weights of each, or None where they were not written. K states: n, or
        n - 1 without a lead-in.

        Weight [i, j] is of the state j + 1 frames before row i, NaN where there is none.
        """
        path = self.job(fold, variant).attention
        if not (path.is_file() and self.predicted([variant], fold)):
            return None
        try:
            with np.load(path) as file:
                weights = file["weights"]
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path}: cannot be read ({error}); evaluate the run again") from error
        table = self.predictions(fold, [variant])
        n = Variant.recorded(variant).n
        if weights.ndim != 2 or len(weights) != len(table) or weights.shape[1] not in (n - 1, n):
            raise RunError(
                f"{path} has weights {weights.shape}, predictions.parquet {len(table)} rows of {variant}; "
                "evaluate the run again"
            )
        return table, weights

    def histories(self) -> dict[str, pd.DataFrame]:
        """`history.csv` of the first fold by variant, of those that have one."""
        if self.fold is None:
            return {}
        paths = {name: self.job(self.fold, name).history for name in self.variants}
        try:
            columns = ["step", "phase", "name", "value"]
            return {name: pd.read_csv(path, usecols=columns) for name, path in paths.items() if path.is_file()}
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path}: a history.csv cannot be read ({error})") from error

    def corpus_rows(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Rows of the prepared corpus that have the frames of a predictions table.

        Raises:
            RunError: the corpus lacks one of them.
        """
        assert self.corpus is not None
        rows = self.corpus.rows_of(table)
        if (rows < 0).any():
            missing = table.iloc[int(np.argmin(rows))]
            raise RunError(
                f"{self.path}: clip {missing['clip']}, frame {missing['frame']} was tested and is not in "
                f"{self.corpus.folder}; evaluate the run again"
            )
        return rows


def _tables(paths: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame:
    """These tables one below the other.

    Raises:
        RunError: one cannot be read.
    """
    found: list[pd.DataFrame] = []
    for path in paths:
        try:
            found.append(pd.read_parquet(path, columns=list(columns)))
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path}: cannot be read ({error}); evaluate the run again") from error
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=pd.Index(columns))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not JSON ({error}); run the same training command again") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object; run the same training command again")
    return content
