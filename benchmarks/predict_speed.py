"""How many frames a second go from a video file to a table, and where the time goes.

    python benchmarks/predict_speed.py CLIP --yunet FILE --variant SA-8 --repeats 5

CLIP, a video of one face, is scaled to 640x360 and repeated. The model has the paper's sizes and random weights. The
parts are timed one after another; from file to table, reading and detecting share the cores with the networks.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.stream import VideoStream
from numpy.typing import NDArray

from anclaf.config import ModelConfig, OutputOptions
from anclaf.faces.detect import Face, make_detector
from anclaf.faces.frames import read_video
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.prediction import predict_source
from anclaf.inference.source import CHUNK, open_source
from anclaf.inference.table import CsvTable
from anclaf.inference.torch_backend import TorchBackend
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

WIDTH, HEIGHT = 640, 360


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; default: the detector is Haar")
    parser.add_argument("--variant", default="SA-8")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    made = estimator(arguments.variant, arguments.yunet)
    print(f"{arguments.variant}, {made.detector.name}, {arguments.frames} frames, {arguments.threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        video = film(arguments.clip, Path(folder) / "video.mp4", arguments.frames)
        parts(made, video, Path(folder))
        for overlay in (False, True):
            rates = [whole(made, video, Path(folder), overlay) for _ in range(arguments.repeats + 1)][1:]
            what = "table and overlay" if overlay else "table"
            print(f"from file to {what}: median {statistics.median(rates):.1f} frames a second of {rounded(rates)}")
        latency(made, video)


def estimator(variant: str, yunet: Path | None, sizes: ModelConfig | None = None) -> AffectEstimator:
    """A model of random weights, with geometry as of a corpus of 68 landmarks."""
    torch.manual_seed(0)
    sizes, parsed = sizes or ModelConfig(), Variant.parse(variant)
    spec = ModelSpec(variant, sizes, -10, 10, "five-point", 25, ("none",), (), "strict", 0, {}, {}, points=68)
    network = AffectNetwork(sizes, parsed, spec.points)
    return AffectEstimator(TorchBackend(network, spec), make_detector(f"yunet:{yunet}" if yunet else "haar"))


def film(clip: Path, path: Path, frames: int) -> Path:
    """The clip, 640x360 with black borders, over and over, H.264, 25 frames a second."""
    images = [fitted(frame.image) for frame in itertools.islice(read_video(clip), frames)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "bf": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in itertools.islice(itertools.cycle(images), frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def fitted(image: NDArray[np.uint8]) -> NDArray:
    factor = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    image = cv2.resize(image, (round(image.shape[1] * factor), round(image.shape[0] * factor)))  # type: ignore
    right, below = WIDTH - image.shape[1], HEIGHT - image.shape[0]
    return cv2.copyMakeBorder(
        image, below // 2, below - below // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT
    )


def whole(made: AffectEstimator, video: Path, folder: Path, overlay: bool) -> float:
    """Frames a second."""
    began = time.perf_counter()
    output = OutputOptions(overlay=overlay, plot=False, overwrite=True)
    done = predict_source(made, open_source(video), folder, output=output)
    assert done.estimated == done.frames, f"{done.estimated} of {done.frames} frames have an estimate: not one face"
    return done.frames / (time.perf_counter() - began)


class Known:
    """A detector that has its answers ready."""

    name = "known"

    def __init__(self, faces: list[list[Face]]):
        self._faces = iter(faces)

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:  # noqa: ARG002
        return next(self._faces)


def parts(made: AffectEstimator, video: Path, folder: Path) -> None:
    """Print milliseconds a frame of each part of the work."""
    count = sum(1 for _ in read_video(video))

    def spent(name: str, work: Callable[[], list]) -> list:
        began = time.perf_counter()
        result = work()
        print(f"{name}: {1e3 * (time.perf_counter() - began) / count:.2f} ms a frame")
        return result

    spent("decode", lambda: [frame.index for frame in read_video(video)])
    frames = list(read_video(video))
    made.detect(frames[0].image)
    faces = spent("detect", lambda: [made.detect(frame.image) for frame in frames])
    known = AffectEstimator(made.backend, Known(faces)).stream(25)
    seen = spent("align", lambda: [known.see(frame.image) for frame in frames])
    stream = made.stream(25)
    stream.describe(seen[:CHUNK])
    rows = spent("networks", lambda: [r for i in range(0, count, CHUNK) for r in stream.describe(seen[i : i + CHUNK])])
    with closing(CsvTable(folder / "table.csv")) as table:
        spent("table", lambda: [table.append(row) for row in rows])
    with OverlayVideo(folder / "overlay.mp4", 25, made.spec.scale) as drawn:
        spent("overlay", lambda: [drawn.add(f.time_s, f.image, r) for f, r in zip(frames, rows, strict=True)])


def latency(made: AffectEstimator, video: Path) -> None:
    """Print how long `step` takes with a frame in memory, until its estimates are there."""
    stream, times = made.stream(25), []
    for frame in read_video(video):
        began = time.perf_counter()
        stream.step(frame.image)
        times.append(1e3 * (time.perf_counter() - began))
    p50, p99 = np.percentile(times[10:], [50, 99])
    print(f"step: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def rounded(values: list[float]) -> list[float]:
    return [round(value, 1) for value in values]


if __name__ == "__main__":
    main()
