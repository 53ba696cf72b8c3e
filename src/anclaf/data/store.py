"""The prepared corpus: aligned uint8 faces in shards read by memory map, beside an index with a row per frame.

On disk::

    corpus.json      the card (`CorpusCard`), written last
    index.parquet    clip, subject, fold, frame, time_s, valence, arousal, shard, offset
    columns.parquet  what else is known of each row of the index, under the corpus's own names; not of every corpus
    skipped.parquet  clip, frame, reason, detail
    geometry.npz     landmarks (N, P, 2) source pixels; matrix (N, 2, 3) source pixels -> crop pixels
    shards/00000.npy uint8 (M, S, S, 3) RGB
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anclaf.config import CorpusKind
from anclaf.core import windows
from anclaf.core.arguments import checked
from anclaf.core.errors import CorpusError
from anclaf.core.files import write_json
from anclaf.core.labels import LabelScale
from anclaf.faces import align

FORMAT = 2
"""Format 1 had no `kind`; it is read too."""
INDEX_FILE = "index.parquet"
COLUMNS_FILE = "columns.parquet"
INDEX_COLUMNS = ("clip", "subject", "fold", "frame", "time_s", "valence", "arousal", "shard", "offset")


@dataclass(frozen=True)
class CorpusCard:
    """`corpus.json`: what a prepared corpus is.

    source: the reader's name, so how the corpus was laid out and not whose it is. low, high: the labels' range.
    fps: 0 for stills. landmarks: points a frame. skipped: reason -> frames or clips. notes: for readers of reports.
    kind: whose faces these are. It is no part of the fingerprint, since it can be stated later (`restate`).
    consecutive: a segment ends where a frame's number is not the last frame's plus one, however little time is lost.
    """

    source: str
    low: float
    high: float
    crop: str
    image_size: int
    fps: float
    frames: int
    clips: int
    subjects: int
    landmarks: int
    detector: str
    skipped: dict[str, int]
    notes: list[str]
    options: dict[str, Any]
    versions: dict[str, str]
    fingerprint: str
    kind: CorpusKind = "unknown"
    consecutive: bool = False
    format: int = FORMAT

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "CorpusCard":
        """The card of which `asdict` gave this, of this format or the one before.

        Raises:
            CorpusError: another format, or a kind that does not exist.
            TypeError: a field is missing or unknown.
        """
        if content.get("format") not in (1, FORMAT):
            raise CorpusError(
                f"format {content.get('format')!r}; this version reads 1 and {FORMAT}. Prepare the corpus again"
            )
        return cls(**{**content, "kind": corpus_kind(content), "format": FORMAT})

    @property
    def scale(self) -> LabelScale:
        return LabelScale(self.low, self.high)


@checked
def corpus_kind(card: Mapping[str, Any]) -> CorpusKind:
    """What a card, as JSON holds it, states of the corpus's kind; run folders keep such cards too.

    Cards of format 1 stated nothing. The people of their source `puppet` were drawn by this program; nothing is known
    of the others.

    Raises:
        CorpusError: a kind that does not exist.
    """
    kind = card.get("kind", "drawn" if card.get("source") == "puppet" else "unknown")
    if kind not in get_args(CorpusKind):
        raise CorpusError(f"corpus card: kind is {kind!r}; expected one of {', '.join(get_args(CorpusKind))}")
    return kind


class PreparedCorpus:
    """A prepared corpus, opened for reading. Rows are ordered by clip, then by time.

    Args:
        index: in place of the folder's own, which otherwise is read when it is first asked for.
    """

    def __init__(self, folder: Path, card: CorpusCard, index: pd.DataFrame | None = None):
        self.folder, self.card, self._given = folder, card, index
        self._shards: dict[int, NDArray[np.uint8]] = {}

    @classmethod
    @checked
    def open(cls, folder: Path | str) -> "PreparedCorpus":
        """Open a folder that `anclaf prepare` finished.

        Raises:
            CorpusError: not a prepared corpus, an unfinished one, or one of another format.
        """
        folder = Path(folder)
        path = folder / "corpus.json"
        if not path.is_file():
            raise CorpusError(
                f"{folder}: not a prepared corpus (no corpus.json). Make one with `anclaf prepare`, or let it finish"
            )
        try:
            card = CorpusCard.from_json(json.loads(path.read_text(encoding="utf-8")))
            index = pq.ParquetFile(folder / INDEX_FILE)
            rows, columns = index.metadata.num_rows, set(index.schema_arrow.names)
        except CorpusError as error:
            raise CorpusError(f"{path}: {error}") from error
        except (ValueError, TypeError, AttributeError, OSError, KeyError) as error:
            raise _damaged(folder, error) from error
        if rows != card.frames or not set(INDEX_COLUMNS) <= columns:
            raise CorpusError(
                f"{folder}: index.parquet does not fit corpus.json. Delete the folder and prepare it again"
            )
        return cls(folder, card)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def index(self) -> pd.DataFrame:
        """(N rows) `INDEX_COLUMNS`.

        Raises:
            CorpusError: the file is damaged.
        """
        if self._given is None:
            try:
                self._given = pd.read_parquet(self.folder / INDEX_FILE)
            except (ValueError, OSError) as error:
                raise _damaged(self.folder, error) from error
        return self._given

    @cached_property
    def _where(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.index["shard"].to_numpy(np.int64), self.index["offset"].to_numpy(np.int64)

    def _shard(self, number: int) -> NDArray[np.uint8]:
        if number not in self._shards:
            path = self.folder / "shards" / f"{number:05d}.npy"
            try:
                self._shards[number] = np.load(path, mmap_mode="r")
            except (OSError, ValueError, EOFError) as error:
                raise CorpusError(f"{path}: cannot be read ({error}). Prepare the corpus again") from error
        return self._shards[number]

    def images(self, rows: NDArray) -> NDArray[np.uint8]:
        """(N, S, S, 3) uint8 RGB faces of these rows."""
        shard, offset = self._where
        rows = np.asarray(rows)
        out = np.empty((len(rows), self.card.image_size, self.card.image_size, 3), np.uint8)
        for number in np.unique(shard[rows]):
            mask = shard[rows] == number
            out[mask] = self._shard(int(number))[offset[rows[mask]]]
        return out

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """(N, 2) valence, arousal in the corpus's own units."""
        return self.index[["valence", "arousal"]].to_numpy(np.float64)

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """(N, 2) valence, arousal in [-1, 1]."""
        return self.card.scale.normalise(self.labels).astype(np.float32)

    @cached_property
    def subjects(self) -> NDArray[np.str_]:
        """(N,) subject of each row."""
        return self.index["subject"].to_numpy(str)

    @cached_property
    def clips(self) -> NDArray[np.str_]:
        """(N,) clip of each row."""
        return self.index["clip"].to_numpy(str)

    @cached_property
    def time_s(self) -> NDArray[np.float64]:
        """(N,) seconds from the clip's first frame."""
        return self.index["time_s"].to_numpy(np.float64)

    @cached_property
    def columns(self) -> pd.DataFrame:
        """(N rows) what else is known of each row, such as a person's age: numbers with NaN, or texts with empty ones.

        No column where the corpus brought none, or was prepared by an earlier version. No part of the fingerprint.

        Raises:
            CorpusError: the file is damaged.
        """
        path = self.folder / COLUMNS_FILE
        if not path.is_file():
            return pd.DataFrame(index=self.index.index)
        try:
            columns = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise CorpusError(f"{path}: cannot be read ({error}). Prepare the corpus again") from error
        if len(columns) != len(self):
            raise CorpusError(f"{path}: {len(columns)} rows; expected {len(self)}. Prepare the corpus again")
        return columns

    @cached_property
    def _geometry(self) -> dict[str, NDArray]:
        with np.load(self.folder / "geometry.npz") as file:
            return dict(file)

    @property
    def matrices(self) -> NDArray[np.float64]:
        """(N, 2, 3) source pixels -> crop pixels."""
        return self._geometry["matrix"]

    @property
    def source_landmarks(self) -> NDArray[np.float64]:
        """(N, P, 2) in pixels of the source frame; P is 68, 49 or 5."""
        return self._geometry["landmarks"]

    @cached_property
    def crop_landmarks(self) -> NDArray[np.float32]:
        """(N, P, 2) landmarks on the crop, [-1, 1] from its left (top) edge to its right (bottom) edge."""
        return (align.apply(self.matrices, self.source_landmarks) * (2 / self.card.image_size) - 1).astype(np.float32)

    def landmarks_of(self, rows: NDArray[np.int64]) -> int:
        """How many landmarks each of these rows has; 0 where one has none."""
        landmarks = self.crop_landmarks
        return landmarks.shape[1] if np.isfinite(landmarks[rows]).all() else 0

    @cached_property
    def crop_motion(self) -> NDArray[np.float32]:
        """(N, 4) how the crop moved since the frame before (`align.crop_motion`); zero at a segment's first frame."""
        moved = np.zeros((len(self), 4), np.float32)
        for rows in self.segments():
            moved[rows] = align.crop_motion(self.matrices[rows], self.card.image_size)
        return moved

    def rows_of(self, frames: pd.DataFrame) -> NDArray[np.int64]:
        """(N,) rows of these frames, by the columns clip and frame; -1 of one that is not here."""
        rows = self._frames.get_indexer(pd.MultiIndex.from_frame(frames[["clip", "frame"]]))
        return rows.astype(np.int64)

    @cached_property
    def _frames(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(self.index[["clip", "frame"]])

    def segments(self, rows: NDArray | None = None) -> list[NDArray[np.int64]]:
        """Rows of each segment of consecutive frames, among these rows (default: all), each in time order."""
        rows = np.arange(len(self)) if rows is None else np.sort(np.asarray(rows))
        number = self.index["frame"].to_numpy(np.int64)[rows] if self.card.consecutive else None
        pieces = windows.segments(self.clips[rows], self.time_s[rows], self.card.fps, number)
        return [rows[start:stop] for start, stop in pieces]

    def segment_positions(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The segments among these rows, which must be sorted, as positions in `rows`."""
        return [np.searchsorted(rows, segment) for segment in self.segments(rows)]


@checked
def restate(corpus: PreparedCorpus, kind: CorpusKind = "unknown", notes: Iterable[str] = ()) -> PreparedCorpus:
    """The corpus with this kind, unless it is `unknown`, and these notes beside others on its card.

    Only corpus.json is written, and only where this changes it. Faces, labels and fingerprint stay as they are.

    Raises:
        OutputError: corpus.json cannot be written.
    """
    card = corpus.card
    kind = card.kind if kind == "unknown" else kind
    changed = replace(card, kind=kind, notes=list(dict.fromkeys([*card.notes, *notes])))
    if changed == card:
        return corpus
    write_json(corpus.folder / "corpus.json", card_json(changed))
    return PreparedCorpus(corpus.folder, changed)


def _damaged(folder: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{folder}: damaged prepared corpus ({error}). Delete it and prepare it again")


def card_json(card: CorpusCard) -> dict[str, Any]:
    """What `corpus.json` holds."""
    return asdict(card)
