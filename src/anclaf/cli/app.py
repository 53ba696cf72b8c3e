"""`anclaf app`: a page in the browser on this machine."""

import os
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import POINTS, Threads, say
from anclaf.config import PointsName
from anclaf.core.errors import ConfigError

_FOLDER = tyro.conf.arg(metavar="[FOLDER]", help_behavior_hint="(default: none, videos are uploaded on the page)")


@dataclass(frozen=True)
class App:
    """A page on this machine: videos with their valence and arousal over time, a queue, the webcam. Extra: app."""

    folder: Annotated[Path | None, tyro.conf.Positional, _FOLDER] = None
    """Folder of videos to show; what is in no folder is uploaded on the page."""
    model: str = "starter"
    """A model's folder, or one that comes with the package, as of `anclaf predict`."""
    out: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="(default: FOLDER/results)")] = None
    """Folder for the results of FOLDER's videos; those of `anclaf predict` that lie there are shown."""
    host: str = "127.0.0.1"
    """Address to listen at. At another one than this machine's own the page asks for the key that is printed."""
    port: int = 8642
    """Port to listen at; 0 for any that is free."""
    browser: bool = True
    """Open the page in the browser."""
    jobs: int = 1
    """Videos analysed at once; the others wait."""
    max_upload: Annotated[float, tyro.conf.arg(metavar="MB")] = 4096.0
    """Largest upload, in millions of bytes."""
    max_seconds: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 14400.0
    """Longest uploaded video."""
    detector: str = "auto"
    """As of `anclaf predict`."""
    points: Annotated[PointsName, POINTS] = "starter"
    device: str = "cpu"
    """cpu, cuda or mps."""
    threads: Threads = None
    """CPU threads of each job."""

    def run(self) -> int:
        from anclaf.app.limits import Limits
        from anclaf.app.run import serve
        from anclaf.app.worker import Setup, Worker

        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"--threads {self.threads}: expected 1 or more")
        limits = Limits(jobs=self.jobs, upload_mb=self.max_upload, seconds=self.max_seconds)
        threads = self.threads or max(1, (os.cpu_count() or 1) // self.jobs)
        setup = Setup(self.model, self.detector, self.device, threads, limits.memory_mb, self.points)

        def ready(address: str, worker: Worker) -> None:
            info = worker.info
            say(f"model: {info.about or info.variant}")
            say(f"detector: {info.detector}")
            say(info.sureness)
            print(address, flush=True)
            say("Ctrl-C ends it")
            if self.browser:
                webbrowser.open(address)

        for name, place in serve(self.folder, self.out, setup, limits, self.host, self.port, ready):
            say(f"ratings of {name}, which nobody downloaded: {place}")
        return 0
