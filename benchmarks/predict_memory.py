"""How much memory a long video takes from file to table: the peak of its first minute and that of all of it.

    python benchmarks/predict_memory.py CLIP --yunet FILE --minutes 20 --image-size 32

CLIP, a video of one face, is scaled to 640x360 and its packets are repeated. The model has random weights, and the
paper's sizes but for the image's. Memory is the peak of the process's resident set as Linux counts it.
"""

import argparse
import tempfile
import time
from pathlib import Path

import av
import cv2
import torch
from predict_speed import estimator, film

from anclaf.config import ModelConfig, OutputOptions
from anclaf.inference.prediction import predict_source
from anclaf.inference.source import open_source

FPS = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; default: the detector is Haar")
    parser.add_argument("--variant", default="SA-8")
    parser.add_argument("--image-size", type=int, default=128, help="a smaller one is faster")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--overlay", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    made = estimator(arguments.variant, arguments.yunet, ModelConfig(image_size=arguments.image_size))
    frames = round(arguments.minutes * 60 * FPS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = repeated(film(arguments.clip, folder / "once.mp4", 75), folder / "video.mp4", frames)
        peaks: list[float] = []

        def progress(done: int, total: int, task: str, note: str = "") -> None:  # noqa: ARG001
            if done == min(60 * FPS, frames):
                peaks.append(peak())

        Path("/proc/self/clear_refs").write_text("5")  # what was needed to make the video does not count
        began = time.perf_counter()
        output = OutputOptions(overlay=arguments.overlay)
        result = predict_source(made, open_source(video), folder / "out", output=output, progress=progress)
        took = time.perf_counter() - began
        peaks.append(peak())
    assert result.estimated == frames, f"{result.estimated} estimates in {frames} frames: not one face"
    print(f"{arguments.variant}, image {arguments.image_size}, {made.detector.name}, {frames} frames in {took:.0f} s")
    print(f"peak after the first minute {peaks[0]:.0f} MiB, at the end {peaks[1]:.0f} MiB")
    print(f"difference: {peaks[1] - peaks[0]:.1f} MiB")


def peak() -> float:
    """MiB; of the resident set since it was last reset."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def repeated(once: Path, path: Path, frames: int) -> Path:
    """The packets of a video again and again."""
    with av.open(str(once)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        time_base = packets[0].time_base
        with av.open(str(path), "w") as out:
            stream = out.add_stream_from_template(container.streams.video[0])
            step = sum(packet.duration or 0 for packet in packets) // len(packets)
            for k in range(frames):
                packet = packets[k % len(packets)]
                packet.stream, packet.pts, packet.dts = stream, k * step, k * step
                packet.time_base = time_base
                out.mux(packet)
    return path


if __name__ == "__main__":
    main()
