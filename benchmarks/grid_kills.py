"""Runs a planned grid while killing its driver, or its workers, at random moments; then compares metrics with another.

    python benchmarks/grid_kills.py GRID --kill driver --times 3 [--address HOST:PORT] [--same-as OTHER_GRID]

Processes get SIGKILL. A killed driver is started again with the same command. The metrics of every run of both grids
are compared number by number, for the models that both have.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from anclaf.grid.grid import grid_status


def _drive(grid: Path, address: str | None) -> subprocess.Popen[bytes]:
    engine = ["--engine", "ray", "--address", address] if address else []
    command = [sys.executable, "-m", "anclaf", "grid", "run", str(grid), "--device", "cpu", *engine]
    return subprocess.Popen(command, start_new_session=True)


def _kill_worker(grid: Path, driver: int) -> str:
    """Kill the process of a running job, as the job_record names it; "" where there is none at the moment."""
    for job, record in grid_status(grid).running:
        if record.pid != driver:
            os.kill(record.pid, signal.SIGKILL)
            return f"worker {record.pid}, {job.id} at {record.done}/{record.total}"
    return ""


def _metrics(grid: Path) -> dict[str, Any]:
    return {str(path.parent.relative_to(grid)): json.loads(path.read_text()) for path in grid.glob("runs/*/*/*/*.json")
            if path.name == "metrics.json"}  # fmt: skip


def _differences(one: Path, other: Path) -> list[str]:
    a, b = _metrics(one), _metrics(other)
    found = sorted(set(a) ^ set(b))
    models = 0
    for run in sorted(set(a) & set(b)):
        for name in sorted(set(a[run]["variants"]) | set(b[run]["variants"])):
            models += 1
            if a[run]["variants"].get(name) != b[run]["variants"].get(name):
                found.append(f"{run}: {name}")
    print(f"{len(a)} runs, {models} variants compared (all folds pooled, and each fold)")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path, help="a grid that `anclaf grid plan` made")
    parser.add_argument("--kill", choices=("driver", "worker"), default="driver")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--between", type=float, nargs=2, default=(10.0, 40.0), help="seconds between kills")
    parser.add_argument("--address", help="of a Ray cluster; without it the driver does the jobs itself")
    parser.add_argument("--same-as", type=Path, help="a finished grid of the same plan")
    arguments = parser.parse_args()
    began, kills = time.monotonic(), 0
    driver = _drive(arguments.grid, arguments.address)
    while driver.poll() is None and kills < arguments.times:
        time.sleep(random.uniform(*arguments.between))
        while driver.poll() is None:
            if arguments.kill == "driver":
                killed = f"driver {driver.pid}"
                os.kill(driver.pid, signal.SIGKILL)
                driver.wait()
                driver = _drive(arguments.grid, arguments.address)
            else:
                killed = _kill_worker(arguments.grid, driver.pid)
            if killed:
                kills += 1
                print(f"{time.monotonic() - began:.0f} s: killed {killed}", flush=True)
                break
            time.sleep(0.2)
    code = driver.wait()
    print(f"{kills} kills, {time.monotonic() - began:.0f} s, exit code {code}")
    if code or arguments.same_as is None:
        return code
    differences = _differences(arguments.grid, arguments.same_as)
    print("\n".join(differences) or "every number is the same")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
