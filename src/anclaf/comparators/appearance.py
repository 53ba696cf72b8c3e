"""How a face looks, in few numbers: the appearance that the SVR baseline reads beside the landmarks."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from anclaf.data.store import PreparedCorpus

SIDE, BLOCK = 64, 8
KEPT = np.flatnonzero(np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel() < 4)[1:]
"""The lowest frequencies of a block, without its mean."""


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
