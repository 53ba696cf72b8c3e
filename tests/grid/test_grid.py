import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anclaf.config import Resources
from anclaf.core.errors import ConfigError, StaleError
from anclaf.data.store import PreparedCorpus
from anclaf.experiment import job_record
from anclaf.experiment.job import Job
from anclaf.experiment.scheduler import Scheduler, State
from anclaf.grid.grid import grid_status, run_grid
from anclaf.grid.plan import GridPlan, count_words
from anclaf.recipes import RECIPES
from tiny_run import CONFIG

CPU = Resources(device="cpu")


class Seen:
    """A watcher that remembers."""

    def __init__(self, then: Callable[[Job], None] = lambda _: None):
        self.ends: list[tuple[str, State]] = []
        self.moved, self._then = 0, then

    def progress(self, job: Job, done: int, total: int, task: str, note: str = "") -> None:
        self.moved += 1

    def ended(self, job: Job, state: State, scheduler: Scheduler) -> None:
        self.ends.append((job.id, state))
        self._then(job)


@pytest.fixture(autouse=True)
def recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    def test(seed: int = 0) -> Any:
        return replace(CONFIG, seed=seed)

    monkeypatch.setitem(RECIPES, "test", test)


def _plan(*corpora: PreparedCorpus, **settings: Any) -> GridPlan:
    known: dict[str, Any] = {"recipes": ("test",), "folds": (0,), "comparators": ("mean", "ridge-1")}
    return GridPlan(tuple(str(corpus.folder) for corpus in corpora), **(known | settings))


def _metrics(out: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(out)): json.loads(path.read_text()) for path in sorted(out.glob("runs/*/*/*/metrics.json"))
    }


def test_the_papers_experiments_are_110_models_and_their_controls(make_corpus, tmp_path: Path):
    plan = GridPlan(tuple(str(make_corpus(seed=seed).folder) for seed in (0, 1)), recipes=("small",), comparators=())
    jobs = plan.jobs(plan.runs(tmp_path))
    assert count_words(jobs) == "170 models (10 base, 50 S, 50 SA, 60 controls), 10 latent caches, 0 comparators"


def test_ablations_have_the_comparators_of_their_recipe_each_trained_once(corpus: PreparedCorpus, tmp_path: Path):
    plan = _plan(
        corpus, recipes=("test", "test+no-quadrant+no-change"), variants="base", comparators=("mean", "cnn"),
        overrides={"comparators.training.steps": 2, "comparators.training.batch_size": 8},
    )  # fmt: skip
    plan.save(tmp_path)
    assert count_words(plan.jobs(plan.runs(tmp_path))) == "2 models (2 base), 0 latent caches, 4 comparators"
    run_grid(tmp_path, Seen(), resources=CPU)
    plain, cut = (tmp_path / "runs" / corpus.folder.name / run.recipe / "seed0" for run in plan.runs(tmp_path))
    first, second = (json.loads((run / "metrics.json").read_text())["comparators"] for run in (plain, cut))
    assert first == second
    assert set(second) == {"mean", "cnn"}
    # copied with its time, and not trained again
    model, copied = (run / "fold0" / "cnn" / "model.safetensors" for run in (plain, cut))
    assert copied.read_bytes() == model.read_bytes()
    assert copied.stat().st_mtime_ns == model.stat().st_mtime_ns
    assert (cut / "fold0" / "cnn" / "job.json").read_text() != (plain / "fold0" / "cnn" / "job.json").read_text()


def test_comparators_of_other_settings_or_seeds_are_trained_by_themselves(corpus: PreparedCorpus, tmp_path: Path):
    plan = _plan(corpus, seeds=(0, 1), variants="base", comparators=("mean", "cnn"))
    jobs = {job.id: job.fingerprint for job in plan.jobs(plan.runs(tmp_path))}
    of = {key: {value for job, value in jobs.items() if job.endswith(f"/{key}")} for key in ("mean", "cnn")}
    assert (len(of["mean"]), len(of["cnn"])) == (1, 2), "what is not trained does not depend on the seed"
    longer = _plan(corpus, variants="base", comparators=("cnn",), overrides={"comparators.training.steps": 3})
    (other,) = [job.fingerprint for job in longer.jobs(longer.runs(tmp_path)) if job.name == "cnn"]
    assert other not in of["cnn"]


def test_a_grid_from_plan_to_metrics(make_corpus, tmp_path: Path):
    plan = _plan(make_corpus(seed=0), make_corpus(seed=1))
    plan.save(tmp_path)
    assert GridPlan.load(tmp_path) == plan
    seen = Seen()
    scheduler = run_grid(tmp_path, seen, resources=CPU)
    # base, latents, S-2, S-4, SA-2, SA-4, S-4-direct, S-2+, S-4+, mean, ridge-1
    assert len(seen.ends) == 22
    assert {state for _, state in seen.ends} == {"done"}
    assert seen.moved > 0
    assert scheduler.over
    assert not list(tmp_path.glob("runs/*/*/*/fold0/latents"))
    metrics = _metrics(tmp_path)
    assert len(metrics) == 2
    for scores in metrics.values():
        assert set(scores["variants"]) == {"base", "S-2", "S-4", "S-2+", "S-4+", "S-4-direct", "SA-2", "SA-4"}
        assert set(scores["comparators"]) == {"mean", "ridge-1"}
    assert list(tmp_path.glob("runs/*/test/seed0/fold0/SA-4/tensorboard/events*"))
    again = Seen()
    run_grid(tmp_path, again, resources=CPU)
    assert again.ends == [], "what is done is not done again"
    for path in tmp_path.glob("runs/*/*/*/metrics.json"):  # as a driver leaves it that is killed before it scores
        path.write_text("{}")
        os.utime(path, (0, 0))
    run_grid(tmp_path, again, resources=CPU)
    assert _metrics(tmp_path) == metrics
    now = grid_status(tmp_path)
    assert now.states == {"done": 20, "unneeded": 2}
    assert not now.running
    assert now.seconds > 0


