"""Writing a prepared corpus: the one place that lays it out on disk, for readers of databases and for renderers."""

import hashlib
import pickle
import shutil
import zipfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anclaf.config import CropName
from anclaf.core.errors import CorpusError
from anclaf.core.files import fingerprint, output_error, versions, write_json, write_text
from anclaf.core.sheets import numbers
from anclaf.corpora.base import ClipNote, Column, CorpusListing, SkippedFrame
from anclaf.data.store import COLUMNS_FILE, INDEX_COLUMNS, INDEX_FILE, CorpusCard, PreparedCorpus, card_json

FACES_PER_SHARD = 2048
"""96 MiB at 128 x 128 pixels."""

_PIECE = 2**20
_SKIPPED = pa.schema({"clip": pa.string(), "frame": pa.int64(), "reason": pa.string(), "detail": pa.string()})

REQUEST_FILE = "request.txt"
"""Fingerprint of the options and the source files, by which a second run knows that it has nothing to do."""

NO_DETECTOR = "none"
"""The detector's name where landmarks were given."""


@dataclass(frozen=True)
class ClipFaces:
    """One clip's faces without their pixels. index: rows of frame, time_s, valence, arousal. skipped: frames without a
    face here. columns: what else is known of each row; empty where nothing is known of any."""

    clip: str
    fold: int
    index: list[tuple[int, float, float, float]] = field(default_factory=list)
    landmarks: list[NDArray[np.float64]] = field(default_factory=list)
    matrix: list[NDArray[np.float64]] = field(default_factory=list)
    skipped: list[SkippedFrame] = field(default_factory=list)
    notes: list[ClipNote] = field(default_factory=list)
    columns: list[Mapping[str, Column]] = field(default_factory=list)


