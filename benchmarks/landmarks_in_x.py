"""How much x, which every sequence model reads, knows of where the landmarks are and how they move.

    python benchmarks/landmarks_in_x.py RUN/fold0/base CORPUS

Those that the network finds itself, if it has geometry, and those that are read from C's features by ridge regression
fitted on the people that the model was trained on, are compared with the true ones on people who were neither trained
on nor tested (inner validation). Then valence and arousal are regressed on all three, as the baselines `ridge-1` and
`ridge-8` do, with and without how the crop itself moves, which x cannot show. This says what a sequence model could
find in x, whatever its recurrent part.
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from anclaf.comparators.classical import ALPHAS, frame_features, window_features
from anclaf.core.people import digests
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import features_of
from anclaf.metrics.regression import ccc_score
from anclaf.models.io import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a base model")
    parser.add_argument("corpus", type=Path, help="the corpus that it was trained on, with landmarks")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network, spec = load_model(arguments.model)
    corpus = PreparedCorpus.open(arguments.corpus)
    fold = split(corpus, "strict", spec.fold)
    if spec.subjects != digests(corpus.subjects[np.concatenate([fold.train, fold.validation])]):
        parser.error(
            "the model was trained on other people than seed 0 and five folds give: whom it knows is not known"
        )
    points = frame_features(corpus)
    size = network.combiner.features
    x = {part: features_of(network, corpus, rows, "cpu").numpy() for part, rows in _parts(fold)}
    reader = make_pipeline(StandardScaler(), Ridge(100.0)).fit(x["train"][:, :size], points[fold.train])
    guesses = {
        "landmarks read from C's features": {part: reader.predict(values[:, :size]) for part, values in x.items()}
    }
    if (finder := network.landmarks) is not None:
        mean, scale = finder.mean.flatten().numpy(), finder.scale.flatten().numpy()
        found = {part: values[:, size:] * scale + mean for part, values in x.items()}
        guesses["landmarks that the network finds"] = found
    known = {"true landmarks": corpus}
    for which, guess in guesses.items():
        read = points.copy()
        for part, rows in _parts(fold):
            read[rows] = guess[part]
            _compare(f"{which}, {part}", corpus, rows, points, read)
        known[which] = copy.copy(corpus)
        # takes the place of the cached property
        known[which].crop_landmarks = read.reshape(corpus.crop_landmarks.shape)
    head = corpus.crop_motion.shape[1]
    for which, one in known.items():
        _print(f"{which}, 1 frame", corpus, fold, frame_features(one))
        window = window_features(one)
        _print(f"{which}, 8 frames", corpus, fold, window[:, :-head])
        _print(f"{which}, 8 frames, and the crop's motion", corpus, fold, window)


def _parts(fold: Split) -> list[tuple[str, NDArray[np.int64]]]:
    return [("train", fold.train), ("validation", fold.validation)]


def _compare(what: str, corpus: PreparedCorpus, rows: NDArray[np.int64], points: NDArray, read: NDArray) -> None:
    """Print how far (N, 2P) landmarks are off on some rows, and whether they move as the true ones do."""
    half = corpus.card.image_size / 2
    off, spread = np.abs(read[rows] - points[rows]).mean() * half, points[rows].std(0).mean() * half
    true, seen = (
        np.concatenate([np.diff(values[run], axis=0) for run in corpus.segments(rows)]) for values in (points, read)
    )
    print(f"{what}: {off:.2f} pixels off on average; their standard deviation is {spread:.2f}")
    together = np.corrcoef(true.ravel(), seen.ravel())[0, 1]
    print(f"{what}: they move {np.abs(true).mean() * half:.2f} pixels a frame; correlation {together:.3f}")


def _print(what: str, corpus: PreparedCorpus, fold: Split, features: NDArray) -> None:
    """Ridge regression on (N, F) features, tested on validation people."""
    cuts = list(GroupKFold(5).split(fold.train, groups=corpus.subjects[fold.train]))
    scores = []
    for k in range(2):
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, cv=cuts))
        model.fit(features[fold.train], corpus.labels[fold.train, k])
        scores.append(ccc_score(model.predict(features[fold.validation]), corpus.labels[fold.validation, k]))
    print(f"{what}: CCC valence {scores[0]:.3f}, arousal {scores[1]:.3f}")


if __name__ == "__main__":
    main()
