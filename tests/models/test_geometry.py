"""Landmarks: found in Z, aligned and standardised; and the crop's motion as sequence models see it."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from anclaf.faces import align
from anclaf.models.anclaf import Planes
from anclaf.models.geometry import CloserLook, LandmarkFinder, motion_input


def _finder(points: int = 5, refinements: int = 0) -> LandmarkFinder:
    torch.manual_seed(0)
    return LandmarkFinder(8, 8, points, 4, refinements)


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
    finder, planes = _finder(), Planes(torch.zeros(64, 4, 32, 32), z)
    finder.fit_scale(faces)
    with torch.no_grad():
        (found,) = finder(planes)
        off = (found - finder.mean).abs() / finder.scale
    assert float(off.max()) < 0.5
    optimizer = torch.optim.Adam(finder.parameters(), 3e-3)
    first = finder.loss(finder(planes), faces).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = finder.loss(finder(planes), faces)
        loss.backward()
        optimizer.step()
    assert finder.loss(finder(planes), faces).item() < 0.3 * first


def test_the_loss_is_of_places_and_of_aligned_places():
    finder, faces = _finder(68), _faces(4)
    shifted = faces + torch.tensor([0.03, -0.05])
    torch.testing.assert_close(finder.loss([shifted], faces), torch.tensor(0.04), atol=1e-5, rtol=0)
    moved = faces.clone()
    moved[:, 0] += 0.2  # a point of the jaw, by which no face is aligned
    aligned = (finder.aligned(moved) - finder.aligned(faces)).abs().mean()
    assert float(aligned) > 0
    torch.testing.assert_close(finder.loss([moved], faces), torch.tensor(0.2 / 68) + aligned, atol=1e-5, rtol=0)
    both = (torch.tensor(0.04) + torch.tensor(0.2 / 68) + aligned) / 2
    torch.testing.assert_close(finder.loss([shifted, moved], faces), both, atol=1e-5, rtol=0)


def _spots(places: torch.Tensor) -> torch.Tensor:
    """(B, 4, 32, 32) planes, of which the first has a spot at each of the (B, P, 2) places."""
    axis = (torch.arange(32) + 0.5) / 16 - 1
    x, y = places[..., 0, None, None] - axis, places[..., 1, None, None] - axis[:, None]
    planes = torch.zeros(len(places), 4, 32, 32)
    planes[:, 0] = torch.exp(-(x**2 + y**2) / (2 * 0.08**2)).sum(1)
    return planes


def test_a_closer_look_finds_what_is_near():
    """To a tenth of a pixel (1/16 of half a side), from a pixel off."""
    torch.manual_seed(0)
    look, middle = CloserLook(2, 4, 32), torch.tensor([[-0.4, 0.0], [0.4, 0.1]])
    optimizer = torch.optim.Adam(look.parameters(), 3e-3)

    def error() -> torch.Tensor:
        places = middle + (torch.rand(64, 2, 2) - 0.5) / 8
        start = places + (torch.rand(64, 2, 2) - 0.5) / 8
        return (start + look(_spots(places).permute(0, 2, 3, 1), start) / 16 - places).abs().mean()

    assert error().item() > 0.025
    for _ in range(300):
        optimizer.zero_grad()
        loss = error()
        loss.backward()
        optimizer.step()
    assert error().item() < 0.1 / 16


def test_a_closer_look_sees_what_is_around_each_landmark_alone():
    torch.manual_seed(0)
    look, places = CloserLook(2, 4, 32), torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]])
    torch.nn.init.normal_(look.move.weight)
    detail = torch.rand(1, 4, 32, 32)
    far, near = detail.clone(), detail.clone()
    far[..., 14:18] = 0  # four pixels at least from the squares' edges
    near[..., 15, 8 - 3] = 0  # three pixels left of the first
    same, other, seen = (look(plane.permute(0, 2, 3, 1), places) for plane in (far, near, detail))
    assert torch.equal(same, seen)
    assert not torch.equal(other, seen)


def test_a_closer_look_sees_what_grid_sample_would():
    """At a pixel, between, over the border and far beyond it; values, and gradients of plane and weights."""
    torch.manual_seed(0)
    look, size = CloserLook(6, 3, 16).double(), 16
    torch.nn.init.normal_(look.move.weight)
    plane = torch.randn(2, 3, size, size, dtype=torch.float64, requires_grad=True)
    places = torch.rand(2, 6, 2, dtype=torch.float64) * 2.6 - 1.3
    places[0, :2] = torch.tensor([[1 / size, 3 / size], [9.0, -9.0]])
    along = (torch.arange(7, dtype=torch.float64) - 3) * 2 / size
    y, x = torch.meshgrid(along, along, indexing="ij")
    grid = places[:, :, None] + torch.stack([x, y], -1).view(-1, 2)
    squares = functional.grid_sample(plane, grid, padding_mode="border", align_corners=False)
    shown = torch.baddbmm(look.bias, squares.permute(2, 0, 1, 3).flatten(2), look.weight)
    expected = look.move(functional.leaky_relu(shown, 0.01).transpose(0, 1).flatten(1))
    found = look(plane.permute(0, 2, 3, 1), places).flatten(1)
    # what it finds is float32
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(look(plane.permute(0, 2, 3, 1), places).flatten(1), found)
    along = torch.randn_like(found)
    moved = [plane, *look.parameters()]
    gradients = (torch.autograd.grad((one * along).sum(), moved) for one in (found, expected.float()))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_weights_that_are_fixed_find_the_same_to_the_bit_and_are_saved_as_before():
    torch.manual_seed(0)
    finder = LandmarkFinder(channels=8, plane=8, points=5, detail=3, refinements=2).eval()
    for look in finder.looks:
        torch.nn.init.normal_(look.get_submodule("move").get_parameter("weight"), std=0.1)
    planes = Planes(torch.randn(4, 3, 32, 32), torch.randn(4, 8, 8, 8))
    with torch.no_grad():
        before = finder(planes)
        saved = {name: value.clone() for name, value in finder.state_dict().items()}
        finder.fix()
        assert all(map(torch.equal, finder(planes), before))
        assert not torch.equal(before[1], before[2])
    assert finder.state_dict().keys() == saved.keys()
    for look in finder.looks:
        look.get_parameter("weight").data.zero_()
    assert torch.equal(finder(planes)[-1], before[-1]), "what is fixed learns no more"


def test_corrections_follow_one_another_and_where_they_begin_is_not_learnt_through():
    finder = _finder(refinements=2)
    planes = Planes(torch.rand(3, 4, 32, 32), torch.rand(3, 8, 8, 8))
    finder.fit_scale(_faces(9, 5))
    first, second, third = finder(planes)
    assert torch.equal(first, second), "a look begins with no correction"
    assert torch.equal(second, third)
    for look in finder.looks:
        assert isinstance(look, CloserLook)
        torch.nn.init.normal_(look.move.weight)
    again, second, third = finder(planes)
    assert torch.equal(again, first)
    (one, two), plane = finder.looks, planes.detail.permute(0, 2, 3, 1)
    torch.testing.assert_close(second, first + finder.scale * one(plane, first))
    torch.testing.assert_close(third, second + finder.scale * two(plane, second))
    last = list(finder.body.parameters())
    assert torch.autograd.grad(third.sum(), last, allow_unused=True) == (None,) * len(last)
    assert any(g.abs().sum() > 0 for g in torch.autograd.grad(first.sum(), last))


def test_jitter_moves_where_a_correction_begins():
    finder = _finder(68, refinements=1)
    planes = Planes(torch.rand(50, 4, 32, 32), torch.rand(50, 8, 8, 8))
    first, second = finder(planes, jitter=0.02)
    moved = second - first  # the correction itself is still nothing
    assert 0.017 < float(moved.std()) < 0.023
    assert 0.010 < float(moved.mean(1).std()) < 0.019, "half of it is of all landmarks together"
    assert torch.equal(*finder(planes))


def test_motion_is_zero_at_a_window_s_first_frame_and_has_its_size_beside_it():
    motion = torch.tensor([[[9.0, 9, 9, 9], [0.02, -0.01, 0.0, 0.04]]])
    seen = motion_input(motion)
    assert torch.equal(seen[0, 0], torch.zeros(8))
    torch.testing.assert_close(seen[0, 1], torch.tensor([1.0, -0.5, 0, 2, 1, 0.5, 0, 2]))
    assert motion_input(motion[:, :1]).shape == (1, 1, 8)
