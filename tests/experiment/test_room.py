"""Room for stage 2's latents: as much as is written, and one line where the disk has not that much."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning_fabric import Fabric

from anclaf.core.errors import OutputError
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.engine import run_jobs, train_run
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import RunSpec
from anclaf.experiment.room import bytes_at_once, check_room, latent_bytes, room_words, size_text
from anclaf.models.spec import Variant
from tiny_run import CONFIG


def _run(corpus: PreparedCorpus, out: Path, **changes) -> RunSpec:
    return replace(RunSpec("", corpus.folder, out, CONFIG), **changes)


@pytest.mark.parametrize("frozen", [True, False])
def test_it_is_what_is_written(corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: bool):
    config = CONFIG.changed({"stage2.combiner_lr_scale": 0.0 if frozen else 0.1})
    run = _run(corpus, tmp_path / "run", keep_latents=True, config=config)
    variants = [Variant("S", 2)]
    jobs = run_jobs(run, 0, variants, [])
    needed = latent_bytes(Fold.of(run, 0))
    train_run(Fabric(accelerator="cpu", devices=1), run, variants=variants, comparators=[])
    files = list((tmp_path / "run" / "fold0" / "latents").rglob("*.npy"))
    headers = 128 * len(files)
    assert sum(path.stat().st_size for path in files) - headers == needed == bytes_at_once(jobs)
    assert any(path.name == "view0.x.npy" for path in files) == frozen
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    check_room(jobs)  # what lies there needs no room a second time


def test_one_fold_at_a_time_unless_they_are_kept(corpus: PreparedCorpus, tmp_path: Path):
    variants = [Variant("S", 2)]
    once, kept = (run_jobs(_run(corpus, tmp_path, keep_latents=keep), None, variants, []) for keep in (False, True))
    sizes = [latent_bytes(Fold.of(_run(corpus, tmp_path), fold)) for fold in range(5)]
    assert (bytes_at_once(once), bytes_at_once(kept)) == (max(sizes), sum(sizes))
    largest = f"latents of stage 2 take {size_text(max(sizes))} on the disk at a time"
    assert room_words(once) == f"{largest}; each fold's go when its models are done"
    assert room_words(kept) == f"latents of stage 2 take {size_text(sum(sizes))} on the disk and stay"
    assert room_words(run_jobs(_run(corpus, tmp_path), 0, [Variant("base")], [])) == ""


def test_a_full_disk_is_said_before_anything_is_trained(
    corpus: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    run = _run(corpus, tmp_path / "run")
    needed = size_text(latent_bytes(Fold.of(run, 0)))
    message = rf"run: stage 2's latents take {needed} at a time, and the disk has 1 kB free; make room"
    with pytest.raises(OutputError, match=message):
        train_run(Fabric(accelerator="cpu", devices=1), run, variants=[Variant("S", 2)], comparators=[])
    assert not (tmp_path / "run" / "fold0" / "base").exists()
    train_run(Fabric(accelerator="cpu", devices=1), run, variants=[Variant("base")], comparators=[])


@pytest.mark.parametrize(("count", "text"), [(131_072, "131 kB"), (2_500_000, "2.5 MB"), (50_331_648_000, "50.3 GB")])
def test_sizes_are_read_at_a_glance(count: int, text: str):
    assert size_text(count) == text
