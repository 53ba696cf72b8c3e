"""The embedded corpus: drawn people in the layout of AFEW-VA, which its reader reads.

It shows and tests every step from a labelled corpus to an evaluated model without other data, and says nothing about
real people. Who is drawn is in `person`, how they move in `affect`, where their features are in `face`, shading in
`light`, and the picture in `draw`.
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, OutputError
from anclaf.core.files import atomic_path
from anclaf.core.processes import in_processes
from anclaf.core.progress import Progress, silent
from anclaf.synthetic.draw import MIN_SIDE, film
from anclaf.synthetic.person import person

FPS = 25.0
"""Frames a second of the corpus; AFEW-VA is assumed to have as many."""

_CLIPS_A_FOLDER = 50
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to write a clip."""

    out: Path
    seed: int
    clip: int
    subject: int
    frames: tuple[int, int]
    size: tuple[int, int]


@checked
def write_puppet(
    out: Path,
    *,
    clips: int = 60,
    subjects: int = 24,
    frames: tuple[int, int] = (32, 48),
    seed: int = 0,
    size: tuple[int, int] = (192, 160),
    workers: int = 1,
    progress: Progress = silent,
) -> None:
    """Draw a corpus: `out/01/001/00000.png`, …, `out/01/001/001.json`; whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        clips: 1 to 999, divided as evenly as possible among the subjects.
        subjects: people, each in at least one clip.
        frames: of the shortest and of the longest clip.
        seed: decides every pixel and every label, whatever the number of workers.
        size: width and height of a frame in pixels.
        workers: processes.

    Raises:
        ConfigError: a setting is out of range.
        OutputError: `out` holds something already, or cannot be written.
    """
    _check(seed, size)
    if not 1 <= subjects <= clips <= 999:
        raise ConfigError(f"puppet: got clips={clips}, subjects={subjects}; expected 1 <= subjects <= clips <= 999")
    if not 1 <= frames[0] <= frames[1]:
        raise ConfigError(f"puppet: got frames from {frames[0]} to {frames[1]}; expected 1 <= fewest <= most")
    if workers < 1:
        raise ConfigError(f"puppet: got workers={workers}; expected 1 or more")
    out = Path(out)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError(f"{out}: exists already; name a new folder, or remove this one")
    who = np.random.default_rng((seed, 0)).permutation(np.arange(clips) % subjects)
    with atomic_path(out) as part:
        part.mkdir()
        jobs = [_Job(part, seed, clip, int(subject), frames, size) for clip, subject in enumerate(who)]
        for done, _ in enumerate(in_processes(_write_clip, jobs, workers, "Fewer workers take less"), 1):
            progress(done, clips, "drawing clips")


@checked
def write_puppet_video(
    path: Path,
    *,
    subject: int,
    frames: int,
    seed: int = 0,
    size: tuple[int, int] = (192, 160),
    fps: int = 25,
) -> NDArray[np.float64]:
    """Write a video of one person (H.264 in mp4), drawn as in the corpus of this seed.

    Args:
        subject: the person's number; those from the corpus's `subjects` on are not in the corpus.
        size: width and height, both even.

    Returns (T, 2) valence and arousal of the frames, in [-1, 1].

    Raises:
        ConfigError: a setting is out of range.
        OutputError: the file cannot be written.
    """
    _check(seed, size)
    if subject < 0 or frames < 1 or fps < 1:
        raise ConfigError(
            f"puppet video: got subject={subject}, frames={frames}, fps={fps}; expected 0, 1 and 1 or more"
        )
    if size[0] % 2 or size[1] % 2:
        raise ConfigError(
            f"puppet video: got {size[0]}x{size[1]}; expected an even width and height, as the codec needs"
        )
    rng = np.random.default_rng((seed, 3, subject))
    truth = np.empty((frames, 2))
    with atomic_path(Path(path)) as part, av.open(str(part), "w", format="mp4") as file:
        stream = file.add_stream("h264", rate=Fraction(fps), options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for t, (moment, image, _) in enumerate(film(person(seed, subject), rng, frames, fps, size)):
            truth[t] = moment.valence, moment.arousal
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
    return truth


def _check(seed: int, size: tuple[int, int]) -> None:
    if seed < 0:
        raise ConfigError(f"puppet: got seed={seed}; expected 0 or more")
    if min(size) < MIN_SIDE:
        raise ConfigError(f"puppet: got frames of {size[0]}x{size[1]}; expected at least {MIN_SIDE} pixels each way")


def _write_clip(job: _Job) -> None:
    name = f"{job.clip + 1:03d}"
    folder = job.out / f"{job.clip // _CLIPS_A_FOLDER + 1:02d}" / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng((job.seed, 2, job.clip))
    length = int(rng.integers(job.frames[0], job.frames[1], endpoint=True))
    labels = {}
    for t, (moment, image, landmarks) in enumerate(film(person(job.seed, job.subject), rng, length, FPS, job.size)):
        _, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _PNG)
        (folder / f"{t:05d}.png").write_bytes(png.tobytes())
        labels[f"{t:05d}"] = {
            "landmarks": landmarks.round(2).tolist(),
            "valence": round(10 * moment.valence),
            "arousal": round(10 * moment.arousal),
        }
    record = {"actor": f"Puppet {job.subject:03d}", "video_id": name, "frames": labels}
    (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
