import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakSet

import cv2
import numpy as np
import pandas as pd
import pytest

from anclaf.config import PointsName
from anclaf.core.errors import ConfigError, CorpusError, DetectorError, OutputError
from anclaf.core.labels import LabelScale
from anclaf.corpora.afew_va import list_afew_va
from anclaf.corpora.base import ClipNote, CorpusListing, LabelledFrame, LazyClips, SkippedFrame
from anclaf.corpora.sewa import list_sewa
from anclaf.corpora.table import list_table
from anclaf.data import prepare as module
from anclaf.data import writer
from anclaf.data.prepare import prepare_corpus
from anclaf.data.store import INDEX_COLUMNS, PreparedCorpus
from anclaf.faces import align
from anclaf.faces.detect import DETECTORS, Face

SHARED = Path(__file__).parents[2].parent / "shared"
RENDERER_NEEDS = "import numba, cv2, av"


@dataclass(frozen=True)
class Film:
    """A clip without files. skip: frames that it cannot use. points: landmarks a frame, None for none."""

    name: str
    subject: str = "ann"
    fold: int = -1
    length: int = 5
    skip: tuple[int, ...] = ()
    points: int | None = 68
    at: tuple[float, float] = (40, 30)
    stamp: str = "1"
    wait_s: float = 0

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        rng = np.random.default_rng(sum(self.name.encode()))
        for k in range(self.length):
            time.sleep(self.wait_s)
            image = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
            landmarks = None if self.points is None else rng.normal(self.at, 6, (self.points, 2))
            if k in self.skip:
                yield SkippedFrame(self.name, k, "label_nan", "as told")
            else:
                yield LabelledFrame(k, k / 25, image, 0.1 * k, -0.1 * k, landmarks)


def listing(*clips: Film, **values) -> CorpusListing:
    films = clips or (Film("b", "bo", 1), Film("a", "ann", 0, 7, skip=(2,)), Film("c", "ann", 0, 3))
    return CorpusListing("table", LabelScale(-1, 1), 25.0, list(films), **values)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# what is written


def test_rows_are_in_clip_order_then_in_time(tmp_path):
    skipped = [SkippedFrame("z", -1, "bad_zip", "broken")]
    corpus = prepare_corpus(
        listing(skipped=skipped, notes=["a note"], options={"x": 1}), tmp_path / "out", image_size=32
    )
    assert tuple(corpus.index.columns) == INDEX_COLUMNS
    assert corpus.index["clip"].tolist() == ["a"] * 6 + ["b"] * 5 + ["c"] * 3
    assert corpus.index["frame"].tolist() == [0, 1, 3, 4, 5, 6, *range(5), *range(3)]
    assert corpus.index["subject"].tolist() == ["ann"] * 6 + ["bo"] * 5 + ["ann"] * 3
    assert corpus.index["fold"].tolist() == [0] * 6 + [1] * 5 + [0] * 3
    np.testing.assert_allclose(corpus.labels[2], [0.3, -0.3])
    np.testing.assert_allclose(corpus.time_s[:3], [0, 0.04, 0.12])
    card = corpus.card
    assert (card.frames, card.clips, card.subjects, card.landmarks, card.detector) == (14, 3, 2, 68, "none")
    assert (card.source, card.low, card.high, card.crop, card.image_size) == ("table", -1, 1, "five-point", 32)
    assert (card.skipped, card.notes, card.options) == ({"bad_zip": 1, "label_nan": 1}, ["a note"], {"x": 1})
    assert set(card.versions) >= {"anclaf", "numpy", "opencv-python-headless"}
    table = pd.read_parquet(tmp_path / "out" / "skipped.parquet")
    assert table.to_numpy().tolist() == [["z", -1, "bad_zip", "broken"], ["a", 2, "label_nan", "as told"]]


@dataclass(frozen=True)
class Told(Film):
    """Frames of whom more is known."""

    known: tuple[tuple[str, str | float | None], ...] = ()

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        for frame in super().frames():
            yield replace(frame, columns=dict(self.known)) if isinstance(frame, LabelledFrame) else frame


