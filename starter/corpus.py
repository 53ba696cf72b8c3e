"""From heads to a prepared corpus: identities are rendered in parts of a few, each a file, then joined.

A part is a function of the settings and its number, so that a render that was killed goes on from the parts it has, and
ends the same; the number of processes changes nothing either.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.files import atomic_path, fingerprint, write_text
from anclaf.core.labels import LabelScale
from anclaf.core.processes import in_processes
from anclaf.core.progress import Progress, silent
from anclaf.corpora.base import Column, CorpusListing
from anclaf.data.store import PreparedCorpus
from anclaf.data.writer import NO_DETECTOR, REQUEST_FILE, ClipFaces, CorpusWriter, finished, unfinished
from starter.film import describe, draw_person, draw_shot, film
from starter.light import surroundings
from starter.makehuman import find_styles
from starter.perform import FPS, perform, resting_face
from starter.rig import Rig, load_rig
from starter.without import check_parts, hold

SCALE = LabelScale(-1, 1)
PART = 8
"""Identities in a part."""
_NOTE = "rendered heads; labels follow from muscles by the rule in starter/rule.py, nobody rated them"


class Stream(IntEnum):
    """What a random generator draws. The look's streams and the performance's share nothing, so that look and label
    are independent."""

    PERSON = 0
    SHOT = 1
    NOISE = 2
    REST = 3
    ACT = 4
    HEAD = 5


@dataclass(frozen=True)
class RenderSettings:
    """What decides a corpus.

    rigs, assets: where the head models, and what surrounds and dresses them, are. identities: people. clips: of each.
    frames: of a clip. stills: further clips of each person, of one frame. size: side of the crops in pixels. seed: of
    everything. without: of `without.PARTS`, what is held still.
    """

    rigs: tuple[Path, ...]
    assets: Path
    identities: int
    clips: int
    frames: int
    stills: int
    size: int
    seed: int
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.rigs:
            raise ConfigError("rig: got none; expected a head model or several (--rig PATH)")
        for name, least in (("identities", 1), ("clips", 0), ("frames", 1), ("stills", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected {least} or more")
        if not self.clips + self.stills:
            raise ConfigError("clips and stills: got 0 of both; expected one at least")
        if self.size not in (64, 128):
            raise ConfigError(f"size: got {self.size}; expected 64 or 128")
        check_parts(self.without)


def render(
    settings: RenderSettings, out: Path, *, jobs: int = 1, overwrite: bool = False, progress: Progress = silent
) -> PreparedCorpus:
    """Render a corpus into the folder `out`; what is there already is not rendered again.

    Raises:
        ConfigError: a setting, the rig or the assets are wrong.
        CorpusError: `out` holds something else, or another render that was not finished.
        OutputError: the disk is full or not writable.
    """
    if jobs < 1:
        raise ConfigError(f"jobs: got {jobs}; expected 1 or more")
    out = Path(out).absolute()
    rigs = [_rig(path) for path in settings.rigs]
    if len({rig.digest for rig in rigs}) < len(rigs):
        raise ConfigError("rig: the same head model is given twice")
    surroundings(settings.assets)
    options = _options(settings, rigs)
    request = fingerprint(options)
    there = finished(out, request, overwrite)
    if there is not None:
        return there
    parts = _parts_folder(out, request, overwrite)
    count = -(-settings.identities // PART)
    todo = [number for number in range(count) if not _part_path(parts, number).is_file()]
    done = count - len(todo)
    progress(done, count, "rendering", f"{PART} people each")
    work = [(settings, parts, number) for number in todo]
    for _ in in_processes(_render_part, work, jobs, "The same command with fewer jobs goes on"):
        done += 1
        progress(done, count, "rendering", f"{PART} people each")
    listing = CorpusListing("starter", SCALE, FPS, [], notes=[_NOTE], options=options, kind="synthetic")
    with unfinished(out) as part:
        writer = CorpusWriter(part, settings.size, 68)
        for number in range(count):
            for faces, subject, pixels in _read_part(_part_path(parts, number)):
                writer.add(faces, subject, BytesIO(pixels.tobytes()))
            progress(number + 1, count, "joining the parts")
        writer.finish(listing, "five-point", NO_DETECTOR, request)
    shutil.rmtree(parts, ignore_errors=True)
    return PreparedCorpus.open(out)


def _options(settings: RenderSettings, rigs: list[Rig]) -> dict[str, Any]:
    """What decides the corpus, wherever the files lie: settings, their content, and this package's."""
    styles = [find_styles(rig, settings.assets) for rig in rigs]
    worn = {path for style in styles for path in (*style.hair, *style.brows, *style.hats)}
    return {
        **{name: value for name, value in asdict(settings).items() if name not in ("rigs", "assets")},
        "rigs": [rig.name for rig in rigs],
        "rig_content": [rig.digest for rig in rigs],
        "surroundings": _content(sorted((settings.assets / "hdri").glob("*.hdr"))),
        "styles": _content(sorted(path.with_suffix(end) for path in worn for end in (".mhclo", ".obj"))),
        "renderer": _content(sorted(Path(__file__).parent.glob("*.py"))),
    }


