"""Every `anclaf …` command and every Python example of the README and docs/ runs, on less than it is about."""

import os
import re
import shlex
import signal
import threading
import webbrowser
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

from doc_pages import PAGES, fenced, shell_lines
from doc_world import World, made

RUN_ELSEWHERE = {
    "extending.md": "its parts must be installed: tests/test_extending.py installs them and runs its commands and code",
}
NOT_RUN = {
    "anclaf grid run grid --engine ray --address FIRST:6379 --cpus 4 --gpus 0.25 --device cuda": "needs a cluster with "
    "GPUs; tests/grid/test_grid.py runs a grid on a cluster of this machine",
    "anclaf train afew --out run --recipe paper --fold 0 --devices 4": "needs four GPUs; tests of two processes are in "
    "tests/training/test_trainer.py",
    "anclaf predict 'talks/*.mp4' --out results --engine ray --address FIRST:6379 --threads 4": "needs a cluster; "
    "tests/grid/test_sources.py has one of this machine",
    "anclaf push run/fold0/SA-8 s3://laboratory/models/SA-8": "needs a store; tests/travel/ have memory's",
    "anclaf push run/fold0/SA-8 hf://USER/NAME": "needs the Hub; tests/travel/ have a server that answers as it does",
    "anclaf web page --model run/fold0/SA-8": "fetches detector and runtime; tests/web/ have theirs",
    "anclaf predict v4l2:/dev/video0 --out live --seconds 10": "needs a camera",
}
"""Commands that cannot be run here, with the reason; tests/test_docs.py holds their flags."""
NOT_RUN_CODE = {"app.md": "needs a server: tests/app/test_docs_examples.py starts one and runs it"}


def commands(page: Path) -> list[list[str]]:
    """Blocks of a page's whole commands, in order: those of `sh` blocks, then each one within a line by itself."""
    text = page.read_text(encoding="utf-8")
    blocks = [shell_lines(f"```sh\n{block}```") for block in fenced(text, "sh")]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks += [[inline] for inline in re.findall(r"`(anclaf [^`]+)`", prose) if _whole(inline)]
    told = [[shlex.join(shlex.split(line, comments=True)) for line in block] for block in blocks]
    return [[line for line in block if line.startswith("anclaf ")] for block in told]


def _whole(inline: str) -> bool:
    """Not the mere name of a command or of a flag, nor one with a part left out or a word in capitals in its place."""
    words = shlex.split(inline)[1:]
    if any(re.fullmatch(r"…|[A-Z]+…?", word) for word in words):
        return False
    return words[-1] == "--help" or "--out" in words or bool(made(words))


def words_of(page: Path) -> list[list[list[str]]]:
    """Those that are run, as arguments of `anclaf`."""
    return [[shlex.split(line)[1:] for line in block if line not in NOT_RUN] for block in commands(page)]


def on_pages() -> dict[Path, list[list[str]]]:
    return {page: commands(page) for page in PAGES if page.name not in {"CHANGELOG.md", *RUN_ELSEWHERE}}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that `anclaf app` opened in the browser; each is asked for, then the server is told to end."""
    found: list[str] = []

    def ask(address: str) -> None:
        with urlopen(address, timeout=60) as answer:
            found.append(answer.read().decode())
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(webbrowser, "open", lambda address: threading.Thread(target=ask, args=[address]).start())
    return found


_done: list[list[str]] = []


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in on_pages() if page.name != "README.md" and any(words_of(page))],
    ids=lambda p: p.name,
)
def test_every_command_of_a_page_runs(
    page: Path, world: World, tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
):
    """Those of the README run from the wheel: tests/test_release.py."""
    blocks, apps = [], 0
    for block in words_of(page):
        blocks.append([])
        for words in block:
            alone = words[0] == "app" or words[-1] == "--help"  # the same wherever they stand
            if alone and words in _done:
                continue
            _done.append(words)
            apps += words[0] == "app"
            blocks[-1].append([*words, "--port", "0"] if words[0] == "app" else words)
    world.page(tmp_path, blocks)
    assert len(opened) == apps
    assert all("<title>" in one for one in opened)


def test_what_is_not_run_is_on_a_page():
    lines = {line for blocks in on_pages().values() for block in blocks for line in block}
    assert lines >= NOT_RUN.keys()
    assert len(lines) > 60


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in NOT_RUN_CODE | RUN_ELSEWHERE and "```python" in page.read_text()],
    ids=lambda p: p.name,
)
def test_the_python_of_a_page_runs(page: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for one in world.folder.iterdir():
        (tmp_path / one.name).symlink_to(one)
    monkeypatch.chdir(tmp_path)
    if page.name == "export.md":
        world.run(["export", "run/fold0/SA-8", "exported"], tmp_path)
    names = {"frame": np.zeros((96, 112, 3), np.uint8)}
    for code in fenced(page.read_text(encoding="utf-8"), "python"):
        exec(compile(code, page.name, "exec"), names)
