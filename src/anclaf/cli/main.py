"""The command `anclaf`."""

import os
import select
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from io import TextIOWrapper
from operator import or_
from typing import Annotated, Any, TextIO

import tyro

import anclaf
from anclaf.cli.app import App
from anclaf.cli.completion import Completion
from anclaf.cli.console import TRACEBACK, fail, fault_line
from anclaf.cli.demo import Demo
from anclaf.cli.evaluate import Evaluate
from anclaf.cli.export import Export
from anclaf.cli.grid import Grid
from anclaf.cli.predict import Predict
from anclaf.cli.prepare import prepare_command
from anclaf.cli.report import Report
from anclaf.cli.summarize import Summarize
from anclaf.cli.train import Train
from anclaf.cli.travel import Pull, Push
from anclaf.cli.web import Web
from anclaf.core.errors import AnclafError
from anclaf.core.extras import naming_extras

DESCRIPTION = """Valence and arousal of a face, frame by frame, from video (ANCLaF, Aspandi et al. 2021).
`anclaf COMMAND --help` says more of a command, `anclaf --version` which version this is."""
NO_READER = 141
"""As a shell reports a program that SIGPIPE ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for an error the user can mend, 130 for Ctrl-C, 1 for a fault of this
    program. Each of the last three is one line on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(anclaf.__version__)
        return 0
    try:
        with naming_extras():
            return parse(arguments).run()
    except AnclafError as error:
        fail(str(error))
        return 2
    except KeyboardInterrupt:
        fail("stopped; the same command goes on from what is done")
        return 130
    except OSError as error:
        if error.filename is None:  # of an output, which `quiet_without_reader` closes
            raise
        fail(f"{error.filename}: {error.strerror or error}")
        return 2
    except MemoryError:
        fail("out of memory; close other programs, or give less at once")
        return 2
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        fail(fault_line(f"unexpected {type(error).__name__} ({error})"))
        return 1


def parse(arguments: list[str]) -> Any:
    """The command that the words name, ready to run.

    Raises:
        SystemExit: the words are not understood (2), or ask for help (0), which is printed.
    """
    commands: list[Any] = [
        Annotated[prepare_command(), tyro.conf.subcommand("prepare")],
        Annotated[Train, tyro.conf.subcommand("train")],
        Annotated[Report, tyro.conf.subcommand("report")],
        Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
        Annotated[Predict, tyro.conf.subcommand("predict")],
        Annotated[Summarize, tyro.conf.subcommand("summarize")],
        Annotated[Export, tyro.conf.subcommand("export")],
        Annotated[Push, tyro.conf.subcommand("push")],
        Annotated[Pull, tyro.conf.subcommand("pull")],
        Annotated[Web, tyro.conf.subcommand("web")],
        Annotated[App, tyro.conf.subcommand("app")],
        Grid,
        Annotated[Demo, tyro.conf.subcommand("demo")],
        Annotated[Completion, tyro.conf.subcommand("completion")],
    ]
    command = reduce(or_, commands)
    options = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.DisallowNone)
    return tyro.cli(command, args=arguments, prog="anclaf", description=DESCRIPTION, config=options)


def entry() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called: what would be said goes nowhere
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # what a terminal's or pipe's encoding lacks is written as its number: a result must not be lost by it
            stream.reconfigure(errors="backslashreplace")
    try:
        code = quiet_without_reader(main)
    except BrokenPipeError as error:  # not of an output: a worker's
        fail(f"a connection broke off ({error.strerror or error}); run it again")
        code = 2
    sys.exit(code)


def quiet_without_reader(command: Callable[[], int]) -> Any:
    """The exit code of a command; 141, and nothing said, where nobody reads its output any more, as in `| head`; 2, and
    a line that says so, where its output cannot be written; nothing can be said where standard error is what cannot."""
    try:
        try:
            code = command()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _without_reader():
            raise
        return NO_READER
    except OSError as error:
        _leave(sys.stdout)
        try:
            fail(f"standard output: cannot be written ({error.strerror or error})")
        except OSError:  # so it was standard error, and nothing can be said of it
            _leave(sys.stderr)
        return 2


def _without_reader() -> bool:
    """Whether an output has no reader; such a one is closed, for Python writes what is left when it ends."""
    if not hasattr(select, "poll"):  # Windows
        return False
    found = False
    for stream in (sys.stdout, sys.stderr):
        poll = select.poll()
        poll.register(stream, select.POLLOUT)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            found = True
            _leave(stream)
    return found


def _leave(stream: TextIO) -> None:
    """Let what is still to be written to an output go nowhere: Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
