"""L_afc, the loss of valence and arousal (Eq. 10-14): RMSE + (1 - COR) + (1 - CCC) + (1 - ICC), class-weighted.

Shapes: N frames, D = 2 dimensions (valence, arousal). Everything is in the networks' units, [-1, 1].
The counterparts that score results, with NumPy, are in `metrics.regression`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from anclaf.core.arguments import checked

SMALLEST_VARIANCE = 1e-6
"""Smaller variances are replaced by this one in denominators. A standard deviation of 0.001 is negligible on a scale of
[-1, 1]; the floor bounds the gradient and leaves all larger values exact."""


class AffectLoss(NamedTuple):
    """Scalars, summed over V and A, each minimised. total = rmse + cor + ccc + icc; cor is 1 - COR, and so on."""

    total: Tensor
    rmse: Tensor
    cor: Tensor
    ccc: Tensor
    icc: Tensor


class Agreement(NamedTuple):
    """(D,) RMSE, COR, CCC and ICC of each dimension."""

    rmse: Tensor
    cor: Tensor
    ccc: Tensor
    icc: Tensor


@checked
def agreement(estimate: Tensor, target: Tensor, weight: Tensor | None = None) -> Agreement:
    """RMSE (Eq. 11), COR (Eq. 12), CCC (Eq. 13) and ICC(3,1) (Eq. 14) from weighted population moments.

    Deviation: Eq. 12-14 print `(a) - (b)` under the expectation; a covariance is meant, so it is read as a product.

    On degenerate input all values and gradients are finite: where either series is constant, COR, CCC and ICC are 0.
    Where the targets are constant they have no gradient either, so that RMSE alone moves the estimates.

    Args:
        estimate: (N, D).
        target: (N, D).
        weight: (N, D) not negative, or None for equal weights. Only its proportions within a dimension matter.

    Raises:
        ValueError: shapes that differ, or no frames.
    """
    if estimate.ndim != 2 or estimate.shape != target.shape or len(estimate) == 0:
        raise ValueError(
            f"got estimate {tuple(estimate.shape)}, target {tuple(target.shape)}; expected two (N, D), N > 0"
        )
    if weight is not None and weight.shape != target.shape:
        raise ValueError(f"got weight {tuple(weight.shape)} for target {tuple(target.shape)}; expected equal shapes")
    dtype = torch.promote_types(estimate.dtype, torch.float32)  # half precision loses the moments
    e, t = estimate.to(dtype), target.to(dtype)
    w = torch.ones_like(t) if weight is None else weight.to(dtype)
    w = w / w.sum(0).clamp_min(torch.finfo(dtype).tiny)
    mean_e, mean_t = (w * e).sum(0), (w * t).sum(0)
    de, dt = e - mean_e, t - mean_t
    var_e, var_t, covariance = (w * de**2).sum(0), (w * dt**2).sum(0), (w * de * dt).sum(0)
    square_error = (w * (e - t) ** 2).sum(0)
    deviations = (var_e.clamp_min(SMALLEST_VARIANCE) * var_t.clamp_min(SMALLEST_VARIANCE)).sqrt()
    spread = var_e + var_t
    return Agreement(
        # the root has no gradient at 0
        rmse=(square_error + 1e-12).sqrt(),
        cor=covariance / deviations,
        ccc=2 * covariance / (spread + (mean_e - mean_t) ** 2).clamp_min(SMALLEST_VARIANCE),
        icc=2 * covariance / spread.clamp_min(SMALLEST_VARIANCE),
    )


@checked
def affect_loss(estimate: Tensor, target: Tensor, weight: Tensor | None = None) -> AffectLoss:
    """L_afc (Eq. 10) of a batch, with f_i/F as the weight of each frame in each dimension's moments.

    Deviation: Eq. 10 multiplies statistics of a whole batch by class weights of single frames, which is not defined;
    here the frames are weighted inside the statistics, which is the same for RMSE and extends to the correlations.
    Eq. 10 also adds COR, CCC and ICC themselves; the loss adds 1 minus each, which falls as they rise.

    Args:
        estimate: (N, 2) valence, arousal.
        target: (N, 2).
        weight: (N, 2) from `ClassWeights.of`, or None.

    Raises:
        ValueError: shapes that differ, or no frames.

    Example:
        >>> target = torch.tensor([[0.0, 0.5], [1.0, -0.5]])
        >>> round(float(affect_loss(target, target).total), 4)
        0.0
    """
    a = agreement(estimate, target, weight)
    terms = a.rmse.sum(), (1 - a.cor).sum(), (1 - a.ccc).sum(), (1 - a.icc).sum()
    return AffectLoss(sum(terms[1:], terms[0]), *terms)
