"""RECOLA's gold standard as the AVEC challenges of 2015 and 2016 give it: ARFF, a file for a recording's dimension."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from anclaf.core.errors import CorpusError
from anclaf.corpora.labels import SCALES
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.ratings import Ratings


def read_recola(path: Path) -> list[Ratings]:
    """The ratings of each instance: moments `frameTime`, in seconds, and `GoldStandard` in [-1, 1], `?` where there is
    none.

    Raises:
        CorpusError: not an ARFF file with these attributes.
    """
    try:
        lines = [line.strip() for line in path.read_bytes().decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path.name}: not a text; expected an ARFF file") from error
    lines = [line for line in lines if line and not line.startswith("%")]
    data = next((k for k, line in enumerate(lines) if line.lower() == "@data"), len(lines))
    titles = [line.split()[1].strip("'\"").lower() for line in lines[:data] if line.lower().startswith("@attribute ")]
    if data == len(lines) or not {"frametime", "goldstandard"} <= {*titles}:
        got = ", ".join(titles) or "none"
        raise CorpusError(f"{path.name}: attributes: {got}; expected an ARFF file with frameTime and GoldStandard")
    rows = [[cell.strip().strip("'\"") for cell in row] for row in csv.reader(lines[data + 1 :], quotechar="'")]
    if wrong := next((k for k, row in enumerate(rows, 1) if len(row) != len(titles)), None):
        raise CorpusError(f"{path.name}: row {wrong} has {len(rows[wrong - 1])} values; expected {len(titles)}")
    column = {title: [row[k] for row in rows] for k, title in enumerate(titles)}
    try:
        time, value = (
            np.array([float("nan" if cell == "?" else cell) for cell in column[name]], np.float64)
            for name in ("frametime", "goldstandard")
        )
    except ValueError as error:
        raise CorpusError(f"{path.name}: {error}; expected numbers or `?`") from error
    instance = np.array(column.get("instance_name", [""] * len(rows)), str)
    names = list(dict.fromkeys(instance.tolist()))
    return [
        replace(
            Ratings.samples(time[instance == name], value[instance == name]),
            scale=SCALES["signed"],
            video=name if len(names) > 1 else None,
        )
        for name in names
    ]


RECOLA = RatingFormat(read_recola)
