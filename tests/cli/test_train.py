"""`anclaf train`, from the command to the update."""

import traceback
from pathlib import Path

import pytest
import torch

from anclaf.cli import main as cli


def test_six_calls_from_the_command_to_the_update(
    make_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Who reads the training from its command on passes through these functions, in this order, and no others, but for
    the check of a public function's arguments."""
    stacks: set[tuple[str, ...]] = set()
    step = torch.optim.AdamW.step

    def watched(self, *words, **named):
        package = [
            frame for frame in traceback.extract_stack() if "/anclaf/" in frame.filename and frame.name[0] != "<"
        ]
        passed = [frame for frame in package if Path(frame.filename).name != "arguments.py"]
        stacks.add(tuple(frame.name for frame in passed if Path(frame.filename).parent.name != "tests"))
        return step(self, *words, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    corpus = make_corpus(subjects=6, clips=1, frames=6, size=64)
    short = "--config.stage1.steps 2 --config.stage1.batch-size 8 --config.bootstrap 10 --comparators none --threads 1"
    words = ["train", str(corpus.folder), "--out", str(tmp_path / "run"), "--recipe", "tiny", "--variants", "S-2"]
    assert cli.main([*words, *short.split()]) == 0
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("recipe tiny, protocol strict: nobody in test is in training.")
    assert "--protocol paper, in another --out" in first
    assert second.startswith("latents of stage 2 take ")
    way = ("main", "run", "train_run", "execute_job")
    assert stacks == {(*way, stage, "fit", "run_phases") for stage in ("train_base", "train_recurrent")}