def _content(paths: list[Path]) -> str:
    """Of the files' bytes, whatever they are called."""
    try:
        return fingerprint([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _parts_folder(out: Path, request: str, overwrite: bool) -> Path:
    """Where parts of this render lie until they are joined."""
    folder = out.with_name(f".{out.name}.parts")
    known = folder / REQUEST_FILE
    if folder.exists() and not (known.is_file() and known.read_text(encoding="utf-8").strip() == request):
        if not overwrite:
            raise CorpusError(
                f"{folder}: parts of a render with other settings or of another version of the renderer. Remove it, or "
                "start anew (--overwrite)"
            )
        shutil.rmtree(folder)
    write_text(known, request + "\n")
    return folder


def _part_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


_Job = tuple[RenderSettings, Path, int]


_rig = lru_cache(maxsize=8)(load_rig)


def _render_part(job: _Job) -> None:
    settings, folder, number = job
    last = min((number + 1) * PART, settings.identities)
    clips = [clip for identity in range(number * PART, last) for clip in render_person(settings, identity)]
    arrays = {
        "names": np.array([clip.name for clip in clips]),
        "subjects": np.array([clip.subject for clip in clips]),
        "known": np.array([json.dumps(clip.known) for clip in clips]),
        "stops": np.cumsum([len(clip.faces) for clip in clips]),
        "faces": np.concatenate([clip.faces for clip in clips]),
        "landmarks": np.concatenate([clip.landmarks for clip in clips]),
        "matrix": np.concatenate([clip.matrix for clip in clips]),
        "affect": np.concatenate([clip.affect for clip in clips]),
    }
    with atomic_path(_part_path(folder, number)) as path, open(path, "wb") as file:
        np.savez(file, **arrays)


@dataclass(frozen=True)
class RenderedClip:
    """faces: (T, S, S, 3) uint8 RGB. landmarks: (T, 68, 2) pixels of the picture. matrix: (T, 2, 3) the picture to the
    crop. affect: (T, 2) valence and arousal in [-1, 1]. known: by which results can be split (`film.describe`)."""

    name: str
    subject: str
    known: dict[str, Column]
    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    matrix: NDArray[np.float64]
    affect: NDArray[np.float64]


def generator(seed: int, stream: Stream, *where: int) -> np.random.Generator:
    """The generator of a stream, for an identity and, where it matters, a clip."""
    return np.random.default_rng((seed, int(stream), *where))


def head_of(settings: RenderSettings, identity: int) -> Rig:
    """The head model that a person has: each equally often, in an order drawn anew for every few people."""
    turn, place = divmod(identity, len(settings.rigs))
    order = generator(settings.seed, Stream.HEAD, turn).permutation(len(settings.rigs))
    return _rig(settings.rigs[order[place]])


def render_person(settings: RenderSettings, identity: int) -> Iterator[RenderedClip]:
    """All clips of one person."""
    seed, without, rig = settings.seed, settings.without, head_of(settings, identity)
    person = draw_person(generator(seed, Stream.PERSON, identity), rig, settings.assets, without)
    rest = resting_face(generator(seed, Stream.REST, identity), rig.names) * ("rest" not in without)
    subject = f"{seed}-{identity:06d}"
    for clip in range(settings.clips + settings.stills):
        length = settings.frames if clip < settings.clips else 1
        act = perform(generator(seed, Stream.ACT, identity, clip), rig.names, rest, length, without)
        shot = draw_shot(generator(seed, Stream.SHOT, identity, clip), rig, person, settings.assets, settings.size)
        shot = hold(shot, person, settings.size, without)
        frames = list(film(generator(seed, Stream.NOISE, identity, clip), rig, person, shot, act, settings.size))
        yield RenderedClip(
            name=f"{subject}-{clip:03d}",
            subject=subject,
            known={"head": rig.name, **describe(person, shot)},
            faces=np.stack([frame.image for frame in frames]),
            landmarks=np.stack([frame.landmarks for frame in frames]),
            matrix=np.stack([frame.matrix for frame in frames]),
            affect=act.affect,
        )


def _read_part(path: Path) -> Iterator[tuple[ClipFaces, str, NDArray[np.uint8]]]:
    try:
        with np.load(path) as file:
            part = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise CorpusError(f"{path}: cannot be read ({error}). Remove it; the same command renders it again") from error
    start = 0
    names, subjects, known, stops = (part[name] for name in ("names", "subjects", "known", "stops"))
    for name, subject, what, stop in zip(names, subjects, known, stops, strict=True):
        here, start = slice(start, stop), int(stop)
        labels = SCALE.restore(part["affect"][here])
        rows = [(t, t / FPS, float(v), float(a)) for t, (v, a) in enumerate(labels)]
        faces = ClipFaces(str(name), -1, rows, list(part["landmarks"][here]), list(part["matrix"][here]))
        faces.columns.extend([json.loads(str(what))] * len(rows))
        yield faces, str(subject), part["faces"][here]
