"""The command `anclaf`."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

import anclaf
from anclaf.cli.console import fail
from anclaf.cli.demo import Demo
from anclaf.cli.grid import Grid
from anclaf.cli.predict import Predict
from anclaf.cli.prepare import prepare_command
from anclaf.cli.report import Report
from anclaf.cli.summarize import Summarize
from anclaf.cli.train import Train
from anclaf.core.errors import AnclafError
from anclaf.recipes import make_run

DESCRIPTION = "Valence and arousal of a face, frame by frame, from video (ANCLaF, Aspandi et al. 2021)."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for an error the user can mend, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(anclaf.__version__)
        return 0
    try:
        return _parse(arguments).run()
    except AnclafError as error:
        fail(str(error))
        return 2
    except KeyboardInterrupt:
        fail("stopped; the same command goes on from what is done")
        return 130


def _parse(arguments: list[str]) -> Any:
    commands = (
        Annotated[prepare_command(), tyro.conf.subcommand("prepare")]
        | _train(arguments)
        | Annotated[Report, tyro.conf.subcommand("report")]
        | Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Summarize, tyro.conf.subcommand("summarize")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Grid, tyro.conf.subcommand("grid")]
    )
    options = (tyro.conf.OmitSubcommandPrefixes,)
    return tyro.cli(commands, args=arguments, prog="anclaf", description=DESCRIPTION, config=options)


def _train(arguments: list[str]) -> Any:
    """The train command with the settings of the recipe that is named as defaults, so that each can be changed."""
    name = _after(arguments, "--recipe") or "small"
    seed = _after(arguments, "--seed")
    config = make_run(name, int(seed) if seed and seed.isdigit() else 0)
    default = Train(tyro.MISSING, tyro.MISSING, name, config=config)
    return Annotated[Train, tyro.conf.subcommand("train", default=default)]


def _after(arguments: list[str], flag: str) -> str | None:
    """The word after a flag, or after its `=`."""
    for place, word in enumerate(arguments):
        if word == flag and place + 1 < len(arguments):
            return arguments[place + 1]
        if word.startswith(flag + "="):
            return word.partition("=")[2]
    return None


def entry() -> None:
    """The console script."""
    sys.exit(main())
