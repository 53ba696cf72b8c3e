"""The report over a grid: each run in its place, ablations and seeds against what they belong to, what lacks said."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.core.errors import RunError
from anclaf.evaluation.bootstrap import compare
from anclaf.report.grid_report import write_grid_report
from fake_run import FakeRun
from page import Page

pytestmark = pytest.mark.usefixtures("blank_pictures")
"""But for those of `page`, which is made before."""
BASE = FakeRun(clips=4, frames=8, variants=("base", "S-2"), comparators=("mean",))
RUNS = (
    ("people_1", "small", 0),
    ("people_1", "small", 1),
    ("people_1", "small+no-quadrant", 0),
    ("people_2", "small", 0),
)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GRID/runs/CORPUS/RECIPE/seedK as the grid writes them; the last has not finished."""
    root = tmp_path_factory.mktemp("grid")
    for corpus, recipe, seed in RUNS:
        made = root / "made" / f"{corpus}-{recipe}-{seed}"
        source = "afew-va" if corpus == "people_2" else "puppet"
        kind = "real" if corpus == "people_2" else "drawn"
        run = replace(BASE, name=corpus, recipe=recipe, seed=seed, source=source, kind=kind).write(made)
        shutil.copytree(run, root / "runs" / corpus / recipe / f"seed{seed}")
    for path in (root / "runs" / "people_2").rglob("metrics.json"):
        path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    (root / "runs" / "people_2" / "small" / "seed1").mkdir()
    for path in (root / "runs" / "people_1").glob("*/seed*"):  # to draw one run's own report is enough
        (path / "report").mkdir()
        (path / "report" / "index.html").write_text("")
    return root


def folders(grid: Path) -> list[Path]:
    return sorted((grid / "runs").glob("*/*/seed*"))


@pytest.fixture(scope="module")
def page(grid: Path) -> Page:
    path = write_grid_report(folders(grid), grid / "report")
    assert path == grid / "report" / "index.html"
    return Page(path)


def test_every_run_is_listed_and_linked(page: Page, grid: Path) -> None:
    links = [str(a["href"]) for a in page.attributes("a") if str(a["href"]).startswith("../runs")]
    assert links == [f"../runs/{corpus}/{recipe}/seed{seed}/report/index.html" for corpus, recipe, seed in RUNS]
    assert all((page.folder / link).is_file() for link in links)
    assert "../runs/people_2/small/seed1" in page.sections["summary"]
    assert "4 finished runs, 1 unfinished, on people_1, people_2" in page.text


def test_a_table_and_a_length_figure_for_each_corpus_and_recipe_in_its_form(page: Page) -> None:
    text = page.sections["tables"]
    assert "Corpus people_1, recipe small, seed 0" in text
    assert "Corpus people_2, recipe small, seed 0" in text
    assert "Corpus people_1, recipe small+no-quadrant, seed 0" in text
    assert "recipe small+no-quadrant" in page.sections["window"]
    first, cut, second = page.source.split('aria-label="Results table"')[1:]
    assert "SAGR" in first
    assert "training mean" in cut, "an ablation has its comparators"
    assert "SAGR" not in second
    assert "ANCLaF-SA-8" in second
    assert "ANCLaF-SA-8" not in first


def test_ablation_is_the_paired_difference(page: Page, grid: Path) -> None:
    runs = grid / "runs" / "people_1"
    tables = [
        pd.read_parquet(runs / recipe / "seed0" / "fold0" / "base" / "predictions.parquet")
        for recipe in ("small+no-quadrant", "small")
    ]
    found = {(one.dimension, one.metric): one for one in compare(*tables, middle=0.0)}
    row = re.search(r'<tr><th scope="row">\+no-quadrant</th><td>base</td>(.*?)</tr>', page.source)
    assert row is not None
    cells = re.findall("<td>(.*?)</td>", row[1])
    for cell, key in zip(
        cells, (("valence", "ccc"), ("arousal", "ccc"), ("mean", "ccc"), ("mean", "rmse")), strict=True
    ):
        low, high = found[key].ci95
        assert cell == f"{found[key].difference:+z.3f} [{low:z.3f}, {high:z.3f}]"


def test_ablation_without_predictions_is_a_dash(grid: Path, tmp_path: Path) -> None:
    shutil.copytree(grid / "runs" / "people_1", tmp_path / "people_1")
    (tmp_path / "people_1" / "small+no-quadrant" / "seed0" / "fold0" / "base" / "predictions.parquet").unlink()
    text = Page(write_grid_report(sorted(tmp_path.glob("*/*/seed*")), tmp_path / "report")).source
    assert '<th scope="row">+no-quadrant</th><td>base</td><td>–</td><td>–</td><td>–</td><td>–</td>' in text


def test_seeds_are_summed_up(page: Page, grid: Path) -> None:
    values = [
        json.loads((grid / "runs" / "people_1" / "small" / f"seed{k}" / "metrics.json").read_text())["variants"]["S-2"][
            "arousal"
        ]["ccc"]
        for k in (0, 1)
    ]
    said = f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} [{min(values):.3f}, {max(values):.3f}]"
    assert said in page.sections["seeds"]
    assert "seed 0: fold 0; seed 1: fold 0" in page.sections["seeds"]


def test_tables_beside_the_page(page: Page) -> None:
    markdown, latex = ((page.folder / f"grid.{kind}").read_text() for kind in ("md", "tex"))
    for text in (markdown, latex):
        assert "no-quadrant" in text
    assert markdown.count("\n## ") == 4
    assert latex.count(r"\begin{table*}") == latex.count(r"\end{table*}") == 5
    images = {Path(str(image["src"])).name for image in page.attributes("img")}
    assert images == {"window-1.svg", "window-2.svg", "window-3.svg"}
    assert all((page.folder / str(image["src"])).is_file() for image in page.attributes("img"))


def test_a_report_that_is_newer_than_its_run_is_left_alone(grid: Path, page: Page) -> None:
    report = folders(grid)[0] / "report" / "index.html"
    before = report.stat().st_mtime_ns
    write_grid_report(folders(grid), grid / "report")
    assert report.stat().st_mtime_ns == before


def test_alone_there_is_nothing_to_compare(grid: Path, tmp_path: Path) -> None:
    page = Page(write_grid_report([grid / "runs" / "people_1" / "small" / "seed1"], tmp_path))
    assert "No ablation is finished" in page.sections["ablations"]
    assert "No recipe has two finished seeds" in page.sections["seeds"]
    only = Page(write_grid_report([grid / "runs" / "people_1" / "small+no-quadrant" / "seed0"], tmp_path / "b"))
    assert "recipe small+no-quadrant" in only.sections["tables"]


def test_nothing_finished(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none of 1 run has a metrics\.json yet; let the grid finish one"):
        write_grid_report([tmp_path], tmp_path / "report")
    with pytest.raises(RunError, match="none of 0 runs"):
        write_grid_report([], tmp_path / "report")
    assert not (tmp_path / "report").exists()
