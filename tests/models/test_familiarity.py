"""Distances against SciPy, the share of validation people's faces, and what must not change them."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import roc_auc_score

from anclaf.config import ModelConfig
from anclaf.faces import align
from anclaf.faces.detect import make_detector
from anclaf.faces.images import read_image
from anclaf.metrics.conformal import person_weights
from anclaf.models.familiarity import COMPONENTS, Familiarity
from anclaf.models.network import AffectNetwork, pooled, to_input
from anclaf.models.spec import Variant


def faces(rng: np.random.Generator, count: int, size: int = 32) -> NDArray[np.float32]:
    """(count, size) of one distribution, whose directions differ in variance."""
    return (rng.normal(size=(count, size)) * np.linspace(3, 0.3, size) + 5).astype(np.float32)


def fitted(count: int = 4000, size: int = 32, people: int = 20) -> Familiarity:
    rng = np.random.default_rng(0)
    validation = faces(rng, 400, size)
    return Familiarity.fit(faces(rng, count, size), validation, person_weights(np.arange(400) % people))


def test_z_is_averaged_over_a_grid():
    z = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert pooled(z).shape == (1, 16)
    assert pooled(z)[0, :2].tolist() == [(0 + 1 + 8 + 9) / 4, (2 + 3 + 10 + 11) / 4]
    assert pooled(torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_the_distance_is_that_of_mahalanobis():
    train, rng = faces(np.random.default_rng(0), 4000).astype(float), np.random.default_rng(1)
    inverse = np.linalg.inv(np.cov(train.T, bias=True))
    found, new = fitted(), faces(rng, 50)
    expected = [mahalanobis(one, train.mean(0), inverse) for one in new.astype(float)]
    np.testing.assert_allclose(found.distance(new), expected, rtol=0.06)  # the smallest variances are raised a little


def test_few_faces_of_many_numbers_have_the_same_axes():
    rng = np.random.default_rng(0)
    train = faces(rng, 60, 200)
    few = Familiarity.fit(train, train, person_weights(np.arange(60)))
    assert few.axes.shape == (200, 59)
    np.testing.assert_allclose(few.axes.T @ few.axes, np.eye(59), atol=2e-3)
    assert fitted(300, 200).axes.shape == (200, COMPONENTS)


def test_the_share_of_people_who_lie_nearer():
    found = fitted()
    rng = np.random.default_rng(0)
    faces(rng, 400)
    new = faces(np.random.default_rng(5), 4000)
    share = found.unfamiliar(new)
    assert ((share >= 0) & (share < 1)).all()
    # faces of the same people: as many above a share as there should be, the next person counted in
    for part in (0.5, 0.8, 0.9):
        assert (share * 21 / 20 <= part).mean() == pytest.approx(part, abs=0.05)


def test_beyond_all_of_them_order_is_kept():
    found = fitted(people=20)
    away = np.ones((1, 32))
    distances = [found.distance(5 + k * away).item() for k in np.linspace(0.5, 6, 40).tolist()]
    shares = [found.unfamiliar(5 + k * away)[0] for k in np.linspace(0.5, 6, 40).tolist()]
    assert np.all(np.diff(distances) > 0)
    assert np.all(np.diff(np.round(shares, 6)) > 0), "also with the six decimals of a table"
    last = [share for share, distance in zip(shares, distances, strict=True) if distance > found.distances[-1]]
    assert 20 / 21 < last[0] < last[-1] < 1


def test_how_often_a_person_is_filmed_changes_nothing():
    rng = np.random.default_rng(0)
    train, validation, people = faces(rng, 500), faces(rng, 40), np.arange(40) % 8
    once = Familiarity.fit(train, validation, person_weights(people))
    again = np.concatenate([np.arange(40), np.flatnonzero(people == 3)])
    twice = Familiarity.fit(train, validation[again], person_weights(people[again]))
    np.testing.assert_allclose(once.distances[6:], twice.distances[6:], rtol=0.02)  # before, between 0 and the first


def test_it_comes_back_from_its_arrays():
    found = fitted()
    back = Familiarity.from_arrays(found.to_arrays())
    new = faces(np.random.default_rng(3), 10)
    np.testing.assert_array_equal(back.unfamiliar(new), found.unfamiliar(new))
    with pytest.raises(ValueError, match="do not fit"):
        Familiarity.from_arrays(found.to_arrays() | {"axes": np.zeros((3, 3), np.float32)})


@pytest.mark.realdata
@pytest.mark.slow
def test_photographs_half_hidden_and_blurred_and_of_nobody(shared: Path):
    """Encoder of random weights: what one learns can only be better. Nobody is in two parts."""
    photos, detector = (
        shared / "realdata" / "photos",
        make_detector(f"yunet:{shared / 'models' / 'yunet_n_dynamic.onnx'}"),
    )
    crops, people = list[np.ndarray](), list[str]()
    for image, subject in pd.read_csv(photos / "labels.csv")[["image", "subject"]].itertuples(index=False):
        picture = read_image(photos / "images" / Path(image).name)
        if found := detector.detect(picture):
            crops.append(align.warp(picture, align.crop_matrix(found[0].points, 64), 64))
            people.append(subject)
    faces, who = np.stack(crops), np.array(people)
    part = np.random.default_rng(0).integers(0, 4, len(np.unique(who)))[np.unique(who, return_inverse=True)[1]]
    torch.manual_seed(0)
    network = AffectNetwork(ModelConfig(image_size=64, g_width=8), Variant("base")).eval()

    @torch.inference_mode()
    def z(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pooled(network.generator.planes(to_input(torch.from_numpy(faces))).z).numpy()

    found = Familiarity.fit(z(faces[part < 2]), z(faces[part == 2]), person_weights(who[part == 2]))
    plain, rng = faces[part == 3], np.random.default_rng(1)
    hidden = plain.copy()
    for k, face in enumerate(hidden):
        face[(np.s_[:, :32], np.s_[:, 32:], np.s_[:28], np.s_[36:])[k % 4]] = rng.integers(0, 256, 3)
    blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 3.0) for face in plain])
    grass = read_image(shared / "realdata" / "images" / "facealign_grass_noface.jpg")
    corners = rng.integers(0, [grass.shape[0] - 64, grass.shape[1] - 64], (len(plain), 2))
    nobody = np.stack([grass[y : y + 64, x : x + 64] for y, x in corners])
    shares = found.unfamiliar(z(plain)).round(6)
    for name, odd in (("hidden", hidden), ("blurred", blurred), ("nobody", nobody)):
        auc = roc_auc_score(np.repeat([0, 1], len(plain)), np.append(shares, found.unfamiliar(z(odd)).round(6)))
        assert auc >= 0.9, (name, auc)