def finished(out: Path, request: str, overwrite: bool) -> PreparedCorpus | None:
    """The corpus in `out` if it is the one asked for; None if it must be made."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / "corpus.json").is_file():
        raise CorpusError(f"{out}: exists and is no prepared corpus; expected a new or empty folder. Choose another")
    if overwrite:
        return None
    corpus = PreparedCorpus.open(out)
    path = out / REQUEST_FILE
    if not path.is_file() or path.read_text(encoding="utf-8").strip() != request:
        raise CorpusError(
            f"{out}: holds a corpus ({corpus.card.source}, {corpus.card.image_size} px, {corpus.card.crop}) that was "
            "prepared with other options or from other files. Choose another folder, or replace it (--overwrite)"
        )
    return corpus


@contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """Yield the folder to work in; rename it to `out` when the block succeeds, else remove it."""
    part = out.with_name(f".{out.name}.part")
    try:
        if part.exists():
            shutil.rmtree(part)
        (part / "shards").mkdir(parents=True)
        yield part
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)
    except OSError as error:
        raise output_error(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


class CorpusWriter:
    """Joins the clips' faces into shards and an index: whoever makes a prepared corpus does it by this.

    Args:
        folder: of `unfinished`.
        image_size: side of the faces in pixels.
        points: landmarks a frame.
    """

    def __init__(self, folder: Path, image_size: int, points: int):
        self._folder, self._points = folder, points
        self._buffer = np.empty((FACES_PER_SHARD, image_size, image_size, 3), np.uint8)
        self._filled, self._shards = 0, 0
        self._pixels = hashlib.sha256()
        self._rows: list[tuple[object, ...]] = []
        self._known: list[Mapping[str, Column]] = []
        self._index = pd.DataFrame()  # no row, but each column's type
        self._columns: dict[str, _Cells] = {}
        self._people = array("Q")  # a digest of whose each clip is
        self._skipped: list[SkippedFrame] = []
        self._reasons = Counter[str]()
        self.rows = self._clips = 0

    def add(self, faces: ClipFaces, subject: str, pixels: BufferedIOBase) -> None:
        """Append a clip: what of it was skipped, its rows, and its pixels, raw, from a file or from memory."""
        self.skip(faces.skipped)
        count = left = len(faces.index)
        while left:
            room = self._buffer[self._filled : self._filled + left]
            if pixels.readinto(room.data) != room.nbytes:
                raise OSError(f"{faces.clip}: fewer pixels than frames")
            self._pixels.update(room.data)
            self._filled += len(room)
            left -= len(room)
            if self._filled == FACES_PER_SHARD:
                self._write_shard()
        if not count:
            return
        self.rows += count
        self._clips += 1
        self._people.append(_digest(subject))
        self._rows += [(faces.clip, subject, faces.fold, *row) for row in faces.index]
        self._known += faces.columns or [{}] * count
        for name, arrays in (("landmarks", faces.landmarks), ("matrix", faces.matrix)):
            with open(self._spool(name), "ab") as file:
                file.write(np.stack(arrays).astype(np.float64).data)
        if len(self._rows) >= FACES_PER_SHARD:
            self._spool_tables()

    def skip(self, frames: Iterable[SkippedFrame]) -> None:
        """Append frames without a face here, of any clip."""
        for frame in frames:
            self._skipped.append(frame)
            self._reasons[frame.reason] += 1
            if len(self._skipped) == FACES_PER_SHARD:
                self._spool_skipped()

    def skipped(self) -> Iterator[SkippedFrame]:
        """What `skip` was given, in order."""
        self._spool_skipped()
        for frames in self._pieces("skipped"):
            yield from frames

    def _spool(self, name: str) -> Path:
        """Where what is written at the end grows until then: it would fill the memory."""
        return self._folder / f"{name}.raw"

    def _pieces(self, name: str) -> Iterator[Any]:
        """What was pickled there, one after the other."""
        with open(self._spool(name), "rb") as file:
            while file.peek(1):
                yield pickle.load(file)

    def _spool_skipped(self) -> None:
        with open(self._spool("skipped"), "ab") as file:
            pickle.dump(self._skipped, file)
        self._skipped = []

    def _spool_tables(self) -> None:
        table = pd.DataFrame(self._rows, columns=[*INDEX_COLUMNS[:7]])
        row = np.arange(self.rows - len(table), self.rows)
        table = table.assign(shard=row // FACES_PER_SHARD, offset=row % FACES_PER_SHARD)
        # made anew, for of a table of no rows that is cut out of another the texts stay in memory
        types = pd.DataFrame(columns=table.columns).astype(table.dtypes)
        self._index = pd.concat([self._index, types]) if len(self._index.columns) else types
        known = pd.DataFrame(self._known, index=range(len(table)))
        for name in known:
            self._columns.setdefault(str(name), _Cells()).see(known[name])
        with open(self._spool("tables"), "ab") as file:
            pickle.dump((table, known), file)
        self._rows, self._known = [], []

    def _tables(self) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Pieces of the index and of the columns, as the whole tables would be."""
        for table, known in self._pieces("tables"):
            cells = {name: cells.typed(known.get(name), len(table)) for name, cells in self._columns.items()}
            yield table.astype(self._index.dtypes), pd.DataFrame(cells)

    def _write_tables(self, digest: "hashlib._Hash") -> None:
        """`index.parquet` and, where anything is known, `columns.parquet`, a piece at a time."""
        with ExitStack() as stack:
            files: dict[str, pq.ParquetWriter] = {}
            for tables in self._tables():
                digest.update(
                    tables[0].drop(columns=["shard", "offset"]).to_csv(index=False, header=not files).encode()
                )
                for name, table in zip((INDEX_FILE, COLUMNS_FILE), tables, strict=True):
                    if not len(table.columns):
                        continue
                    piece = pa.Table.from_pandas(table, preserve_index=False)
                    if name not in files:
                        files[name] = stack.enter_context(pq.ParquetWriter(self._folder / name, piece.schema))
                    files[name].write_table(piece)

    def _write_skipped(self) -> None:
        self._spool_skipped()
        with pq.ParquetWriter(self._folder / "skipped.parquet", _SKIPPED) as file:
            for frames in self._pieces("skipped"):
                rows = [{"clip": f.clip, "frame": f.index, "reason": f.reason, "detail": f.detail} for f in frames]
                file.write_table(pa.Table.from_pylist(rows, _SKIPPED))

    def _write_shard(self) -> None:
        faces = self._buffer[: self._filled]
        with open(self._folder / "shards" / f"{self._shards:05d}.npy", "wb") as file:
            # np.save does not say that the disk is full
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(faces))
            file.write(faces.data)
        self._filled, self._shards = 0, self._shards + 1

    def _write_geometry(self) -> None:
        """What `np.savez` would write of the two arrays, without either in memory."""
        shapes = {"landmarks": (self.rows, self._points, 2), "matrix": (self.rows, 2, 3)}
        with zipfile.ZipFile(self._folder / "geometry.npz", "w", allowZip64=True) as archive:
            for name, shape in shapes.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member, open(self._spool(name), "rb") as raw:
                    header = {"descr": np.dtype(np.float64).str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(raw, member, _PIECE)

    def finish(self, listing: CorpusListing, crop: CropName, detector: str, request: str) -> None:
        """Write the last shard, the tables and, last of all, the card.

        Args:
            listing: what it is, its clips apart.
            crop: how the faces were cut out.
            detector: which found them, or `NO_DETECTOR`.
            request: fingerprint of whatever decides the corpus, for `finished`.
        """
        if self._filled:
            self._write_shard()
        if self._rows:
            self._spool_tables()
        self._write_geometry()
        self._write_skipped()
        digest = self._pixels
        with open(self._spool("landmarks"), "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        self._write_tables(digest)
        for name in ("landmarks", "matrix", "tables", "skipped"):
            self._spool(name).unlink()
        settings = [listing.source, listing.scale.low, listing.scale.high, listing.fps, listing.options]
        digest.update(fingerprint([*settings, self._buffer.shape[1], crop, detector]).encode())
        card = CorpusCard(
            source=listing.source,
            low=listing.scale.low,
            high=listing.scale.high,
            crop=crop,
            image_size=self._buffer.shape[1],
            fps=listing.fps,
            frames=self.rows,
            clips=self._clips,
            subjects=_different(self._people),
            landmarks=self._points,
            detector=detector,
            skipped=dict(sorted(self._reasons.items())),
            notes=listing.notes,
            options=listing.options,
            versions=versions(),
            fingerprint=digest.hexdigest()[:16],
            kind=listing.kind,
            consecutive=listing.consecutive,
        )
        write_text(self._folder / REQUEST_FILE, request + "\n")
        write_json(self._folder / "corpus.json", card_json(card))


def _digest(text: str) -> int:
    """Eight bytes by which many texts are told apart, that need not be kept for it."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _different(numbers: "array[int]") -> int:
    """How many there are, each counted once. They are sorted in place."""
    values = np.frombuffer(numbers, np.uint64)
    values.sort()
    return int(np.count_nonzero(values[1:] != values[:-1])) + bool(len(values))


class _Cells:
    """What a column's cells are: numbers where every cell that is not empty is one, else texts."""

    def __init__(self) -> None:
        self._other = self._some = False

    def see(self, column: pd.Series) -> None:
        text = _texts(column)
        found = pd.Series(numbers(text), text.index)
        self._some |= bool(found.notna().any())
        self._other |= bool((found.isna() & (text != "")).any())

    def typed(self, column: pd.Series | None, rows: int) -> pd.Series:
        """Of these cells, numbers with NaN, or texts with empty ones; where there are none, that many empty ones."""
        text = pd.Series([""] * rows, dtype=str) if column is None else _texts(column)
        return pd.Series(numbers(text), text.index) if self._some and not self._other else text


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()
