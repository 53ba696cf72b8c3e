"""What a model has to beat: the training mean, ridge regression on landmarks, and an SVR on landmarks and appearance.

Shapes: N rows of the prepared corpus, P landmarks, F features.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from anclaf.comparators.appearance import appearance_features
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.windows import trailing_mean
from anclaf.data.store import PreparedCorpus

BASELINES = ("mean", "ridge-1", "ridge-8", "svr")
WINDOWED = ("ridge-8",)
"""Baselines that need sequences: not for stills."""
WINDOW = 8
ALPHAS = tuple(10.0**k for k in range(6))
SVR_FRAMES = 4000
"""The SVR is fitted on at most so many training frames, drawn with a fixed seed: its time grows with them."""
SVR_PENALTIES = tuple(10.0**k for k in range(-4, 0))
COMPONENTS = 100
"""Principal components of the appearance."""


def baseline_estimate(name: str, corpus: PreparedCorpus, train: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    """(len(wanted), 2) valence, arousal in the corpus's own units.

    mean: the training mean. ridge-1: landmarks of the frame (`frame_features`), standardised. ridge-8: of the window of
    8 frames that ends at it (`window_features`). svr: landmarks and `appearance_features` of the frame, in the spirit
    of AFEW-VA's baseline (Kossaifi et al. 2017), with a linear kernel. Valence and arousal are fitted apart, each with
    the penalty that does best over five groups of training subjects (of clips, where one subject is all there is).

    Args:
        name: one of `BASELINES`.
        train: rows to fit on; nothing else is looked at, labels or landmarks.
        wanted: rows to estimate.

    Raises:
        ConfigError: no such baseline, or one of `WINDOWED` of stills.
        CorpusError: no training rows, or training rows of one single clip.
    """
    if name not in BASELINES:
        raise ConfigError(f"baseline {name!r}: expected one of {', '.join(BASELINES)}")
    if name in WINDOWED and not corpus.card.fps:
        raise ConfigError(f"{name}: {corpus.folder} holds stills, which have no windows; leave it out")
    train, wanted = np.asarray(train), np.asarray(wanted)
    if len(train) == 0:
        raise CorpusError(f"{corpus.folder}: no training rows for the baselines; expected at least two clips")
    if name == "mean":
        return np.tile(corpus.labels[train].mean(0), (len(wanted), 1))
    if name == "svr":
        return _svr(corpus, train, wanted)
    features = frame_features(corpus) if name == "ridge-1" else window_features(corpus)
    cuts = _cuts(corpus, train)
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, cv=cuts))
    return _fitted(model, features[train], corpus.labels[train], features[wanted])


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
    for rows in corpus.segments():
        points = landmarks[rows].astype(np.float64)
        change = np.abs(np.concatenate([np.diff(points, axis=0), moved[rows[1:]]], 1))
        # the first frame of the run has no change
        mean_change = np.concatenate([np.zeros((1, change.shape[1])), trailing_mean(change, n - 1)])
        out[rows] = np.concatenate([trailing_mean(points, n), points, mean_change], 1)
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


def _svr(corpus: PreparedCorpus, train: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    if len(train) > SVR_FRAMES:
        train = np.sort(np.random.default_rng(0).choice(train, SVR_FRAMES, replace=False))
    points = frame_features(corpus)
    appearance = make_pipeline(StandardScaler(), PCA(min(COMPONENTS, len(train)), random_state=0))
    appearance.fit(first := appearance_features(corpus, train))
    scale = StandardScaler().fit(points[train])
    seen = np.concatenate([scale.transform(points[train]), appearance.transform(first)], 1)
    second = appearance.transform(appearance_features(corpus, wanted))
    asked = np.concatenate([scale.transform(points[wanted]), second], 1)
    regression = LinearSVR(loss="squared_epsilon_insensitive", dual="auto", random_state=0)
    model = GridSearchCV(regression, {"C": SVR_PENALTIES}, cv=_cuts(corpus, train), scoring="neg_mean_squared_error")
    return _fitted(model, seen, corpus.labels[train], asked)


def _cuts(corpus: PreparedCorpus, train: NDArray) -> list[tuple[NDArray, NDArray]]:
    """Places in `train` to fit on and to choose the penalty on, five times."""
    groups = corpus.subjects[train] if len(set(corpus.subjects[train])) > 1 else corpus.clips[train]
    count = len(set(groups))
    if count < 2:
        raise CorpusError(
            f"{corpus.folder}: the baselines train on one single clip, {groups[0]}; expected at least two"
        )
    return list(GroupKFold(min(5, count)).split(train, groups=groups))


def _fitted(model: Any, features: NDArray, labels: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    """Fit each dimension on (N, F) and (N, 2), estimate from (M, F) -> (M, 2)."""
    columns = [model.fit(features, labels[:, dimension]).predict(wanted) for dimension in range(2)]
    return np.stack(columns, 1).astype(np.float64)
