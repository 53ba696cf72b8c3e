"""Corpus readers by name, each with its options, without importing what reads the files.

`anclaf prepare NAME` takes the options of the reader of this name: the text below each field is what `--help` prints,
and a field without a default is a positional argument. Another package brings a reader by `READERS.register`, or by an
entry point in the group `anclaf.readers`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from anclaf.config import CorpusKind, ScaleName
from anclaf.core.errors import ConfigError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.core.registry import Registry

if TYPE_CHECKING:
    from anclaf.corpora.base import CorpusListing

Channel = Literal["A", "V", "AV"]
AffWild2Pictures = Literal["auto", "cropped-aligned", "cropped", "video"]
Join = Literal["mean", "ewe"]


@dataclass(frozen=True)
class Preparation:
    """For readers that first make files of their own, as `puppet` does, or look at faces; others ignore it.

    out: the folder of the prepared corpus. workers: processes to use. progress: called while that is done. detector: of
    the command.
    """

    out: Path
    workers: int = 1
    progress: Progress = silent
    detector: str = "auto"


class Reader(Protocol):
    """A frozen dataclass of a reader's options.

    A reader whose corpora are all of one kind states it as the class variable `corpus_kind`, so that a contradicting
    `--kind` is refused before any work; and in the `CorpusListing`.
    """

    def listing(self, preparation: Preparation, /) -> "CorpusListing":
        """Find the clips.

        Raises:
            CorpusError: there are none.
            ConfigError: an option is out of range.
        """
        ...


@dataclass(frozen=True)
class AfewVa:
    """AFEW-VA as released (01/001/00000.png), or flat copies of it."""

    src: Path
    """Folder of the database."""
    anamorphic: bool = False
    """Stretch frames to square pixels (x divided by 0.75)."""
    fps: float = 25.0
    """Frames a second; the release states none."""

    def listing(self, _: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.afew_va import list_afew_va

        return list_afew_va(self.src, anamorphic=self.anamorphic, fps=self.fps)


@dataclass(frozen=True)
class Sewa:
    """SEWA DB: zips or extracted folders, or the layout that the paper's authors converted it to."""

    src: Path
    """Folder of the database."""
    channel: Channel = "A"
    """Annotated from audio (what the paper reads), video, or both."""
    value_columns: tuple[str, ...] = ()
    """Columns of the label files to average; all of them if none is named."""
    low: float | None = None
    """Lower end of the labels' range; taken from the labels if not stated."""
    high: float | None = None
    """Upper end of the labels' range."""
    scale: ScaleName | None = None
    """The labels' range by name: unit 0..1, signed -1..1, afew-va -10..10, sam5, sam7, sam9 from 1, percent 0..100."""
    fps: float | None = None
    """Frames a second of segments stored as images; videos state theirs."""

    def listing(self, _: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.sewa import list_sewa

        return list_sewa(
            self.src,
            channel=self.channel,
            value_columns=self.value_columns,
            low=self.low,
            high=self.high,
            scale=self.scale,
            fps=self.fps,
        )


@dataclass(frozen=True)
class Table:
    """A CSV, Excel or Parquet table of your own images or videos: image | video, valence, arousal, and optionally
    frame or time_s, subject, fold. With --labels a table of your own videos: video; valence and arousal, or ratings,
    naming files of ratings over time; and optionally rater, subject, fold. Further columns are what
    results are to be split by."""

    src: Path
    """The table."""
    root: Path | None = None
    """Folder that the table's paths start from; the table's own if not stated."""
    low: float | None = None
    """Lower end of the labels' range; taken from the labels if not stated."""
    high: float | None = None
    """Upper end of the labels' range."""
    scale: ScaleName | None = None
    """The labels' range by name: unit 0..1, signed -1..1, afew-va -10..10, sam5, sam7, sam9 from 1, percent 0..100."""
    columns: tuple[str, ...] = ()
    """Further columns to keep, to split results by, such as sex and age; all, up to 32, if none is named."""
    labels: str | None = None
    """Format of files of ratings over time that hold the labels: carma, darma, nova, omg-emotion, pagan or recola."""
    join: Join | None = None
    """How ratings of several raters are joined: mean, the default, or ewe, by how they agree. Only with --labels."""
    lag: float | Literal["auto"] | None = None
    """Seconds by which raters answer late, or auto: where ratings tell most of faces. Only with --labels."""

    def listing(self, preparation: Preparation, /) -> "CorpusListing":
        if self.labels is None:
            from anclaf.corpora.table import list_table

            for name, value in (("join", self.join), ("lag", self.lag)):
                if value is not None:
                    raise ConfigError(f"--{name} {value} has no effect without --labels. Leave it out")
            return list_table(
                self.src, root=self.root, low=self.low, high=self.high, scale=self.scale, columns=self.columns
            )
        from anclaf.corpora.rated import list_rated

        return list_rated(
            self.src,
            self.labels,
            root=self.root,
            low=self.low,
            high=self.high,
            scale=self.scale,
            join=self.join,
            columns=self.columns,
            lag=self.lag or 0.0,
            detector=preparation.detector,
            progress=preparation.progress,
        )


@dataclass(frozen=True)
class Puppet:
    """The embedded corpus: people drawn by this program, for a first look without a database. Not real faces.

    The drawn frames stay in OUT-source-…, in AFEW-VA's layout."""

    corpus_kind: ClassVar[CorpusKind] = "drawn"

    clips: int = 80
    """How many clips are drawn."""
    subjects: int = 40
    """How many people are in them."""
    frames: tuple[int, int] = (32, 48)
    """Shortest and longest clip."""
    seed: int = 0
    """Decides every pixel and every label."""

    def listing(self, preparation: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.afew_va import list_afew_va
        from anclaf.synthetic.puppet import write_puppet

        settings = {"clips": self.clips, "subjects": self.subjects, "frames": self.frames, "seed": self.seed}
        # a folder of drawn frames is whole or not there, and its name says what was asked for
        out = preparation.out
        source = out.with_name(f"{out.name}-source-{fingerprint(settings)[:8]}")
        if not source.exists():
            write_puppet(
                source, clips=self.clips, subjects=self.subjects, frames=self.frames, seed=self.seed,
                workers=preparation.workers, progress=preparation.progress,
            )  # fmt: skip
        return list_afew_va(source, source_name="puppet", kind=self.corpus_kind)


@dataclass(frozen=True)
class AffWild2:
    """Aff-Wild2, the valence-arousal track of ABAW: Train_Set and Validation_Set, cropped pictures or videos."""

    src: Path
    """Folder of the database."""
    pictures: AffWild2Pictures = "auto"
    """The database's faces, cropped-aligned or cropped; or video; auto: the first of these that there is."""
    people: Path | None = None
    """CSV with the columns video and subject: the database names nobody."""
    fps: float = 30.0
    """Frames a second of pictures whose video is not there."""

    def listing(self, _: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.aff_wild2 import list_aff_wild2

        return list_aff_wild2(self.src, pictures=self.pictures, people=self.people, fps=self.fps)


@dataclass(frozen=True)
class AffectNet:
    """AffectNet: still pictures in train_set and val_set, with 68 landmarks."""

    src: Path
    """Folder of the database."""

    def listing(self, _: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.affectnet import list_affectnet

        return list_affectnet(self.src)


@dataclass(frozen=True)
class CremaD:
    """CREMA-D: videos of actors, labelled by votes for emotions: valence and arousal follow by an assumption."""

    src: Path
    """Folder of the database."""

    def listing(self, _: Preparation, /) -> "CorpusListing":
        from anclaf.corpora.crema_d import list_crema_d

        return list_crema_d(self.src)


READERS: Registry[type[Reader]] = Registry(
    "corpus reader",
    "anclaf.readers",
    {
        "afew-va": f"{__name__}:AfewVa",
        "sewa": f"{__name__}:Sewa",
        "aff-wild2": f"{__name__}:AffWild2",
        "affectnet": f"{__name__}:AffectNet",
        "crema-d": f"{__name__}:CremaD",
        "table": f"{__name__}:Table",
        "puppet": f"{__name__}:Puppet",
    },
)
