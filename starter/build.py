"""From a rendered corpus to the models that come with the package."""

from pathlib import Path
from typing import Any

from anclaf.config import Resources
from anclaf.core.errors import ConfigError
from anclaf.core.progress import Progress, silent
from anclaf.experiment.engine import make_fabric, train_run
from anclaf.experiment.job import RunSpec
from anclaf.models.bundle import pack_models
from anclaf.recipes import make_run
from anclaf.training.curriculum import parse_variants

FOLD = 0
"""Whose people are kept back from training; one model is enough to give away."""


def build(
    out: Path,
    *,
    recipe: str,
    variants: str,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train on `out/heads` into `out/run`, and pack the variants into `out/model`. Returns the scores.

    Raises:
        ConfigError: a setting is wrong.
        AnclafError: as `experiment.engine.train_run` and `models.bundle.pack_models`.
    """
    if threads < 1:
        raise ConfigError(f"threads: got {threads}; expected 1 or more")
    config = make_run(recipe, seed)
    names = parse_variants(variants, config.lengths)
    run = RunSpec("", out / "heads", out / "run", config, "strict", None, False, recipe, {})
    fabric = make_fabric(Resources(cpus=threads, device=device))
    fabric.launch()
    scores = train_run(fabric, run, fold=FOLD, variants=names, progress=progress)
    pack_models([out / "run" / f"fold{FOLD}" / str(name) for name in names], out / "model")
    return scores
