"""The recipe as-written: the paper and nothing more, trained end to end at tiny sizes; its crop and protocols."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.engine import train_run
from anclaf.experiment.job import RunSpec
from anclaf.models.spec import Variant
from anclaf.recipes import make_run

TINY: dict[str, Any] = {
    "lengths": (2, 4), "bootstrap": 20,
    "model.image_size": 32, "model.g_width": 4, "model.d_width": 4, "model.c_width": 8, "model.lstm.hidden_size": 12,
    "stage1.steps": 6, "stage1.batch_size": 16, "stage1.evaluate_every": 3, "stage1.checkpoint_every": 3,
    "stage2.steps": 4, "stage2.evaluate_every": 2, "stage2.frames_per_step": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def paper_crop(make_corpus) -> PreparedCorpus:
    """A corpus that says that its faces have the paper's crop."""
    folder = make_corpus(seed=7).folder
    card = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps(card | {"crop": "paper"}))
    return PreparedCorpus.open(folder)


def _run(corpus: PreparedCorpus, out: Path, **changes: Any) -> RunSpec:
    return RunSpec("", corpus.folder, out, make_run("as-written", 0, TINY | changes), "paper", recipe="as-written")


def test_it_trains_end_to_end(paper_crop: PreparedCorpus, tmp_path: Path):
    fabric = Fabric(accelerator="cpu", devices=1)
    scores = train_run(fabric, _run(paper_crop, tmp_path), variants=[Variant("SA", 4)], comparators=["mean"])
    assert set(scores["variants"]) == {"base", "S-2", "S-4", "S-4+", "SA-4"}
    assert scores["protocol"] == "paper"
    for entry in scores["variants"].values():
        assert np.isfinite(entry["valence"]["rmse"])
    history = (tmp_path / "fold0" / "base" / "history.csv").read_text()
    assert "landmarks" not in history


def test_another_crop_is_refused_with_what_to_do(corpus: PreparedCorpus, tmp_path: Path):
    fabric = Fabric(accelerator="cpu", devices=1)
    message = r"this run takes faces cut out in the paper way, .* has the five-point crop: prepare it with `anclaf prep"
    with pytest.raises(ConfigError, match=message):
        train_run(fabric, _run(corpus, tmp_path / "run"), variants=[Variant("base")], comparators=[])
    assert not (tmp_path / "run").exists()
    run = _run(corpus, tmp_path / "any", crop="any")
    train_run(fabric, replace(run, protocol="strict"), variants=[Variant("base")], comparators=[])