def test_further_columns_are_beside_the_index_and_no_part_of_the_fingerprint(tmp_path):
    plain = prepare_corpus(listing(Film("a"), Film("b"), Film("c")), tmp_path / "plain", image_size=16)
    assert plain.columns.shape == (15, 0)
    films = [
        Told("a", known=(("age", 31.0), ("sex", "f"), ("site", "7"))),
        Film("b"),
        Told("c", skip=(1,), known=(("sex", None), ("age", "?"), ("site", ""), ("valence", "1e1"))),
    ]
    corpus = prepare_corpus(listing(*films), tmp_path / "out", image_size=16, workers=2)
    assert corpus.columns["age"].tolist() == ["31.0"] * 5 + [""] * 5 + ["?"] * 4, "? is no number"
    assert corpus.columns["sex"].tolist() == ["f"] * 5 + [""] * 9
    np.testing.assert_array_equal(corpus.columns["site"], [7] * 5 + [np.nan] * 9)
    np.testing.assert_array_equal(corpus.columns["valence"], [np.nan] * 10 + [10] * 4)
    assert tuple(corpus.index.columns) == INDEX_COLUMNS
    again = prepare_corpus(listing(*films[:2], Film("c", skip=(1,))), tmp_path / "again", image_size=16)
    assert again.card.fingerprint == corpus.card.fingerprint


