"""Calibrating a trained model on the people who validated: it did not learn by them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.people import digests
from anclaf.data.folds import Split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_rows
from anclaf.metrics.conformal import LEVEL, person_quantile, person_weights
from anclaf.models.calibration import Calibration, save_calibration
from anclaf.models.familiarity import Familiarity
from anclaf.models.io import load_model
from anclaf.models.network import AffectNetwork, pooled, to_input

TRAINING_FACES = 3000
"""Of how many faces of training the distribution is taken, at most: every k-th."""
_BATCH = 256


@checked
def calibrate_model(
    folder: Path, corpus: PreparedCorpus, split: Split, level: float = LEVEL, device: str = "cpu"
) -> Calibration | None:
    """Write `calibration.safetensors` into the folder of a model that this split of this corpus trained.

    Training does this at its end; for a model of an earlier version, the same call adds it:

        >>> corpus = PreparedCorpus.open("afew")                                        # doctest: +SKIP
        >>> calibrate_model("run/fold0/SA-8", corpus, split(corpus, "strict", 0))       # doctest: +SKIP

    The checkpoint, and how far appearance is trusted, were chosen by the same people, so that the model is a little
    less far off on them than on others: docs/method.md says by how much.

    Returns:
        What was written; None, and nothing is written, where there is nobody to calibrate by: where people who
        validate are trained on, as with the protocol `paper`, and for models that are given labels.

    Raises:
        ModelError: as `load_model`. StaleError: it was trained on another corpus.
        ConfigError: another split of it, or no such level.
        OutputError: it cannot be written.
    """
    network, spec = load_model(folder, device)
    if spec.fingerprints.get("corpus", corpus.card.fingerprint) != corpus.card.fingerprint:
        raise StaleError(f"{folder}: trained on another corpus than {corpus.folder}; calibrate it on its own")
    seen = set(digests(corpus.subjects[np.concatenate([split.train, split.validation])]))
    if (spec.protocol, spec.fold) != (split.protocol, split.fold) or not seen <= set(spec.subjects):
        raise ConfigError(
            f"{folder}: trained on fold {spec.fold}, protocol {spec.protocol}, of another split than "
            f"fold {split.fold}, protocol {split.protocol}, of this one; its split.json says which"
        )
    known = {*corpus.subjects[split.train].tolist()} & {*corpus.subjects[split.validation].tolist()}
    if split.protocol == "paper" or known or network.config.needs_labels:
        return None
    rows, every = split.validation, -(-len(split.train) // TRAINING_FACES)
    faces, trained = (_faces(network, corpus, some, device) for some in (rows, split.train[every // 2 :: every]))
    estimate = estimate_rows(network, corpus, rows, spec.fps, device)
    people, off = corpus.subjects[rows], np.abs(corpus.targets[rows] - estimate)
    valence, arousal = (person_quantile(off[:, k], people, level) for k in (0, 1))
    familiarity = Familiarity.fit(trained, faces, person_weights(people))
    found = Calibration(level, (valence, arousal), len(np.unique(people)), len(rows), "sliding", familiarity)
    save_calibration(folder, spec, found)
    return found


@torch.inference_mode()
def _faces(network: AffectNetwork, corpus: PreparedCorpus, rows: NDArray[np.int64], device: str) -> NDArray:
    """`pooled` (N, D) of the Z of these rows."""
    parts = [rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH)]
    images = (to_input(torch.from_numpy(corpus.images(part)).to(device)) for part in parts)
    return torch.cat([pooled(network.generator.encode(image)) for image in images]).cpu().numpy()
