"""Appearance: low frequencies of blocks, whatever the light."""

from dataclasses import replace

import numpy as np
import pytest

from anclaf.comparators.appearance import appearance_features
from anclaf.data.store import PreparedCorpus


def _of(image: np.ndarray) -> np.ndarray:
    class One:
        def images(self, rows: np.ndarray) -> np.ndarray:
            return np.repeat(image[None], len(rows), 0)

    return appearance_features(One(), np.arange(3), batch=2)  # type: ignore[arg-type]


def test_a_flat_face_has_none():
    assert _of(np.full((64, 64, 3), 90, np.uint8)).shape == (3, 576)
    np.testing.assert_allclose(_of(np.full((64, 64, 3), 90, np.uint8)), 0, atol=1e-5)


def test_a_wave_is_in_its_own_coefficient():
    """cos(pi (2 x + 1) / 16) is the DCT's first basis function of 8 points: nothing else of each block is used."""
    wave = np.cos(np.pi * (2 * np.arange(64) + 1) / 16)
    image = np.repeat((128 + 100 * np.tile(wave, (64, 1)))[..., None], 3, 2).round().astype(np.uint8)
    features = _of(image)[0].reshape(64, 9)
    used = np.abs(features) > 0.1
    assert used[:, 0].all()
    assert not used[:, 1:].any()


def test_contrast_does_not_matter():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 100, (64, 64, 1)).repeat(3, 2)
    np.testing.assert_allclose(_of(image.astype(np.uint8)), _of((2 * image).astype(np.uint8)), atol=1e-3)


@pytest.mark.parametrize("size", [32, 64])
def test_every_size_of_face(make_corpus, size: int):
    corpus: PreparedCorpus = make_corpus(subjects=2, clips=1, frames=3, size=size)
    assert replace(corpus.card).image_size == size
    assert appearance_features(corpus, np.arange(6)).shape == (6, 576)
