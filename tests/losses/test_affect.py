"""L_afc against hand, SciPy, pingouin and its NumPy twin; its gradients, invariances and errors."""

import math

import numpy as np
import pandas as pd
import pingouin
import pytest
import torch
from scipy.stats import pearsonr
from torch import Tensor

from anclaf.losses.affect import affect_loss, agreement
from anclaf.metrics.regression import metrics


def series(frames: int = 60, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Correlated estimates and targets (N, 2) within [-1, 1], float64."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(-0.8, 0.8, (frames, 2))
    estimate = np.clip(0.5 * target + 0.1 + rng.normal(0, 0.2, (frames, 2)), -1, 1)
    return torch.from_numpy(estimate), torch.from_numpy(target)


def test_values_worked_by_hand():
    estimate = torch.tensor([[0.0], [1.0], [0.5]])
    target = torch.tensor([[0.0], [0.5], [1.0]])
    # both have mean 1/2 and variance 1/6; products of deviations 1/4, 0, 0: covariance 1/12
    got = agreement(estimate, target)
    assert got.rmse.item() == pytest.approx(math.sqrt(1 / 6), abs=1e-6)
    assert [x.item() for x in got[1:]] == pytest.approx([0.5, 0.5, 0.5], abs=1e-6)
    # the target moved by 1/4: CCC = (1/6) / (1/3 + 1/16), the others stay
    moved = agreement(estimate, target + 0.25)
    assert moved.ccc.item() == pytest.approx((1 / 6) / (1 / 3 + 1 / 16), abs=1e-6)
    assert [moved.cor.item(), moved.icc.item()] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_cor_is_scipys_pearson():
    estimate, target = series()
    for d in range(2):
        assert agreement(estimate, target).cor[d].item() == pytest.approx(
            pearsonr(estimate[:, d], target[:, d])[0], abs=1e-6
        )


def test_icc_is_pingouins_icc3_and_variances_may_be_of_sample_or_population():
    estimate, target = series(40)
    for d in range(2):
        long = pd.DataFrame(
            {
                "frame": np.tile(np.arange(40), 2),
                "rater": np.repeat(["estimate", "target"], 40),
                "score": np.concatenate([estimate[:, d], target[:, d]]),
            }
        )
        table = pingouin.intraclass_corr(long, targets="frame", raters="rater", ratings="score")
        kind = table["Type"].astype(str).str.replace(r"[(),]", "", regex=True)
        row = table[(kind == "ICC3") | (kind == "ICCC1")]
        assert len(row) == 1
        # pingouin works from mean squares, with N - 1; it cancels in 2 cov / (var + var)
        assert agreement(estimate, target).icc[d].item() == pytest.approx(float(row["ICC"].iloc[0]), abs=1e-6)


def test_equals_its_numpy_twin():
    estimate, target = series(200, seed=3)
    got = agreement(estimate, target)
    for d in range(2):
        twin = metrics(estimate[:, d].numpy(), target[:, d].numpy())
        for name, value in got._asdict().items():
            assert value[d].item() == pytest.approx(twin[name], abs=1e-9), name


def test_weighted_moments_are_numpys_with_aweights():
    estimate, target = series(50, seed=1)
    weight = torch.from_numpy(np.random.default_rng(2).uniform(0.1, 5, (50, 2)))
    got = agreement(estimate, target, weight)
    for d in range(2):
        e, t, w = (x[:, d].numpy() for x in (estimate, target, weight))
        (var_e, cov), (_, var_t) = np.cov(e, t, aweights=w, ddof=0)
        shift = (np.average(e, weights=w) - np.average(t, weights=w)) ** 2
        assert got.cor[d].item() == pytest.approx(cov / np.sqrt(var_e * var_t), abs=1e-9)
        assert got.ccc[d].item() == pytest.approx(2 * cov / (var_e + var_t + shift), abs=1e-9)
        assert got.icc[d].item() == pytest.approx(2 * cov / (var_e + var_t), abs=1e-9)
        assert got.rmse[d].item() == pytest.approx(np.sqrt(np.average((e - t) ** 2, weights=w)), abs=1e-9)


def test_whole_weights_are_repetitions_and_only_proportions_count():
    estimate, target = series(12, seed=4)
    repeat = torch.arange(1, 13)
    weight = repeat[:, None].expand(12, 2).double()
    weighted = affect_loss(estimate, target, weight)
    repeated = affect_loss(estimate.repeat_interleave(repeat, 0), target.repeat_interleave(repeat, 0))
    torch.testing.assert_close(torch.stack(weighted), torch.stack(repeated))
    torch.testing.assert_close(
        torch.stack(weighted), torch.stack(affect_loss(estimate, target, weight * torch.tensor([3, 0.5])))
    )


def test_total_is_the_sum_of_its_terms_over_both_dimensions():
    estimate, target = series()
    got, per = affect_loss(estimate, target), agreement(estimate, target)
    assert got.total.item() == pytest.approx(sum(x.item() for x in got[1:]))
    assert got.rmse.item() == pytest.approx(per.rmse.sum().item())
    assert got.ccc.item() == pytest.approx(2 - per.ccc.sum().item())
    assert affect_loss(target, target).total.item() == pytest.approx(0, abs=1e-5)
    assert affect_loss(-target, target).cor.item() == pytest.approx(4)


def test_gradcheck():
    estimate, target = series(9, seed=5)
    weight = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    estimate.requires_grad_()
    assert torch.autograd.gradcheck(lambda e: tuple(affect_loss(e, target)), (estimate,))
    assert torch.autograd.gradcheck(lambda e: tuple(affect_loss(e, target, weight)), (estimate,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("case", ["constant estimate", "constant target", "both constant", "both equal", "one frame"])
def test_degenerate_input_has_a_finite_loss_and_gradient(case: str, dtype: torch.dtype):
    moving = series(8)[0].to(dtype)
    flat = torch.full((8, 2), 0.3, dtype=dtype)
    estimate, target = {
        "constant estimate": (flat, moving),
        "constant target": (moving, flat),
        "both constant": (flat, flat + 0.2),
        "both equal": (flat, flat),
        "one frame": (moving[:1], flat[:1]),
    }[case]
    estimate = estimate.clone().requires_grad_()
    loss = affect_loss(estimate, target)
    loss.total.backward()
    assert all(torch.isfinite(x) for x in loss)
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()
    # bounded by the floor of the variance, 1 / 0.001 for each of the three correlations
    assert estimate.grad.abs().max() < 4e3


def test_a_constant_target_rewards_nothing_but_being_near_it():
    """A small batch often has one label only: the correlations must then say nothing, whatever the estimates do."""
    target = torch.full((16, 1), 0.3)
    spread = torch.linspace(-0.5, 0.5, 16)[:, None].requires_grad_()
    got = agreement(spread, target)
    for value in got[1:]:
        assert value.item() == pytest.approx(0, abs=1e-6)
        (gradient,) = torch.autograd.grad(value.sum(), spread, retain_graph=True)
        assert gradient.abs().max() < 1e-5
    # the other dimension is not disturbed: it loses what it loses alone
    estimate, moving = (x[:, :1] for x in series(16))
    both = agreement(torch.cat([spread.detach(), estimate], 1), torch.cat([target, moving], 1))
    alone = agreement(estimate, moving)
    assert [x[1].item() for x in both] == pytest.approx([x[0].item() for x in alone])
    # collapsing to a constant is no way out either: it does not beat following the other dimension
    wrong_way = agreement(torch.full((16, 1), 0.3), moving)
    assert [x.item() for x in wrong_way[1:]] == pytest.approx([0, 0, 0], abs=1e-9)


def test_descent_from_almost_a_constant_reaches_the_targets():
    _, target = series(32, seed=7)
    estimate = 0.02 * torch.randn(32, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam([estimate.requires_grad_()], lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        affect_loss(estimate, target).total.backward()
        optimiser.step()
    assert affect_loss(estimate, target).total.item() < 0.1


def test_invariances():
    estimate, target = series()
    before = agreement(estimate, target)
    moved = agreement(0.4 * estimate - 0.2, target)
    torch.testing.assert_close(moved.cor, before.cor)
    assert (moved.ccc - before.ccc).abs().min() > 0.01
    shifted = agreement(estimate - 0.2, target)
    torch.testing.assert_close(shifted.icc, before.icc)
    assert (shifted.ccc - before.ccc).abs().min() > 0.01
    order = torch.randperm(len(target), generator=torch.Generator().manual_seed(0))
    for permuted, value in zip(agreement(estimate[order], target[order]), before, strict=True):
        torch.testing.assert_close(permuted, value)
    for swapped, value in zip(agreement(target, estimate), before, strict=True):
        torch.testing.assert_close(swapped, value)


@pytest.mark.parametrize(
    ("estimate", "target", "weight"),
    [((4, 2), (5, 2), None), ((4,), (4,), None), ((0, 2), (0, 2), None), ((4, 2), (4, 1), None)],
)
def test_shapes_that_do_not_fit_are_refused(estimate, target, weight):
    with pytest.raises(ValueError, match="expected two"):
        affect_loss(torch.zeros(estimate), torch.zeros(target), weight)


def test_a_weight_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"weight \(4,\) for target \(4, 2\)"):
        affect_loss(torch.zeros(4, 2), torch.zeros(4, 2), torch.ones(4))