def test_columns_of_another_length_are_damaged(tmp_path):
    corpus = prepare_corpus(listing(Told("a", known=(("age", 3),))), tmp_path / "out", image_size=16)
    corpus.columns[:3].to_parquet(corpus.folder / "columns.parquet")
    with pytest.raises(CorpusError, match="3 rows; expected 5"):
        _ = PreparedCorpus.open(corpus.folder).columns
    (corpus.folder / "columns.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match=r"columns.parquet: cannot be read \("):
        _ = PreparedCorpus.open(corpus.folder).columns


class Noted(Film):
    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        yield ClipNote(self.name, "its clock starts again")
        yield from super().frames()


def test_what_clips_say_is_on_the_card(tmp_path):
    films = [Noted(f"{k:02}", length=1) for k in range(22)]
    card = prepare_corpus(listing(*films, notes=["a note"]), tmp_path / "out", image_size=16).card
    texts = [f"{k:02}: its clock starts again" for k in range(20)]
    assert card.notes == ["a note", *texts, "such notes on 2 more"]
    assert card.frames == 22


@pytest.mark.parametrize("crop", ["five-point", "paper"])
def test_faces_and_geometry_are_align_s(tmp_path, crop):
    corpus = prepare_corpus(listing(), tmp_path / "out", image_size=32, crop=crop)
    frames = [f for clip in (Film("a", length=7, skip=(2,)), Film("b")) for f in clip.frames()]
    frames = [f for f in frames if isinstance(f, LabelledFrame)]
    for row, frame in enumerate(frames):
        assert frame.landmarks is not None
        matrix = align.crop_matrix(frame.landmarks, 32, crop, (80, 60))
        np.testing.assert_allclose(corpus.matrices[row], matrix)
        np.testing.assert_array_equal(corpus.source_landmarks[row], frame.landmarks)
        np.testing.assert_array_equal(corpus.images(np.array([row]))[0], align.warp(frame.image, matrix, 32))


@pytest.mark.parametrize("per_shard", [1, 4, 6, 14])
def test_shards_are_bounded(tmp_path, monkeypatch, per_shard):
    whole = prepare_corpus(listing(), tmp_path / "whole", image_size=16)
    monkeypatch.setattr(writer, "FACES_PER_SHARD", per_shard)
    corpus = prepare_corpus(listing(), tmp_path / "out", image_size=16)
    shards = [np.load(p) for p in sorted((tmp_path / "out" / "shards").iterdir())]
    assert [len(s) for s in shards] == [per_shard] * (14 // per_shard) + [14 % per_shard] * (14 % per_shard > 0)
    rows = np.random.default_rng(0).permutation(14)
    np.testing.assert_array_equal(corpus.images(rows), whole.images(rows))
    assert corpus.card.fingerprint == whole.card.fingerprint


def test_any_number_of_workers_writes_the_same_bytes(tmp_path):
    clips = [Film(f"{k:02d}", f"p{k % 3}", length=k % 4) for k in range(17)]
    for workers in (1, 2):
        prepare_corpus(listing(*clips), tmp_path / str(workers), image_size=16, workers=workers)
    one = contents(tmp_path / "1")
    assert set(one) == {
        "corpus.json", "geometry.npz", "index.parquet", "request.txt", "shards/00000.npy", "skipped.parquet"
    }  # fmt: skip
    assert contents(tmp_path / "2") == one
    assert not list(tmp_path.glob(".*"))


def test_progress_is_told_of_each_clip(tmp_path):
    told = []
    prepare_corpus(listing(), tmp_path / "out", image_size=16, progress=lambda *step: told.append(step))
    assert told == [(done, 3, "cutting out faces", clip) for done, clip in ((1, "a"), (2, "b"), (3, "c"))]


def test_one_person_in_two_spellings_is_one_subject(tmp_path):
    films = [Film("a", "Jane Doe"), Film("b", "jane  doe"), Film("c", "Jane Doe"), Film("d", "Jane Do")]
    corpus = prepare_corpus(listing(*films), tmp_path / "out", image_size=16, workers=2)
    assert corpus.index.groupby("clip")["subject"].first().tolist() == ["Jane Doe"] * 3 + ["Jane Do"]
    assert corpus.card.subjects == 2
    joined, near = corpus.card.notes
    assert "'Jane Doe' = 'jane  doe'" in joined
    assert "taken as different people: 'Jane Do' and 'Jane Doe'" in near


def test_opencv_s_threads_are_given_back(tmp_path):
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    prepare_corpus(listing(), tmp_path / "out", image_size=16)
    assert cv2.getNumThreads() == 2
    cv2.setNumThreads(before)


def test_fingerprint_follows_pixels_labels_and_options(tmp_path):
    def fingerprint(name, what, **values):
        return prepare_corpus(what, tmp_path / name, **{"image_size": 16, **values}).card.fingerprint

    first = fingerprint("a", listing())
    assert fingerprint("b", listing()) == first
    touched = listing(*(replace(clip, stamp="2") for clip in listing().clips))  # pyright: ignore[reportArgumentType]
    assert fingerprint("c", touched) == first, "copied files are the same corpus"
    others = [
        fingerprint("d", listing(), image_size=24),
        fingerprint("e", listing(), crop="paper"),
        fingerprint("f", listing(options={"channel": "V"})),
        fingerprint("g", replace(listing(), scale=LabelScale(-2, 2))),
        fingerprint("h", replace(listing(), fps=50.0)),
        fingerprint("i", listing(Film("b", "bo", 1), Film("a", "ann", 0, 7, skip=(3,)), Film("c", "ann", 0, 3))),
        fingerprint("j", listing(Film("b", "cy", 1), Film("a", "ann", 0, 7, skip=(2,)), Film("c", "ann", 0, 3))),
        fingerprint("k", listing(Film("b", "bo", 1), Film("a", "ann", 0, 7, skip=(2,)), Film("d", "ann", 0, 3))),
    ]
    assert len({first, *others}) == 9


def test_of_very_many_clips_few_are_in_memory(tmp_path):
    alive, most = WeakSet[Film](), 0

    def made(number: int) -> Film:
        nonlocal most
        film = Film(f"{number:03d}", length=1)
        alive.add(film)
        most = max(most, len(alive))
        return film

    corpus = prepare_corpus(replace(listing(), clips=LazyClips(100, made)), tmp_path / "out", image_size=16)
    assert corpus.index["clip"].tolist() == [f"{number:03d}" for number in range(100)]
    assert most <= 5


# a second run


def test_a_second_run_does_nothing(tmp_path):
    prepare_corpus(listing(), tmp_path / "out", image_size=16)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    told = []
    corpus = prepare_corpus(listing(), tmp_path / "out", image_size=16, progress=lambda *step: told.append(step))
    assert not told
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before
    assert len(corpus) == 14


def test_a_second_run_may_state_the_kind(tmp_path):
    first = prepare_corpus(listing(), tmp_path / "out", image_size=16)
    assert first.card.kind == "unknown"
    before = contents(tmp_path / "out")

    def again(**values):
        return prepare_corpus(listing(**values), tmp_path / "out", image_size=16, progress=not_called, note="a line")

    def not_called(done, total, task, note=""):
        pytest.fail("a frame was read")

    assert again(kind="synthetic").card == replace(first.card, kind="synthetic", notes=["a line"])
    assert again().card.kind == "synthetic"
    assert again(kind="real").card == replace(first.card, kind="real", notes=["a line"])
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"corpus.json"}


def test_the_kind_is_no_part_of_the_fingerprint(tmp_path):
    cards = [prepare_corpus(listing(kind=k), tmp_path / k, image_size=16).card for k in ("real", "synthetic", "drawn")]
    assert [card.kind for card in cards] == ["real", "synthetic", "drawn"]
    assert len({card.fingerprint for card in cards}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 24},
        {"crop": "paper"},
        {"what": listing(options={"channel": "V"})},
        {"what": listing(Film("a"))},
        {"what": listing(Film("a", length=7, stamp="2"))},
    ],
)
def test_other_options_or_files_are_refused_unless_told(tmp_path, change):
    prepare_corpus(listing(), tmp_path / "out", image_size=16)
    before = contents(tmp_path / "out")
    options = {"image_size": 16, **change}
    what = options.pop("what", listing())
    with pytest.raises(
        CorpusError, match=r"was prepared with other options or from other files\. Choose another folder"
    ):
        prepare_corpus(what, tmp_path / "out", **options)
    assert contents(tmp_path / "out") == before
    prepare_corpus(what, tmp_path / "out", overwrite=True, **options)
    assert contents(tmp_path / "out") != before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_touched(tmp_path, overwrite):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CorpusError, match="exists and is no prepared corpus"):
        prepare_corpus(listing(), tmp_path, overwrite=overwrite)
    with pytest.raises(CorpusError, match="exists and is no prepared corpus"):
        prepare_corpus(listing(), tmp_path / "letter.txt", overwrite=overwrite)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    assert len(prepare_corpus(listing(), tmp_path / "out", image_size=16)) == 14


