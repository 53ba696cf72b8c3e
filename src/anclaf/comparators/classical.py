"""Comparators without networks: the training mean, ridge regression on landmarks, an SVR on landmarks and appearance.

Estimates are (len(test), 2) in the corpus's own units. Valence and arousal are fitted apart, each with the penalty that
does best over five groups of training subjects (of clips, where one subject is all there is). Nothing but the training
rows is looked at for fitting. Shapes: N rows of the prepared corpus, P landmarks, F features.

Raises:
    CorpusError: no training rows, or training rows of one single clip.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from anclaf.comparators.registry import Task
from anclaf.core.errors import CorpusError
from anclaf.core.windows import trailing_mean
from anclaf.data.store import PreparedCorpus

WINDOW = 8
ALPHAS = tuple(10.0**k for k in range(6))
SVR_FRAMES = 4000
"""The SVR is fitted on at most so many training frames, drawn with a fixed seed: its time grows with them."""
SVR_PENALTIES = tuple(10.0**k for k in range(-4, 0))
COMPONENTS = 100
"""Principal components of the appearance."""
SIDE, BLOCK = 64, 8
KEPT = np.flatnonzero(np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel() < 4)[1:]
"""The lowest frequencies of a block, without its mean."""


def training_mean(task: Task) -> NDArray[np.float64]:
    """The mean label of the training rows, for every row."""
    return np.tile(task.corpus.labels[training_rows(task)].mean(0), (len(task.split.test), 1))


def ridge_on_frame(task: Task) -> NDArray[np.float64]:
    """Ridge regression on the standardised landmarks of the frame (`frame_features`)."""
    return _ridge(task, frame_features(task.corpus))


def ridge_on_window(task: Task) -> NDArray[np.float64]:
    """Ridge regression on the landmarks of the window of 8 frames that ends at the frame (`window_features`)."""
    return _ridge(task, window_features(task.corpus))


def svr(task: Task) -> NDArray[np.float64]:
    """Linear SVR on landmarks and `appearance_features`, after AFEW-VA's baseline (Kossaifi et al. 2017)."""
    corpus, train, test = task.corpus, training_rows(task), task.split.test
    if len(train) > SVR_FRAMES:
        train = np.sort(np.random.default_rng(0).choice(train, SVR_FRAMES, replace=False))
    points = frame_features(corpus)
    appearance = make_pipeline(StandardScaler(), PCA(min(COMPONENTS, len(train)), random_state=0))
    appearance.fit(train_appearance := appearance_features(corpus, train))
    scale = StandardScaler().fit(points[train])

    def features(rows: NDArray, of_faces: NDArray) -> NDArray[np.floating]:
        return np.concatenate([scale.transform(points[rows]), appearance.transform(of_faces)], 1)

    regression = LinearSVR(loss="squared_epsilon_insensitive", dual="auto", random_state=0)
    folds = _inner_folds(corpus, train)
    model = GridSearchCV(regression, {"C": SVR_PENALTIES}, cv=folds, scoring="neg_mean_squared_error")
    fitted_on, asked = features(train, train_appearance), features(test, appearance_features(corpus, test))
    return _fit_and_predict(model, fitted_on, corpus.labels[train], asked)


def frame_features(corpus: PreparedCorpus) -> NDArray[np.float32]:
    """(N, 2P) landmarks on the crop, that is, after the crop's similarity transform."""
    return corpus.crop_landmarks.reshape(len(corpus), -1)


def window_features(corpus: PreparedCorpus, n: int = WINDOW) -> NDArray[np.float32]:
    """(N, 6P + 4): landmarks' mean, last and mean absolute change over the window, and the head's mean absolute change.

    The window is the n frames of the segment that end at the row; fewer at its start, whose first frame has no change.
    """
    return windowed(frame_features(corpus), corpus.crop_motion, corpus.segments(), n)


def windowed(
    landmarks: NDArray[np.floating], moved: NDArray[np.floating], segments: Sequence[NDArray[np.int64]], n: int
) -> NDArray[np.float32]:
    """`window_features` of any landmarks (N, 2P).

    Args:
        moved: (N, M) how the crop moved since the frame before. segments: positions of each.
    """
    out = np.empty((len(landmarks), 3 * landmarks.shape[1] + moved.shape[1]), np.float32)
    for rows in segments:
        points = landmarks[rows].astype(np.float64)
        change = np.abs(np.concatenate([np.diff(points, axis=0), moved[rows[1:]]], 1))
        # the first frame of the segment has no change
        mean_change = np.concatenate([np.zeros((1, change.shape[1])), trailing_mean(change, n - 1)])
        out[rows] = np.concatenate([trailing_mean(points, n), points, mean_change], 1)
    return out


def appearance_features(corpus: PreparedCorpus, rows: NDArray, batch: int = 1024) -> NDArray[np.float32]:
    """(N, 576) low-frequency DCT coefficients of each 8x8 block of the face in grey, at 64x64 and of unit contrast."""
    parts = []
    for start in range(0, len(rows), batch):
        images = corpus.images(rows[start : start + batch])
        grey = np.stack([cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE)) for image in images])
        values = grey / np.maximum(grey.std((1, 2), keepdims=True), 1.0)
        blocks = values.reshape(len(grey), SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
        frequencies = np.asarray(dctn(blocks, axes=(2, 4), norm="ortho")).transpose(0, 1, 3, 2, 4)
        parts.append(frequencies.reshape(len(grey), -1, BLOCK**2)[:, :, KEPT].reshape(len(grey), -1))
    return np.concatenate(parts).astype(np.float32)


def _ridge(task: Task, features: NDArray) -> NDArray[np.float64]:
    train, test = training_rows(task), task.split.test
    model = ridge_model(task.corpus, train)
    return _fit_and_predict(model, features[train], task.corpus.labels[train], features[test])


def ridge_model(corpus: PreparedCorpus, train: NDArray[np.int64]) -> Pipeline:
    """Ridge regression on standardised features of these rows, its penalty chosen over groups of them."""
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS, cv=_inner_folds(corpus, train)))


def training_rows(task: Task) -> NDArray[np.int64]:
    """Raises CorpusError where there are none."""
    if len(task.split.train) == 0:
        raise CorpusError(f"{task.corpus.folder}: no training rows for {task.name}; expected at least two clips")
    return task.split.train


def _inner_folds(corpus: PreparedCorpus, train: NDArray) -> list[tuple[NDArray, NDArray]]:
    """Positions in `train` to fit on and to choose the penalty on: five folds of subjects, or of clips of the one."""
    groups = corpus.subjects[train] if len(set(corpus.subjects[train])) > 1 else corpus.clips[train]
    count = len(set(groups))
    if count < 2:
        raise CorpusError(f"{corpus.folder}: all training rows are of one clip, {groups[0]}; expected at least two")
    return list(GroupKFold(min(5, count)).split(train, groups=groups))


def _fit_and_predict(model: Any, features: NDArray, labels: NDArray, asked: NDArray) -> NDArray[np.float64]:
    """Fit valence and arousal apart on (N, F) and (N, 2); estimates (M, 2) of (M, F)."""
    columns = [model.fit(features, labels[:, dimension]).predict(asked) for dimension in range(2)]
    return np.stack(columns, 1).astype(np.float64)
