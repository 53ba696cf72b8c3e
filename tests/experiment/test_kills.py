"""Runs that are killed with SIGKILL end with the same bits as those that are not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from anclaf.data.store import PreparedCorpus

_RUN = """
import sys, torch
from pathlib import Path
from lightning_fabric import Fabric
from anclaf.config import LstmConfig, ModelConfig, RunConfig, Stage1Config, Stage2Config
from anclaf.experiment.job import RunSpec
from anclaf.experiment.engine import train_run
from anclaf.models.spec import Variant
torch.set_num_threads(1)
config = RunConfig(
    lengths=(2, 4), bootstrap=50,
    model=ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(12)),
    stage1=Stage1Config(
        steps=60, batch_size=16, evaluate_every=20, checkpoint_every=5, warmup_steps=2, adversarial_interval=2),
    stage2=Stage2Config(
        steps=60, evaluate_every=4, patience=9, windows_per_step=16, augmented_views=1, warmup_steps=2,
        checkpoint_every=3))
train_run(Fabric(accelerator="cpu", devices=1), RunSpec("", Path(sys.argv[1]), Path(sys.argv[2]), config),
    variants=[Variant("SA", 4)])
"""


def _start(corpus: PreparedCorpus, out: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", _RUN, str(corpus.folder), str(out)], env=environment)


@pytest.mark.slow
def test_killed_runs_end_with_the_same_bits(make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=6, clips=2, frames=8)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _start(corpus, whole).wait(300) == 0
    kills = 0
    # in each part of the run: as soon as it has a checkpoint, and a moment later
    for part, wait in (("base", 0.0), ("S-4", 0.1), ("SA-4", 0.0)):
        process = _start(corpus, killed)
        checkpoint = killed / "fold0" / part / "checkpoint.safetensors"
        model = checkpoint.with_name("model.json")
        stamp = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and not model.exists():
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != stamp:
                time.sleep(wait)
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills == 3
    assert _start(corpus, killed).wait(300) == 0
    for part in ("base", "S-2", "S-4", "SA-4", "S-4+"):
        a, b = (load_file(run / "fold0" / part / "model.safetensors") for run in (whole, killed))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a), part
        assert (whole / "fold0" / part / "history.csv").read_text() == (
            killed / "fold0" / part / "history.csv"
        ).read_text()
    assert (whole / "metrics.json").read_text() == (killed / "metrics.json").read_text()
