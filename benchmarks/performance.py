"""Measure what docs/performance.md's tables say, and write them into it.

    python benchmarks/performance.py CLIP --yunet FILE CORPUS
    python benchmarks/performance.py CLIP --yunet FILE CORPUS --only networks --clock cpu

CLIP: a video of one face. CORPUS: a prepared one of 64x64 faces, for training. A table stands between two comments of
the page, `<!-- NAME -->` and `<!-- end NAME -->`, with a line on the machine below it; the rest of the page is left as
it is. On a machine that does nothing else this takes about half an hour; with `--rounds 1` less.
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import backends
import predict_speed
import stage1_phases

from anclaf.core.files import atomic_path
from anclaf.faces.detect import make_detector

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's ONNX file")
    parser.add_argument("--only", nargs="+", choices=tuple(TABLES), default=list(TABLES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where others work too")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    for name in arguments.only:
        replaced(arguments.page.read_text(), name, "")  # before anything is measured: the page has a place for it
    for name in arguments.only:
        load = os.getloadavg()[0]
        columns, rows = TABLES[name](arguments)
        clock = "seconds of the processor" if arguments.clock == "cpu" or name == "training" else "the clock's seconds"
        machine = f"{backends.processor()}, {os.cpu_count()} cores, load {load:.1f} before"
        rounds = "one round" if arguments.rounds == 1 else f"medians of {arguments.rounds} rounds"
        about = f"{machine}; {clock}, {rounds}; {date.today():%d %B %Y}."
        found = f"{backends.table(columns, rows)}\n\n{about}"
        print(f"{name}\n{found}\n", flush=True)
        text = replaced(arguments.page.read_text(), name, found)
        with atomic_path(arguments.page) as temporary:
            temporary.write_text(text)


def replaced(page: str, name: str, table: str) -> str:
    """The page with this table between its two comments.

    Raises:
        SystemExit: it has no such place.
    """
    begins, ends = f"<!-- {name} -->", f"<!-- end {name} -->"
    if page.count(begins) != 1 or page.count(ends) != 1 or page.index(begins) > page.index(ends):
        raise SystemExit(f"the page has no {begins} before an {ends}, or several; nothing is written")
    return f"{page.partition(begins)[0]}{begins}\n\n{table}\n\n{ends}{page.partition(ends)[2]}"


Table = tuple[Sequence[str], list[list[str]]]


def prediction(arguments: argparse.Namespace) -> Table:
    """Parts of `predict`: the starter model by threads and backends, by faces and length, and the paper's sizes."""
    detector, rows = make_detector(f"yunet:{arguments.yunet}"), list[list[str]]()
    for what, model, settings in (
        ("starter SA-8", backends.starter(), itertools.product(("torch", "onnx"), (1, 2), (1,), (300,))),
        ("starter SA-8", backends.starter(), itertools.product(("onnx",), (2,), (1, 2, 4), (150, 600))),
        ("SA-16 of the paper's size, random weights", backends.paper(),
         itertools.product(("torch", "onnx"), (2,), (1,), (150,))),
    ):  # fmt: skip
        found = predict_speed.in_turn(
            arguments.clip, model, detector, list(settings), arguments.rounds, clock_of(arguments), overlay=False
        )
        rows += [[what, *row] for row in predict_speed.rows(found)]
    return ("model", *predict_speed.COLUMNS), rows


def networks(arguments: argparse.Namespace) -> Table:
    """Faces and windows a second by torch, ONNX and eight bits."""
    threads = (1,) if arguments.clock == "cpu" else (1, 2)
    rows = [
        backends.rates(sizes, threads, faces=16, rounds=arguments.rounds, clock=clock_of(arguments))
        for sizes in ("starter", "paper")
    ]
    return backends.COLUMNS, [row for some in rows for row in some]


def training(arguments: argparse.Namespace) -> Table:
    """Stage 1 of the recipe `small` by phase, ms a step of the processor."""
    rounds = [stage1_phases.phases(arguments.corpus, "small", steps=8) for _ in range(arguments.rounds)]
    medians = {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}
    return ("recipe", *medians), [["small", *(f"{1000 * seconds:.0f}" for seconds in medians.values())]]


TABLES: dict[str, Callable[[argparse.Namespace], Table]] = {
    "prediction": prediction,
    "networks": networks,
    "training": training,
}


def clock_of(arguments: argparse.Namespace) -> Callable[[], float]:
    return time.perf_counter if arguments.clock == "wall" else time.process_time


if __name__ == "__main__":
    main()
