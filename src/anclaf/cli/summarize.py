"""`anclaf summarize`: tables of `anclaf predict` to one row per source and person."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anclaf.cli.console import fail, one_or_more, print_table, say
from anclaf.config import DWELL_S, TABLE_SUFFIXES
from anclaf.core.errors import ConfigError, OutputError, TableError
from anclaf.core.words import shown

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Summarize:
    """One row per source and person: level and spread of valence and arousal, change, quadrants, transitions, gaps."""

    tables: Annotated[tuple[Path, ...], tyro.conf.Positional, one_or_more("TABLE")]
    """Tables that `anclaf predict` wrote (.csv, .parquet; or .xlsx, as saved in Excel), or folders of the first two."""
    out: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="(default: none, the main columns are shown)")] = None
    """Also write all columns here, .csv or .parquet; docs/outputs.md says how each is defined."""
    dwell: float = DWELL_S
    """Seconds that a quadrant must be held to count as visited, so that trembling at a border is no transition."""
    raw: bool = False
    """Read tables as they are, without the corrections that were made on the page of `anclaf app` (NAME.edits.json)."""
    overwrite: bool = False
    """Replace OUT if it is there."""

    def run(self) -> int:
        from anclaf.inference.edits import edits_are_older, edits_path
        from anclaf.inference.summary import join_summaries, summarize, write_summary

        self._check_out()
        paths = self._paths()
        summaries: dict[str, DataFrame] = {}
        for name, path in zip(_names(paths), paths, strict=True):
            try:
                summaries[name] = summarize(path, self.dwell, self.raw)
                if edits := summaries[name].attrs["edits"]:
                    older = "; it is older than the table, and may be of an earlier one" * edits_are_older(path)
                    say(f"{name}: as corrected in {shown(edits_path(path).name)}: {edits}{older} (--raw: as it was)")
            except TableError as error:
                fail(str(error))
        if failed := len(paths) - len(summaries):
            fail(f"{failed} of {len(paths)} tables failed")
        if summaries:
            summary = join_summaries(summaries)
            if self.out:
                write_summary(summary, self.out)
            _show(summary)
            if self.out:
                print(self.out)
        return 2 if failed else 0

    def _check_out(self) -> None:
        if self.out is None:
            if self.overwrite:
                raise ConfigError("--overwrite without --out has no effect; name the file, or leave it out")
            return
        if self.out.suffix.lower() not in TABLE_SUFFIXES:
            raise ConfigError(f"--out {self.out}: expected a name that ends in .csv or .parquet")
        if self.out.is_dir():
            raise OutputError(f"{self.out} is a folder; expected the name of a file")
        if self.out.exists() and not self.overwrite:
            raise OutputError(f"{self.out} exists; use --overwrite, or another name")

    def _paths(self) -> list[Path]:
        """The tables that are named, and those in the folders that are named, but for an earlier summary at OUT."""
        if not self.tables:
            raise ConfigError("no table given; expected one or more tables that `anclaf predict` wrote, or folders")
        paths: list[Path] = []
        for given in self.tables:
            inside = [given]
            if given.is_dir():
                inside = sorted(path for path in given.iterdir() if path.suffix.lower() in TABLE_SUFFIXES)
                inside = [path for path in inside if not path.name.startswith(".")]  # what macOS puts beside files
                inside = [path for path in inside if not (self.out and path.resolve() == self.out.resolve())]
                if not inside:
                    raise TableError(f"{given}: a folder without tables; expected .csv or .parquet of `anclaf predict`")
            paths += inside
        if self.out and self.out.resolve() in [path.resolve() for path in paths]:
            raise ConfigError(f"--out {self.out} is one of the tables; choose another name")
        if twice := [path for path in paths if paths.count(path) > 1]:
            raise ConfigError(f"{twice[0]} is named twice")
        return paths


def _names(paths: list[Path]) -> list[str]:
    """What each source is called: the file's name without its suffix, or the whole path where two have that name."""
    stems = [path.stem for path in paths]
    return [shown(path.stem if stems.count(path.stem) == 1 else str(path)) for path in paths]


def _show(summary: "DataFrame") -> None:
    """The main columns on standard output."""
    from anclaf.core.labels import QUADRANTS

    sure = bool(summary["unfamiliar_share"].notna().any())
    headings = (
        *("source", "track", "seconds", "estimated", "valence\nmean ± SD", "arousal\nmean ± SD"),
        *("change a second\nV / A", *QUADRANTS, "transitions\na minute", "longest\ngap, s"),
        *(["unfamiliar"] if sure else []),
    )
    rows = [
        (
            row["source"],
            "nobody" if nobody else " ".join([str(row["track"]), *([row["name"]] if row["name"] else [])]),
            _text(row["seconds"], 1),
            _share(row["estimated_share"]),
            _pair(row["valence_mean"], "±", row["valence_sd"]),
            _pair(row["arousal_mean"], "±", row["arousal_sd"]),
            _pair(row["valence_change_per_s"], "/", row["arousal_change_per_s"]),
            *(_share(row[f"{name}_share"]) for name in QUADRANTS),
            _text(row["transitions_per_min"], 1),
            _text(row["longest_gap_s"], 1),
            *([_share(row["unfamiliar_share"])] if sure else []),
        )
        for row, nobody in zip(summary.to_dict("records"), summary["track"].isna(), strict=True)
    ]
    print_table(headings, [rows])


def _text(value: float, digits: int = 2) -> str:
    return "–" if value != value else f"{value:.{digits}f}".replace("-", "−")


def _pair(first: float, between: str, second: float) -> str:
    return "–" if first != first else f"{_text(first)} {between} {_text(second)}"


def _share(value: float) -> str:
    return "–" if value != value else f"{100 * value:.0f} %"
