"""Numbers and counts as text, for reports and the console."""

import math
import os
from collections.abc import Mapping
from typing import Any

DIGITS = 3
DASH = "–"


def shown(name: str) -> str:
    """A file's name as text: bytes of it that are none are written as `\\xfc`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def number(value: Any) -> float:
    """A number of metrics.json, where NaN is written as null."""
    return math.nan if value is None else float(value)


def fold_words(folds: list[int]) -> str:
    """`fold 0`, `folds 0, 1, 2`."""
    return f"fold{'s' * (len(folds) != 1)} {', '.join(map(str, folds)) or 'unknown'}"


def size_words(corpus: Mapping[str, Any]) -> str:
    """`12 clips, 1 subject, 360 frames`, from a corpus card."""
    return ", ".join(counted(corpus[f"{unit}s"], unit) for unit in ("clip", "subject", "frame") if f"{unit}s" in corpus)


def counted(value: int, noun: str) -> str:
    """`1 clip`, `1,200 clips`."""
    return f"{count(value)} {noun}{'s' * (value != 1)}"


def count(value: float) -> str:
    """1234567 -> 1,234,567."""
    return f"{value:,}"


def number_text(value: float) -> str:
    """Three digits after the point, a dash for NaN."""
    return f"{value:z.{DIGITS}f}" if math.isfinite(value) else DASH


def percent_text(share: float | None) -> str:
    """`34 %`, a dash where there is none."""
    value = number(share)
    return f"{100 * value:.0f} %" if math.isfinite(value) else DASH


def difference_text(value: float, low: float, high: float, share: float = math.nan) -> str:
    """`+0.021 [-0.010, 0.052]`; with a share of the variance, of several seeds, `; 34 %` after it."""
    after = f"; {percent_text(share)}" if math.isfinite(share) else ""
    return f"{value:+z.{DIGITS}f} {interval_text(low, high)}".strip() + after


def interval_text(low: float, high: float) -> str:
    """`[0.412, 0.530]`, or nothing where there is no interval."""
    return f"[{low:z.{DIGITS}f}, {high:z.{DIGITS}f}]" if math.isfinite(low) and math.isfinite(high) else ""
