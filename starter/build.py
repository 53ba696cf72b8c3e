"""From a rendered corpus to the models that come with the package."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from anclaf.config import Resources
from anclaf.core.errors import ConfigError
from anclaf.core.progress import Progress, silent
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.calibrate import calibrate_model
from anclaf.experiment.engine import make_fabric, train_run
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import RunSpec
from anclaf.models.bundle import pack_models
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
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
    """Train on `out/heads` into `out/run`; scale the variants, pack them into `out/model` and calibrate them. Returns
    the scores, which are of the models before they are scaled.

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
    corpus, part = PreparedCorpus.open(run.corpus), Fold.of(run, FOLD).split
    with TemporaryDirectory(dir=out) as folder:
        scaled = []
        for name in names:
            trained = out / "run" / f"fold{FOLD}" / str(name)
            network, spec = load_model(trained)
            to_least_squares(network, pd.read_parquet(trained / "seen.parquet"))
            scaled.append(Path(folder) / str(name))
            save_model(scaled[-1], network, spec)
            progress(len(scaled) - 1, len(names), f"calibrate {name}")
            calibrate_model(scaled[-1], corpus, part, device=str(fabric.device))
        progress(len(names), len(names), "calibrate")
        pack_models(scaled, out / "model")
    return scores


def to_least_squares(network: AffectNetwork, seen: pd.DataFrame) -> NDArray[np.float64]:
    """Scale and shift what the network says so that its squared error is least on the people of validation.

    Training asks for CCC, which makes estimates vary as much as labels do, however unsure they are; so they are too far
    out where the face is not known, and beyond the scale. Whoever reads one number wants the one that is nearest.
    Correlations stay as they are.

    Args:
        seen: estimates of people of training and validation, as training writes them; labels in [-1, 1].

    Returns:
        (2, 2) slope and intercept of valence, and of arousal.
    """
    rows = seen[seen["part"] == "validation"]
    lines = np.array([np.polyfit(rows[f"{name}_hat"], rows[name], 1) for name in ("valence", "arousal")])
    slope, intercept = torch.tensor(lines.T, dtype=torch.float32)
    said = [getattr(network.head, name, None) for name in ("affect", "frame")]  # what the head says is their sum
    layers = [layer for layer in said if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(slope[:, None])
            layer.bias.mul_(slope)
        layers[0].bias.add_(intercept)
    return lines
