"""Preparing a corpus of many stills: pictures a second, and the memory that it takes at most.

    PYTHONPATH=tests python benchmarks/prepare_stills.py 3000 30000 300000 --workers 2

For each number a folder in AffectNet's layout is made, of pictures of 224x224 that are all alike, and prepared by
`anclaf prepare affectnet`. Memory is of the command and its workers: their proportional sets added up, in which what
processes share counts once, looked at twice a second. It must not grow with the pictures, or only by what their
names take. Linux. 300,000 pictures and what is prepared of them take 25 GB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app_clients import Watch
from backends import processor

from lookalike import affectnet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where there is room; default: the system's for temporary files")
    parser.add_argument("--made", type=Path, help="a folder in AffectNet's layout, made before")
    arguments = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores, {arguments.workers} workers")
    for pictures in arguments.pictures:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            source = arguments.made or affectnet(Path(name) / "source", {"train_set": pictures}, 224)
            out = Path(name) / "out"
            command = [sys.executable, "-m", "anclaf", "prepare", "affectnet", str(source), str(out)]
            command += ["--workers", str(arguments.workers)]
            began = time.perf_counter()
            with (
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
                Watch(process.pid) as watch,
            ):
                process.wait()
            took = time.perf_counter() - began
            if process.returncode:
                sys.exit(f"{' '.join(command)}: exit {process.returncode}")
            print(f"{pictures} pictures: {pictures / took:.0f} a second, {watch.most[1]:.0f} MiB at most", flush=True)


if __name__ == "__main__":
    main()
