"""Landmarks: found in Z, aligned and standardised; and the crop's motion as sequence models see it."""

import numpy as np
import pytest
import torch

from anclaf.faces import align
from anclaf.models.geometry import LandmarkFinder, motion_input


def _finder(points: int = 5) -> LandmarkFinder:
    torch.manual_seed(0)
    return LandmarkFinder(8, 8, points)


def _faces(count: int, points: int = 68, seed: int = 0) -> torch.Tensor:
    """(count, points, 2) of no particular face, each lying somewhere else."""
    rng = np.random.default_rng(seed)
    face = rng.uniform(-0.7, 0.7, (1, points, 2)) + rng.normal(0, 0.05, (count, points, 2))
    return torch.from_numpy(face + rng.normal(0, 0.1, (count, 1, 2))).float()


@pytest.mark.parametrize("points", [5, 49, 68])
def test_faces_are_aligned_by_their_five_points(points: int):
    faces, template = _faces(6, points), align.TEMPLATE * 2 - 1
    expected = [align.apply(align.similarity(align.five_points(one), template), one) for one in faces.numpy()]
    found = _finder(points).aligned(faces)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)
    angle = torch.tensor(0.4)
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
    torch.testing.assert_close(
        _finder(points).aligned(1.3 * faces @ turn + torch.tensor([0.2, -0.1])), found, atol=1e-5, rtol=0
    )


def test_faces_are_aligned_in_full_precision():
    finder, faces = _finder(68), _faces(6)
    expected = finder.aligned(faces)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(finder.aligned(faces), expected)


def test_points_that_are_one_have_finite_gradients():
    faces = torch.zeros(2, 5, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(_finder().aligned(faces).sum(), faces)
    assert torch.isfinite(gradient).all()


def test_landmarks_are_standardised_by_the_training_faces():
    finder, faces = _finder(68), _faces(50)
    finder.fit_scale(faces)
    seen = finder.standardise(faces)
    assert seen.shape == (50, 136)
    torch.testing.assert_close(seen.mean(0), torch.zeros(136), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.std(0, correction=0), torch.ones(136), atol=1e-3, rtol=0)
    one = finder.aligned(faces[:1])
    torch.testing.assert_close(seen[0, 7], (one[0, 3, 1] - finder.mean[3, 1]) / finder.scale[3, 1])


def test_what_the_crop_holds_in_place_does_not_become_noise():
    finder, face = _finder(), torch.from_numpy(align.TEMPLATE * 2 - 1).float()
    finder.fit_scale(face.repeat(10, 1, 1))
    assert torch.equal(finder.scale, torch.full((5, 2), 0.005))
    off = face.repeat(1, 1, 1)
    off[0, :2, 1] += torch.tensor([1e-4, -1e-4])
    assert float(finder.standardise(off).abs().max()) < 0.03


def test_it_begins_at_the_training_faces_mean_and_finds_what_is_to_be_found():
    """A spot in Z, which is where the nose's tip is."""
    rng = np.random.default_rng(0)
    faces = torch.from_numpy(np.repeat((align.TEMPLATE * 2 - 1)[None], 64, 0)).float()
    places = torch.from_numpy(rng.integers(0, 8, (64, 2)))
    faces[:, 2] += (places - 3.5) / 20
    z = torch.zeros(64, 8, 8, 8)
    z[torch.arange(64), 0, places[:, 1], places[:, 0]] = 1.0
    finder = _finder()
    finder.fit_scale(faces)
    with torch.no_grad():
        off = (finder(z) - finder.mean).abs() / finder.scale
    assert float(off.max()) < 0.5
    optimizer = torch.optim.Adam(finder.parameters(), 3e-3)
    first = finder.loss(finder(z), faces).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = finder.loss(finder(z), faces)
        loss.backward()
        optimizer.step()
    assert finder.loss(finder(z), faces).item() < 0.3 * first


def test_the_loss_is_of_places_and_of_aligned_places():
    finder, faces = _finder(68), _faces(4)
    shifted = faces + torch.tensor([0.03, -0.05])
    torch.testing.assert_close(finder.loss(shifted, faces), torch.tensor(0.04), atol=1e-5, rtol=0)
    moved = faces.clone()
    moved[:, 0] += 0.2  # a point of the jaw, by which no face is aligned
    aligned = (finder.aligned(moved) - finder.aligned(faces)).abs().mean()
    assert float(aligned) > 0
    torch.testing.assert_close(finder.loss(moved, faces), torch.tensor(0.2 / 68) + aligned, atol=1e-5, rtol=0)


def test_motion_is_zero_at_a_window_s_first_frame_and_has_its_size_beside_it():
    motion = torch.tensor([[[9.0, 9, 9, 9], [0.02, -0.01, 0.0, 0.04]]])
    seen = motion_input(motion)
    assert torch.equal(seen[0, 0], torch.zeros(8))
    torch.testing.assert_close(seen[0, 1], torch.tensor([1.0, -0.5, 0, 2, 1, 0.5, 0, 2]))
    assert motion_input(motion[:, :1]).shape == (1, 1, 8)
