"""Many sources at once: in processes of this machine and on a cluster."""

import errno
import os
import pickle
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anclaf.config import OutputOptions, Resources
from anclaf.core import workers
from anclaf.core.errors import ConfigError
from anclaf.core.progress import silent
from anclaf.core.workers import Ended, ProcessWorkers, hand_out
from anclaf.experiment.export import export_model
from anclaf.faces.detect import Detector
from anclaf.grid import Analysis, SourceOutcome, Where, predict_sources, sources
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import open_source
from anclaf.models.folder import model_folder
from deadly import Deadly
from whole_frame import WholeFrame
from worker_jobs import beside_its_modules

pytestmark = pytest.mark.filterwarnings("ignore::anclaf.models.shipped.StarterWarning")
TABLE = OutputOptions(overlay=False, plot=False)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("exported") / "model"
    export_model(model_folder("starter/S-8"), folder)
    return folder


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Callable[..., AffectEstimator]:
    def load(backend: str = "onnx", detector: Detector | None = None) -> AffectEstimator:
        model = request.getfixturevalue("exported") if backend == "onnx" else "starter/S-8"
        return AffectEstimator.load(model, detector=detector or WholeFrame(), threads=1)

    return load


def pictures(folder: Path, tint: tuple[int, int, int] = (0, 0, 0), number: int = 9) -> str:
    """A folder of pictures that differ."""
    folder.mkdir(parents=True)
    for k in range(number):
        rng = np.random.default_rng((*folder.name.encode(), k))
        pixels = rng.integers(60, 120, (8, 8, 3)) + np.array(tint)
        Image.fromarray(pixels.astype(np.uint8)).resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
    return str(folder)


def analyse(
    estimator: AffectEstimator,
    names: dict[str, str],
    out: Path,
    where: Where,
    output: OutputOptions = TABLE,
) -> dict[str, SourceOutcome]:
    outcomes: dict[str, SourceOutcome] = {}

    def ended(outcome: SourceOutcome) -> None:
        outcomes[outcome.name] = outcome

    predict_sources(estimator, names, Analysis(out, output=output), where, ended)
    return outcomes


