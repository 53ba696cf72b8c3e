"""Adversarial losses: values by hand, PyTorch's own cross-entropy, the penalty of a critic whose gradient is known."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from anclaf.config import AdversarialLoss
from anclaf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from anclaf.models.anclaf import Discriminator


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 1, 2, 2, generator=generator) * 3, torch.randn(3, 1, 2, 2, generator=generator) * 3


def test_gan_is_cross_entropy():
    real, fake = maps()
    expected = cross_entropy(real, torch.ones_like(real)) + cross_entropy(fake, torch.zeros_like(fake))
    torch.testing.assert_close(discriminator_loss("gan", real, fake), expected)
    torch.testing.assert_close(generator_loss("gan", fake), cross_entropy(fake, torch.ones_like(fake)))


def test_values_by_hand():
    zero, two = torch.zeros(2, 1, 1, 1), torch.full((2, 1, 1, 1), 2.0)
    assert discriminator_loss("gan", zero, zero).item() == pytest.approx(2 * math.log(2))
    assert discriminator_loss("wgan-gp", two, zero - 1).item() == pytest.approx(-3)
    assert generator_loss("wgan-gp", two).item() == pytest.approx(-2)


def test_minimax_is_eq_9_as_printed():
    """D's loss is -log D(I) - log(1 - D(G)), G's is log(1 - D(G)): what D loses by a fake, G gains, and no more."""
    real, fake = (x.requires_grad_() for x in maps())
    d = torch.sigmoid(fake)
    torch.testing.assert_close(generator_loss("minimax", fake), torch.log(1 - d).mean())
    assert discriminator_loss("minimax", real, fake) == discriminator_loss("gan", real, fake)
    (of_d,) = torch.autograd.grad(discriminator_loss("minimax", real, fake), fake)
    (of_g,) = torch.autograd.grad(generator_loss("minimax", fake), fake)
    torch.testing.assert_close(of_g, -of_d)
    assert generator_loss("minimax", torch.zeros(2, 1, 1, 1)).item() == pytest.approx(-math.log(2))
    certain = torch.full((2, 1, 1, 1), -30.0, requires_grad=True)
    (vanished,) = torch.autograd.grad(generator_loss("minimax", certain), certain)
    assert vanished.abs().max() < 1e-12, "the gradient of the printed loss vanishes while D wins"


def test_no_adversary_has_neither_value_nor_gradient():
    real, fake = (x.requires_grad_() for x in maps())
    for loss in (discriminator_loss("none", real, fake), generator_loss("none", fake)):
        assert loss.item() == 0
        assert not loss.requires_grad


@pytest.mark.parametrize("kind", ["gan", "wgan-gp"])
def test_d_and_g_pull_the_fake_score_opposite_ways_without_saturating(kind: AdversarialLoss):
    real, _ = maps()
    fake = torch.full((3, 1, 2, 2), -30.0, requires_grad=True)  # D is certain
    (of_d,) = torch.autograd.grad(discriminator_loss(kind, real, fake), fake)
    (of_g,) = torch.autograd.grad(generator_loss(kind, fake), fake)
    assert (of_d >= 0).all()
    torch.testing.assert_close(of_g, torch.full_like(of_g, -1 / 12))


def test_extreme_logits_stay_finite():
    big = torch.full((2, 1, 1, 1), 1e4, requires_grad=True)
    loss = discriminator_loss("gan", -big, big) + generator_loss("gan", -big)
    (gradient,) = torch.autograd.grad(loss, big)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ["gan", "minimax", "wgan-gp"])
def test_gradcheck(kind: AdversarialLoss):
    real, fake = (x.double().requires_grad_() for x in maps())
    assert torch.autograd.gradcheck(lambda r, f: discriminator_loss(kind, r, f), (real, fake))
    assert torch.autograd.gradcheck(lambda f: generator_loss(kind, f), (fake,))


def test_penalty_of_a_linear_critic_is_its_slope():
    slope = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    real, fake = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    u = torch.rand(5, 1, 1, 1)
    expected = (slope.norm() - 1) ** 2
    torch.testing.assert_close(gradient_penalty(lambda x: (x * slope).sum((1, 2, 3)), real, fake, u), expected)
    # a map whose every place is the critic is no steeper than the critic
    as_map = gradient_penalty(
        lambda x: (x * slope).sum((1, 2, 3))[:, None, None, None].expand(-1, 1, 2, 2), real, fake, u
    )
    torch.testing.assert_close(as_map, expected)
    unit = slope / slope.norm()
    assert gradient_penalty(lambda x: (x * unit).sum((1, 2, 3)), real, fake, u).item() == pytest.approx(0, abs=1e-9)


def test_penalty_is_taken_between_the_images():
    seen: list[torch.Tensor] = []

    def critic(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().sum((1, 2, 3))

    real, fake = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    penalty = gradient_penalty(critic, real, fake, torch.tensor([1.0, 0.25]).reshape(2, 1, 1, 1))
    torch.testing.assert_close(seen[0][:, 0, 0, 0], torch.tensor([1.0, 0.25]))
    # |2x| over 4 pixels: 4 and 1
    torch.testing.assert_close(penalty, torch.tensor(((4 - 1) ** 2 + 0) / 2))


def test_penalty_trains_the_discriminator_and_only_it():
    torch.manual_seed(0)
    network = Discriminator(image_size=32, width=4)
    real = torch.rand(2, 3, 32, 32)
    fake = torch.rand(2, 3, 32, 32, requires_grad=True)
    u = torch.rand(2, 1, 1, 1)
    optimiser = torch.optim.Adam([*network.body.parameters(), *network.real.parameters()], lr=1e-2)
    first = penalty = gradient_penalty(lambda x: network(x).real, real, fake, u)
    for _ in range(40):
        optimiser.zero_grad()
        penalty = gradient_penalty(lambda x: network(x).real, real, fake, u)
        penalty.backward()
        optimiser.step()
    assert fake.grad is None
    assert penalty < 0.5 * first


def test_flat_critic_has_a_finite_gradient():
    scale = torch.zeros((), requires_grad=True)
    penalty = gradient_penalty(
        lambda x: scale * x.sum((1, 2, 3)), torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2), torch.rand(2, 1, 1, 1)
    )
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert scale.grad is not None
    assert torch.isfinite(scale.grad)


def test_shapes_that_do_not_fit_are_refused():
    image = torch.zeros(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"u \(2,\)"):
        gradient_penalty(lambda x: x, image, image, torch.rand(2))
    with pytest.raises(ValueError, match="images alike"):
        gradient_penalty(lambda x: x, image, image[:1], torch.rand(2, 1, 1, 1))
