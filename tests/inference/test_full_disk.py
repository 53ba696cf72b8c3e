"""A disk that is full at any write of `predict` and `summarize`, told to the program by the C library itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")


CASES = {
    ("new", 1, False): 22,
    ("all", 3, False): 11,
    ("all", 5, True): 6,
    ("parquet", 9, False): 14,
    ("median", 2, False): 10,
    ("overwrite", 2, False): 11,
    ("resume", 2, False): 6,
    ("summarize", 1, False): 3,
}
"""What is run, every how many writes fail, and whether for one write only -> how many that are at least."""


@pytest.fixture(scope="module")
def faults(
    tmp_path_factory: pytest.TempPathFactory, model: Callable[..., Path], talk: Path
) -> list[dict[str, Any]]:  # fmt: skip
    """The records of all cases."""
    if COMPILER is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    place = tmp_path_factory.mktemp("disk")
    library = place / "full_disk.so"
    compile_words = [COMPILER, "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, HERE / "full_disk.c", "-ldl"]
    subprocess.run(compile_words, check=True)
    paths = os.pathsep.join([str(HERE), *map(os.path.abspath, filter(None, [os.environ.get("PYTHONPATH")]))])
    done = subprocess.run(
        [sys.executable, HERE / "full_disk.py", model("S-4"), talk, json.dumps(list(CASES))],
        cwd=place, text=True, capture_output=True, check=False, timeout=600,
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, painted: Callable[..., NDArray]) -> Path:
    """A folder of eight pictures."""
    folder = tmp_path_factory.mktemp("videos") / "talk"
    folder.mkdir()
    for k in range(8):
        Image.fromarray(painted([(1, 10 + k, 30, 60)], k)).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize(("number", "least"), enumerate(CASES.values()), ids=[" ".join(map(str, c)) for c in CASES])
def test_a_disk_that_is_full_at_any_write(faults: list[dict[str, Any]], number: int, least: int):
    """One clear line, exit code 2, nothing half-written, what was there as it was; and when there is room again, the
    command that the line names goes on to the very files."""
    records = [record for record in faults if record["case"] == number]
    assert len(records) >= least
    assert not (bad := [record for record in records if record["harm"] or record["code"] != 2]), bad


def test_all_kinds_of_write_were_met(faults: list[dict[str, Any]]):
    failed = {record["failed"] for record in faults}
    for name in ("csv.part", "overlay.mp4.part"):
        assert f"write /talk.{name}" in failed
    assert {"rename /talk.csv", "rename /talk.bookmark", "mkdir ", "rename /s.csv"} <= failed
    assert any("filled" in what for what in failed)
    assert any("parquet" in what for what in failed)
    assert any("plot.png" in what for what in failed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    ("outputs", "code", "analysed"),
    [
        (">/dev/full", 2, True),
        ("2>/dev/full", 2, False),  # it cannot say which detector it takes
        (">&-", 0, True),
        ("2>&-", 0, True),
    ],
)
def test_outputs_that_are_full_or_closed(
    tmp_path: Path, model: Callable[..., Path], talk: Path, outputs: str, code: int, analysed: bool
):
    words = (
        f'"{sys.executable}" -m anclaf predict "{talk}" --out out --model "{model("base")}" --detector haar --no-plot'
    )
    done = subprocess.run(
        f"{words} {outputs}", shell=True, cwd=tmp_path, text=True, stderr=subprocess.PIPE, timeout=120
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "talk.csv").exists() == analysed
