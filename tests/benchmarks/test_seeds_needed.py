"""How many seeds are needed, where the answer is known."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import seeds_needed
from scipy import stats

from anclaf.core.files import write_json
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.grid import Grid
from fake_run import FakeRun


@pytest.mark.parametrize(
    ("spread", "paired", "expected"),
    [(0.02, False, 17), (0.04, False, 64), (0.02, True, 10), (0.04, True, 34), (0.0, True, 2), (100.0, True, None)],
)
def test_the_textbook_numbers(spread: float, paired: bool, expected: int | None):
    """An effect of one and of half a standard deviation (Cohen 1988, table 2.4.1; paired: the t test of one sample)."""
    assert seeds_needed.needed(spread, 0.02, paired) == expected


def test_the_power_is_the_noncentral_t_and_rises_where_scipy_has_none():
    for seeds, spread in ((2, 0.03), (5, 0.03), (12, 0.03), (60, 0.05)):
        limit, away = stats.t.ppf(0.975, seeds - 1), 0.02 / (spread / np.sqrt(seeds))
        expected = stats.nct.sf(limit, seeds - 1, away) + stats.nct.cdf(-limit, seeds - 1, away)
        assert seeds_needed.power(spread, 0.02, seeds, True) == pytest.approx(expected, abs=1e-3)
    wanted = [seeds_needed.needed(spread, 0.02, True) for spread in np.geomspace(1e-6, 0.3, 40)]
    known = [seeds for seeds in wanted if seeds is not None]
    assert wanted == sorted(known)
    assert wanted[0] == 2


def test_the_power_is_that_of_drawn_trainings():
    rng = np.random.default_rng(0)
    drawn = rng.normal(0.02, 0.03, (4000, 12))
    t = drawn.mean(1) / (drawn.std(1, ddof=1) / np.sqrt(12))
    assert seeds_needed.power(0.03, 0.02, 12, True) == pytest.approx((np.abs(t) > 2.201).mean(), abs=0.03)


def test_the_range_holds_the_spread():
    rng, held = np.random.default_rng(1), 0
    for _ in range(300):
        low, high = seeds_needed.spread_range(rng.normal(0.6, 0.03, 3))
        held += low < 0.03 < high
    assert held / 300 == pytest.approx(0.95, abs=0.04)


BASE = FakeRun(clips=12, frames=40, variants=("base", "S-8"), comparators=(), fold_seed=0)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose training adds noise of a known size to base and S-8 alike, so that their difference does not vary."""
    root = tmp_path_factory.mktemp("grid")
    for seed in range(6):
        run = replace(BASE, name="people", seed=seed).write(root / "made" / str(seed))
        place = root / "runs" / "people" / "small" / f"seed{seed}"
        place.parent.mkdir(parents=True, exist_ok=True)
        run.rename(place)
        bias = 2.0 + 0.3 * seed
        for name, more in (("base", 0.5), ("S-8", 0.0)):
            path = place / "fold0" / name / "predictions.parquet"
            table = pd.read_parquet(path)
            for dimension in ("valence", "arousal"):
                table[f"{dimension}_hat"] = table[dimension] + bias + more
            table.to_parquet(path)
    write_json(
        root / "grid.json", {"corpora": ["people"], "recipes": ["small"], "seeds": list(range(6)), "comparators": []}
    )
    return root


def test_what_varies_between_trainings(grid: Path):
    runs = [RunFolder.open(path) for path in sorted((grid / "runs").glob("*/*/*"))]
    found = {(one.name, one.dimension): one for one in seeds_needed.found_spreads(Grid(runs, []), ["base", "S-8"])}
    assert {name for name, _ in found} == {
        "small: base, between runs", "small: S-8, between runs", "small: S-8 - base, paired"
    }  # fmt: skip
    label = pd.read_parquet(grid / "runs/people/small/seed0/fold0/base/predictions.parquet")["valence"]
    ccc = [2 * label.var(ddof=0) / (2 * label.var(ddof=0) + (2.0 + 0.3 * seed) ** 2) for seed in range(6)]
    alone = found["small: S-8, between runs", "valence"]
    assert alone.spread == pytest.approx(np.std(ccc, ddof=1))
    assert np.isnan(alone.of_people)
    pair = found["small: S-8 - base, paired", "valence"]
    assert pair.paired
    assert pair.spread < alone.spread / 5
    of_pair, of_two = seeds_needed.needed(pair.spread, 0.02, True), seeds_needed.needed(alone.spread, 0.02, False)
    assert of_pair is not None
    assert of_two is not None
    assert of_pair < of_two
    assert pair.people_needed(0.02) > 0


def test_the_command(grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["seeds_needed.py", str(grid), "--difference", "0.02"])
    seeds_needed.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seeds needed to see a difference of 0.02 in CCC"
    assert len(lines) == 2 + 3 * 2
    assert "small: S-8 - base, paired" in lines[-1]
    monkeypatch.setattr(sys, "argv", ["seeds_needed.py", str(grid), "--models", "SA-8"])
    with pytest.raises(SystemExit):
        seeds_needed.main()
    assert "no recipe of this grid has two finished seeds" in capsys.readouterr().err