def content(folder: Path) -> dict[str, bytes]:
    """Of all files but overlays, whose encoder does not give the same bytes for the same pictures."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".mp4"}


def test_several_jobs_write_what_one_writes(tmp_path: Path, make: Callable[..., AffectEstimator]):
    """Beside sources that are missing, damaged, in part damaged, or met by a full disk."""
    names = {name: pictures(tmp_path / name) for name in ("a", "cut", "full", "z")}
    (tmp_path / "cut" / "4.png").write_bytes((tmp_path / "cut" / "4.png").read_bytes()[:80])
    (tmp_path / "bad.mp4").write_text("no video\n" * 100)
    names = {"bad": str(tmp_path / "bad.mp4"), "gone": str(tmp_path / "gone.mp4"), **names}
    made, found = make("torch"), []
    for jobs in (1, 2):
        (out := tmp_path / f"out{jobs}").mkdir()
        (out / "full.csv.part").symlink_to("/dev/full")
        outcomes = analyse(made, names, out, Where(jobs, threads=1), OutputOptions(overwrite=True))
        assert list(outcomes) == list(names), "in the order of the sources"
        assert "cannot be opened as a video" in outcomes["bad"].error
        assert "full.csv.part: the disk is full; nothing half-written was kept" in outcomes["full"].error
        cut = outcomes["cut"].result
        assert cut is not None
        assert "4.png: damaged image" in cut.problem
        found.append(
            [(o.error.replace(out.name, ""), o.result and (o.result.rows, o.result.notes)) for o in outcomes.values()]
        )
    assert found[0] == found[1]
    assert content(tmp_path / "out1") == content(tmp_path / "out2")
    assert sorted(content(tmp_path / "out2")) == [
        f"{n}.{s}" for n in ("a", "cut", "z") for s in ("csv", "json", "plot.png")
    ]
    assert pd.read_csv(tmp_path / "out2" / "a.csv")["valence"].nunique() > 5
    overlays = [[f.image for f in open_source(tmp_path / f"out{k}" / "a.overlay.mp4").read()] for k in (1, 2)]
    assert len(overlays[1]) == 9
    assert all(np.abs(x.astype(int) - y).mean() < 2 for x, y in zip(*overlays, strict=True))
    whole = {name: source for name, source in names.items() if name in ("a", "z")}
    again = analyse(made, whole, tmp_path / "out2", Where(threads=1), OutputOptions(resume=True))
    assert [o.result and o.result.kept for o in again.values()] == [9, 9], "complete, for one job too"


def test_a_video_whose_process_is_killed_is_done_again(
    tmp_path: Path, make: Callable[..., AffectEstimator], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workers, "LOSSES", 2)
    red, blue = pictures(tmp_path / "red", (120, 0, 0), 30), pictures(tmp_path / "blue", (0, 0, 120))
    names = {"red": red, "blue": blue, "a": pictures(tmp_path / "a")}
    outcomes = analyse(make(detector=Deadly(tmp_path / "flag")), names, tmp_path / "out", Where(2, threads=1))
    assert (
        outcomes["blue"].error
        == f"{blue}: the process that did it died again and again, perhaps because memory ran out"
    )
    assert outcomes["red"].result is not None
    del names["blue"]
    whole = make()
    analyse(whole, names, tmp_path / "whole", Where(threads=1))
    for name in ("red.csv", "a.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert outcomes["red"].result.kept in (8, 16), "it went on from its checkpoint"
    assert not [
        path for path in (tmp_path / "out").iterdir() if path.name.startswith("red.csv.") or ".bookmark" in path.name
    ]


def test_processes_of_an_exported_model_import_no_torch(tmp_path: Path, make: Callable[..., AffectEstimator]):
    setup = partial(sources._worker, pickle.dumps(make()), 1, Analysis(tmp_path / "out", output=TABLE))
    processes = ProcessWorkers(partial(beside_its_modules, setup), 1, silent)
    try:
        while not processes.free():
            processes.wait(1)
        processes.start(sources._Source("a", pictures(tmp_path / "a")))
        while not (ended := processes.wait(1)):
            pass
    finally:
        processes.close()
    outcome, torch = ended[0].result
    assert outcome.result.estimated == 9
    assert not torch


class Instant:
    """Workers whose jobs end as they begin, the first of all at the end."""

    def __init__(self) -> None:
        self._first: Ended | None = None
        self._ended: list[Ended] = []

    def free(self) -> int:
        return 2 - len(self._ended) - (self._first is not None)

    def start(self, job: Any) -> None:
        ended = Ended(job, SourceOutcome(job.id))
        if self._first is None:
            self._first = ended
        else:
            self._ended.append(ended)

    def wait(self, seconds: float) -> list[Ended]:
        now, self._ended = self._ended, []
        if not now and self._first is not None:
            now, self._first = [self._first], None
        return now

    def stop(self) -> list[Ended]:
        return []

    def close(self) -> None: ...


def test_ten_thousand_sources_are_handed_out_in_order_and_at_once():
    names = {str(k): f"{k}.mp4" for k in range(10_000)}
    told: list[str] = []
    began = time.process_time()
    hand_out(sources._Sources(names, lambda outcome: told.append(outcome.name), silent), Instant())
    assert told == list(names)
    assert time.process_time() - began < 2


def test_settings_without_effect_are_refused():
    with pytest.raises(ConfigError, match="jobs 0: expected 1 or more"):
        Where(0)
    with pytest.raises(ConfigError, match="jobs has no effect with engine ray"):
        Where(2, ray=Resources())
    with pytest.raises(ConfigError, match="address has no effect without engine ray"):
        Where(address="auto")


def test_threads_are_divided_among_the_jobs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "cores", lambda: 7)
    assert Where(3).for_sources(100) == Where(3, threads=2)
    assert Where(100).for_sources(9) == Where(9, threads=1)
    assert Where(3).for_sources(1) == Where(1)
    assert Where(3, threads=4).for_sources(100) == Where(3, threads=4)
    assert Where(ray=Resources(2)).for_sources(100).threads == 2


def test_ctrl_c_stops_all_even_where_the_disk_is_full(
    tmp_path: Path, make: Callable[..., AffectEstimator], monkeypatch: pytest.MonkeyPatch
):
    names = {name: pictures(tmp_path / name) for name in ("a", "z")}
    outcomes: list[SourceOutcome] = []

    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        raise KeyboardInterrupt

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr("anclaf.inference.outputs.write_json", full)
    with pytest.raises(KeyboardInterrupt):
        predict_sources(
            make(), names, Analysis(tmp_path / "out", output=TABLE), Where(threads=1), outcomes.append, interrupt
        )
    (one,) = outcomes
    assert (one.name, one.stopped) == ("a", True)
    assert "a.csv: the disk is full" in one.error
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_a_cluster_writes_what_one_process_writes(cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make):
    names = {name: pictures(tmp_path / name) for name in ("red", "a")}
    (tmp_path / "bad.mp4").write_text("no video\n" * 100)
    names["bad"] = os.path.relpath(tmp_path / "bad.mp4")
    where = Where(ray=Resources(1), address=cluster.address)
    with pytest.raises(ConfigError, match="engine ray is for files"):
        analyse(make("torch"), {"camera": "v4l2:/dev/video0"}, tmp_path / "out", where)
    outcomes = analyse(make("torch"), names, tmp_path / "out", where, OutputOptions(overlay=False))
    assert list(outcomes) == list(names)
    assert "bad.mp4: cannot be opened as a video" in outcomes["bad"].error
    analyse(make("torch"), names, tmp_path / "whole", Where(threads=1), OutputOptions(overlay=False))
    assert content(tmp_path / "out") == content(tmp_path / "whole")
