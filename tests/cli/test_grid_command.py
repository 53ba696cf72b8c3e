import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from anclaf.cli import main as cli
from anclaf.comparators.registry import COMPARATORS
from anclaf.data.store import PreparedCorpus
from anclaf.grid.plan import GridPlan
from anclaf.recipes import ABLATIONS, RECIPES, make_run


@pytest.fixture
def corpus(make_corpus) -> PreparedCorpus:
    return make_corpus(subjects=10, clips=2, frames=8, size=64)


def _plan(corpus: PreparedCorpus, out: Path, *words: str) -> list[str]:
    return ["grid", "plan", str(corpus.folder), "--out", str(out), "--recipes", "tiny", *words]


def test_help_of_plan_lists_what_there_is(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main(["grid", "plan", "--help"])
    assert ended.value.code == 0
    # a box is drawn around, and lines are broken anywhere between words
    words = set(re.findall(r"[\w+@-]+", capsys.readouterr().out))
    assert words >= {*RECIPES, *ABLATIONS, *COMPARATORS.names()}


@pytest.mark.usefixtures("blank_pictures")
def test_plan_run_status_report(corpus: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "grid"
    assert cli.main(_plan(corpus, out, "--folds", "0,1", "--variants", "S-2", "--comparators", "mean,ridge-1")) == 0
    printed = capsys.readouterr().out
    assert f"{corpus.folder.name}/tiny/seed0/fold1: base S-2 | mean ridge-1" in printed
    assert "4 models (2 base, 2 S), 2 latent caches, 4 comparators" in printed
    assert re.search(r"latents of stage 2 take [\d.]+ [kM]B on the disk at a time; each fold's go when", printed)
    assert not (out / "runs").exists(), "a plan trains nothing"
    assert cli.main(["grid", "status", str(out)]) == 0
    assert "10 waiting" in capsys.readouterr().out
    assert cli.main(["grid", "run", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "8 done, 2 unneeded" in said.out
    assert "[10/10]" in said.err
    assert cli.main(["grid", "report", str(out)]) == 0
    assert (out / "report" / "index.html").is_file()
    assert (out / "runs" / corpus.folder.name / "tiny" / "seed0" / "report" / "index.html").is_file()


def test_a_failure_is_said_and_is_in_the_exit_code(
    corpus: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(_plan(corpus, tmp_path, "--folds", "0", "--variants", "SA-16", "--comparators", "none")) == 0
    assert cli.main(["grid", "run", str(tmp_path), "--device", "cpu"]) == 2
    said = capsys.readouterr()
    assert "2 blocked" in said.out
    assert "S-16: TrainingError: S-16: the longest training clip has 8 frames" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "nothing", "--out", "o"], "not a prepared corpus"),
        (["plan", "--out", "o"], "no corpus given"),
        (["run", "nothing"], "holds no grid"),
        (["status", "nothing"], "holds no grid"),
        (["report", "nothing"], "holds no grid"),
    ],
)
def test_errors_are_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["grid", *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_plan_for_which_the_disk_has_no_room_is_one_line(
    corpus: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    assert cli.main(_plan(corpus, tmp_path, "--folds", "0")) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "stage 2's latents take" in line
    assert not (tmp_path / "grid.json").exists()


def test_a_plan_keeps_its_settings(corpus: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = _plan(corpus, tmp_path, "tiny+no-curriculum", "--variants", "S-4", "--folds", "0")
    changes = ["--config.stage1.steps", "7", "--config.lengths", "2", "4"]
    assert cli.main([*words, *changes]) == 0
    plan = GridPlan.load(tmp_path)
    assert plan.overrides == {"stage1.steps": 7, "lengths": (2, 4)}
    for run in plan.runs(tmp_path):
        assert run.config == make_run(run.recipe, 0, {"stage1.steps": 7, "lengths": [2, 4]})
    assert cli.main([*words, *changes]) == 0, "the same plan again"
    capsys.readouterr()
    for other in ([], ["--config.stage1.steps", "8", "--config.lengths", "2", "4"]):
        assert cli.main([*words, *other]) == 2
        assert "another plan" in capsys.readouterr().err
    assert cli.main([*words, *changes, "--seeds", "0", "1"]) == 0, "it may be extended"


def test_bad_plans(corpus: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for words, message in (
        (["--folds", "first"], "expected all, or numbers"),
        (["--folds", "7"], "expected 0 to 4"),
        (["--comparators", "rigde"], "comparator 'rigde'"),
        (["--variants", "S8"], "expected base, S-n, SA-n, with n"),
    ):
        assert cli.main(_plan(corpus, tmp_path, *words)) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "grid.json").exists()
