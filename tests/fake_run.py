"""A small run folder, written by hand as training and evaluation write it, with random estimates."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.comparators.registry import label_of
from anclaf.config import CorpusKind
from anclaf.core.files import write_json
from anclaf.data.store import CorpusCard
from anclaf.metrics.regression import Moments
from anclaf.models.spec import Variant

VARIANTS = ("base", "S-2", "S-4", "SA-2", "SA-4")
COMPARATORS = ("mean", "ridge-1", "ridge-8")
LOW, HIGH, FPS = -10.0, 10.0, 25.0


@dataclass(frozen=True)
class FakeRun:
    """What a fake run is made of. faces: (clips * frames, S, S, 3) uint8, random by default. attending: the kind that
    attends, each of which was trained from S-n. fold_seed: None of a run of an earlier version. known: whether
    there are estimates of people whom the models have seen: Actors 00 and 01 chose the checkpoint; the rest trained."""

    name: str = "people_1"
    source: str = "puppet"
    kind: CorpusKind = "drawn"
    variants: Sequence[str] = VARIANTS
    comparators: Sequence[str] = COMPARATORS
    clips: int = 6
    frames: int = 30
    notes: Sequence[str] = ()
    faces: NDArray[np.uint8] | None = None
    recipe: str = "small"
    seed: int = 0
    attending: str = "SA"
    fold_seed: int | None = None
    known: bool = False

    def write(self, folder: Path) -> Path:
        """Write FOLDER/corpus and FOLDER/run; returns the latter. Labels and faces do not depend on the seed."""
        rng = np.random.default_rng(0)
        index = self._index(rng)
        corpus = folder / self.name
        card = self._card(corpus, index, rng)
        run = folder / "run"
        write_json(
            run / "run.json",
            {
                "recipe": self.recipe, "protocol": "strict", "seed": self.seed, "versions": card.versions,
                "corpus": asdict(card), "corpus_folder": str(corpus),
                "config": {} if self.fold_seed is None else {"fold_seed": self.fold_seed},
            },
        )  # fmt: skip
        recipe = () if self.recipe == "small" else (len(self.recipe),)  # other recipes, other estimates
        rng = np.random.default_rng((1 + self.seed, *recipe))
        tables = [self._estimates(index, variant, rng) for variant in (*self.variants, *self.comparators)]
        fold = run / "fold0"
        for name, table in zip((*self.variants, *self.comparators), tables, strict=True):
            (fold / name).mkdir(parents=True)
            table.to_parquet(fold / name / "predictions.parquet")
        write_json(fold / "split.json", {"protocol": "strict", "fold": 0, "test": sorted(set(index["clip"]))})
        for variant in self.variants:
            self._history(fold / variant, variant, rng)
            if self.known:
                self._seen(index, variant, rng).to_parquet(fold / variant / "seen.parquet")
            if Variant.recorded(variant).kind == self.attending:
                weights = attention(index, Variant.recorded(variant).n, rng)
                np.savez(fold / variant / "attention.npz", weights=weights, row=np.arange(len(index)))
        metrics = {name: _entry(table) for name, table in zip((*self.variants, *self.comparators), tables, strict=True)}
        write_json(
            run / "metrics.json",
            {
                "protocol": "strict",
                "corpus": asdict(card),
                "windows": "sliding",
                "folds": [0],
                "variants": {name: metrics[name] for name in self.variants},
                "comparators": {name: {"label": label_of(name)} | metrics[name] for name in self.comparators},
                "paired": _paired(self.variants, self.attending),
            },
        )
        return run

    def _index(self, rng: np.random.Generator) -> pd.DataFrame:
        clip = np.repeat(np.arange(self.clips), self.frames)
        frame = np.tile(np.arange(self.frames), self.clips)
        phase = rng.uniform(0, 6, (self.clips, 2))[clip]
        wave = 6 * np.sin(frame[:, None] * (0.25, 0.16) + phase) + rng.normal(0, 0.2, (len(clip), 2))
        columns: dict[str, Any] = {
            "clip": [f"{c + 1:03d}" for c in clip],
            "subject": [f"Actor {c // 2:02d}" for c in clip],
            "fold": -1,
            "frame": frame,
            "time_s": frame / FPS,
            "valence": wave[:, 0],
            "arousal": wave[:, 1],
            "shard": 0,
            "offset": np.arange(len(clip)),
        }
        return pd.DataFrame(columns)

    def _card(self, folder: Path, index: pd.DataFrame, rng: np.random.Generator) -> CorpusCard:
        faces = self.faces if self.faces is not None else rng.integers(0, 255, (len(index), 32, 32, 3), np.uint8)
        size, people = faces.shape[1], index["subject"].nunique()
        card = CorpusCard(
            source=self.source, low=LOW, high=HIGH, crop="five-point", image_size=size, fps=FPS, frames=len(index),
            clips=self.clips, subjects=people, landmarks=5, detector="none", skipped={"corrupt image": 2},
            notes=list(self.notes), options={"image_size": size}, versions={"anclaf": "0.1.0"},
            fingerprint="0123456789abcdef", kind=self.kind,
        )  # fmt: skip
        (folder / "shards").mkdir(parents=True)
        np.save(folder / "shards" / "00000.npy", faces)
        index.to_parquet(folder / "index.parquet")
        columns: dict[str, Any] = {"clip": ["001"], "frame": [7], "reason": ["corrupt image"], "detail": [""]}
        pd.DataFrame(columns).to_parquet(folder / "skipped.parquet")
        eye = np.tile(np.eye(2, 3), (len(index), 1, 1))
        points = np.random.default_rng(2).normal(16, 4, (len(index), 5, 2))
        np.savez(folder / "geometry.npz", landmarks=points, matrix=eye)
        write_json(folder / "corpus.json", asdict(card))
        return card

    def _estimates(self, index: pd.DataFrame, variant: str, rng: np.random.Generator) -> pd.DataFrame:
        noise = {"base": 3.0, "S-4": 1.2, "SA-4": 1.0, "SA-8": 0.8}.get(variant, 2.0)
        table = index[["clip", "subject", "frame", "time_s", "valence", "arousal"]].copy()
        table.insert(0, "variant", variant)
        for dimension in ("valence", "arousal"):
            estimate = 0.6 * table[dimension] + rng.normal(0, noise, len(table))
            table[f"{dimension}_hat"] = 0.5 if variant == "mean" else estimate
        return table

    def _seen(self, index: pd.DataFrame, variant: str, rng: np.random.Generator) -> pd.DataFrame:
        """Training people are estimated almost without error in arousal, validation people as badly as test people."""
        table = self._estimates(index, variant, rng)
        table["part"] = np.where(table["subject"] <= "Actor 01", "validation", "train")
        table.loc[table["part"] == "train", "arousal_hat"] = table["arousal"] + 0.01
        return table

    def _history(self, folder: Path, variant: str, rng: np.random.Generator) -> None:
        rows: list[tuple[int, str, str, float]] = []
        for step in range(25, 1001, 25):
            fall = float(np.exp(-step / 300) + rng.normal(0, 0.03))
            phases = ("D", "G", "C") if variant == "base" else ("train",)
            rows += [(step, phase, "loss", 3 * fall + 1) for phase in phases]
            if variant == "base":
                rows += [(step, "G", "reconstruction", fall), (step, "D", "quadrant", 1.4 * fall)]
            if step % 100 == 0:
                scores = {"loss": 3 * fall + 1.5, "valence_ccc": 0.7 * (1 - fall), "arousal_ccc": 0.6 * (1 - fall)}
                rows += [(step, "validation", name, value) for name, value in scores.items()]
        pd.DataFrame(rows, columns=pd.Index(["step", "phase", "name", "value"])).to_csv(
            folder / "history.csv", index=False
        )


def attention(index: pd.DataFrame, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(N, n - 1) weights that sum to 1 over the frames there are, NaN before a clip's start."""
    score = rng.exponential(1.0, (len(index), n - 1)) ** 2 + 0.05
    score[np.arange(n - 1)[None] >= index["frame"].to_numpy()[:, None]] = np.nan
    with np.errstate(all="ignore"):
        return (score / np.nansum(score, 1, keepdims=True)).astype(np.float32)


