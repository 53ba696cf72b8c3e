import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from anclaf.core.errors import OutputError, StaleError
from anclaf.training.latents import LatentCache, write_latents


class _Source:
    rows = np.arange(10, 20)
    views = 3

    def read(self, view: int, positions: np.ndarray) -> dict[str, np.ndarray]:
        z = (positions[:, None, None, None] + 100 * view + np.zeros((1, 2, 4, 4))).astype(np.float32)
        return {"z": z, "q": np.full((len(positions), 4), 0.25, np.float32)}


def _write(folder: Path, mark: str = "a") -> None:
    assert list(write_latents(folder, _Source(), mark, batch=4))[-1] == (30, 30)


def test_what_is_written_is_read(tmp_path: Path):
    _write(tmp_path)
    cache = LatentCache.open(tmp_path, _Source.rows, "a")
    assert cache is not None
    read = cache.read(2, np.array([7, 1]))
    assert list(read) == ["z", "q"]
    assert {values.dtype for values in read.values()} == {np.dtype(np.float16)}
    assert (read["z"][:, 0, 0, 0] == [207, 201]).all()
    assert (read["q"] == np.full((2, 4), 0.25)).all()


def test_a_stale_cache_is_refused(tmp_path: Path):
    _write(tmp_path)
    with pytest.raises(StaleError, match="of another model, corpus or augmentation"):
        LatentCache.open(tmp_path, _Source.rows, "b")


def test_a_damaged_cache_is_refused(tmp_path: Path):
    _write(tmp_path)
    (tmp_path / "latents.json").write_text("{")
    with pytest.raises(StaleError, match="damaged"):
        LatentCache.open(tmp_path, _Source.rows, "a")


def test_an_unfinished_cache_is_none(tmp_path: Path):
    writing = write_latents(tmp_path, _Source(), "a", batch=4)
    assert isinstance(writing, Generator)
    for _ in range(5):
        next(writing)
    writing.close()
    assert LatentCache.open(tmp_path, _Source.rows, "a") is None
    assert not list(tmp_path.glob(".*part"))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anclaf.training.latents.open_memmap", full)
    with pytest.raises(OutputError, match="the disk is full"):
        list(write_latents(tmp_path, _Source(), "a"))
    assert not (tmp_path / "latents.json").exists()


def test_the_card_says_what_it_is(tmp_path: Path):
    _write(tmp_path)
    card = {"fingerprint": "a", "arrays": ["z", "q"], "views": 3, "frames": 10}
    assert json.loads((tmp_path / "latents.json").read_text()) == card
