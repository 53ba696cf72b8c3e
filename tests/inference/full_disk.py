"""Run with `full_disk.c` preloaded: a command meets a full disk at each of its writes in turn, then room again.

Prints a JSON object a line: {"case", "after", "failed", "code", "said", "harm"}. `harm` is what is not as it should be.
"""

import contextlib
import ctypes
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import torch

from anclaf.cli.main import main
from anclaf.inference import prediction
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import open_source
from conftest import MarkDetector  # pyright: ignore[reportAttributeAccessIssue] - of this folder

CASES: dict[str, tuple[str, ...]] = {
    "new": ("--no-plot",),
    "all": (),
    "parquet": ("--format", "parquet", "--no-overlay", "--no-plot"),
    "median": ("--baseline", "median", "--no-overlay", "--no-plot"),
    "overwrite": ("--overwrite", "--no-plot"),
    "resume": ("--resume", "--no-plot"),
    "summarize": ("--overwrite",),
}
UNFINISHED = ("talk.bookmark", "talk.csv.part", "talk.overlay.mp4.part")
DISK = ctypes.CDLL(None)
DISK.full_disk_failed.restype = ctypes.c_char_p


def run(words: list[str]) -> tuple[int, list[str]]:
    """A command's exit code and what it said on standard error but for what it always says."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return code, [line for line in said.getvalue().splitlines() if line.startswith("anclaf: ") or "Error" in line]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def whole(name: str, data: bytes, reference: dict[str, bytes]) -> bool:
    """Whether a file under its final name is what a run without trouble writes."""
    if name.endswith(".mp4"):
        path = Path("check.mp4")
        path.write_bytes(data)
        return sum(1 for _ in open_source(path).read()) == sum(1 for _ in open_source(Path("reference.mp4")).read())
    return data == reference[name]


def harm_done(there: dict[str, bytes], now: dict[str, bytes], reference: dict[str, bytes], failed: str) -> list[str]:
    """What a write that failed has spoilt of the files that were there, and what it left."""
    harm = [f"{name} is not whole" for name, data in now.items()
            if name in reference and data != there.get(name) and not whole(name, data, reference)]  # fmt: skip
    gone = there.keys() - now.keys() - {*UNFINISHED}
    if failed.startswith("rename "):
        gone -= {"talk.json"}  # of files some of which may be replaced by then
    return harm + [f"{name} is gone" for name in gone] + [f"left {n}" for n in now.keys() - {*reference, *UNFINISHED}]


def faults(
    words: list[str], out: Path, before: Callable[[], None], reference: dict[str, bytes], step: int, once: bool
) -> Iterator[dict]:
    """A record for each `step`th write that fails."""
    after = 0
    while True:
        shutil.rmtree(out, ignore_errors=True)
        before()
        there = content(out)
        DISK.full_disk_begin(str(out).encode(), ctypes.c_long(after), int(once))
        code, said = run(words)
        DISK.full_disk_end()
        failed = DISK.full_disk_failed().decode()
        if not failed:
            return
        harm = harm_done(there, content(out), reference, failed)
        if not said or "the disk is full" not in said[0] or not all("sources failed" in line for line in said[1:]):
            harm.append("not one clear line")
        on = bool(said) and "--resume" in said[0] and "--resume" not in words
        again = [word for word in words if word != "--overwrite"] + ["--resume"] if on else words
        if (more := run(again)) != (0, []):
            harm.append(f"does not go on: {more}")
        now = content(out)
        if now.keys() != reference.keys():
            harm.append(f"then there are {sorted(now)}")
        harm += [f"then {name} differs" for name in now if name in reference and not whole(name, now[name], reference)]
        yield {"after": after, "failed": failed, "code": code, "said": said, "harm": harm}
        after += step


def sweep(model: str, source: str, case: str, step: int, once: bool) -> Iterator[dict]:
    """The records of a case, in the working directory."""
    out = Path.cwd() / "out"
    words = ["predict", source, "--out", str(out), "--model", model, *CASES[case]]
    plain = [word for word in words if word not in ("--overwrite", "--resume")]
    assert run(plain) == (0, [])
    if case == "summarize":
        out.rename("tables")
        words = ["summarize", "tables/talk.csv", "--out", f"{out}/s.csv", *CASES[case]]
        assert run(words) == (0, [])
    reference = content(out)
    if "talk.overlay.mp4" in reference:
        Path("reference.mp4").write_bytes(reference["talk.overlay.mp4"])
    shutil.copytree(out, "whole")

    def before() -> None:
        if "--overwrite" in words:
            shutil.copytree("whole", out)
        if "--resume" in words:  # an analysis that a full disk broke off after its first bookmark
            DISK.full_disk_begin(str(out).encode(), ctypes.c_long(14), 0)
            run(plain)
            DISK.full_disk_end()
            assert (out / "talk.bookmark").exists()

    yield from faults(words, out, before, reference, step, once)


def sweep_all(model: str, source: str, cases: list[tuple[str, int, bool]]) -> None:
    """cases: name in `CASES`, step, once."""
    torch.set_num_threads(1)
    prediction.CHECKPOINT_EVERY = 3
    estimator = AffectEstimator.load(model, detector=MarkDetector())
    AffectEstimator.load = lambda *_, **__: estimator
    codecs, home = av.codecs_available, Path.cwd()
    for number, (case, step, once) in enumerate(cases):
        # MPEG-4 writes pictures as they come, where x264 holds as many as are here to the end
        av.codecs_available = codecs - {"libx264"} if case == "all" else codecs
        (place := home / str(number)).mkdir()
        os.chdir(place)
        for record in sweep(model, source, case, step, once):
            print(json.dumps({"case": number, **record}))


if __name__ == "__main__":
    sweep_all(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