def _entry(table: pd.DataFrame) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {}
    for dimension in ("valence", "arousal"):
        estimate, target = table[f"{dimension}_hat"].to_numpy(), table[dimension].to_numpy()
        scores[dimension] = {k: float(v) for k, v in Moments.of(estimate, target).metrics().items()}
    scores["mean"] = {k: (scores["valence"][k] + scores["arousal"][k]) / 2 for k in scores["valence"]}
    folds = [{"fold": 0, **{k: dict(v) for k, v in scores.items()}, "frames": len(table)}]
    per_clip = {k: dict(v) for k, v in scores.items()}
    for values in scores.values():
        values["ci95"] = {k: [v - 0.06, v + 0.05] for k, v in values.items()}
    return {**scores, "folds": folds, "per_clip": per_clip}


def _paired(variants: Sequence[str], attending: str) -> list[dict[str, Any]]:
    pairs = [(name, "base") for name in variants if name != "base"]
    starts = {name: name.replace(f"{attending}-", "S-") for name in variants if name.startswith(f"{attending}-")}
    pairs += [(name, start) for name, start in starts.items() if start in variants]
    found = (("arousal", "ccc", 0.21, 0.0), ("valence", "ccc", 0.01, 0.61), ("mean", "rmse", -0.3, 0.01))
    return [
        {"a": a, "b": b, "dimension": dimension, "metric": metric}
        | {"difference": value, "ci95": [value - 0.05, value + 0.05], "p": p}
        for a, b in pairs
        for dimension, metric, value, p in found
    ]
