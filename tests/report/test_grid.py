"""A grid's runs in groups, and the tables over seeds and between recipes, from predictions whose spread is known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anclaf.evaluation.bootstrap import compare
from anclaf.experiment.run_folder import RunFolder
from anclaf.experiment.seed_group import SeedGroup
from anclaf.report.grid import Grid, heading_of
from anclaf.report.sections import people, quadrants, results
from anclaf.report.sections.differences import COMPARED, difference_table, differences, validation_table, verdict
from anclaf.report.sections.seeds import share_table
from anclaf.report.tables import results_table
from fake_run import FakeRun

BASE = FakeRun(clips=8, frames=20, variants=("base", "S-8"), comparators=("mean",), fold_seed=0, known=True)


def opened(folder: Path, **changes: object) -> RunFolder:
    made = replace(BASE, **changes)  # pyright: ignore[reportArgumentType]
    return RunFolder.open(made.write(folder / f"{made.recipe}-{made.seed}-{made.fold_seed}"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    root = tmp_path_factory.mktemp("grid")
    return [
        opened(root, recipe=recipe, seed=seed) for recipe in ("small", "paper", "small+no-change") for seed in (0, 1, 2)
    ]


@pytest.fixture(scope="module")
def grid(runs: list[RunFolder]) -> Grid:
    return Grid(runs, [])


def _recipes(groups: Sequence[RunFolder]) -> list[tuple[str, list[int]]]:
    return [(group.recipe, group.seeds) for group in groups]


def test_seeds_on_the_same_folds_are_one_group(grid: Grid):
    seeds = [0, 1, 2]
    assert _recipes(grid.groups) == [("paper", seeds), ("small", seeds), ("small+no-change", seeds)]
    assert heading_of(grid.groups[1]) == "Corpus people_1, recipe small, seeds 0, 1, 2"
    assert [(plain.recipe, _recipes(cuts)) for plain, cuts in grid.ablations()] == [
        ("small", [("small+no-change", seeds)])
    ]
    assert [(a.recipe, b.recipe) for a, b in grid.rivals()] == [("small", "paper")]


def test_other_folds_are_another_group(runs: list[RunFolder], tmp_path: Path):
    """Of runs of earlier versions the seed decided the folds too, so that nothing is the same people."""
    old = [opened(tmp_path, seed=seed, fold_seed=None) for seed in (0, 1)]
    grid = Grid(old, [])
    assert _recipes(grid.groups) == [("small", [0]), ("small", [1])]
    assert _recipes(grid.shown()) == [("small", [0])]
    assert [len(group) for group in grid.repeated()] == [2]
    mixed = Grid([*runs, opened(tmp_path, recipe="demo", seed=0, fold_seed=4)], [])
    assert all("demo" not in (a.recipe, b.recipe) for a, b in mixed.rivals())


def test_a_group_scores_the_mean_over_seeds(runs: list[RunFolder]):
    group = SeedGroup(runs[:3])
    for name in ("base", "S-8"):
        values = [
            float(np.mean([SeedGroup([run]).score(name, d, "ccc") for run in runs[:3]])) for d in ("valence", "mean")
        ]
        assert [group.score(name, d, "ccc") for d in ("valence", "mean")] == pytest.approx(values)
    assert group.metrics["seeds"] == [0, 1, 2]
    assert (group.metrics["frames"], group.metrics["subjects"]) == (160, 4)
    assert 0 < group.metrics["variants"]["base"]["arousal"]["training_share"]["ccc"] < 1
    assert group.metrics["comparators"]["mean"]["label"] == "training mean"
    said = " ".join(results_table(group.metrics, group.name, group.card).statements)
    assert "means over the seeds 0, 1, 2 of the training; intervals are over people and seeds together" in said
    assert "Every row is of the same 160 frames of 4 people." in said
    words = "".join(results.comparisons(group))
    assert "each model against the other of the same seed" in words
    assert '<th scope="col">training</th>' in words


def test_quadrants_are_means_over_seeds(runs: list[RunFolder]):
    assert quadrants.table(SeedGroup(runs[:2])) is None
    judged = [RunFolder.open(run.path) for run in runs[:2]]
    for run, accuracy in zip(judged, (0.4, 0.5), strict=True):
        scores = {"accuracy": accuracy, "balanced_accuracy": 0.45, "cross_entropy": 1.2, "frames": 80}
        test = scores | {"prior": scores | {"accuracy": 0.3}, "subjects": 4, "folds": []}
        vars(run)["metrics"] = {**run.metrics, "quadrants": {"test": test}}
    table = quadrants.table(SeedGroup(judged))
    assert table is not None
    assert table.rows == [["test", "4", "80", "0.450", "0.300", "0.450", "0.450", "1.200", "1.200"]]


def test_one_run_scores_as_before(runs: list[RunFolder]):
    alone = SeedGroup(runs[:1])
    assert "training_share" not in alone.metrics["variants"]["base"]["arousal"]
    assert "training_share" not in alone.metrics["paired"][0]
    assert share_table(alone) is None
    assert "training</th>" not in "".join(results.comparisons(alone))


def test_the_share_of_training_is_shown(runs: list[RunFolder]):
    table = share_table(SeedGroup(runs[:3]))
    assert table is not None
    assert [row[0] for row in table.rows] == ["base", "S-8", "training mean"]
    assert all(cell.endswith(" %") for row in table.rows[:2] for cell in row[1:])
    assert "from 3 seeds" in table.caption


def test_recipes_are_compared_seed_by_seed(grid: Grid):
    found = differences(grid.rivals(), "test")
    small, paper = ([run for run in grid.runs if run.recipe == recipe] for recipe in ("small", "paper"))
    assert [(one.name, one.model) for one in found] == [("small − paper", "base"), ("small − paper", "S-8")]
    expected = compare([run.pooled("S-8") for run in small], [run.pooled("S-8") for run in paper], 0.0)
    assert found[1].found["mean", "ccc"] in expected
    row = difference_table(found).rows[1]
    one = found[1].found["mean", "ccc"]
    assert row[2 + COMPARED.index(("mean", "ccc"))].startswith(f"{one.difference:+z.3f} [{one.ci95[0]:z.3f}, ")
    assert row[2].endswith(" %")


def test_validation_says_whether_it_could_tell(grid: Grid):
    found = differences([(cut, plain) for plain, cuts in grid.ablations() for cut in cuts], "validation")
    table = validation_table(found)
    assert table.rows[0][0] == "+no-change"
    one = found[0].found["mean", "rmse"]
    for interval, difference, words in (
        ([-0.1, 0.1], 0.02, "wider and with 0, they cannot tell"),
        ([0.001, 0.1], 0.05, "wider, though without 0"),
        ([0.04, 0.06], 0.05, "narrower, they decide"),
    ):
        assert verdict(replace(one, ci95=interval, difference=difference)).endswith(words)


def test_known_people_stand_beside_new_ones(runs: list[RunFolder]):
    group = SeedGroup(runs[:3])
    table = people.beside(group)
    assert table is not None
    assert table.heads[1:4] == ["valence, training", "valence, validation", "valence, test"]
    base = dict(zip(table.heads, table.rows[0], strict=True))
    entry = group.metrics["variants"]["base"]
    assert base["arousal, training"] == f"{entry['parts']['train']['arousal']['ccc']:.3f}" == "1.000"
    assert base["arousal, test"] == f"{entry['arousal']['ccc']:.3f}"
    assert dict(zip(table.heads, table.rows[2], strict=True))["arousal, training"] == "–", "comparators: test only"
    assert (
        "training 80 frames of 2 people, validation 80 frames of 2 people, test 160 frames of 4 people" in table.caption
    )
    valence, arousal = people.parting(group)
    assert valence.startswith("Valence: no model's training people")
    assert f"base (1.000 against {base['arousal, test']})" in arousal


def test_of_earlier_runs_nothing_is_known_of_known_people(tmp_path: Path):
    run = opened(tmp_path, known=False)
    assert people.beside(run) is None
    assert "earlier version" in "".join(people.parts(run))
