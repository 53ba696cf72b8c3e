"""`anclaf prepare`: a labelled corpus on disk, or the embedded one, to aligned faces and an index."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anclaf.cli.console import progress_display, say
from anclaf.core.files import fingerprint
from anclaf.corpora.base import CorpusListing


@dataclass(frozen=True)
class _Reader:
    """Settings that every reader has."""

    image_size: Literal[64, 128] = 64
    """Side of the square face in pixels. The recipes `demo` and `small` take 64, `paper` takes 128."""
    crop: Literal["five-point", "paper"] = "five-point"
    """`five-point`: eyes, nose and mouth corners to fixed places. `paper`: the landmark box, squashed to a square."""
    detector: str = "auto"
    """auto, haar, yunet, yunet:PATH, or another registered detector. Used where the corpus has no landmarks."""
    workers: int = 1
    """Processes."""
    overwrite: bool = False
    """Replace another prepared corpus at OUT."""
    note: str | None = None
    """A line that reports repeat. Say `rendered` of faces that are not photographed, whatever layout they are in: then
    no report sets their numbers beside the paper's."""

    def listing(self) -> CorpusListing:
        raise NotImplementedError


@dataclass(frozen=True)
class AfewVa(_Reader):
    """AFEW-VA as released (01/001/00000.png), or flat copies of it."""

    src: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SRC")] = field(kw_only=True)
    """Folder of the database."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")] = field(kw_only=True)
    """Folder to make."""
    anamorphic: bool = False
    """Stretch frames to square pixels (x divided by 0.75)."""
    fps: float = 25.0
    """Frames a second; the release states none."""

    def listing(self) -> CorpusListing:
        from anclaf.corpora.afew_va import list_afew_va

        return list_afew_va(self.src, anamorphic=self.anamorphic, fps=self.fps)


@dataclass(frozen=True)
class Sewa(_Reader):
    """SEWA DB: zips or extracted folders, or the layout that the paper's authors converted it to."""

    src: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SRC")] = field(kw_only=True)
    """Folder of the database."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")] = field(kw_only=True)
    """Folder to make."""
    channel: Literal["A", "V", "AV"] = "A"
    """Annotated from audio (what the paper reads), video, or both."""
    value_columns: tuple[str, ...] = ()
    """Columns of the label files to average; all of them if none is named."""
    low: float | None = None
    """Lower end of the labels' range; found in the labels if not stated."""
    high: float | None = None
    """Upper end of the labels' range."""
    fps: float | None = None
    """Frames a second of segments stored as images; videos state theirs."""

    def listing(self) -> CorpusListing:
        from anclaf.corpora.sewa import list_sewa

        return list_sewa(
            self.src, channel=self.channel, value_columns=self.value_columns, low=self.low, high=self.high, fps=self.fps
        )


@dataclass(frozen=True)
class Table(_Reader):
    """A CSV or Parquet table of your own images or videos: image | video, valence, arousal, and optionally frame or
    time_s, subject, fold."""

    src: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SRC")] = field(kw_only=True)
    """The table."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")] = field(kw_only=True)
    """Folder to make."""
    root: Path | None = None
    """Folder that the table's paths start from; the table's own if not stated."""
    low: float | None = None
    """Lower end of the labels' range; found in the labels if not stated."""
    high: float | None = None
    """Upper end of the labels' range."""

    def listing(self) -> CorpusListing:
        from anclaf.corpora.table import list_table

        return list_table(self.src, root=self.root, low=self.low, high=self.high)


@dataclass(frozen=True)
class Puppet(_Reader):
    """The embedded corpus: people drawn by this program, for a first look without a database. Not real faces."""

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")] = field(kw_only=True)
    """Folder to make. The drawn frames stay in OUT-source-…, in AFEW-VA's layout."""
    clips: int = 80
    subjects: int = 40
    frames: tuple[int, int] = (32, 48)
    """Shortest and longest clip."""
    seed: int = 0

    def listing(self) -> CorpusListing:
        from anclaf.corpora.afew_va import list_afew_va
        from anclaf.synthetic.puppet import write_puppet

        settings = {"clips": self.clips, "subjects": self.subjects, "frames": self.frames, "seed": self.seed}
        # a folder of drawn frames is whole or not there, and its name says what was asked for
        source = self.out.with_name(f"{self.out.name}-source-{fingerprint(settings)[:8]}")
        if not source.exists():
            with progress_display() as progress:
                write_puppet(
                    source, clips=self.clips, subjects=self.subjects, frames=self.frames, seed=self.seed,
                    workers=self.workers, progress=progress,
                )  # fmt: skip
        return list_afew_va(source, source_name="puppet")


@dataclass(frozen=True)
class Prepare:
    """Read a labelled corpus and write aligned faces with their labels, to train on."""

    reader: tyro.conf.OmitArgPrefixes[
        Annotated[AfewVa, tyro.conf.subcommand("afew-va")]
        | Annotated[Sewa, tyro.conf.subcommand("sewa")]
        | Annotated[Table, tyro.conf.subcommand("table")]
        | Annotated[Puppet, tyro.conf.subcommand("puppet")]
    ]

    def run(self) -> int:
        from anclaf.data.prepare import prepare

        reader = self.reader
        listing = reader.listing()
        if reader.note:
            listing = replace(listing, notes=[*listing.notes, reader.note])
        with progress_display() as progress:
            corpus = prepare(
                listing, reader.out, image_size=reader.image_size, crop=reader.crop, detector=reader.detector,
                workers=reader.workers, overwrite=reader.overwrite, progress=progress,
            )  # fmt: skip
        card = corpus.card
        say(f"{corpus.folder}: {card.frames} frames of {card.clips} clips, {card.subjects} people ({card.source})")
        for reason, count in card.skipped.items():
            say(f"  skipped, {reason}: {count} (each is listed in {corpus.folder / 'skipped.parquet'})")
        for note in card.notes:
            say(f"  note: {note}")
        return 0
