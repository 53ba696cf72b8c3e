"""Several seeds: resamples of people and seeds together against naive ones, coverage, and training's share, where the
spread of people and of trainings is known.
"""

import numpy as np
import pandas as pd
import pytest

from anclaf.evaluation.bootstrap import (
    Repeats,
    aligned,
    compare,
    draws,
    intervals,
    resampled_means,
    seed_weights,
    training_share,
)
from anclaf.evaluation.window_length import optimum
from anclaf.metrics.regression import metrics


def trainings(
    seeds: int, people: int, of_training: float, of_people: float, rng: np.random.Generator, better: float = 0.0
) -> list[pd.DataFrame]:
    """A table for each seed. The error of a person's frames is 1 + a seed's deviation + the person's: RMSE is then, to
    first order, 1 + the seed's + the mean of the people's, so that its variance is known. better: less error."""
    label, own = rng.normal(0, 2, (people, 4, 2)), rng.normal(0, of_people, people)
    names = {"clip": np.repeat([f"c{i:02d}" for i in range(people)], 4), "frame": np.tile(np.arange(4), people)}
    tables: list[pd.DataFrame] = []
    for deviation in rng.normal(0, of_training, seeds):
        error = (1 - better + deviation + own)[:, None, None]
        target, estimate = label.reshape(-1, 2), (label + error).reshape(-1, 2)
        columns = {"subject": names["clip"], "valence": target[:, 0], "arousal": target[:, 1]}
        hats = {"valence_hat": estimate[:, 0], "arousal_hat": estimate[:, 1]}
        tables.append(pd.DataFrame(names | columns | hats))
    return tables


def test_resamples_are_of_the_same_people_for_every_seed():
    tables = trainings(3, 6, 0.2, 0.3, np.random.default_rng(0))
    repeats = Repeats.of(tables, "subject", 0.0)
    counts, weights = draws(6, 20, seed=5), seed_weights(3, 20, seed=5)
    got = resampled_means(repeats.scores(counts)["valence"]["ccc"], seed=5)
    for r, count in enumerate(counts):
        people = [name for name, k in zip(repeats.seeds[0].groups, count, strict=True) for _ in range(k)]
        each = []
        for table in tables:
            rows = pd.concat([table[table["subject"] == name] for name in people])
            each.append(metrics(rows["valence_hat"].to_numpy(), rows["valence"].to_numpy())["ccc"])
        assert got[r] == pytest.approx(float(weights[r] @ each))


def test_seeds_weigh_as_often_as_drawn_and_spread_as_a_mean_of_new_ones():
    weights = seed_weights(3, 20000)
    assert weights.sum(1) == pytest.approx(np.ones(20000))
    assert set(np.round(weights.max(1), 6)) == {round(1 / 3 + np.sqrt(1.5) * (k / 3 - 1 / 3), 6) for k in (1, 2, 3)}
    values = np.array([0.1, 0.5, 0.3])
    assert (weights @ values).mean() == pytest.approx(values.mean(), abs=0.005)
    assert (weights @ values).std() == pytest.approx(values.std(ddof=1) / np.sqrt(3), rel=0.02)
    assert (seed_weights(1, 7) == 1).all()


def test_one_seed_is_as_one_table():
    (table,) = trainings(1, 8, 0.0, 0.3, np.random.default_rng(1))
    (other,) = trainings(1, 8, 0.0, 0.3, np.random.default_rng(1), better=0.5)
    repeats = Repeats.of([table], "subject", 0.0)
    assert intervals(repeats, 100) == intervals(repeats.seeds[0], 100)
    assert [one.to_json() for one in compare(table, other, 0.0, 100)] == [
        one.to_json() for one in compare([table], [other], 0.0, 100)
    ]


def test_intervals_over_people_and_seeds_cover_the_truth():
    """Over people alone they would not: training's variance is 2.4 times that of the people's mean here."""
    together = alone = 0
    for number in range(80):
        tables = trainings(6, 30, 0.06, 0.08, np.random.default_rng(number))
        low, high = intervals(Repeats.of(tables, "subject", 0.0), 300)["valence"]["rmse"]
        together += low < np.sqrt(1 + 0.06**2 + 0.08**2) < high
        (one,) = trainings(1, 30, 0.06, 0.08, np.random.default_rng(1000 + number))
        low, high = intervals(Repeats.of([one], "subject", 0.0), 300)["valence"]["rmse"]
        alone += low < np.sqrt(1 + 0.06**2 + 0.08**2) < high
    assert together >= 66, "76 of 80 expected, some fewer with six seeds"
    assert alone <= 45


def test_the_share_of_training():
    rng, shares = np.random.default_rng(2), []
    for _ in range(30):
        repeats = Repeats.of(trainings(8, 25, 0.03, 0.10, rng), "subject", 0.0)
        drawn = repeats.scores(draws(25, 300))["arousal"]["rmse"]
        shares.append(training_share(repeats.scores()["arousal"]["rmse"], drawn))
    assert np.mean(shares) == pytest.approx(0.03**2 / (0.03**2 + 0.10**2 / 25), abs=0.08)
    assert np.isnan(training_share(np.array([0.5]), np.ones((1, 10))))
    assert training_share(np.array([0.5, 0.5]), np.array([[0.4, 0.6], [0.4, 0.6]])) == 0


def test_a_difference_is_of_equal_seeds():
    """What training does to both alike does not blur it; what it does to each by itself does."""
    rng = np.random.default_rng(3)
    tables = trainings(5, 30, 0.2, 0.05, rng)
    better = [table.copy() for table in tables]
    for table in better:
        table[["valence_hat", "arousal_hat"]] -= 0.05
    found = {(c.dimension, c.metric): c for c in compare(better, tables, 0.0)}["valence", "rmse"]
    assert found.difference == pytest.approx(-0.05, abs=0.005)
    assert found.ci95[1] < 0
    assert found.training_share < 0.9
    shuffled = {(c.dimension, c.metric): c for c in compare(better[::-1], tables, 0.0)}["valence", "rmse"]
    assert shuffled.difference == pytest.approx(found.difference)
    assert np.ptp(shuffled.ci95) > 10 * np.ptp(found.ci95)
    assert shuffled.training_share > 0.99


def test_alignment_keeps_the_frames_that_all_have():
    a, b = trainings(2, 3, 0.1, 0.1, np.random.default_rng(4))
    fewer = b[b["frame"] > 0].sample(frac=1, random_state=0)
    one, other = aligned([a, fewer])
    assert len(one) == len(other) == 9
    assert (one[["clip", "frame"]].to_numpy() == other[["clip", "frame"]].to_numpy()).all()


def test_the_best_length_is_that_of_the_mean_over_seeds():
    rng = np.random.default_rng(5)
    lengths = {2: trainings(3, 20, 0.3, 0.05, rng), 8: trainings(3, 20, 0.3, 0.05, rng, better=0.4)}
    found = optimum(lengths, 0.0, 300)
    assert found is not None
    whole = {
        n: np.mean([metrics(t["valence_hat"].to_numpy(), t["valence"].to_numpy())["ccc"] for t in tables])
        for n, tables in lengths.items()
    }
    assert found.n == max(whole, key=whole.__getitem__)
    one_seed = optimum({n: tables[0] for n, tables in lengths.items()}, 0.0, 300)
    assert one_seed is not None
    (of_one,), (of_three,) = one_seed.behind.values(), found.behind.values()
    assert np.ptp(of_three) > 2 * np.ptp(of_one), "people alone vary little here, trainings much"
