"""A rating while it is given: samples on disk as they come, so that what breaks off loses a second at most.

A text file of JSON lines: first the settings, then `[seconds, valence, arousal]` for each sample.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anclaf.app.limits import RefusedError
from anclaf.app.rating.answers import LONGEST_S, RATE, RatingBegin, RatingSession
from anclaf.core.errors import TableError
from anclaf.core.files import output_error, write_text
from anclaf.core.labels import LabelScale
from anclaf.corpora.ratings import DIMENSIONS, Dimension, Ratings

_MOST = int(LONGEST_S * RATE)
_ROUNDING_S = 1e-6
Sample = tuple[float, float | None, float | None]


@dataclass
class Log:
    """session: who may add to it. samples: all of it."""

    path: Path
    begin: RatingBegin
    session: str
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def new(cls, path: Path, begin: RatingBegin) -> "Log":
        """Begin one.

        Raises:
            OutputError: it cannot be written.
        """
        log = cls(path, begin, secrets.token_hex(8))
        log._rewrite()
        return log

    @classmethod
    def read(cls, path: Path) -> "Log":
        """One that is there; a last line that was not written to its end is left out.

        Raises:
            TableError: it is damaged.
        """
        try:
            head, *lines = path.read_bytes().split(b"\n")
            told: dict[str, Any] = json.loads(head)
            log = cls(path, RatingBegin.model_validate(told["begin"]), str(told["session"]))
            for line in lines[:-1]:
                at, valence, arousal = json.loads(line)
                log.samples.append((float(at), valence, arousal))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TableError(f"{path.name}: damaged; move it away") from error
        if lines and lines[-1]:
            log._rewrite()
        return log

    def _rewrite(self) -> None:
        head = json.dumps({"session": self.session, "begin": json.loads(self.begin.model_dump_json())})
        write_text(self.path, "\n".join([head, *map(_line, self.samples), ""]))

    @property
    def at_s(self) -> float:
        """Where the next sample is expected."""
        return self.samples[-1][0] + 1 / RATE if self.samples else 0.0

    def answer(self) -> RatingSession:
        """What who rates is told."""
        asked = self.begin
        return RatingSession(
            session=self.session, from_s=self.at_s, saved=len(self.samples), dimensions=asked.dimensions,
            low=asked.low, high=asked.high, bin_s=asked.bin_s,
        )  # fmt: skip

    def take_over(self) -> None:
        """Go on with it in a session of its own; the one before can add nothing more."""
        self.session = secrets.token_hex(8)
        self._rewrite()

    def add(self, first: int, samples: list[Sample]) -> int:
        """Add samples, those left out that are there already, and give how many there are.

        Raises:
            RefusedError: some before these are missing (409), or a sample is not of the scale or the times do not rise
                (422), or there are too many (413). OutputError: they cannot be written.
        """
        if first > len(self.samples):
            raise RefusedError(409, f"samples {len(self.samples)} to {first - 1} did not come; send them first")
        new = samples[len(self.samples) - first :]
        if len(self.samples) + len(new) > _MOST:
            raise RefusedError(413, f"more than {_MOST:,} samples; a rating may be {LONGEST_S / 3600:g} hours long")
        self._check(new)
        if new:
            self._append("".join(f"{_line(one)}\n" for one in new).encode())
            self.samples += new
        return len(self.samples)

    def _append(self, content: bytes) -> None:
        try:
            with open(self.path, "r+b") as file:
                before = file.seek(0, os.SEEK_END)
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        file.truncate(before)
                    raise
        except OSError as error:
            raise output_error(self.path, error) from error

    def _check(self, new: list[Sample]) -> None:
        scale, before = LabelScale(self.begin.low, self.begin.high), self.samples[-1][0] if self.samples else -1.0
        for time_s, *values in new:
            if time_s <= before:
                raise RefusedError(422, f"a sample of {time_s:g} s after one of {before:g} s; expected rising times")
            before = time_s
            for dimension, value in zip(DIMENSIONS, values, strict=True):
                if value is None:
                    continue
                if dimension not in self.begin.dimensions:
                    raise RefusedError(422, f"a value of {dimension}, which is not rated; expected null")
                if not scale.contains([value]).all():
                    raise RefusedError(422, f"{dimension} is {value:g}; expected {scale.low:g} to {scale.high:g}")

    def ratings(self) -> dict[Dimension, Ratings]:
        """Means of the bins: a bin has what was said from its beginning to before its end, with which it is stamped;
        NaN where nothing was. A last part that is shorter than a bin is dropped.

        Raises:
            RefusedError: (409) not one bin is complete.
        """
        rows = np.array([[np.nan if cell is None else cell for cell in one] for one in self.samples], np.float64)
        rows = rows.reshape(-1, 3)
        length, count = self.begin.bin_s, int(self.at_s / self.begin.bin_s + _ROUNDING_S)
        if not count or not np.isfinite(rows[:, 1:]).any():
            raise RefusedError(409, f"rated up to {self.at_s:.2f} s; expected one bin of {length:g} s or more")
        which = np.floor(rows[:, 0] / length + _ROUNDING_S).astype(np.int64)
        ends = np.round(np.arange(1, count + 1) * length, 9)
        scale = LabelScale(self.begin.low, self.begin.high)
        return {
            name: replace(
                Ratings.bins(ends, _means(which, rows[:, 1 + DIMENSIONS.index(name)], count)), scale=scale,
                dimension=name,
            )
            for name in self.begin.dimensions
        }  # fmt: skip


def _means(which: NDArray[np.int64], value: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    used = np.isfinite(value) & (which < count)
    number = np.bincount(which[used], minlength=count)
    total = np.bincount(which[used], value[used], minlength=count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan).round(6)


def _line(sample: Sample) -> str:
    return json.dumps(list(sample), allow_nan=False)
