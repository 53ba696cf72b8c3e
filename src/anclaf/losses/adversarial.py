"""The adversarial part of Eq. 9: D separates images from reconstructions, G makes ones that D takes for images.

Shapes: B images, p side of D's real/fake map (logits, or scores of a critic).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from anclaf.config import AdversarialLoss
from anclaf.core.arguments import checked


@checked
def discriminator_loss(kind: AdversarialLoss, real_map: Tensor, fake_map: Tensor) -> Tensor:
    """The loss of D.

    gan, minimax: -log D(I) - log(1 - D(G(Ĩ))), Eq. 9. wgan-gp: -D(I) + D(G(Ĩ)) (Gulrajani et al. 2017), to which the
    trainer adds `gradient_penalty`. Each is averaged over images and over the map. none: 0, without a gradient.

    Args:
        real_map: (B, 1, p, p) of images.
        fake_map: (B, 1, p, p) of reconstructions.
    """
    if kind == "none":
        return real_map.new_zeros(())
    if kind in ("gan", "minimax"):
        return softplus(-_full(real_map)).mean() + softplus(_full(fake_map)).mean()
    return _full(fake_map).mean() - _full(real_map).mean()


@checked
def generator_loss(kind: AdversarialLoss, fake_map: Tensor) -> Tensor:
    """The loss of G.

    gan: -log D(G(Ĩ)). Deviation: Eq. 9 has log(1 - D(G(Ĩ))), whose gradient vanishes while D wins; this is the
    non-saturating form of Goodfellow et al. 2014 with the same fixed point. minimax: log(1 - D(G(Ĩ))), as printed.
    wgan-gp: -D(G(Ĩ)). none: 0, without a gradient.

    Args:
        fake_map: (B, 1, p, p) of reconstructions.
    """
    if kind == "none":
        return fake_map.new_zeros(())
    if kind == "gan":
        return softplus(-_full(fake_map)).mean()
    if kind == "minimax":
        return -softplus(_full(fake_map)).mean()
    return -_full(fake_map).mean()


@checked
def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Mean of (|gradient of D at a point between| - 1)² (Gulrajani et al. 2017), without its factor (10 there).

    Deviation: the authors' code takes the gradient of the map's sum; here it is that of its mean, because the mean is
    the critic of `discriminator_loss`.

    Args:
        critic: images (B, C, H, W) -> scores (B, ...).
        real: (B, C, H, W) images.
        fake: (B, C, H, W) reconstructions.
        u: (B, 1, 1, 1) uniform in [0, 1], drawn by the caller, who owns the random state.

    Raises:
        ValueError: real and fake differ in shape, or u is not (B, 1, 1, 1).
    """
    if real.shape != fake.shape or u.shape != (len(real), 1, 1, 1):
        raise ValueError(
            f"got real {tuple(real.shape)}, fake {tuple(fake.shape)}, u {tuple(u.shape)}; "
            "expected images alike, u (B, 1, 1, 1)"
        )
    between = (u * real.detach() + (1 - u) * fake.detach()).requires_grad_()
    with torch.enable_grad():
        score = critic(between).reshape(len(real), -1).mean(1).sum()
        (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    norm = (_full(gradient).flatten(1).square().sum(1) + 1e-12).sqrt()  # the root has no gradient at 0
    return (norm - 1).square().mean()


def _full(values: Tensor) -> Tensor:
    """At least float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
