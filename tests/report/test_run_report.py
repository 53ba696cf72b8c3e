"""The page: its numbers are the run's, its pictures exist, what is missing is said, and nothing in it can run."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anclaf.config import CorpusKind
from anclaf.core.errors import AnclafError, OutputError, RunError
from anclaf.data.store import PreparedCorpus, restate
from anclaf.metrics.regression import METRICS
from anclaf.report.published import DIMENSIONS
from anclaf.report.run_report import write_report
from fake_run import VARIANTS, FakeRun
from page import Page

pytestmark = pytest.mark.usefixtures("blank_pictures")
"""But for those of `page`, which is made before."""
SMALL = FakeRun(clips=4, frames=26)
ONE = replace(SMALL, clips=1)
BARE = replace(ONE, variants=("base",))
"""One clip, and only the base model: few pictures, so that a test is quick."""


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SMALL.write(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int, str]]:
    return []


@pytest.fixture(scope="module")
def page(run: Path, steps: list[tuple[int, int, str]]) -> Page:
    path = write_report(run, progress=lambda done, total, task, note="": steps.append((done, total, task)))
    assert path == run / "report" / "index.html"
    return Page(path)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return BARE.write(tmp_path)


def test_numbers_in_the_table_are_the_runs(page: Page, run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    for name in VARIANTS:
        row = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', page.source)
        assert row is not None
        cells = re.findall(r"<td[^>]*>(?:<b>)?([^<]*)(?:</b>)?(?:<small>([^<]*)</small>)?</td>", row[1])
        assert len(cells) == 15
        for (metric, dimension), (value, interval) in zip(
            ((m, d) for m in METRICS for d in DIMENSIONS), cells, strict=True
        ):
            entry = metrics["variants"][name][dimension]
            low, high = entry["ci95"][metric]
            assert value == f"{entry[metric]:.3f}"
            assert [float(x) for x in json.loads(re.sub(r"(?<!\d)\.", "0.", interval))] == pytest.approx(
                [low, high], abs=6e-4
            )


def test_best_is_bold(page: Page) -> None:
    row = re.search(r'<tr><th scope="row">SA-4</th>(.*?)</tr>', page.source)
    assert row is not None
    assert row[1].count("<b>") >= 12, "it was made the best"
    assert row[1].count("<b>") == row[1].count('best"')


def test_comparators_have_their_own_group(page: Page) -> None:
    group = re.search(r'<tbody class="comparator">(.*?)</tbody>', page.source)
    assert group is not None
    assert re.findall(r'<th scope="row">(.*?)</th>', group[1]) == [
        "training mean",
        "ridge on landmarks, 1 frame",
        "ridge on landmarks, 8 frames",
    ]
    assert "–" in group[1]


def test_nothing_undefined_is_printed_as_a_number(page: Page, run: Path) -> None:
    texts = page.text, (run / "report" / "table.md").read_text(), (run / "report" / "table.tex").read_text()
    config = page.text.index("The whole configuration")
    for text in (texts[0][:config], *texts[1:]):
        assert not re.search(r"\b(nan|None|null|inf)\b", text)


def test_every_picture_exists_and_says_what_it_is(page: Page) -> None:
    images = page.attributes("img")
    assert len(images) == 9
    for image in images:
        assert len(image["alt"] or "") > 30
    names = [image["src"] for image in images] + [source["srcset"] for source in page.attributes("source")]
    assert len(set(names)) == 18, "a light and a dark one each"
    for name in names:
        assert name is not None
        assert (page.folder / name).stat().st_size > 1000
    assert {"figure-2.svg", "figure-3.png", "figure-4.png", "motion.svg", "losses.svg", "window.svg"} <= {
        Path(str(n)).name for n in names
    }


def test_page_stands_alone(page: Page) -> None:
    """Static: no script, nothing loaded, links go into the page or beside it."""
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe", "object"}]
    assert not re.search(r"https?:|@import|url\(|javascript:", page.source)
    anchors = {attrs.get("id") for _, attrs in page.tags}
    for link in page.attributes("a"):
        target = str(link["href"])
        assert target[1:] in anchors if target.startswith("#") else (page.folder / target).is_file()


def test_page_is_for_phones_and_for_the_dark(page: Page) -> None:
    assert any(meta.get("name") == "viewport" for meta in page.attributes("meta"))
    assert "prefers-color-scheme: dark" in page.source
    assert page.attributes("html")[0]["lang"] == "en"


def test_comparisons_are_told_in_words_and_numbers(page: Page) -> None:
    assert "SA-4 is better than base in arousal CCC (+0.210 [0.160, 0.260], p < 0.001)." in page.sections["pairs"]
    assert "Between SA-4 and base no difference is shown in valence CCC" in page.sections["pairs"]
    assert "−" in page.sections["pairs"]
    assert "All 18 comparisons" in page.sections["pairs"]


def test_page_says_what_it_does_not_show(page: Page) -> None:
    assert "Real people: those of this corpus are drawn by this program" in page.sections["limits"]
    assert "AFEW-VA and SEWA, the paper's databases" in page.sections["limits"]
    assert "published no weights" in page.sections["limits"]
    assert "S-8, S-16, S-32, SA-8" in page.sections["limits"]
    assert "tested here are 1 (fold 0)" in page.sections["limits"]
    assert "what a person feels" in page.sections["use"]
    assert "Article 5(1)(f)" in page.sections["use"]
    assert "published" not in page.sections["table"]


def test_corpus_is_named(page: Page) -> None:
    for place in (page.sections["table"], page.sections["corpus"]):
        assert "people_1" in place
        assert "0123456789abcdef" in place
        assert "104 frames" in place
    assert "corrupt image: 2" in page.sections["corpus"]


def test_progress_reaches_its_end(page: Page, steps: list[tuple[int, int, str]]) -> None:
    assert steps == [(done, 18, "report") for done in range(19)]


def test_only_the_base_model(bare: Path) -> None:
    page = Page(write_report(bare))
    assert "there is no window to vary" in page.sections["window"]
    assert "No SA variant was trained" in page.sections["attention"]
    assert "Not drawn, because not trained: S-n, SA-n" in page.sections["curves"]
    assert "One variant was trained: base." in page.sections["summary"]
    assert "no paired comparisons" in page.sections["pairs"]
    assert {Path(str(image["src"])).stem for image in page.attributes("img")} == {
        "curves-1",
        "losses",
    }


def test_a_kind_of_another_package_is_shown_as_the_others_are(tmp_path: Path) -> None:
    """And without that package: a report is read where it is not installed."""
    page = Page(
        write_report(replace(SMALL, variants=("GRU-2", "GRU-4", "S-4", "base"), attending="GRU").write(tmp_path))
    )
    group = re.search(r'<tbody class="measured">(.*?)</tbody>', page.source)
    assert group is not None
    assert re.findall(r'<th scope="row">(.*?)</th>', group[1]) == ["base", "S-4", "GRU-2", "GRU-4", "GRU-AVG"]
    assert "the 4 variants trained" in page.sections["summary"].lower()
    assert re.search(r"GRU-[24], \d+ ms at 25 frames a second, has the highest CCC of GRU-n", page.sections["window"])
    assert "Estimates of base, S-4, GRU-" in page.sections["curves"]
    assert "GRU-4 − S-4" in page.sections["pairs"]
    assert "S-4 against GRU-4 through clip" in page.sections["attention"]
    assert "All GRU-n through clip" in page.sections["attention"]
    pictures = {Path(str(image["src"])).stem: str(image["alt"]) for image in page.attributes("img")}
    assert {"figure-3-GRU", "figure-4-GRU", "motion", "window"} <= pictures.keys()
    assert "of base, S-4, GRU-2, GRU-4 over the training steps" in pictures["losses"]


def test_quadrants_stand_beside_the_prior(bare: Path) -> None:
    assert "Quadrants" not in Page(write_report(bare)).source
    prior = {"accuracy": 0.31, "balanced_accuracy": 0.25, "cross_entropy": 1.3862, "frames": 90}
    test = {"accuracy": 0.48, "balanced_accuracy": 0.462, "cross_entropy": 1.21, "frames": 90, "prior": prior}
    train = test | {"accuracy": 0.617, "frames": 200}
    for scores, words in ((test, "Q tells more than the prior"), (test | {"cross_entropy": 1.4}, "Q tells no more")):
        parts = {"test": scores, "train": train}
        whole = {name: one | {"subjects": 3, "folds": [{"fold": 0} | one]} for name, one in parts.items()}
        change(bare / "metrics.json", lambda content, whole=whole: content.update(quadrants=whole))
        source = Page(write_report(bare)).source
        assert words in source
        assert "balanced accuracy is 0.462 where the prior&#x27;s is 0.250" in source
        assert re.search(r'<th scope="row">test</th><td>3</td><td>90</td><td>0\.480</td><td>0\.310</td>', source)
        assert "0.617" in source


def test_another_place(bare: Path, tmp_path: Path) -> None:
    path = write_report(bare, tmp_path / "else" / "where")
    assert path == tmp_path / "else" / "where" / "index.html"
    assert not (bare / "report").exists()


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>&<img src=x onerror=alert(2)>'
    run = BARE.write(tmp_path)
    change(run / "metrics.json", lambda content: content["corpus"].update(name=evil, notes=[evil], source=evil))
    change(run / "run.json", lambda content: content.update(recipe=evil))
    path = run / "fold0" / "base" / "predictions.parquet"
    table = pd.read_parquet(path)
    table.assign(clip=evil + table["clip"]).to_parquet(path)
    page = Page(write_report(run))
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert all(str(image["src"]).startswith("images/") for image in page.attributes("img"))
    assert evil in page.sections["table"], "shown as it is written"
    assert "<script>" not in (run / "report" / "table.md").read_text()


def test_published_rows_beside_ours_on_a_corpus_in_the_papers_layout(tmp_path: Path) -> None:
    run = replace(BARE, name="copy", source="afew-va", kind="real").write(tmp_path)
    page = Page(write_report(run))
    group = re.search(r'<tbody class="published">(.*?)</tbody>', page.source)
    assert group is not None
    assert '<th scope="row">ANCLaF-SA-8</th><td class="first"><b>2.481</b></td>' in group[1]
    assert "measured by the authors on AFEW-VA under another protocol" in page.sections["table"]
    assert "This corpus has 1 clip where AFEW-VA has 600" in page.sections["table"]
    assert "Whether this corpus is AFEW-VA itself" in page.sections["limits"]


def test_of_unknown_people_the_papers_table_stands_apart(tmp_path: Path) -> None:
    run = replace(BARE, name="copy", source="afew-va", kind="unknown").write(tmp_path)
    page = Page(write_report(run))
    measured, apart = page.source.split('aria-label="Results table"')[1:3]
    assert "ANCLaF-SA-8" not in measured
    assert "ANCLaF-SA-8" in apart
    assert 'class="measured"' not in apart.split("</table>")[0]
    assert "Table 1 of the paper (AFEW-VA), which may not be of this corpus" in page.sections["table"]
    assert "with `--kind real` (only its card changes) and then report again" in page.sections["table"]
    assert "ANCLaF-SA-8" not in (run / "report" / "table.md").read_text()
    assert "Whether the people of this corpus are real" in page.sections["limits"]
    assert "not stated whether real or rendered" in page.sections["corpus"]


@pytest.mark.parametrize("kind", ["synthetic", "drawn"])
def test_nothing_published_is_on_the_page_of_rendered_people(tmp_path: Path, kind: CorpusKind) -> None:
    run = replace(BARE, name="copy", source="sewa", kind=kind).write(tmp_path)
    page = Page(write_report(run))
    assert "ANCLaF-SA-8" not in page.source
    assert "not filmed" in page.sections["table"]
    assert "Real people: those of this corpus are" in page.sections["limits"]


def test_a_kind_stated_after_the_run_is_the_runs(tmp_path: Path) -> None:
    run = replace(BARE, name="copy", source="afew-va", kind="unknown").write(tmp_path)
    restate(PreparedCorpus.open(tmp_path / "copy"), "real")
    assert '<tbody class="published">' in Page(write_report(run)).source
    restate(PreparedCorpus.open(tmp_path / "copy"), "synthetic")
    assert "ANCLaF-SA-8" not in Page(write_report(run)).source
    change(tmp_path / "copy" / "corpus.json", lambda content: content.update(fingerprint="f" * 16, kind="real"))
    assert "it has not been stated" in Page(write_report(run)).source, "that is another corpus by now"


@pytest.mark.parametrize(("source", "kind"), [("puppet", "people drawn by this program"), ("afew-va", "not stated")])
def test_a_run_of_before_there_was_a_kind(tmp_path: Path, source: str, kind: str) -> None:
    run = replace(BARE, source=source).write(tmp_path)
    for path in (run / "run.json", run / "metrics.json"):
        change(path, lambda content: content["corpus"].pop("kind"))
        change(path, lambda content: content["corpus"].update(format=1))
    change(tmp_path / "people_1" / "corpus.json", lambda content: content.pop("kind"))
    change(tmp_path / "people_1" / "corpus.json", lambda content: content.update(format=1))
    page = Page(write_report(run))
    assert kind in page.sections["corpus"]
    assert '<tbody class="published">' not in page.source.split("<details>")[0]


def test_without_the_corpus_there_are_no_faces(tmp_path: Path) -> None:
    run = replace(ONE, variants=("SA-4",)).write(tmp_path)
    (tmp_path / "people_1").rename(tmp_path / "moved")
    page = Page(write_report(run))
    assert (
        "Faces and the motion of the landmarks are left out: the prepared corpus is no longer where it was"
        in page.sections["attention"]
    )
    assert {Path(str(image["src"])).name for image in page.attributes("img")} >= {
        "figure-4.svg",
    }
    assert "licence" not in page.sections["attention"]


def test_faces_of_a_changed_corpus_are_not_shown(tmp_path: Path) -> None:
    run = replace(ONE, variants=("base", "SA-4")).write(tmp_path)
    change(tmp_path / "people_1" / "corpus.json", lambda content: content.update(fingerprint="f" * 16))
    assert "its fingerprint differs" in Page(write_report(run)).sections["attention"]


def test_one_frame_to_look_back_on_is_nothing_to_show(tmp_path: Path) -> None:
    run = replace(BARE, variants=("SA-2",)).write(tmp_path)
    assert "whose weight is always 1" in Page(write_report(run)).sections["attention"]


def test_parts_that_are_gone(tmp_path: Path) -> None:
    run = replace(ONE, variants=("base", "SA-4")).write(tmp_path)
    (run / "fold0" / "SA-4" / "attention.npz").unlink()
    (run / "fold0" / "SA-4" / "history.csv").unlink()
    page = Page(write_report(run))
    assert "weights of SA-4 are not in the run's folder" in page.sections["attention"]
    assert "Without a history.csv, and so left out: SA-4" in page.sections["training"]
    for path in (run / "fold0").glob("*/predictions.parquet"):
        path.unlink()
    page = Page(write_report(run))
    assert "has no predictions, so no curves" in page.sections["curves"]
    assert [Path(str(image["src"])).stem for image in page.attributes("img")] == ["window"]


def test_stills_have_no_curves(tmp_path: Path) -> None:
    run = replace(BARE, clips=30, frames=1).write(tmp_path)
    for path in (run / "metrics.json", run / "run.json"):
        change(path, lambda content: content["corpus"].update(fps=0.0))
    page = Page(write_report(run))
    assert "these are stills" in page.sections["curves"]
    assert "stills" in page.sections["corpus"]


def test_protocols_are_not_mixed_up(bare: Path) -> None:
    change(bare / "metrics.json", lambda content: content.update(protocol="paper"))
    text = Page(write_report(bare)).sections["summary"]
    assert "the scores are too good for people who were never seen" in text
    assert "not seen in training" not in text


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"not a run \(no run.json here\); expected the folder given to `anclaf train --out`"
    ):
        write_report(tmp_path)
    with pytest.raises(RunError, match="not a run"):
        write_report(tmp_path / "absent")


def test_no_metrics_yet(bare: Path) -> None:
    (bare / "metrics.json").unlink()
    with pytest.raises(RunError, match=r"no metrics\.json yet; let `anclaf train` finish"):
        write_report(bare)
    assert not (bare / "report").exists()


@pytest.mark.parametrize(
    "content",
    ['{"variants": {', "[]", "{}", '{"variants": {}, "corpus": {}}', '{"variants": {"base": 3}, "corpus": {}}'],
)
def test_damaged_metrics(bare: Path, content: str) -> None:
    (bare / "metrics.json").write_text(content)
    with pytest.raises(AnclafError, match="again"):
        write_report(bare)


def test_damaged_results(tmp_path: Path) -> None:
    run = replace(ONE, variants=("base", "SA-4")).write(tmp_path)
    np.savez(run / "fold0" / "SA-4" / "attention.npz", weights=np.ones((3, 3)), row=np.arange(3))
    with pytest.raises(RunError, match=r"attention.npz has weights \(3, 3\), predictions.parquet 26 rows of SA-4"):
        write_report(run)
    (run / "fold0" / "SA-4" / "attention.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"attention.npz: cannot be read"):
        write_report(run)
    (run / "fold0" / "base" / "history.csv").write_text("a,b\n1,2\n")
    (run / "fold0" / "SA-4" / "attention.npz").unlink()
    with pytest.raises(RunError, match=r"history.csv cannot be read"):
        write_report(run)
    (run / "fold0" / "base" / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match=r"predictions.parquet: cannot be read"):
        write_report(run)


def test_no_place_to_write(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(bare, tmp_path / "file")
