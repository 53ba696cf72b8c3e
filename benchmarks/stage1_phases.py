"""How long a step of stage 1 takes, by phase, here or beside another checkout of this repository.

    python benchmarks/stage1_phases.py CORPUS --recipe small --steps 20
    python benchmarks/stage1_phases.py CORPUS --against ../before --alternations 5

On one thread, the seconds that the CPU worked for it, so that others on the machine disturb less. Beside another
checkout the two take turns, each in a process of its own, and the ratios are of neighbours. Both do the same steps.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.recipes import make_run
from anclaf.training.phases import run_phases, update_average
from anclaf.training.stage1 import Stage1

_WARM = 4
"""Steps before the first that is timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.against is None:
        found = phases(arguments.corpus, arguments.recipe, arguments.steps)
        print(json.dumps(found) if arguments.json else shown(found))
        return
    here, there = Path(__file__).parents[1], arguments.against
    ratios: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.alternations):
        order = (there, here) if number % 2 == 0 else (here, there)
        both = {checkout: elsewhere(checkout, arguments) for checkout in order}
        for name, seconds in both[here].items():
            ratios[name].append(both[there][name] / seconds)
        print(f"{there}: {shown(both[there])}\n{here}: {shown(both[here])}", flush=True)
    for name, found in ratios.items():
        print(f"{name}: {statistics.median(found):.2f} times as fast, median of {[round(r, 2) for r in found]}")


def shown(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in found.items())


def elsewhere(checkout: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """`phases` with another checkout's package."""
    command = [sys.executable, __file__, str(arguments.corpus), "--json"]
    command += ["--recipe", arguments.recipe, "--steps", str(arguments.steps)]
    environment = os.environ | {"PYTHONPATH": str(checkout.absolute() / "src"), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def phases(folder: Path, recipe: str, steps: int) -> dict[str, float]:
    """CPU seconds a step: of all, and of each part of it, whose part of the steps it runs in is counted in."""
    torch.set_num_threads(1)
    corpus, config = PreparedCorpus.open(folder), make_run(recipe)
    fabric = Fabric(accelerator="cpu", devices=1)
    torch.manual_seed(0)
    stage = Stage1(fabric, corpus, split(corpus, "strict", 0).train, config)
    averaged, parts = AffectNetwork(config.model, Variant("base"), stage.network.points), stage.phases()
    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        spent[name] += time.process_time() - began
        return result

    for step in range(_WARM + steps):
        if step == _WARM:
            spent.clear()
        torch.manual_seed(step)
        batch = timed("batch", lambda at=step: stage.draw(at))
        for part in parts:
            timed(part.name, lambda part=part, batch=batch, at=step: run_phases(fabric, [part], batch, at))
        timed("average", lambda: update_average(averaged, stage.network, config.stage1.ema_decay))
    each = {name: seconds / steps for name, seconds in spent.items()}
    return {"step": sum(each.values()), **each}


if __name__ == "__main__":
    main()
