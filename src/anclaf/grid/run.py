"""A run: one recipe, one protocol, one or all folds of one corpus; at its end, `metrics.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.files import fingerprint, versions, write_json
from anclaf.core.progress import Progress, silent
from anclaf.data.folds import Protocol, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.scores import run_scores
from anclaf.grid.fold import WINDOWS, Fold, run_fold
from anclaf.models.spec import Variant
from anclaf.recipes.run import RunConfig


def train_run(
    fabric: Fabric,
    corpus: PreparedCorpus,
    out: Path,
    config: RunConfig,
    *,
    protocol: Protocol = "strict",
    fold: int | None = 0,
    folds: int | None = None,
    variants: Sequence[Variant],
    keep_latents: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, test and score; the same call again goes on where a killed one stopped. Returns `metrics.json`'s content.

    Args:
        fold: one fold, or None for all of them.
        folds: how many folds; None is the protocol's own number.
        keep_latents: leave each fold's latents on disk.

    Raises:
        StaleError: `out` holds a run with other settings or of another corpus.
    """
    seed = config.stage1.seed
    first = split(corpus, protocol, fold or 0, folds, seed)
    content = {"config": asdict(config), "protocol": protocol, "folds": first.folds, "corpus": corpus.card.fingerprint}
    mark = fingerprint(content)
    if fabric.is_global_zero:
        _claim(out, mark, content, corpus)
    fabric.barrier()
    numbers = [fold] if fold is not None else list(range(first.folds))
    for number in numbers:
        part = Fold(corpus, split(corpus, protocol, number, folds, seed), config, out / f"fold{number}", keep_latents)
        run_fold(fabric, part, variants, progress)
    scores: dict[str, Any] = {}
    if fabric.is_global_zero:
        scores = score_run(out, corpus, protocol, config.bootstrap, seed, progress)
    fabric.barrier()
    return scores


def score_run(
    out: Path, corpus: PreparedCorpus, protocol: Protocol, resamples: int, seed: int, progress: Progress = silent
) -> dict[str, Any]:
    """Write `metrics.json` from the predictions of every fold that is finished."""
    tables = {
        int(path.parent.name.removeprefix("fold")): pd.read_parquet(path)
        for path in sorted(out.glob("fold*/predictions.parquet"))
    }
    scores = run_scores(tables, corpus.folder.name, corpus.card, protocol, WINDOWS[protocol], resamples, seed, progress)
    write_json(out / "metrics.json", scores)
    return scores


def _claim(out: Path, mark: str, content: dict[str, Any], corpus: PreparedCorpus) -> None:
    """Write `run.json`, or see that the run that is there is this one."""
    path = out / "run.json"
    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8")).get("fingerprint")
        except ValueError as error:
            raise StaleError(f"{path}: damaged ({error}); use another --out") from error
        if there != mark:
            raise StaleError(f"{out}: holds a run with other settings or of another corpus; use another --out")
        return
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: is a file; --out wants a folder")
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out}: is not empty and holds no run; choose an empty folder for --out")
    write_json(
        path,
        {
            "fingerprint": mark, "recipe": content["config"]["recipe"], "seed": content["config"]["stage1"]["seed"],
            **content,
            "corpus": asdict(corpus.card), "corpus_folder": str(corpus.folder.resolve()), "versions": versions(),
        },
    )  # fmt: skip
