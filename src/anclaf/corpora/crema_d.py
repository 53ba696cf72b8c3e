"""CREMA-D (Cao et al. 2014): videos of actors who speak a sentence with an emotion, and how often raters of the picture
alone voted for each of six emotions, and how strong they found it.

There is no valence or arousal: a clip's one value of each follows from its votes by `circumplex.PLACES`, an assumption.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from anclaf.core.arguments import checked
from anclaf.core.errors import CorpusError, VideoError
from anclaf.core.sheets import numbers
from anclaf.corpora import recognise
from anclaf.corpora.base import Clip, ClipNote, CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.circumplex import places_text, weighted_place
from anclaf.corpora.files import read_csv_file, stamp
from anclaf.corpora.labels import SCALES
from anclaf.faces.frames import read_video
from anclaf.faces.images import VIDEO_SUFFIXES, foreign, hidden

SCALE = SCALES["signed"]
FPS = 29.97
FACE = 2
"""Rows of the table of votes are numbered 100000 k + clip; k = 2 are those who saw the face and heard nothing."""

_EXPECTED = "CREMA-D's videos (VideoFlash) and its tabulatedVotes.csv or summaryTable.csv, at any depth"
_EMOTIONS = {"A": "Anger", "D": "Disgust", "F": "Fear", "H": "Happy", "N": "Neutral", "S": "Sad"}
_PLACE_OF = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
_CLIP = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2}|X{1,2})", re.IGNORECASE)
_DEMOGRAPHICS = ("Age", "Sex", "Race", "Ethnicity")


class _Votes(NamedTuple):
    """A clip's raters: how many; whether several emotions have most votes; and emotion -> votes x mean level."""

    raters: int | None
    tie: bool
    weights: dict[str, float]


@dataclass(frozen=True)
class CremaDClip:
    """One video, with one label for all of its frames. stamp: of its files and labels (`files.stamp`)."""

    name: str
    subject: str
    path: Path
    valence: float
    arousal: float
    columns: Mapping[str, str]
    stamp: str
    fold: int = -1

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """The frames in order, numbered from 0; no landmarks."""
        notes: list[str] = []
        try:
            if (what := foreign(self.path)).startswith("a Git LFS pointer"):
                yield SkippedFrame(self.name, -1, "lfs_pointer", f"{self.path.name}: {what}")
                return
            for frame in read_video(self.path, notes=notes):
                yield LabelledFrame(
                    frame.index, frame.time_s, frame.image, self.valence, self.arousal, columns=self.columns
                )
        except OSError as error:
            yield SkippedFrame(self.name, -1, "unreadable", f"{self.path.name}: {error.strerror}")
        except VideoError as error:
            yield SkippedFrame(self.name, -1, "corrupt_video", str(error))
        yield from (ClipNote(self.name, note) for note in notes)


@checked
def list_crema_d(source: Path) -> CorpusListing:
    """Find the clips of a CREMA-D folder: all that raters saw, whose video is there.

    Raises:
        CorpusError: no such folder, no table of votes in it, or a damaged one.
    """
    source = recognise.require_folder(source, _EXPECTED)
    files, videos = _survey(source)
    table = next((files[name] for name in ("tabulatedvotes.csv", "tabulatedvotes_face.csv") if name in files), None)
    if table is not None:
        votes = _tabulated(table)
    elif (table := files.get("summarytable.csv")) is not None:
        votes = _summary(table)
    else:
        raise recognise.not_found(source, _EXPECTED)
    if not votes:
        raise CorpusError(f"{table}: no clip was rated by its face; expected rows numbered from 200001")
    actors = _demographics(files.get("videodemographics.csv"))
    clips: list[Clip] = []
    skipped: list[SkippedFrame] = []
    for name, said in sorted(votes.items()):
        place = weighted_place(said.weights)
        if (path := videos.get(name)) is None:
            skipped.append(SkippedFrame(name, -1, "missing_video", f"{name} is in {table.name}, but no such video"))
        elif place is None:
            skipped.append(SkippedFrame(name, -1, "no_label", "no vote with a level above 0"))
        else:
            known = _columns(name, said, actors)
            clips.append(CremaDClip(name, name[:4], path, *place, known, stamp([path], place, known)))
    for name in sorted(videos.keys() - votes.keys()):
        skipped.append(SkippedFrame(name, -1, "no_label", f"{videos[name].name} is not in {table.name}"))
    pointers = sum(map(_is_pointer, videos.values()))
    fetch = "are Git LFS pointers, not the files themselves. Fetch them with `git lfs pull`"
    if pointers and pointers == len(videos):
        raise CorpusError(f"{source}: expected videos, but all {pointers} {fetch}")
    ties, singles = sum(said.tie for said in votes.values()), sum(said.raters == 1 for said in votes.values())
    notes = [
        "an assumption: labels are no ratings of valence and arousal. A clip's one value of each is the mean of its "
        f"emotions' places (valence/arousal: {places_text()}), weighted by votes of the face alone x mean level",
        f"{len(votes)} clips in {table.name}; {ties} are ties, {singles} have a single vote: all are taken",
    ]
    notes += [f"{pointers} of its {len(videos)} videos {fetch}"] if pointers else []
    if table.name.lower() == "summarytable.csv":
        notes.append(f"{table.name} has the most frequent emotions alone, without their votes: levels are the weights")
    if not actors:
        notes.append("VideoDemographics.csv is not there: age, sex, race and ethnicity are not known")
    return CorpusListing("crema-d", SCALE, FPS, clips, skipped, notes, {"table": table.name})


