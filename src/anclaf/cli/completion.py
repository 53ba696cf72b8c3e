"""`anclaf completion`: what a shell needs to complete the command line."""

import io
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Literal

import tyro

from anclaf.core.errors import ConfigError

Shell = Literal["bash", "zsh", "fish"]

_INSTALL = """To install the script, for shells that are opened from then on; again after an update of anclaf:

anclaf completion bash > ~/.local/share/bash-completion/completions/anclaf

anclaf completion zsh > "${fpath[1]}/_anclaf"

anclaf completion fish > ~/.config/fish/completions/anclaf.fish"""

_FOUND = """    for completion in completions:
        print(completion)
"""
_FOUND_OR_FILES = """    lines = [completion.splitlines()[0] for completion in completions]
    if not (words[current_index:] or [''])[0].startswith('-'):
        lines = [line for line in lines if not line.startswith('-')] or ['__TYRO_COMPLETE_FILES__']
    print(*lines, sep='\\n')
"""
"""Flags only where a word begins like one, names of files where nothing else is known, and one line for each."""

_CHANGES: dict[Shell, dict[str, str]] = {
    "bash": {
        # bash itself knows best how to go on with the name of a file
        'COMPREPLY=($(compgen -f -- "$cur"))': "COMPREPLY=()",
        "complete -F _tyro_anclaf anclaf": "complete -o default -F _tyro_anclaf anclaf",
        _FOUND: _FOUND_OR_FILES,
    },
    "zsh": {_FOUND: _FOUND_OR_FILES},
    "fish": {
        # tyro's script leaves out the word that is being typed
        "set -l current (count $words)": "set -l current (count $words)\n    set -a words (commandline -ct)",
        _FOUND: _FOUND_OR_FILES.replace("\\", "\\\\"),
    },
}
"""What is changed in the scripts that tyro writes."""


@dataclass(frozen=True)
class Completion:
    """Print a script that makes a shell complete commands, flags and their values with the Tab key."""

    shell: Annotated[Shell, tyro.conf.Positional, tyro.conf.arg(help=_INSTALL, help_behavior_hint="")]

    def run(self) -> int:
        print(completion_script(self.shell), end="")
        return 0


def completion_script(shell: Shell) -> str:
    """The script for a shell; it needs Python, but not this package, each time the Tab key is pressed.

    Raises:
        ConfigError: tyro, which writes most of it, is of a version that this package does not know.
    """
    from anclaf.cli.main import parse

    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        parse(["--tyro-write-completion", shell, "-"])
    script = printed.getvalue()
    for old, new in _CHANGES[shell].items():
        if script.count(old) != 1:
            version = metadata.version("tyro")
            raise ConfigError(f"tyro {version}: its script for {shell} is unknown here; install tyro 1.0.17")
        script = script.replace(old, new)
    return script
