"""Small random models, and pictures of marked people whom a detector made for them finds exactly."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from anclaf.config import AttentionConfig, LstmConfig, ModelConfig
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.faces import align
from anclaf.faces.align import CropName
from anclaf.faces.detect import Face
from anclaf.inference.estimator import AffectEstimator
from anclaf.models.io import save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

SIZES = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=8))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`model("SA-4", fps=25, low=-10, high=10, crop="five-point", lead_in=False)`: the folder of a model of random
    weights, which finds five landmarks and trusts appearance half."""

    def make(
        variant: str = "SA-4",
        fps: float = 25.0,
        low: float = -10,
        high: float = 10,
        crop: CropName = "five-point",
        lead_in: bool = False,
    ):
        folder = tmp_path_factory.mktemp("model")
        torch.manual_seed(0)
        sizes = replace(SIZES, attention=AttentionConfig("general", "present", normalise_states=True, lead_in=lead_in))
        network = AffectNetwork(sizes, Variant.parse(variant), points=5)
        network.trust.fill_(0.5)
        for parameter in network.parameters():  # so that the estimates move with the picture
            torch.nn.init.normal_(parameter, std=0.15)
        spec = ModelSpec(
            variant,
            sizes,
            low,
            high,
            crop,
            fps,
            ("test",),
            digests(["p1"]),
            "strict",
            0,
            {},
            versions(),
            points=5,
        )
        save_model(folder, network, spec)
        return folder

    return make


BESIDE = 4


class MarkDetector:
    """Finds the people that `paint` drew: each has a mark beside it that says how large it is."""

    name = "mark"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        faces = []
        for y, x in np.argwhere((image[..., 0] == 1) & (image[..., 1] == 2)).tolist():
            side = float(image[y, x, 2])
            left = x + BESIDE
            faces.append(Face((left, y, side, side), align.TEMPLATE * side + (left, y), 0.9))
        return sorted(faces, key=lambda face: -face.area)


def paint(people: Sequence[tuple[int, int, int, int]], frame: int = 0, size: tuple[int, int] = (160, 120)) -> NDArray:
    """(H, W, 3) uint8 picture of people (who, x, y, side), whose faces change from frame to frame."""
    width, height = size
    image = np.full((height, width, 3), 60, np.uint8)
    for who, x, y, side in people:
        face = np.random.default_rng(who).integers(40, 220, (8, 8, 3)).astype(float)
        face += np.random.default_rng((who, frame)).normal(0, 12, face.shape)
        large = Image.fromarray(np.clip(face, 10, 255).astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
        image[y : y + side, x : x + side] = np.asarray(large)[: height - y, : width - x]
        image[y, x - BESIDE] = (1, 2, side)
    return image


@pytest.fixture
def estimator(model: Callable[..., Path]) -> Callable[..., AffectEstimator]:
    """`estimator("SA-4", …)`: a random model with `MarkDetector`."""

    def make(variant: str = "SA-4", **settings: object) -> AffectEstimator:
        return AffectEstimator.load(model(variant, **settings), detector=MarkDetector())

    return make


@pytest.fixture(scope="session")
def painted() -> Callable[..., NDArray]:
    """`painted(people, frame)`: as `paint`."""
    return paint


@pytest.fixture
def comings_and_goings() -> list[NDArray]:
    """40 frames: one person throughout but for a short and a long gap; another from frame 10 to 30, smaller."""
    frames = []
    for k in range(40):
        people = []
        if k not in (5, 6, *range(15, 22)):
            people.append((1, 10 + k // 2, 30, 60))
        if 10 <= k < 30:
            people.append((2, 100, 20, 48))
        frames.append(paint(people, k))
    return frames


@pytest.fixture
def folder_of() -> Callable[[Path, Sequence[NDArray]], Path]:
    """`folder_of(path, frames)`: a folder of PNG files, the frames of a video."""

    def write(path: Path, frames: Sequence[NDArray]) -> Path:
        path.mkdir(parents=True)
        for k, frame in enumerate(frames):
            Image.fromarray(frame).save(path / f"{k}.png")
        return path

    return write
