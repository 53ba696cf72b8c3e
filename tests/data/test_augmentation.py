from dataclasses import replace

import numpy as np
import pytest
import torch

from anclaf.config import AugmentationConfig
from anclaf.data.augmentation import apply, draw, mirrored_points, move_points

STILL = AugmentationConfig.none()


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _dot(x: float, y: float, size: int = 64) -> torch.Tensor:
    """A picture with one soft white dot; x, y in [-1, 1]."""
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    image = torch.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / 0.004)
    return (image * 2 - 1).expand(1, 3, size, size).clone()


def _centre(image: torch.Tensor) -> torch.Tensor:
    weight = (image[0, 0] + 1).clamp_min(0) ** 2
    axis = (torch.arange(image.shape[-1]) + 0.5) * 2 / image.shape[-1] - 1
    return torch.stack([(weight * axis[None]).sum(), (weight * axis[:, None]).sum()]) / weight.sum()


def test_nothing_is_changed_when_all_is_off():
    images = torch.rand(4, 3, 32, 32) * 1.9 - 0.95
    torch.testing.assert_close(apply(images, draw(4, STILL, _rng()), _rng()), images, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(6))
def test_points_move_with_the_picture(seed: int):
    config = replace(STILL, flip=0.5, angle=10.0, scale=0.1, stretch=0.1, shift=0.05)
    changes = draw(1, config, _rng(seed))
    found = _centre(apply(_dot(0.3, -0.4), changes, _rng()))
    moved = move_points(torch.tensor([[[0.3, -0.4]]]), changes, torch.tensor([0]))[0, 0]
    torch.testing.assert_close(found, moved, atol=0.01, rtol=0)


def test_a_flip_changes_left_and_right_points():
    config = replace(STILL, flip=1.0)
    five = torch.tensor([[[-0.4, -0.3], [0.4, -0.3], [0.0, 0.1], [-0.3, 0.5], [0.35, 0.5]]])
    moved = move_points(five, draw(1, config, _rng()), mirrored_points(5))
    torch.testing.assert_close(moved[0, 0], torch.tensor([-0.4, -0.3]))
    torch.testing.assert_close(moved[0, 3], torch.tensor([-0.35, 0.5]))


@pytest.mark.parametrize("count", [5, 49, 68])
def test_mirroring_twice_is_nothing(count: int):
    partner = mirrored_points(count)
    assert torch.equal(partner[partner], torch.arange(count))


def test_49_points_are_mirrored_as_the_68_they_are_of():
    kept = np.r_[17:60, 61:64, 65:68]
    names68, names49 = mirrored_points(68).numpy(), mirrored_points(49).numpy()
    assert (kept[names49] == names68[kept]).all()


def test_a_draw_can_be_shared_by_the_frames_of_a_clip():
    images = torch.rand(1, 3, 32, 32).expand(3, -1, -1, -1) * 2 - 1
    changes = draw(2, AugmentationConfig(noise=0.0), _rng(3))
    out = apply(images, changes[torch.tensor([0, 0, 1])], _rng())
    assert torch.equal(out[0], out[1])
    assert not torch.allclose(out[0], out[2], atol=0.01)


def test_the_same_seed_gives_the_same_pictures():
    images = torch.rand(5, 3, 32, 32) * 2 - 1
    a, b = (apply(images, draw(5, AugmentationConfig(), _rng(1)), _rng(2)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.abs().max() <= 1
