"""Ridge regression on the landmarks that the fold's base model finds: what a network's comparison is on new faces.

It is fitted on what is found on the training people, and tested on what is found on others, by the same finder as the
networks of the fold see: what they are ahead of it is not a matter of better points. What is found on people whom the
finder learnt from is more precise than on others. It leaves a model's folder with the finder in it, which everything
takes that takes a model.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.comparators.classical import WINDOW, ridge_model, training_rows, windowed
from anclaf.comparators.registry import Task
from anclaf.core.errors import ModelError
from anclaf.core.files import versions
from anclaf.evaluation.calibrate import calibrate_model
from anclaf.evaluation.estimate import estimate_rows, features_of
from anclaf.evaluation.scores import refuse_leak
from anclaf.models.geometry import MOTION_GAIN
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.ridge import RidgeHead
from anclaf.models.spec import DETECTED, Variant


def ridge_on_frame(task: Task) -> NDArray[np.floating]:
    """Ridge regression on the landmarks found in the frame."""
    return _ridge(task, 1)


def ridge_on_window(task: Task) -> NDArray[np.floating]:
    """Ridge regression on the landmarks found in the window of 8 frames that ends at the frame: their mean, the last
    ones, their mean absolute change and, where networks are told it too, the crop's (`classical.windowed`)."""
    return _ridge(task, WINDOW)


def _ridge(task: Task, n: int) -> NDArray[np.floating]:
    """Fit, write `model.safetensors`, `model.json` and `calibration.safetensors`, and estimate the test rows.

    Raises:
        ModelError: the base model finds no landmarks. LeakError: it learnt from people who are to be tested.
        CorpusError: no training rows, or of one single clip.
    """
    corpus, split, device = task.corpus, task.split, task.fabric.device
    base, spec = load_model(task.parents["base"], device)
    if not base.points:
        raise ModelError(f"{task.parents['base']}: finds no landmarks, so that there is nothing to fit {task.name} on")
    if split.protocol != "paper":
        refuse_leak(spec, corpus.subjects[split.test])
    network = base.successor(Variant("ridge", n, DETECTED)).to(device).eval()
    _fit(network, task)
    training = {"fitted_on": "landmarks that the base model finds", "recipe": spec.training.get("recipe")}
    own = replace(
        spec, variant=str(network.variant), model=network.config, versions=versions(), training=training,
        fingerprints={**spec.fingerprints, "model": task.fingerprint, "base": spec.fingerprints["model"]},
    )  # fmt: skip
    if task.fabric.is_global_zero:
        save_model(task.folder, network, own)
        calibrate_model(task.folder, corpus, split, device=str(device))
    return corpus.card.scale.restore(estimate_rows(network, corpus, split.test, own.fps, device))


def _fit(network: AffectNetwork, task: Task) -> None:
    """Set the head's weights, on the training rows."""
    corpus, rows, head = task.corpus, np.sort(training_rows(task)), network.head
    assert isinstance(head, RidgeHead)
    appearance, points = network.combiner.features, slice(network.combiner.features, network.feature_size)
    found = features_of(network, corpus, rows, task.fabric.device)[:, appearance:].cpu().numpy()
    parts = {head.last: points}
    features = found
    if network.variant.n > 1:
        moved = corpus.crop_motion[rows] * MOTION_GAIN
        features = windowed(
            found, moved if network.moves else moved[:, :0], corpus.segment_positions(rows), network.variant.n
        )
        parts = {head.mean: points, head.last: points, head.change: points}
        if network.moves:  # the last columns of `motion_input` are how much it moved
            parts[head.later] = slice(network.head_inputs - moved.shape[1], network.head_inputs)
    model: Any = ridge_model(corpus, rows)
    for dimension in range(2):
        model.fit(features, corpus.targets[rows, dimension])
        scale, ridge = model[0], model[-1]
        weights = ridge.coef_ / scale.scale_
        with torch.no_grad():
            head.last.bias[dimension] = float(ridge.intercept_ - weights @ scale.mean_)
            for layer, columns in parts.items():
                own, weights = np.split(weights, [columns.stop - columns.start])
                layer.weight[dimension, columns] = torch.from_numpy(own).to(layer.weight)
