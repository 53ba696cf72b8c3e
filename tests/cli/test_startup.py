"""What starts at once imports nothing heavy, and what nobody reads ends quietly."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anclaf.cli.main import NO_READER, quiet_without_reader

HEAVY = (
    "torch cv2 pandas matplotlib lightning_fabric tensorly scipy sklearn pyarrow ray av numpy PIL tensorboardX "
    "safetensors filelock tqdm fastapi uvicorn"
)
COMMANDS = {
    "": "prepare train report evaluate predict summarize export push pull web app grid demo completion",
    "prepare": "afew-va sewa aff-wild2 affectnet crema-d table puppet",
    "grid": "plan run status report",
}
"""Command -> those below it."""
AT_ONCE = [
    "--version",
    "-V",
    *(f"completion {shell}" for shell in ("bash", "zsh", "fish")),
    *(f"{command} --help".lstrip() for command in COMMANDS),
    *(f"{command} {name} --help".lstrip() for command, names in COMMANDS.items() for name in names.split()),
]
PROGRAM = f"""
import contextlib, io, json, sys
from anclaf.cli.main import main
for words in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            code = main(words.split())
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([words, code, len(said.getvalue()), sorted(set(sys.modules) & set({HEAVY!r}.split()))]))
"""


def test_nothing_heavy_is_imported():
    """By any of them, one after the other in one process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *AT_ONCE], capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [words for words, *_ in said] == AT_ONCE
    assert [one for one in said if one[1] or not one[2] or one[3]] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_above_are_all_there_are(command: str):
    words = [sys.executable, "-m", "anclaf", *command.split(), "--help"]
    usage = subprocess.run(words, capture_output=True, text=True, check=True).stdout.partition("\n\n")[0]
    (names,) = re.findall(r"\{([^}]*)\}", "".join(usage.split()))
    assert names.split(",") == COMMANDS[command].split()


def _without_reader(words: list[str], both: bool = False, **environment: str) -> tuple[int, bytes]:
    """Exit code, and what was written to standard error, of a program whose standard output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=writing,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
        env=os.environ | environment,
    ) as process:
        os.close(writing)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("words", ["--help", "--version", "train --help", "completion bash", "predict --hepl"])
def test_help_that_nobody_reads(words: str):
    code, said = _without_reader(["-m", "anclaf", *words.split()])
    if "hepl" in words:
        assert code == 2
        assert b"--hepl" in said
    else:
        assert (code, said) == (NO_READER, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_results_that_nobody_reads(tmp_path: Path, unbuffered: str):
    table = tmp_path / "talk.csv"
    table.write_text("frame,time_s,track,valence,arousal,quadrant,status\n0,0.0,0,1.0,1.0,V+A+,ok\n")
    words = ["-m", "anclaf", "summarize", str(table)]
    shown = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    assert "talk" in shown.stdout
    assert _without_reader(words, PYTHONUNBUFFERED=unbuffered) == (NO_READER, b"")


def test_errors_that_nobody_reads():
    code, _ = _without_reader(["-m", "anclaf", "report", "nothing"], both=True)
    assert code == NO_READER


def test_a_broken_pipe_of_something_else_is_not_hidden():
    def command() -> int:
        raise BrokenPipeError("of a worker")

    with pytest.raises(BrokenPipeError, match="of a worker"):
        quiet_without_reader(command)


def test_an_exit_code_is_passed_on():
    assert quiet_without_reader(lambda: 2) == 2
    assert quiet_without_reader(lambda: sys.exit(3)) == 3