# a run that does not come to its end


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(done, total, task, note=""):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_corpus(listing(), tmp_path / "out", image_size=16, progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_killed_run_leaves_nothing_that_looks_finished(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_prepare import Film, listing, prepare_corpus\n"
        "films = [Film('a'), Film('b', length=2000, wait_s=0.01)]\n"
        f"prepare_corpus(listing(*films), {str(tmp_path / 'out')!r}, image_size=16)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    part = tmp_path / ".out.part"
    deadline = time.monotonic() + 60
    while not (part / "1.raw").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.is_dir()
    assert not (tmp_path / "out").exists()
    corpus = prepare_corpus(listing(), tmp_path / "out", image_size=16)
    assert len(corpus) == 14
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "the leftover was replaced"


def full_disk(*args, **values):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFile:
    """A file that cannot be written."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    write = full_disk


@pytest.mark.parametrize("where", ["raw", "shards", "parquet", "npz", "json", "mkdir"])
def test_full_disk(tmp_path, monkeypatch, where):
    if where in ("raw", "shards"):
        real = open

        def opened(path, mode="r", *args, **values):
            full = Path(path).suffix == ".raw" if where == "raw" else Path(path).parent.name == "shards"
            return FullFile() if full and "w" in mode else real(path, mode, *args, **values)

        monkeypatch.setattr(module if where == "raw" else writer, "open", opened, raising=False)
    elif where == "parquet":
        monkeypatch.setattr(writer.pq, "ParquetWriter", full_disk)
    elif where == "npz":
        monkeypatch.setattr(writer.shutil, "copyfileobj", full_disk)
    elif where == "json":
        monkeypatch.setattr(Path, "write_text", full_disk)
    else:
        monkeypatch.setattr(Path, "mkdir", full_disk)
    with pytest.raises(OutputError, match="the disk is full; nothing half-written was kept"):
        prepare_corpus(listing(), tmp_path / "out", image_size=16)
    assert not list(tmp_path.iterdir())


def test_full_disk_keeps_what_was_to_be_overwritten(tmp_path, monkeypatch):
    prepare_corpus(listing(), tmp_path / "out", image_size=16)
    before = contents(tmp_path / "out")
    monkeypatch.setattr(writer.shutil, "copyfileobj", full_disk)
    with pytest.raises(OutputError, match="the disk is full"):
        prepare_corpus(listing(), tmp_path / "out", image_size=24, overwrite=True)
    assert contents(tmp_path / "out") == before


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        prepare_corpus(listing(), tmp_path / "file" / "out", image_size=16)


@dataclass(frozen=True)
class Dying(Film):
    """A clip whose reading kills its worker, as the kernel does when memory runs out."""

    def frames(self):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().frames()


def test_a_worker_that_dies(tmp_path):
    with pytest.raises(CorpusError, match=r"a worker process died.*fewer workers"):
        prepare_corpus(listing(Dying("a"), Dying("b")), tmp_path / "out", image_size=16, workers=2)
    assert not list(tmp_path.iterdir())


# what cannot be used


def test_nothing_usable(tmp_path):
    clips = [Film("a", length=3, skip=(0, 1, 2)), Film("b", length=1, skip=(0,))]
    skipped = [SkippedFrame("z", -1, "bad_zip", "broken")]
    expected = r"nothing in this table corpus is usable: label_nan 4, bad_zip 1; for example a frame 0: as told"
    with pytest.raises(CorpusError, match=expected):
        prepare_corpus(listing(*clips, skipped=skipped), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_nothing_usable_because_no_face_is_found(tmp_path):
    with pytest.raises(CorpusError, match="is usable: no_face 5; for example a frame 0"):
        prepare_corpus(listing(Film("a", points=None)), tmp_path / "out", detector="haar")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [(-500, -500), (500, 30), (40, 500)])
def test_landmarks_off_the_frame(tmp_path, at):
    corpus = prepare_corpus(listing(Film("a"), Film("b", at=at)), tmp_path / "out", image_size=16)
    assert corpus.card.skipped == {"bad_landmarks": 5}
    table = pd.read_parquet(tmp_path / "out" / "skipped.parquet")
    assert set(table["detail"]) == {"no point lies inside the frame"}


@dataclass(frozen=True)
class Point(Film):
    """A clip whose landmarks coincide, as a tracker that has lost the face leaves them."""

    def frames(self):
        for frame in super().frames():
            assert isinstance(frame, LabelledFrame)
            assert frame.landmarks is not None
            yield replace(frame, landmarks=np.full_like(frame.landmarks, 10))


@pytest.mark.parametrize("crop", ["five-point", "paper"])
def test_landmarks_that_coincide(tmp_path, crop):
    corpus = prepare_corpus(listing(Film("a"), Point("b")), tmp_path / "out", image_size=16, crop=crop)
    assert corpus.card.skipped == {"bad_landmarks": 5}
    assert np.isfinite(corpus.matrices).all()


def test_another_number_of_landmarks(tmp_path):
    corpus = prepare_corpus(listing(Film("a"), Film("b", points=49)), tmp_path / "out", image_size=16)
    assert corpus.card.skipped == {"bad_landmarks": 5}
    assert "got 49, expected 68" in pd.read_parquet(tmp_path / "out" / "skipped.parquet")["detail"][0]


@dataclass(frozen=True)
class Locked(Film):
    """A clip whose files the system does not let us read."""

    def frames(self):
        yield from list(super().frames())[:2]
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_source_that_cannot_be_read_is_not_taken_for_a_full_disk(tmp_path):
    corpus = prepare_corpus(listing(Film("a"), Locked("b")), tmp_path / "out", image_size=16)
    assert corpus.index["clip"].value_counts().to_dict() == {"a": 5, "b": 2}
    assert corpus.card.skipped == {"unreadable": 1}


# settings and detectors


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crop": "square"}, "crop: got 'square'; expected one of five-point, paper"),
        ({"image_size": 4}, "image size: got 4; expected at least 8"),
        ({"workers": 0}, "workers: got 0; expected at least 1"),
        ({"detector": "haar"}, "detector=haar has no effect: this corpus has 68 landmarks a frame"),
        ({"points": "detector"}, "points=detector has no effect: this corpus has 68 landmarks a frame"),
    ],
)
def test_settings_are_checked(tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        prepare_corpus(listing(), tmp_path / "out", **values)
    assert not list(tmp_path.iterdir())


def test_crop_paper_needs_a_database_s_landmarks(tmp_path):
    with pytest.raises(
        ConfigError, match="crop=paper needs the 68 or 49 landmarks of a database; this corpus has none"
    ):
        prepare_corpus(listing(Film("a", points=None)), tmp_path / "out", crop="paper")
    assert not list(tmp_path.iterdir())


def test_a_detector_that_is_not_there(tmp_path):
    with pytest.raises(DetectorError, match=r"no\.onnx"):
        prepare_corpus(listing(Film("a", points=None)), tmp_path / "out", detector=f"yunet:{tmp_path / 'no.onnx'}")
    assert not list(tmp_path.iterdir())


class Two:
    """Finds two faces in every frame whose first pixel is dark, none in the others."""

    name = "two"

    def detect(self, image: np.ndarray) -> list[Face]:
        big = np.array([[30, 20], [50, 20], [40, 30], [33, 40], [47, 40]], float)
        return [Face((20, 10, 40, 40), big, 0.9), Face((0, 0, 9, 9), big / 9, 0.99)] if image[0, 0, 0] < 128 else []


@pytest.fixture
def two() -> Iterator[str]:
    """The name of a detector that is not of this package."""
    DETECTORS.register("two", lambda argument: Two())
    yield "two"
    DETECTORS.unregister("two")


def test_the_largest_face_is_taken_and_its_points_kept(tmp_path, two):
    films = listing(Film("a", points=None, length=30))
    corpus = prepare_corpus(films, tmp_path / "out", image_size=32, detector=two, points="detector")
    film = Film("a", points=None, length=30)
    dark = [f.image[0, 0, 0] < 128 for f in film.frames() if isinstance(f, LabelledFrame)]
    assert 0 < len(corpus) == sum(dark) < 30
    assert (corpus.card.detector, corpus.card.landmarks) == ("two", 5)
    assert corpus.card.skipped == {"no_face": 30 - sum(dark)}
    points = Two().detect(np.zeros((1, 1, 3)))[0].points
    np.testing.assert_array_equal(corpus.source_landmarks[0], points)
    np.testing.assert_allclose(corpus.matrices[0], align.crop_matrix(points, 32))


# from a reader to the prepared corpus


def make_afew(root: Path, clips: int = 3) -> None:
    rng = np.random.default_rng(0)
    for number in range(1, clips + 1):
        folder = root / "01" / f"{number:03d}"
        folder.mkdir(parents=True)
        frames = {}
        for k in range(4):
            cv2.imwrite(str(folder / f"{k:05d}.png"), rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
            landmarks = rng.uniform(15, 45, (68, 2)).tolist()
            frames[f"{k:05d}"] = {"valence": -3.0, "arousal": k, "landmarks": landmarks}
        record = {"actor": f"A{number % 2}", "video_id": folder.name, "frames": frames}
        (folder / f"{folder.name}.json").write_text(json.dumps(record))


def test_afew_va_with_everything_that_is_wrong(tmp_path):
    source = tmp_path / "afew"
    make_afew(source, 5)
    path = source / "01" / "001" / "001.json"
    path.write_text(path.read_text()[:-99])  # cut short
    path = source / "01" / "002" / "002.json"
    record = json.loads(path.read_text())
    record["frames"].pop("00000")
    record["frames"]["00001"]["valence"] = float("nan")
    record["frames"]["00002"]["arousal"] = 11
    record["frames"]["00003"]["landmarks"].pop()
    path.write_text(json.dumps(record))
    for number, damage in enumerate((b"", b"\x89PNG", None)):
        path = source / "01" / "003" / f"{number:05d}.png"
        path.write_bytes(damage) if damage is not None else path.unlink()
    corpus = prepare_corpus(list_afew_va(source), tmp_path / "out", image_size=16)
    assert corpus.index["clip"].value_counts().to_dict() == {"003": 1, "004": 4, "005": 4}
    assert corpus.card.skipped == {
        "bad_landmarks": 1, "corrupt_annotation": 1, "corrupt_image": 2, "label_nan": 1, "label_out_of_range": 1,
        "missing_image": 1, "no_label": 1,
    }  # fmt: skip
    skipped = pd.read_parquet(tmp_path / "out" / "skipped.parquet")
    assert dict(zip(skipped["reason"], skipped["detail"], strict=True))["bad_landmarks"].startswith(
        "got 67, expected 68"
    )
    assert corpus.card.subjects == 2
    assert any("25 frames a second assumed" in note for note in corpus.card.notes)


def test_the_same_source_elsewhere_is_the_same_corpus(tmp_path):
    make_afew(tmp_path / "a")
    make_afew(tmp_path / "b")
    prints = {
        prepare_corpus(list_afew_va(tmp_path / n), tmp_path / f"out-{n}", image_size=16).card.fingerprint for n in "ab"
    }
    assert len(prints) == 1


def test_a_changed_source_file_is_noticed(tmp_path):
    make_afew(tmp_path / "afew")
    prepare_corpus(list_afew_va(tmp_path / "afew"), tmp_path / "out", image_size=16)
    (tmp_path / "afew/01/001/00001.png").unlink()
    with pytest.raises(CorpusError, match="from other files"):
        prepare_corpus(list_afew_va(tmp_path / "afew"), tmp_path / "out", image_size=16)


@pytest.mark.realdata
@pytest.mark.skipif(not (SHARED / "realdata").is_dir(), reason="no real faces beside the checkout")
def test_photographs_of_a_table(tmp_path):
    names = [
        "facerec_obama.jpg",
        "pillow_hopper_orientation_6.jpg",
        "skimage_astronaut.png",
        "facealign_grass_noface.jpg",
    ]
    (tmp_path / "t.csv").write_text("image;valence;arousal\n" + "".join(f"{name};0,5;-0,5\n" for name in names))
    listing = list_table(tmp_path / "t.csv", root=SHARED / "realdata" / "images")
    yunet = f"yunet:{SHARED / 'models' / 'yunet_n_dynamic.onnx'}"
    one, two = (prepare_corpus(listing, tmp_path / str(n), image_size=64, detector=yunet, workers=n) for n in (1, 2))
    assert sorted(one.clips) == sorted(names[:3])
    assert one.card.skipped == {"no_face": 1}
    assert (one.card.detector, one.card.landmarks, one.card.fps) == ("yunet+starter", 5, 0)
    assert contents(one.folder) == contents(two.folder)
    expected = align.TEMPLATE * 2 - 1
    assert np.abs(one.crop_landmarks - expected).mean() < 0.08, "eyes, nose and mouth lie where the crop wants them"
    rough = prepare_corpus(listing, tmp_path / "rough", image_size=64, detector=yunet, points="detector")
    moved = np.linalg.norm(one.source_landmarks - rough.source_landmarks, axis=2)
    eyes = np.linalg.norm(rough.source_landmarks[:, 1] - rough.source_landmarks[:, 0], axis=1)
    assert (moved.max(1) < 0.4 * eyes).all()
    assert (moved.max(1) > 0.01 * eyes).all()
    assert rough.card.detector == "yunet"
    asked: list[tuple[str, PointsName]] = [("rough", "starter"), ("1", "detector")]
    for there, points in asked:
        with pytest.raises(CorpusError, match=rf"other points .* points={points}"):
            prepare_corpus(listing, tmp_path / there, image_size=64, detector=yunet, points=points)


@pytest.mark.corpus
@pytest.mark.parametrize(("layout", "reader", "points"), [("afew-va", list_afew_va, 68), ("sewa", list_sewa, 49)])
def test_a_rendered_corpus(tmp_path, layout, reader, points):
    script = SHARED / "corpus" / "make_corpus.py"
    # the renderer needs what the package does not; any Python at hand that has it will do
    candidates = [sys.executable, shutil.which("python3") or sys.executable]
    python = next(
        (p for p in candidates if not subprocess.run([p, "-c", RENDERER_NEEDS], capture_output=True).returncode), ""
    )
    if not script.is_file() or not python:
        pytest.skip(f"no renderer beside the checkout, or no Python that can `{RENDERER_NEEDS}`")
    command = [python, script, "--layout", layout, "--out", tmp_path / "source", "--clips", "3", "--subjects", "2"]
    subprocess.run([*command, "--frames", "4", "6", "--jobs", "1", "--seed", "3"], check=True, capture_output=True)
    truth = np.load(tmp_path / "source.truth.npz")
    corpus = prepare_corpus(reader(tmp_path / "source"), tmp_path / "out", image_size=64)
    assert corpus.card.skipped == {}
    assert {clip: int(n) for clip, n in corpus.index["clip"].value_counts().items()} == {
        n: len(truth[n]) for n in truth
    }
    assert corpus.card.landmarks == points
    for clip in truth:
        error = corpus.targets[corpus.clips == clip] - truth[clip][:, :2]
        assert np.abs(error).max() < 0.3, "valence and arousal are the true ones with some noise"
    skin = corpus.images(np.arange(len(corpus)))[:, 36:40, 28:36].reshape(len(corpus), -1, 3).astype(float)
    assert skin.std(1).mean() < 25, "the middle of the crop is a face"
