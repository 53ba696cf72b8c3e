"""Small prepared corpora, made in a moment, whose faces show valence and arousal plainly enough to be learnt."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock

from anclaf.core.files import fingerprint, write_json
from anclaf.data.store import CorpusCard, PreparedCorpus, card_json
from anclaf.faces import align

if TYPE_CHECKING:
    from doc_world import World

torch.set_num_threads(1)

SHARED = Path(__file__).parents[1].parent / "shared"
MakeCorpus = Callable[..., PreparedCorpus]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--video-cases", type=int, default=108, help="how many kinds of video are made and read back")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pictures and videos; the test is skipped where it is absent."""
    if not (SHARED / "realdata").is_dir():
        pytest.skip("no real data beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> "World":
    """What the commands of the documentation run on; made once, whichever of the processes needs it first."""
    from doc_world import World

    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "world"
    with FileLock(folder.with_suffix(".lock")):
        return World(folder) if folder.exists() else World.make(folder)


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what stands around them."""
    from doc_world import leave_pictures_blank

    leave_pictures_blank(monkeypatch)


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory: pytest.TempPathFactory) -> MakeCorpus:
    """subjects, clips each, frames a clip, size, fps -> a prepared corpus on disk."""

    def make(subjects: int = 10, clips: int = 2, frames: int = 9, size: int = 32, fps: float = 25.0, seed: int = 0):
        folder = tmp_path_factory.mktemp("corpus")
        rng = np.random.default_rng(seed)
        rows, images, landmarks = [], [], []
        grid = np.linspace(-1, 1, size)
        for number in range(subjects * clips):
            subject = number % subjects
            skin = np.random.default_rng((seed, subject)).uniform(90, 200, 3)
            label = rng.uniform(-8, 8, 2)[None] + np.cumsum(rng.normal(0, 0.8, (frames, 2)), 0)
            label = np.clip(np.round(label), -10, 10)
            for frame in range(frames):
                valence, arousal = label[frame] / 10
                mouth = 0.45 - 0.35 * valence * (grid**2)  # corners rise with valence
                image = np.tile(skin, (size, size, 1))
                image[np.abs(grid[:, None] - mouth[None]) < 0.12] = (160, 40, 50)
                image[(np.abs(grid) > 0.2)[None, :] & (np.abs(grid + 0.3) < 0.05 + 0.1 * (arousal + 1))[:, None]] = 30
                images.append(np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8))
                five = align.TEMPLATE * size + [[0, 0], [0, 0], [0, 0], [0, -2 * valence], [0, -2 * valence]]
                landmarks.append(five)
                clip = f"{number:03d}"
                rows.append((clip, f"p{subject}", -1, frame, frame / (fps or 1), *label[frame], 0, len(rows)))
        columns = ["clip", "subject", "fold", "frame", "time_s", "valence", "arousal", "shard", "offset"]
        index = pd.DataFrame(rows, columns=columns)
        (folder / "shards").mkdir()
        np.save(folder / "shards" / "00000.npy", np.stack(images))
        index.to_parquet(folder / "index.parquet")
        matrix = np.tile(np.eye(2, 3), (len(index), 1, 1))
        np.savez(folder / "geometry.npz", landmarks=np.stack(landmarks), matrix=matrix)
        card = CorpusCard(
            source="afew-va", low=-10, high=10, crop="five-point", image_size=size, fps=fps, frames=len(index),
            clips=subjects * clips, subjects=subjects, landmarks=5, detector="none", skipped={}, notes=[], options={},
            versions={}, fingerprint=fingerprint([subjects, clips, frames, size, fps, seed]),
        )  # fmt: skip
        write_json(folder / "corpus.json", card_json(card))
        return PreparedCorpus.open(Path(folder))

    return make


@pytest.fixture(scope="session")
def corpus(make_corpus: MakeCorpus) -> PreparedCorpus:
    """10 people, 20 clips of 9 frames, 32x32."""
    return make_corpus()
