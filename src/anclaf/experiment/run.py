"""A run: one recipe, one protocol, one or all folds of one corpus; at its end, `metrics.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.files import fingerprint, versions, write_json
from anclaf.core.progress import Progress, silent
from anclaf.evaluation.scores import run_scores
from anclaf.experiment.engine import run_together
from anclaf.experiment.fold import WINDOWS, Fold, open_corpus
from anclaf.experiment.job import QUICK, REFERENCES, RunSpec
from anclaf.models.spec import Variant, variant_order


def train_run(
    fabric: Fabric,
    run: RunSpec,
    *,
    fold: int | None = 0,
    variants: Sequence[Variant],
    references: Sequence[str] = QUICK,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, test and score; the same call again goes on where a killed one stopped. Returns `metrics.json`'s content.

    Args:
        fold: one fold, or None for all of them.

    Raises:
        StaleError: the run's folder holds a run with other settings or of another corpus.
    """
    numbers = [fold] if fold is not None else list(range(Fold.of(run, 0).split.folds))
    jobs = [job for number in numbers for job in Fold.of(run, number).jobs(variants, references)]
    if fabric.is_global_zero:
        claim(run)
    fabric.barrier()
    run_together(jobs, fabric, progress)
    scores = score_run(run, progress) if fabric.is_global_zero else {}
    fabric.barrier()
    return scores


def score_run(run: RunSpec, progress: Progress = silent) -> dict[str, Any]:
    """Write `metrics.json` from the predictions of everything that is done."""
    tables: dict[int, pd.DataFrame] = {}
    for folder in sorted(run.out.glob("fold*")):
        parts = sorted(folder.glob("*/predictions.parquet"), key=lambda path: _order(path.parent.name))
        if parts:
            tables[int(folder.name.removeprefix("fold"))] = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
    corpus = open_corpus(run.corpus)
    scores = run_scores(
        tables, corpus.folder.name, corpus.card, run.protocol, WINDOWS[run.protocol], run.config.bootstrap, run.seed,
        progress,
    )  # fmt: skip
    write_json(run.out / "metrics.json", scores)
    return scores


def _order(name: str) -> tuple[int, tuple[int, int]]:
    """Models by kind and length, then comparators."""
    return (1, (REFERENCES.index(name), 0)) if name in REFERENCES else (0, variant_order(name))


def claim(run: RunSpec) -> None:
    """Write `run.json`, or see that the run that is there is this one.

    Raises:
        StaleError: it is another. ConfigError: the folder holds something else.
    """
    out, corpus = run.out, open_corpus(run.corpus)
    folds = Fold.of(run, 0).split.folds
    content = {
        "config": asdict(run.config),
        "protocol": run.protocol,
        "folds": folds,
        "corpus": corpus.card.fingerprint,
    }
    mark, path = fingerprint(content), out / "run.json"
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
            "fingerprint": mark, "recipe": run.config.recipe, "seed": run.seed, **content,
            "corpus": asdict(corpus.card), "corpus_folder": str(corpus.folder.resolve()), "versions": versions(),
        },
    )  # fmt: skip