def _survey(source: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Tables by name in lower case, and videos by the clip's name."""
    tables: dict[str, Path] = {}
    videos: dict[str, Path] = {}
    for parent, folders, files in os.walk(source, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent) / name for name in sorted(files)):
            if hidden(path):
                continue
            if path.suffix.lower() == ".csv":
                tables.setdefault(path.name.lower(), path)
            elif path.suffix.lower() in VIDEO_SUFFIXES and _CLIP.fullmatch(path.stem):
                videos.setdefault(path.stem.upper(), path)
    return tables, videos


def _is_pointer(path: Path) -> bool:
    try:
        # no video is as small
        return path.stat().st_size < 1024 and foreign(path).startswith("a Git LFS pointer")
    except OSError:
        return False


def _read(path: Path, expected: tuple[str, ...]) -> pd.DataFrame:
    table = read_csv_file(path)
    if missing := [name for name in expected if name not in table]:
        raise CorpusError(f"{path}: got the columns {', '.join(table.columns)}; missing: {', '.join(missing)}")
    return table


def _tabulated(path: Path) -> dict[str, _Votes]:
    """Of tabulatedVotes.csv: its first column, without a title, is the row's number."""
    levels = {letter: f"mean{emotion}Resp" for letter, emotion in _EMOTIONS.items()}
    table = _read(path, ("fileName", *_EMOTIONS, *levels.values()))
    table = table[numbers(table.iloc[:, 0]) // 100_000 == FACE]
    votes = np.nan_to_num(np.stack([numbers(table[letter]) for letter in _EMOTIONS], 1))
    # -1 where nobody voted
    level = np.maximum(np.nan_to_num(np.stack([numbers(table[name]) for name in levels.values()], 1)), 0)
    weights, most = votes * level, votes == votes.max(1, keepdims=True)
    return {
        str(name).upper(): _Votes(
            int(votes[k].sum()), most[k].sum() > 1, dict(zip(_PLACE_OF.values(), weights[k].tolist(), strict=True))
        )
        for k, name in enumerate(table["fileName"])
    }


def _summary(path: Path) -> dict[str, _Votes]:
    """Of summaryTable.csv: the emotions that most voted for, such as `A:D`, and their levels, such as `30.67:51`."""
    table = _read(path, ("FileName", "FaceVote", "FaceLevel"))
    found = {}
    for name, vote, level in zip(table["FileName"], table["FaceVote"], table["FaceLevel"], strict=True):
        letters = [letter for letter in vote.upper().split(":") if letter in _PLACE_OF]
        strength = np.nan_to_num(numbers(pd.Series(str(level).split(":"), dtype=str)))
        if len(strength) != len(letters):
            strength = np.full(len(letters), np.nan_to_num(strength[:1]).sum())
        weights = {_PLACE_OF[letter]: max(float(s), 0.0) for letter, s in zip(letters, strength, strict=True)}
        found[name.upper()] = _Votes(None, len(letters) > 1, weights)
    return found


def _demographics(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None:
        return {}
    table = _read(path, ("ActorID", *_DEMOGRAPHICS))
    return {row["ActorID"]: {name.lower(): row[name] for name in _DEMOGRAPHICS} for row in table.to_dict("records")}


def _columns(name: str, said: _Votes, actors: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    actor, sentence, emotion, level = name.split("_")
    known = {column.lower(): "" for column in _DEMOGRAPHICS} if actors else {}
    known |= actors.get(actor, {})
    raters = {} if said.raters is None else {"raters": str(said.raters)}
    return known | {"sentence": sentence, "intended_emotion": emotion, "intended_level": level} | raters
