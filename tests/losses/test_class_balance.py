"""Weights of label classes: the value by hand, their mean, their limit, labels on bin edges."""

import numpy as np
import pytest
import torch

from anclaf.config import Stage1Config, Stage2Config
from anclaf.core.errors import ConfigError
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_balance import class_weights, class_weights_of


def test_inverse_frequency_by_hand():
    # valence: three frames in one bin, one in another -> 4 / (2 * 3) and 4 / (2 * 1); arousal: all in one
    target = np.array([[0.1, 0.5], [0.11, 0.5], [0.12, 0.5], [-0.9, 0.5]])
    weights = class_weights(target).of(torch.tensor(target))
    torch.testing.assert_close(weights[:, 0], torch.tensor([2 / 3, 2 / 3, 2 / 3, 2]))
    torch.testing.assert_close(weights[:, 1], torch.ones(4))


def test_mean_over_the_training_frames_is_one_and_classes_balance():
    target = np.clip(np.random.default_rng(0).normal(0.2, 0.3, (5000, 2)), -1, 1)
    weights = class_weights(target, max_weight=1e9).of(torch.from_numpy(target)).double()
    torch.testing.assert_close(weights.mean(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-5)
    index = np.minimum(((target + 1) * 5).astype(int), 9)
    for d in range(2):
        shares = np.bincount(index[:, d], weights[:, d].numpy(), minlength=10)
        np.testing.assert_allclose(shares[shares > 0], shares.max(), rtol=1e-4)


def test_limit_tames_one_odd_frame():
    target = np.zeros((10_000, 2))
    target[0] = 0.95
    free = class_weights(target, max_weight=1e9).of(torch.from_numpy(target))
    tamed = class_weights(target, max_weight=10).of(torch.from_numpy(target))
    assert free[0, 0] > 1000
    assert tamed[0, 0] == 10
    assert tamed[1, 0] == pytest.approx((10_000 - 10) / 9999)
    torch.testing.assert_close(tamed.mean(0), torch.ones(2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("max_weight", [1.0, 1.1, 1.5, 2.0, 3.0, 10.0])
@pytest.mark.parametrize("counts", [(900, 100), (5000, 300, 20, 3), (10, 10, 10), (7,), (1, 1000, 1, 40)])
def test_the_limit_is_the_largest_weight_and_the_mean_is_one(counts: tuple[int, ...], max_weight: float):
    """Rarer labels never weigh less, and those below the limit stay in inverse proportion to how often they occur."""
    labels = np.repeat(np.arange(len(counts)) / 5 - 0.9, counts)
    target = np.stack([labels, labels[::-1]], 1)
    weights = class_weights(target, max_weight=max_weight)
    of_frames = weights.of(torch.from_numpy(target)).double()
    assert float(weights.table.max()) <= max_weight + 1e-6
    torch.testing.assert_close(of_frames.mean(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6)
    of_bins = weights.table[0, : len(counts)].double().numpy()
    count = np.array(counts)
    below = of_bins < max_weight * (1 - 1e-6)
    products = (of_bins * count)[below]
    assert np.allclose(products, products[:1])
    rare_first = of_bins[np.argsort(count, kind="stable")]
    assert (np.diff(rare_first) <= 1e-6).all()


def test_a_limit_of_one_makes_every_weight_exactly_one():
    labels = np.concatenate([np.full(900, 0.1), np.full(100, 0.9)])
    weights = class_weights(np.stack([labels, labels], 1), max_weight=1)
    assert torch.equal(weights.table, torch.ones(2, 10))


def test_counts_as_printed_by_hand():
    # valence: three frames in one bin, one in another -> s * 3 and s * 1, s = 4 / (3 * 3 + 1 * 1); others never occur
    target = np.array([[0.1, 0.5], [0.11, 0.5], [0.12, 0.5], [-0.9, 0.5]])
    weights = class_weights(target, weighting="count")
    torch.testing.assert_close(weights.of(torch.tensor(target))[:, 0], torch.tensor([1.2, 1.2, 1.2, 0.4]))
    torch.testing.assert_close(weights.of(torch.tensor(target))[:, 1], torch.ones(4))
    assert (weights.table == 0).sum() == 8 + 9
    limited = class_weights(target, weighting="count", max_weight=1.1).of(torch.tensor(target))
    torch.testing.assert_close(limited[:, 0], torch.tensor([1.1, 1.1, 1.1, 0.7]))


def test_no_limit():
    target = np.zeros((10_000, 2))
    target[0] = 0.95
    free = class_weights(target, max_weight=0).of(torch.from_numpy(target))
    assert free[0, 0] == 5000
    torch.testing.assert_close(free[1, 0], torch.tensor(10_000 / (2 * 9999)))


def test_each_label_of_afew_va_has_one_of_21_classes():
    labels = np.arange(-10, 11) / 10
    target = np.repeat(np.stack([labels, labels], 1), np.arange(1, 22), axis=0)
    weights = class_weights(target, bins=21, max_weight=0)
    assert weights.table.shape == (2, 21)
    for dtype in (torch.float32, torch.float64):
        got = weights.of(torch.tensor(labels, dtype=dtype)[:, None].expand(-1, 2))
        expected = torch.from_numpy(len(target) / 21 / np.arange(1, 22)).float()
        torch.testing.assert_close(got[:, 0], expected)


@pytest.mark.parametrize("stage", [Stage1Config, Stage2Config])
def test_a_stage_s_settings_are_used(stage: type[Stage1Config] | type[Stage2Config]):
    target = np.random.default_rng(2).uniform(-1, 1, (50, 2))
    config = stage(class_bins=3, max_class_weight=0.0, class_weighting="count")
    expected = class_weights(target, 3, 0.0, "count").table
    assert torch.equal(class_weights_of(config, target).table, expected)
    assert expected.shape == (2, 3)


def test_labels_on_bin_edges_fall_alike_in_either_precision():
    # AFEW-VA's -10..10 become multiples of 0.1, every second one an edge; float32 puts (-0.8 + 1) * 5 below 1
    labels = np.arange(-10, 11) / 10
    target = np.repeat(np.stack([labels, labels], 1), np.arange(1, 22), axis=0)
    weights = class_weights(target)
    for dtype in (torch.float32, torch.float64):
        got = weights.of(torch.tensor(labels, dtype=dtype)[:, None].expand(-1, 2))
        expected_bins = [min((k + 10) // 2, 9) for k in range(-10, 11)]
        torch.testing.assert_close(got, weights.table[:, expected_bins].T)


def test_both_dimensions_have_their_own_table_and_shape_is_kept():
    rng = np.random.default_rng(1)
    target = np.stack([rng.uniform(-1, 1, 300), rng.normal(0, 0.1, 300)], 1)
    weights = class_weights(target)
    window = torch.from_numpy(target).float().reshape(30, 10, 2)
    assert weights.of(window).shape == (30, 10, 2)
    torch.testing.assert_close(weights.of(window).reshape(-1, 2), weights.of(torch.from_numpy(target)))
    swapped = class_weights(target[:, ::-1].copy())
    torch.testing.assert_close(swapped.table, weights.table.flip(0))
    assert not torch.allclose(weights.table[0], weights.table[1])


def test_bins_nobody_trained_on_weigh_as_the_heaviest_seen():
    target = np.array([[0.0, 0.0]] * 9 + [[0.5, 0.5]])
    weights = class_weights(target)
    torch.testing.assert_close(weights.of(torch.tensor([[-1.0, 1.0]])), weights.of(torch.tensor([[0.5, 0.5]])))


def test_weights_move_the_loss_towards_rare_labels():
    target = torch.cat([torch.zeros(90, 2), torch.full((10, 2), 0.9)])
    estimate = target.clone()
    estimate[90:] -= 0.3
    weights = class_weights(target.numpy())
    assert affect_loss(estimate, target, weights.of(target)).rmse > 2 * affect_loss(estimate, target).rmse


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (np.zeros((0, 2)), {}, "expected \\(N, 2\\)"),
        (np.zeros(4), {}, "expected \\(N, 2\\)"),
        (np.zeros((4, 2)), {"bins": 0}, "bins=0"),
        (np.zeros((4, 2)), {"max_weight": 0.5}, "max_weight=0.5"),
    ],
)
def test_errors(target, options, message):
    with pytest.raises(ConfigError, match=message):
        class_weights(target, **options)
