"""Distances against SciPy, the share of validation people's faces, and what must not change them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from anclaf.metrics.conformal import person_weights
from anclaf.models.familiarity import COMPONENTS, Familiarity, pooled


def faces(rng: np.random.Generator, count: int, size: int = 32) -> torch.Tensor:
    """(count, size) of one distribution, whose directions differ in variance."""
    return torch.from_numpy(rng.normal(size=(count, size)) * np.linspace(3, 0.3, size) + 5).float()


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
    train, rng = faces(np.random.default_rng(0), 4000).double().numpy(), np.random.default_rng(1)
    inverse = np.linalg.inv(np.cov(train.T, bias=True))
    found, new = fitted(), faces(rng, 50)
    expected = [mahalanobis(one, train.mean(0), inverse) for one in new.double().numpy()]
    np.testing.assert_allclose(found.distance(new), expected, rtol=0.06)  # the smallest variances are raised a little


def test_few_faces_of_many_numbers_have_the_same_axes():
    rng = np.random.default_rng(0)
    train = faces(rng, 60, 200)
    few = Familiarity.fit(train, train, person_weights(np.arange(60)))
    assert few.axes.shape == (200, 59)
    np.testing.assert_allclose(few.axes.T @ few.axes, np.eye(59), atol=1e-4)
    assert fitted(300, 200).axes.shape == (200, COMPONENTS)


def test_the_share_of_people_who_lie_nearer():
    found = fitted()
    rng = np.random.default_rng(0)
    faces(rng, 400)
    new = faces(np.random.default_rng(5), 4000).reshape(4000, 2, 4, 4)
    share = found.unfamiliar(new)
    assert ((share >= 0) & (share < 1)).all()
    # faces of the same people: as many above a share as there should be, the next person counted in
    for part in (0.5, 0.8, 0.9):
        assert (share * 21 / 20 <= part).mean() == pytest.approx(part, abs=0.05)


def test_beyond_all_of_them_order_is_kept():
    found = fitted(people=20)
    away = torch.full((1, 32), 1.0)
    distances = [found.distance(5 + k * away).item() for k in np.linspace(0.5, 6, 40).tolist()]
    shares = [found.unfamiliar((5 + k * away).reshape(1, 2, 4, 4))[0] for k in np.linspace(0.5, 6, 40).tolist()]
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
    new = faces(np.random.default_rng(3), 10).reshape(10, 2, 4, 4)
    np.testing.assert_array_equal(back.unfamiliar(new), found.unfamiliar(new))
    with pytest.raises(ValueError, match="do not fit"):
        Familiarity.from_arrays(found.to_arrays() | {"axes": torch.zeros(3, 3)})