def test_a_plan_may_grow_but_not_change(corpus: PreparedCorpus, tmp_path: Path):
    _plan(corpus, folds=(0,)).save(tmp_path)
    _plan(corpus, folds=(0, 1), seeds=(0, 1)).save(tmp_path)
    with pytest.raises(StaleError, match="another plan"):
        _plan(corpus, folds=(0, 1), seeds=(0, 1), protocol="paper").save(tmp_path)
    with pytest.raises(StaleError, match="another plan"):
        _plan(corpus, folds=(1,), seeds=(0, 1)).save(tmp_path)


def test_a_plan_of_an_earlier_version(corpus: PreparedCorpus, tmp_path: Path):
    plan = _plan(corpus, comparators=("mean",))
    plan.save(tmp_path)
    content = (tmp_path / "grid.json").read_text()
    (tmp_path / "grid.json").write_text(content.replace('"comparators"', '"references"'))
    assert GridPlan.load(tmp_path) == plan


def test_bad_plans(corpus: PreparedCorpus, tmp_path: Path):
    with pytest.raises(ConfigError, match="no corpus"):
        GridPlan(())
    with pytest.raises(ConfigError, match="two corpora are called"):
        GridPlan((str(corpus.folder), str(corpus.folder)))
    with pytest.raises(ConfigError, match="holds no grid"):
        GridPlan.load(tmp_path)
    (tmp_path / "grid.json").write_text('{"corpora": []')
    with pytest.raises(StaleError, match="damaged"):
        GridPlan.load(tmp_path)
    with pytest.raises(ConfigError, match="recipe 'none'"):
        _plan(corpus, recipes=("none",)).runs(tmp_path)


def test_a_failed_run_blocks_its_descendants_and_the_rest_goes_on(corpus: PreparedCorpus, tmp_path: Path):
    # clips have 9 frames, so that there is no window of 16
    _plan(corpus, variants="S-4,SA-16").save(tmp_path)
    seen = Seen()
    run_grid(tmp_path, seen, resources=CPU)
    ends = {key.rpartition("/")[2]: state for key, state in seen.ends}
    assert ends == dict.fromkeys(("base", "latents", "S-2", "S-4", "mean", "ridge-1"), "done") | {"S-16": "failed"}
    now = grid_status(tmp_path)
    assert now.states["blocked"] == 2, "SA-16, and S-16+"
    [(job, record)] = now.failed
    assert (job.name, record.state) == ("S-16", "failed")
    assert "the longest training clip has 9 frames" in record.error
    assert list(_metrics(tmp_path)), "what was done is scored"
    again = Seen()
    run_grid(tmp_path, again, resources=CPU)
    assert again.ends == []
    run_grid(tmp_path, again, resources=CPU, retry=True)
    assert dict(again.ends)[job.id] == "failed"
    tried = job_record.read(job.files)
    assert tried is not None
    assert tried.attempts == 2


_DRIVE = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tiny_run import CONFIG
from anclaf.config import Resources
from anclaf.grid.grid import run_grid
from anclaf.recipes import RECIPES
RECIPES["test"] = lambda seed=0: replace(CONFIG, seed=seed)
class Silent:
    def progress(self, *_): ...
    def ended(self, job, state, scheduler): print(job.id, state, flush=True)
run_grid(Path(sys.argv[1]), Silent(), resources=Resources(device="cpu"))
"""


@pytest.mark.slow
def test_killed_drivers_change_no_number(corpus: PreparedCorpus, tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for out in (whole, killed):
        _plan(corpus).save(out)
    run_grid(whole, Seen(), resources=CPU)
    kills = 0
    for count in (1, 2, 2):
        driver = subprocess.Popen(
            [sys.executable, "-c", _DRIVE, str(killed), str(Path(__file__).parents[1])],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert driver.stdout is not None
        for _ in range(count):
            driver.stdout.readline()
        time.sleep(random.uniform(0, 0.1))
        kills += driver.poll() is None
        driver.kill()
        driver.wait()
    assert kills == 3
    run_grid(killed, Seen(), resources=CPU)
    assert _metrics(killed) == _metrics(whole)


@pytest.mark.thorough
def test_two_ray_nodes_and_a_killed_worker_change_no_number(cluster, corpus: PreparedCorpus, tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    for out in (here, there):
        _plan(corpus).save(out)
    run_grid(here, Seen(), resources=CPU)
    killed: list[int] = []

    def kill_one(job: Job) -> None:
        for other, record in grid_status(there).running:
            if not killed and record.pid != os.getpid() and other.name != job.name:
                os.kill(record.pid, signal.SIGKILL)
                killed.append(record.pid)

    class Killing(Seen):
        def progress(self, job: Job, done: int, total: int, task: str, note: str = "") -> None:
            super().progress(job, done, total, task, note)
            kill_one(Job(job.run, job.fold, "", "model", (), ""))

    seen = Killing(kill_one)
    scheduler = run_grid(there, seen, engine="ray", resources=CPU, address=cluster.address)
    assert killed
    assert not {"failed", "blocked"} & set(scheduler.states.values())
    assert _metrics(there) == _metrics(here)


def test_ray_says_what_is_missing(corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _plan(corpus).save(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'anclaf\[ray\]'"):
        run_grid(tmp_path, Seen(), engine="ray", resources=CPU)
    with pytest.raises(ConfigError, match="engine: got 'slurm'; expected one of local, ray"):
        run_grid(tmp_path, Seen(), engine="slurm", resources=CPU)  # type: ignore[arg-type]
