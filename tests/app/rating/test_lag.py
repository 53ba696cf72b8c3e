"""How late raters answer is looked for in a process of its own, which ends when the server does."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.rating import lag
from anclaf.app.rating.lag import LagSearch
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files.carma import write_carma
from anclaf.corpora.ratings import Ratings
from anclaf.faces.detect import DETECTORS
from lookalike import talking
from whole_frame import WholeFrame

FPS = 5


def _late(folder: Path) -> Path:
    """A mouth that moves at random, and a rater who says so 1.4 s later; the table."""
    rng = np.random.default_rng(1)
    seconds = np.arange(0, 60, 1 / FPS)
    mouth = np.convolve(rng.normal(size=len(seconds) + 20), np.ones(9), "same")[: len(seconds)]
    mouth /= np.abs(mouth).max()
    talking(folder / "a.mp4", mouth.tolist(), FPS)
    said = Ratings.bins(seconds + 0.2, 100 * np.interp(seconds - 1.4, seconds, mouth))
    write_carma(folder / "v.csv", replace(said, scale=LabelScale(-100, 100)), "valence", "a.mp4", datetime.now())
    table = folder / "t.csv"
    table.write_text("video,valence,arousal,rater\na.mp4,v.csv,v.csv,Ann\n")
    return table


def test_it_is_found_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(lag, "limit_memory", lambda megabytes: None)  # of this process
    DETECTORS.register("whole", lambda _: WholeFrame())
    options = {"root": str(tmp_path), "join": None, "detector": "whole", "memory_mb": 1e4}
    try:
        lag.main(str(_late(tmp_path)), json.dumps(options))
    finally:
        DETECTORS.unregister("whole")
    answer = json.loads(capsys.readouterr().out)
    assert answer["lag_s"] == pytest.approx(1.4, abs=0.21)
    assert answer["told"].startswith("raters' lag: a frame's label is what was said 1.")
    assert "nats; without a shift" in answer["told"]


def test_the_process_ends_with_the_server(tmp_path: Path):
    search = LagSearch(Limits(), "haar")
    search.close()
    with pytest.raises(RefusedError, match="the process that looked for the lag ended"):
        search.find(tmp_path / "t.csv", tmp_path, None, 1)


def test_one_at_a_time_and_not_for_ever(tmp_path: Path):
    search = LagSearch(Limits(stalled_s=0.01), "haar")
    with pytest.raises(RefusedError, match=r"no lag was found in 0\.01 s; state it"):
        search.find(tmp_path / "t.csv", tmp_path, None, 1)
    with search._one, pytest.raises(RefusedError, match="looked for already"):
        search.find(tmp_path / "t.csv", tmp_path, None, 1)
