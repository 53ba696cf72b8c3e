"""What a process and all that descend from it use. Linux."""

import os
from pathlib import Path


def family(process: int) -> list[int]:
    """It, and those that descend from it."""
    parents = dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(_words(path)[1])
        except OSError:  # it has ended
            continue

    def ours(one: int) -> bool:
        return one == process or (one in parents and ours(parents[one]))

    return [one for one in parents if ours(one)]


def processor_time(process: int) -> float:
    """Seconds that one had of the processor. Raises OSError where it has ended."""
    words = _words(Path(f"/proc/{process}/stat"))
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> tuple[float, float]:
    """MiB of one: the resident set, and its proportional one, of which what others share is divided among them.

    Raises OSError where it has ended.
    """
    lines = [line.split() for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()]
    found = {line[0]: int(line[1]) / 1024 for line in lines if line[0] in ("Rss:", "Pss:")}
    return found.get("Rss:", 0.0), found.get("Pss:", 0.0)


def _words(path: Path) -> list[str]:
    return path.read_text().rpartition(")")[2].split()
