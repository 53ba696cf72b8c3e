"""Where the time of `anclaf predict` goes, part by part, and how it grows with faces and with length.

    python benchmarks/predict_speed.py CLIP --yunet FILE --threads 1 2 --backends torch onnx --faces 1 2 4

CLIP, a video of one face, is scaled to 640x360 and repeated, for several faces several times side by side. Models: the
starter model as it comes, or one of the paper's sizes with random weights. Prints Markdown: milliseconds a frame of
each part by itself, one after the other; frames a second from the file to the table, where reading and detecting share
the cores with the networks; and `step`, a frame at a time. Rounds take all settings in turn; medians over the rounds.

With `--clock cpu` parts are in seconds that the process had of the processor, all threads together: on a machine that
does other work too, that is nearer to what it would be alone. Frames a second and `step` are of the clock on the wall.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.stream import VideoStream
from backends import paper, processor, starter, table
from numpy.typing import NDArray

from anclaf.config import ModelConfig, OutputOptions
from anclaf.faces.corrected import CorrectedDetector
from anclaf.faces.detect import Detector, Face, make_detector
from anclaf.faces.frames import read_video
from anclaf.inference.backend import Backend
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.inference.prediction import predict_source
from anclaf.inference.source import CHUNK, open_source
from anclaf.inference.table import CsvTable
from anclaf.inference.torch_backend import TorchBackend
from anclaf.models.folder import model_folder
from anclaf.models.io import load_model
from anclaf.models.network import AffectNetwork
from anclaf.models.onnx_graph import encoder_graph, head_graph, metadata_of, points_graph, with_metadata
from anclaf.models.points import BASE
from anclaf.models.spec import ModelSpec, Variant

WIDTH, HEIGHT = 640, 360
PARTS = ("decode", "detect", "align", "networks", "write")
WHOLE, P50, P99 = "file to table, frames/s", "step p50, ms", "step p99, ms"
COLUMNS = ("backend", "threads", "faces", "frames", *PARTS, WHOLE, P50, P99)
Setting = tuple[str, int, int, int]
"""Backend, threads, faces, frames."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; default: the detector is Haar")
    parser.add_argument("--sizes", choices=("starter", "paper"), default="starter")
    parser.add_argument("--backends", nargs="+", choices=("torch", "onnx"), default=["torch", "onnx"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--faces", nargs="+", type=int, default=[1])
    parser.add_argument("--frames", nargs="+", type=int, default=[150])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--overlay", action="store_true", help="frames a second with the overlay video")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    network, spec = starter() if arguments.sizes == "starter" else paper()
    detector = make_detector(f"yunet:{arguments.yunet}" if arguments.yunet else "haar")
    settings = list(itertools.product(arguments.backends, arguments.threads, arguments.faces, arguments.frames))
    found = in_turn(arguments.clip, (network, spec), detector, settings, arguments.rounds, clock, arguments.overlay)
    print(
        f"{spec.variant}, {arguments.sizes} sizes, {spec.model.image_size} pixels; {detector.name}; {WIDTH}x{HEIGHT}; ",
        end="",
    )
    print(f"{processor()}; medians of {arguments.rounds} rounds; parts in ms a frame by the {arguments.clock} clock\n")
    print(table(COLUMNS, rows(found)))


def in_turn(
    clip: Path,
    model: tuple[AffectNetwork, ModelSpec],
    detector: Detector,
    settings: Sequence[Setting],
    rounds: int,
    clock: Callable[[], float],
    overlay: bool,
) -> dict[Setting, dict[str, list[float]]]:
    """What `measured` says of each setting, round by round."""
    found: dict[Setting, dict[str, list[float]]] = {setting: defaultdict(list) for setting in settings}
    with tempfile.TemporaryDirectory() as name:
        folder, films = Path(name), dict[tuple[int, int], Path]()
        for _, _, faces, frames in settings:
            if (faces, frames) not in films:
                films[faces, frames] = film(clip, folder / f"{faces}_{frames}.mp4", frames, faces)
        for _ in range(rounds):
            for setting in settings:
                backend, threads, faces, frames = setting
                runs = load(backend, *model)
                made = AffectEstimator(runs, CorrectedDetector(detector, runs.point_finder()))
                made.backend.use_threads(threads)
                torch.set_num_threads(threads)
                cv2.setNumThreads(threads)
                for part, value in measured(made, films[faces, frames], faces, clock, overlay):
                    found[setting][part].append(value)
    return found


def rows(found: dict[Setting, dict[str, list[float]]]) -> list[list[str]]:
    """The table's, of `COLUMNS`: medians."""
    return [
        [*map(str, setting), *(f"{statistics.median(values[column]):.3g}" for column in (*PARTS, WHOLE, P50, P99))]
        for setting, values in found.items()
    ]


def load(backend: str, network: AffectNetwork, spec: ModelSpec) -> Backend:
    if backend == "torch":
        return TorchBackend(network, spec)
    about = metadata_of(network, spec)
    encoder, head = (with_metadata(graph, about) for graph in (encoder_graph(network), head_graph(network)))
    return OnnxBackend(encoder, head, spec, None, 1, points_graph(load_model(model_folder(BASE))[0]))


def estimator(variant: str, yunet: Path | None, sizes: ModelConfig | None = None) -> AffectEstimator:
    """A model of random weights, with geometry as of a corpus of 68 landmarks."""
    torch.manual_seed(0)
    sizes, parsed = sizes or ModelConfig(), Variant.parse(variant)
    spec = ModelSpec(variant, sizes, -10, 10, "five-point", 25, ("none",), (), "strict", 0, {}, {}, points=68)
    network = AffectNetwork(sizes, parsed, spec.points)
    return AffectEstimator(TorchBackend(network, spec), make_detector(f"yunet:{yunet}" if yunet else "haar"))


def film(clip: Path, path: Path, frames: int, faces: int = 1) -> Path:
    """The clip, 640x360 with black borders, over and over, H.264, 25 frames a second; so many times side by side."""
    columns = int(np.ceil(np.sqrt(faces)))
    width, height = WIDTH // columns, HEIGHT // columns
    images = []
    for frame in itertools.islice(read_video(clip), frames):
        one, image = fitted(frame.image, width, height), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for face in range(faces):
            x, y = face % columns * width, face // columns * height
            image[y : y + height, x : x + width] = one
        images.append(image)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "bf": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in itertools.islice(itertools.cycle(images), frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def fitted(image: NDArray[np.uint8], width: int, height: int) -> NDArray:
    factor = min(width / image.shape[1], height / image.shape[0])
    image = cv2.resize(image, (round(image.shape[1] * factor), round(image.shape[0] * factor)))  # type: ignore
    right, below = width - image.shape[1], height - image.shape[0]
    return cv2.copyMakeBorder(
        image, below // 2, below - below // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT
    )


class Known:
    """A detector that has its answers ready."""

    name = "known"

    def __init__(self, faces: list[list[Face]]):
        self._faces = iter(faces)

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:  # noqa: ARG002
        return next(self._faces)


def measured(
    made: AffectEstimator, video: Path, faces: int, clock: Callable[[], float], overlay: bool
) -> Iterator[tuple[str, float]]:
    """What the table's columns say of one round, by their names."""
    frames, folder = list(read_video(video)), video.parent
    count = len(frames)

    def spent(work: Callable[[], list]) -> tuple[list, float]:
        began = clock()
        result = work()
        return result, 1e3 * (clock() - began) / count

    yield "decode", spent(lambda: [frame.index for frame in read_video(video)])[1]
    made.detect(frames[0].image)
    found, took = spent(lambda: [made.detect(frame.image) for frame in frames])
    yield "detect", took
    known = AffectEstimator(made.backend, Known(found)).stream(25)
    seen, took = spent(lambda: [known.see(frame.image) for frame in frames])
    yield "align", took
    made.stream(25).describe(seen[:CHUNK])
    stream = made.stream(25)
    rows, took = spent(lambda: [r for i in range(0, count, CHUNK) for r in stream.describe(seen[i : i + CHUNK])])
    yield "networks", took
    estimated = sum(row.estimated for of_frame in rows for row in of_frame)
    assert estimated == faces * count, f"{estimated} estimates in {count} frames of {faces} faces"
    with closing(CsvTable(folder / "table.csv")) as written:
        yield "write", spent(lambda: [written.append(row) for row in rows])[1]
    began = time.perf_counter()
    output = OutputOptions(overlay=overlay, plot=False, overwrite=True)
    predict_source(made, open_source(video), folder, output=output)
    yield WHOLE, count / (time.perf_counter() - began)
    stream, times = made.stream(25), list[float]()
    for frame in frames:
        began = time.perf_counter()
        stream.step(frame.image)
        times.append(1e3 * (time.perf_counter() - began))
    yield P50, float(np.percentile(times[10:], 50))
    yield P99, float(np.percentile(times[10:], 99))


if __name__ == "__main__":
    main()
