import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_run import CONFIG

from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.progress import silent
from anclaf.data.store import PreparedCorpus
from anclaf.grid import ledger
from anclaf.grid.board import Board
from anclaf.grid.fold import Fold
from anclaf.grid.job import LATENTS, Job, RunSpec, parse_references
from anclaf.models.spec import Variant


@pytest.fixture
def jobs(corpus: PreparedCorpus, tmp_path: Path) -> dict[str, Job]:
    fold = Fold.of(RunSpec("r", corpus.folder, tmp_path / "run", CONFIG), 0)
    return {job.name: job for job in fold.jobs([Variant("SA", 4)], ["mean", "ridge-1"])}


def _names(board: Board) -> list[str]:
    return [job.name for job in board.ready()]


def test_the_graph_of_a_fold(jobs: dict[str, Job]):
    assert list(jobs) == ["base", LATENTS, "S-2", "S-4", "SA-4", "mean", "ridge-1"]
    assert jobs[LATENTS].parents == ("base",)
    assert jobs["S-2"].parents == ("base", LATENTS)
    assert jobs["SA-4"].parents == ("S-4", LATENTS)
    assert jobs["mean"].parents == ()
    assert jobs["SA-4"].id == "r/fold0/SA-4"
    assert len({job.mark for job in jobs.values()}) == len(jobs)


def test_children_wait_for_their_parents(jobs: dict[str, Job]):
    board = Board(list(jobs.values()))
    assert _names(board) == ["base", "mean", "ridge-1"]
    board.end(jobs["base"], "done")
    assert _names(board) == [LATENTS, "mean", "ridge-1"]
    board.begin(jobs["mean"])
    board.end(jobs[LATENTS], "done")
    assert _names(board) == ["S-2", "ridge-1"]


def test_a_failure_blocks_its_descendants_and_nothing_else(jobs: dict[str, Job]):
    board = Board(list(jobs.values()))
    for name in ("base", LATENTS):
        board.end(jobs[name], "done")
    jobs[LATENTS].folder.mkdir(parents=True)
    board.end(jobs["S-2"], "failed")
    assert {board.states[jobs[name].id] for name in ("S-4", "SA-4")} == {"blocked"}
    assert _names(board) == ["mean", "ridge-1"]
    assert not jobs[LATENTS].folder.exists(), "nothing waits for the latents any more"
    for name in ("mean", "ridge-1"):
        board.end(jobs[name], "done")
    assert board.over


def test_what_is_done_is_not_begun_again_and_latents_only_for_what_is_missing(jobs: dict[str, Job]):
    for name in ("base", "S-2"):
        ledger.Entry(jobs[name]).done()
    board = Board(list(jobs.values()))
    assert _names(board) == [LATENTS, "mean", "ridge-1"]
    for name in ("S-4", "SA-4"):
        ledger.Entry(jobs[name]).done()
    board = Board(list(jobs.values()))
    assert board.states[jobs[LATENTS].id] == "unneeded"
    assert _names(board) == ["mean", "ridge-1"]


def test_failed_jobs_stay_so_until_retried(jobs: dict[str, Job]):
    ledger.Entry(jobs["base"]).failed(ConfigError("no"))
    board = Board(list(jobs.values()))
    assert board.states[jobs["SA-4"].id] == "blocked"
    assert _names(board) == ["mean", "ridge-1"]
    record = ledger.read(jobs["base"])
    assert record is not None
    assert (record.state, record.error) == ("failed", "ConfigError: no")
    assert _names(Board(list(jobs.values()), retry=True))[0] == "base"
    ledger.Entry(jobs["base"]).done()
    record = ledger.read(jobs["base"])
    assert record is not None
    assert record.attempts == 2


def test_a_folder_of_another_job_is_refused(jobs: dict[str, Job]):
    ledger.Entry(replace(jobs["base"], mark="other")).done()
    with pytest.raises(StaleError, match="made with other settings"):
        Board(list(jobs.values()))
    (jobs["mean"].folder).mkdir(parents=True)
    (jobs["mean"].folder / "job.json").write_text("{")
    with pytest.raises(StaleError, match="damaged"):
        ledger.read(jobs["mean"])


_HOLD = """
import sys, time
from filelock import FileLock
lock = FileLock(sys.argv[1]); lock.acquire(); print("held", flush=True); time.sleep(60)
"""


def test_a_killed_holder_holds_nothing(jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "_WAIT_S", 0.2)
    job = jobs["base"]
    ledger.Entry(job)
    assert not ledger.is_held(job)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(job.folder / ".lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert ledger.is_held(job)
    with ledger.held(job) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    assert not ledger.is_held(job)
    with ledger.held(job) as mine:
        assert mine


def test_progress_is_noted_now_and_then(jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "_SHOW_S", 0.0)
    ledger.Entry(jobs["base"]).progress(silent)(3, 10, "base")
    record = ledger.read(jobs["base"])
    assert record is not None
    assert (record.state, record.done, record.total, record.what) == ("running", 3, 10, "base")


def test_names_of_comparators():
    assert parse_references("none") == []
    assert parse_references("ridge-1, mean") == ["mean", "ridge-1"]
    assert parse_references("cnn-ma") == ["cnn", "cnn-ma"], "the average needs its network"
    with pytest.raises(ConfigError, match="comparator 'rigde'"):
        parse_references("rigde")
