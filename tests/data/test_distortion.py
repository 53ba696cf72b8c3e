import pytest
import torch

from anclaf.data import distortion
from anclaf.data.distortion import KINDS, distort


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_about_half_are_distorted():
    images = torch.rand(400, 3, 32, 32) * 2 - 1
    changed = (distort(images, _rng()) != images).flatten(1).any(1).float().mean()
    assert 0.4 < changed < 0.6
    assert torch.equal(distort(images, _rng(), 0.0), images)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", range(3))
def test_every_kind_stays_in_range_and_shape(kind: str, level: int):
    images = torch.rand(6, 3, 64, 64) * 2 - 1
    out = distortion._distorted(images, kind, level, _rng())
    assert out.shape == images.shape
    assert out.abs().max() <= 1 + 1e-5
    assert not torch.allclose(out, images)


def test_noise_is_clipped_not_wrapped():
    white = torch.ones(8, 3, 32, 32)
    assert distortion._distorted(white, "noise", 2, _rng()).min() > 0


@pytest.mark.parametrize(("level", "variance"), [(0, 0.001), (1, 0.005), (2, 0.01)])
def test_noise_has_the_variance_of_the_authors_code(level: int, variance: float):
    grey = torch.zeros(16, 3, 64, 64)
    out = distortion._distorted(grey, "noise", level, _rng())
    assert float((out / 2).var()) == pytest.approx(variance, rel=0.05)


def test_blur_keeps_the_mean_and_takes_the_detail():
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    out = distortion._distorted(images, "blur", 2, _rng())
    assert float(out.mean()) == pytest.approx(float(images.mean()), abs=0.02)
    assert out.var() < images.var() / 5
