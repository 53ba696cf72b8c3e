"""Faces a second of the encoder, and windows a second of the head: torch, ONNX, and ONNX with an eight-bit encoder.

    python benchmarks/backends.py --sizes starter paper --threads 1 2

Each round runs one after the other on the same faces; medians of the rounds' rates, and of each round's ratio to torch.
With `--clock cpu` and one thread, seconds are those that the process had of the processor: on a machine that does other
work too, that is nearer to what it would do alone.
The starter model's sizes are of starter/SA-8 as it comes; the paper's are of the recipe `paper`, SA-16, random weights,
and landmarks of 68 points. Eight-bit scales are of random faces: for speed alone.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.inference.backend import Backend
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.inference.torch_backend import TorchBackend
from anclaf.models.folder import model_folder
from anclaf.models.io import load_model
from anclaf.models.network import AffectNetwork
from anclaf.models.onnx_graph import encoder_graph, head_graph, longest_window, metadata_of, quantised, with_metadata
from anclaf.models.spec import ModelSpec, Variant
from anclaf.recipes import make_run

_LANDMARKS = 68
COLUMNS = ("model", "threads", "faces/s torch", "onnx", "int8", "windows/s torch", "onnx")
"""Of the table of `rates`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=("starter", "paper"), default=["starter", "paper"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--faces", type=int, default=16, help="at once, as in prediction")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: by the processor's time")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{processor()}, {os.cpu_count()} cores, load {load} before; torch {torch.__version__}")
    for sizes in arguments.sizes:
        rates(sizes, arguments.threads, arguments.faces, arguments.rounds, clock)


def rates(
    sizes: str, all_threads: Sequence[int], faces: int, rounds: int, clock: Callable[[], float]
) -> list[list[str]]:
    """Print them; return rows of `COLUMNS`."""
    network, spec = starter() if sizes == "starter" else paper()
    encoder, head = encoder_graph(network), head_graph(network)
    side, about = spec.model.image_size, metadata_of(network, spec)
    crops = np.random.default_rng(0).integers(0, 256, (faces, side, side, 3), np.uint8)
    eight = quantised(encoder, [crops])
    files = [with_metadata(one, about) for one in (encoder, eight, head)]
    print(f"{sizes}: {spec.variant}, {side} pixels; bytes of the encoder {len(encoder)}, of eight bits {len(eight)}")
    rows: list[list[str]] = []
    for threads in all_threads:
        torch.set_num_threads(threads)
        made: dict[str, Backend] = {
            "torch": TorchBackend(network, spec),
            "onnx": OnnxBackend(files[0], files[2], spec, None, threads),
            "int8": OnnxBackend(files[1], files[2], spec, None, threads),
        }
        seen = compare(f"{threads} threads, faces a second", made, encoding(crops), len(crops), rounds, clock)
        x, motion = windows(made["torch"], crops, longest_window(network))
        del made["int8"]
        said = compare(f"{threads} threads, windows a second", made, estimating(x, motion), len(x), rounds, clock)
        found = [seen[name] for name in ("torch", "onnx", "int8")] + [said[name] for name in ("torch", "onnx")]
        rows.append([f"{spec.variant}, {sizes} sizes", str(threads), *(f"{one:.0f}" for one in found)])
    return rows


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(one) + " |" for one in (columns, *rows)]
    return "\n".join([lines[0], "|---" * len(columns) + "|", *lines[1:]])


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def starter() -> tuple[AffectNetwork, ModelSpec]:
    return load_model(model_folder("starter/SA-8"))


def paper() -> tuple[AffectNetwork, ModelSpec]:
    torch.manual_seed(0)
    sizes, variant = make_run("paper").model, Variant.parse("SA-16")
    network = AffectNetwork(sizes, variant, _LANDMARKS).eval()
    spec = ModelSpec(
        str(variant), sizes, -10, 10, "five-point", 25, ("none",), (), "strict", 0, {}, {}, points=_LANDMARKS
    )
    return network, spec


def windows(backend: Backend, crops: NDArray[np.uint8], length: int) -> tuple[NDArray, NDArray]:
    """As many full windows as there are faces, of random order."""
    rng, x = np.random.default_rng(0), backend.encode(crops).x
    motion = rng.normal(0, 0.02, (len(crops), length, 4)).astype(np.float32)
    return x[rng.integers(0, len(x), (len(crops), length))], motion


def encoding(crops: NDArray[np.uint8]) -> Callable[[Backend], object]:
    return lambda backend: backend.encode(crops)


def estimating(x: NDArray, motion: NDArray) -> Callable[[Backend], object]:
    return lambda backend: backend.estimate(x, motion)


def compare(
    what: str,
    made: dict[str, Backend],
    work: Callable[[Backend], object],
    count: int,
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Print medians; return those of the rates."""
    rates: dict[str, list[float]] = {name: [] for name in made}
    for round_number in range(rounds + 1):
        for name, backend in made.items():
            began = clock()
            work(backend)
            if round_number:  # the first one warms up
                rates[name].append(count / (clock() - began))
    found = {name: statistics.median(some) for name, some in rates.items()}
    said = [f"{name} {found[name]:.0f}{ratio(rates[name], rates['torch'], name)}" for name in made]
    print(f"  {what}: {', '.join(said)}", flush=True)
    return found


def ratio(rates: Sequence[float], of: Sequence[float], name: str) -> str:
    if name == "torch":
        return ""
    return f" ({statistics.median(a / b for a, b in zip(rates, of, strict=True)):.2f} times torch)"


if __name__ == "__main__":
    main()
