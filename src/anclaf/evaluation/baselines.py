"""What a model has to beat: the training mean, and ridge regression on landmarks, of one frame and of eight.

Shapes: N rows of the prepared corpus, P landmarks, F features.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from anclaf.core.errors import CorpusError
from anclaf.core.progress import Progress, silent
from anclaf.data.store import PreparedCorpus

BASELINES = ("mean", "ridge-1", "ridge-8")
WINDOW = 8
ALPHAS = tuple(10.0**k for k in range(6))


def baseline_estimates(
    corpus: PreparedCorpus, train: NDArray, wanted: NDArray, progress: Progress = silent
) -> dict[str, NDArray[np.float64]]:
    """Name -> (len(wanted), 2) valence, arousal in the corpus's own units.

    mean: the training mean. ridge-1: landmarks of the frame (`frame_features`), standardised. ridge-8: of the window of
    8 frames that ends at it (`window_features`); left out for stills, which have no windows. Valence and arousal are
    fitted apart, each with the penalty that does best over five groups of training subjects (of clips, where one
    subject is all there is).

    Args:
        train: rows to fit on; nothing else is looked at, labels or landmarks.
        wanted: rows to estimate.

    Raises:
        CorpusError: no training rows, or training rows of one single clip.
    """
    train, wanted = np.asarray(train), np.asarray(wanted)
    if len(train) == 0:
        raise CorpusError(f"{corpus.folder}: no training rows for the baselines; expected at least two clips")
    estimates = {"mean": np.tile(corpus.labels[train].mean(0), (len(wanted), 1))}
    makers = {"ridge-1": frame_features}
    if corpus.card.fps:
        makers["ridge-8"] = window_features
    for done, (name, make) in enumerate(makers.items()):
        progress(done, len(makers), f"baseline {name}")
        features = make(corpus)
        estimates[name] = _ridge(corpus, features[train], train, features[wanted])
    return estimates


def frame_features(corpus: PreparedCorpus) -> NDArray[np.float32]:
    """(N, 2P) landmarks on the crop, that is, after the crop's similarity transform."""
    return corpus.crop_landmarks.reshape(len(corpus), -1)


def window_features(corpus: PreparedCorpus, n: int = WINDOW) -> NDArray[np.float32]:
    """(N, 6P + 4): landmarks' mean, last and mean absolute change over the window, and the head's mean absolute change.

    The window is the n frames of the run that end at the row; fewer at its start, whose first frame has no change.
    """
    landmarks = frame_features(corpus)
    moved = crop_motion(corpus)
    out = np.empty((len(corpus), 3 * landmarks.shape[1] + moved.shape[1]), np.float32)
    for rows in corpus.runs():
        points = landmarks[rows].astype(np.float64)
        change = np.abs(np.concatenate([np.diff(points, axis=0), moved[rows[1:]]], 1))
        # the first frame of the run has no change
        mean_change = np.concatenate([np.zeros((1, change.shape[1])), _trailing_mean(change, n - 1)])
        out[rows] = np.concatenate([_trailing_mean(points, n), points, mean_change], 1)
    return out


def crop_motion(corpus: PreparedCorpus) -> NDArray[np.float64]:
    """(N, 4) how the crop moved since the row before: its centre in x and y, in sides of the crop; log scale; radians.

    The landmarks on the crop no longer show how the head moves; the crop itself does. Meaningless at a run's first row.
    """
    square = np.zeros((len(corpus), 3, 3))
    square[:, :2], square[:, 2, 2] = corpus.matrices, 1
    # a point of this crop -> the same place of the source frame -> where that was on the crop before
    relative = np.zeros((len(corpus), 2, 3))
    relative[1:] = (square[:-1] @ np.linalg.inv(square[1:]))[:, :2]
    relative[:1, :, :2] = np.eye(2)
    linear, shift = relative[..., :2], relative[..., 2]
    centre = np.full(2, corpus.card.image_size / 2)
    moved = (linear @ centre + shift - centre) / corpus.card.image_size
    scale = np.log(np.abs(np.linalg.det(linear))) / 2
    return np.column_stack([moved, scale, np.arctan2(linear[:, 1, 0], linear[:, 0, 0])])


def _trailing_mean(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """(T, F) -> (T, F) mean of the last n rows up to each, of fewer at the start."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - n, 0)
    return (total[stop] - total[start]) / (stop - start)[:, None]


def _ridge(corpus: PreparedCorpus, features: NDArray, train: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    """Fit on the training rows' features (N, F), estimate from the wanted ones (M, F) -> (M, 2)."""
    groups = corpus.subjects[train] if len(set(corpus.subjects[train])) > 1 else corpus.clips[train]
    count = len(set(groups))
    if count < 2:
        raise CorpusError(
            f"{corpus.folder}: the baselines train on one single clip, {groups[0]}; expected at least two"
        )
    cuts = list(GroupKFold(min(5, count)).split(features, groups=groups))
    columns = []
    for dimension in range(2):
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, cv=cuts))
        columns.append(model.fit(features, corpus.labels[train, dimension]).predict(wanted))
    return np.stack(columns, 1).astype(np.float64)
