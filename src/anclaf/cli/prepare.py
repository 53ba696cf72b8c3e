"""`anclaf prepare`: a labelled corpus on disk, or the embedded one, to aligned faces and an index."""

from dataclasses import MISSING, dataclass, field, fields, make_dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

import tyro

from anclaf.cli.console import POINTS, progress_display, say
from anclaf.config import CorpusKind, CropName, PointsName
from anclaf.core.errors import ConfigError
from anclaf.corpora.readers import READERS, Preparation, Reader

_KIND = tyro.conf.arg(
    metavar="{real,synthetic}",
    help="Whose faces these are: real people, or rendered ones, whatever layout they are in. Reports set the paper's "
    "numbers beside those of a corpus that is real, and only of such. Can be stated later: the same command with "
    "--kind changes the card of a corpus that is prepared already.",
    help_behavior_hint="(default: as the reader knows it)",
)


@dataclass(frozen=True, kw_only=True)
class ReaderCommand:
    """What every reader's command takes; `reader_command` joins it with a reader's own options."""

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder to make."""
    kind: Annotated[Literal["real", "synthetic"] | None, _KIND] = None
    image_size: Literal[64, 128] = 64
    """Side of the square face in pixels. The recipes `demo` and `small` take 64, `paper` takes 128."""
    crop: CropName = "five-point"
    """`five-point`: eyes, nose and mouth corners to fixed places. `paper`: the landmark box, squashed to a square."""
    detector: str = "auto"
    """auto, haar, yunet, yunet:PATH, or another registered detector. Used where the corpus has no landmarks."""
    points: Annotated[PointsName, POINTS] = "starter"
    workers: int = 1
    """Processes."""
    overwrite: bool = False
    """Replace another prepared corpus at OUT."""
    note: Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: none)")] = None
    """A line that reports repeat."""

    def run(self) -> int:
        from anclaf.data.prepare import prepare_corpus

        reader = cast(Reader, self)
        self._check_kind(getattr(reader, "corpus_kind", "unknown"))
        with progress_display() as progress:
            listing = reader.listing(Preparation(self.out, self.workers, progress, self.detector))
            if self.kind is not None:
                self._check_kind(listing.kind)
                listing = replace(listing, kind=self.kind)
        with progress_display() as progress:
            corpus = prepare_corpus(
                listing, self.out, image_size=self.image_size, crop=self.crop, detector=self.detector,
                points=self.points, workers=self.workers, overwrite=self.overwrite, note=self.note, progress=progress,
            )  # fmt: skip
        card = corpus.card
        say(f"{corpus.folder}: {card.frames} frames of {card.clips} clips, {card.subjects} people ({card.source})")
        say(f"  kind: {_KINDS[card.kind]}")
        for reason, count in card.skipped.items():
            say(f"  skipped, {reason}: {count} (each is listed in {corpus.folder / 'skipped.parquet'})")
        for note in card.notes:
            say(f"  note: {note}")
        return 0

    def _check_kind(self, known: CorpusKind) -> None:
        if self.kind is not None and known != "unknown":
            raise ConfigError(f"--kind {self.kind} has no effect: this reader's corpora are {known}. Leave it out")


_KINDS: dict[CorpusKind, str] = {
    "real": "real; reports set the paper's numbers beside this corpus's where it is a database of the paper",
    "synthetic": "synthetic; reports set no numbers of the paper beside this corpus's",
    "drawn": "drawn by this program; reports set no numbers of the paper beside this corpus's",
    "unknown": "unknown, so that reports set no numbers of the paper beside this corpus's; "
    "say --kind real or --kind synthetic with the same command, which takes a moment",
}


def reader_command(name: str) -> Any:
    """The dataclass of `anclaf prepare NAME`: the reader's options, those without a default positional, and the common
    ones.

    Raises:
        ConfigError: there is no such reader, its package cannot be imported, or one of its options has a common
            option's name.
    """
    reader = READERS.get(name)
    own, common = fields(cast(Any, reader)), {one.name for one in fields(ReaderCommand)}
    if taken := [one.name for one in own if one.name in common]:
        raise ConfigError(f"corpus reader {name!r}: its option {taken[0]} is one of `anclaf prepare` itself; rename it")
    hints = get_type_hints(reader, include_extras=True)
    positional = [
        (
            one.name,
            Annotated[hints[one.name], tyro.conf.Positional, tyro.conf.arg(metavar=one.name.upper())],
            field(kw_only=True),
        )
        for one in own
        if one.default is MISSING and one.default_factory is MISSING
    ]
    return make_dataclass(
        reader.__name__, positional, bases=(ReaderCommand, reader), frozen=True, namespace={"__doc__": reader.__doc__}
    )


def prepare_command() -> Any:
    """The dataclass of `anclaf prepare`, with a subcommand for each reader."""
    commands: list[Any] = []
    for name in READERS.names():
        try:
            command = reader_command(name)
        except ConfigError as error:
            command = _unavailable(error)
        commands.append(Annotated[command, tyro.conf.subcommand(name)])
    return make_dataclass(
        "Prepare",
        [("reader", tyro.conf.OmitArgPrefixes[reduce(or_, commands)])],
        bases=(_Prepare,),
        frozen=True,
        namespace={"__doc__": _Prepare.__doc__},
    )


def _unavailable(error: ConfigError) -> Any:
    """The command of a reader that cannot be used: another package's fault must not stop other commands."""

    def run(_: object) -> int:
        raise error

    words = ("words", Annotated[tuple[str, ...], tyro.conf.Positional], ())
    return make_dataclass(
        "Unavailable", [words], frozen=True, namespace={"__doc__": f"Unavailable. {error}.", "run": run}
    )


@dataclass(frozen=True)
class _Prepare:
    """Read a labelled corpus and write aligned faces with their labels, to train on."""

    def run(self) -> int:
        return cast(Any, self).reader.run()
