"""How late the raters of a folder answer, in a process of its own: `python -m anclaf.app.rating.lag TABLE OPTIONS`.

It decodes the videos. It answers with one line of JSON: `{"lag_s": …, "told": …}` or `{"refused": …}`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.room import limit_memory
from anclaf.corpora.readers import Join


class LagSearch:
    """One at a time. detector: as of `anclaf predict`."""

    def __init__(self, limits: Limits, detector: str):
        self._limits, self._detector = limits, detector
        self._one, self._closed = Lock(), False
        self._process: subprocess.Popen[bytes] | None = None

    def find(self, table: Path, root: Path, join: Join | None, videos: int) -> tuple[float, str]:
        """The best shift in seconds, and what there is to say of it.

        Args:
            table: of ratings, root: from which its paths start, join: as of `list_rated`. videos: how many.

        Raises:
            RefusedError: it is looked for already (409), nothing can be found (422), or it takes too long (503).
        """
        if not self._one.acquire(blocking=False):
            raise RefusedError(409, "the raters' lag is looked for already; wait for it")
        try:
            return self._find(table, root, join, self._limits.stalled_s * max(1, videos))
        finally:
            self._one.release()

    def _find(self, table: Path, root: Path, join: Join | None, seconds: float) -> tuple[float, str]:
        options = {"root": str(root), "join": join, "detector": self._detector, "memory_mb": self._limits.memory_mb}
        words = [sys.executable, "-m", "anclaf.app.rating.lag", os.fspath(table), json.dumps(options)]
        null = subprocess.DEVNULL
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=null, stdin=null) as child:
            self._process = child
            try:
                if self._closed:
                    child.kill()
                said, _ = child.communicate(timeout=seconds)
                answer: dict[str, Any] = json.loads(said)
            except subprocess.TimeoutExpired:
                raise RefusedError(503, f"no lag was found in {seconds:g} s; state it") from None
            except ValueError:
                raise RefusedError(422, "the process that looked for the lag ended; state it") from None
            finally:
                child.kill()
                self._process = None
        if (refused := answer.get("refused")) is not None:
            raise RefusedError(422, refused)
        return answer["lag_s"], answer["told"]

    def close(self) -> None:
        """End it."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()


def main(table: str, options: str) -> None:
    """Print the lag."""
    from anclaf.core.errors import AnclafError
    from anclaf.corpora.rated import list_rated

    asked = json.loads(options)
    limit_memory(asked["memory_mb"])
    try:
        listing = list_rated(
            Path(table), "carma", root=Path(asked["root"]), join=asked["join"], lag="auto", detector=asked["detector"]
        )
        told = next(note for note in listing.notes if note.startswith("raters' lag: "))
        answer: dict[str, Any] = {"lag_s": listing.options["lag_s"], "told": told}
    except AnclafError as error:
        answer = {"refused": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
