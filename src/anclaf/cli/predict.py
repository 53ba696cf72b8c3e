"""`anclaf predict`: videos, pictures and cameras to a table of valence and arousal, and an overlay video."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anclaf.cli.console import POINTS, TRACEBACK, fail, fault_line, one_or_more, progress_display, result, say
from anclaf.config import (
    BackendName,
    Engine,
    FaceChoice,
    OutputOptions,
    PointsName,
    StreamOptions,
    TableFormat,
    WindowMode,
)
from anclaf.core.errors import AnclafError, ConfigError
from anclaf.core.extras import installed, what_to_install

if TYPE_CHECKING:
    from anclaf.grid.sources import SourceOutcome, Where
    from anclaf.inference.estimator import AffectEstimator


_NAMED = 20
"""Sources that failed are named at the end, so many at most."""
_SOURCES = (
    "Videos, pictures, folders of pictures, patterns such as 'talks/*.mp4', streams such as rtsp://HOST/PATH, or "
    "cameras such as v4l2:/dev/video0, avfoundation:0, dshow:video=NAME."
)

_MODEL = tyro.conf.arg(
    help="A model's folder, such as RUN/fold0/SA-8, or one that comes with the package: starter, or one of its kinds, "
    "starter/base, starter/S-8 and starter/SA-8. They learnt from rendered heads (docs/starter-card.md)."
)


@dataclass(frozen=True)
class Predict:
    """A row for every frame and person: valence, arousal, quadrant, or why there is none."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, one_or_more("SOURCE", _SOURCES)]
    out: Path
    """Folder for NAME.csv or NAME.parquet, NAME.overlay.mp4, and NAME.json, which says how they were made."""
    model: Annotated[str, _MODEL] = "starter"
    faces: FaceChoice = "all"
    """Everybody, or in each frame the largest face only."""
    detector: str = "auto"
    """auto (YuNet if it was downloaded before, else haar), haar, yunet (downloaded once), yunet:PATH, or a plugin."""
    points: Annotated[PointsName, POINTS] = "starter"
    baseline: Annotated[str | None, tyro.conf.arg(metavar="first:SECONDS|median|FILE")] = None
    """Take off each person's resting face: that of the first seconds, the median, or a FILE's (docs/outputs.md)."""
    windows: WindowMode = "sliding"
    """sliding: each frame's window ends at it. tumbling: windows that do not overlap, as the paper evaluates."""
    attention: bool = False
    """Add attention weights as columns, of SA and other models that attend."""
    format: TableFormat = "csv"
    """Of the table."""
    overlay: bool = True
    """Write the overlay video."""
    plot: bool = True
    """Draw valence and arousal of each person over time, and their path through the circumplex."""
    overwrite: bool = False
    """Replace results that are there."""
    resume: bool = False
    """Leave complete results alone and go on with those that were broken off."""
    seconds: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: all; a camera's until Ctrl-C)")] = None
    """Analyse the first so many seconds of each source."""
    image_fps: float = 25.0
    """Pictures a second in folders of pictures."""
    backend: BackendName = "auto"
    """What runs the networks: torch, or onnx for a folder of `anclaf export`. auto: what the folder is for."""
    device: str = "cpu"
    """cpu, cuda or mps."""
    threads: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: the cores, divided among the jobs)")] = (
        None
    )
    """CPU threads of each job. Results are equal to the bit only where threads are equal."""
    jobs: int = 1
    """Sources that are analysed at once, each in a process of its own."""
    engine: Engine = "local"
    """local: on this machine. ray: on a cluster whose nodes see the same folders."""
    address: Annotated[str | None, tyro.conf.arg(help_behavior_hint="(default: one is started here)")] = None
    """ray: of a running cluster, as HOST:PORT, or auto for this machine's."""
    gpus: float = 0.0
    """ray: a job's share of GPUs; 0.25 lets four share one."""

    def run(self) -> int:
        from anclaf.grid.sources import Analysis, predict_sources

        sources = self._sources()
        where = self._where(len(sources))
        options = StreamOptions(faces=self.faces, windows=self.windows, attention=self.attention)
        output = OutputOptions(self.format, self.overlay, self._plots(), self.overwrite, self.resume)
        estimator = self._estimator(where.threads)
        how = Analysis(
            self.out, options, output, estimator.baseline(self.baseline, options), self.image_fps, self.seconds
        )
        failed: list[str] = []
        faults = False
        with progress_display() as progress:

            def ended(outcome: "SourceOutcome") -> None:
                nonlocal faults
                progress.drop(outcome.name)  # one that was not read to its end, or whose length nobody knew
                faults = faults or bool(outcome.fault)
                if not self._say(outcome) and not outcome.stopped:
                    failed.append(outcome.name)

            try:
                predict_sources(estimator, sources, how, where, ended, progress)
            except KeyboardInterrupt:
                fail(f"stopped; what is done is in {self.out}, and the same command goes on with --resume")
                return 130
        if failed:
            more = f", and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
            fail(f"{len(failed)} of {len(sources)} sources failed: {', '.join(failed[:_NAMED])}{more}")
        return 1 if faults else 2 if failed else 0

    def _plots(self) -> bool:
        """Whether plots are drawn: they are part of the results, and not worth an error where they cannot be."""
        if self.plot and not installed("matplotlib"):
            say(f"no plots: {what_to_install('matplotlib')}")
            return False
        return self.plot

    def _where(self, sources: int) -> "Where":
        from anclaf.config import Resources
        from anclaf.grid.sources import Where

        ray = None
        if self.engine == "ray":
            ray = Resources(self.threads or 1, self.gpus)
        elif self.gpus:
            raise ConfigError("gpus has no effect without engine ray")
        return Where(self.jobs, self.threads, ray, self.address).for_sources(sources)

    def _sources(self) -> dict[str, str]:
        """What the files of each source are called, and the source."""
        from anclaf.inference.source import source_name

        if not self.sources:
            raise ConfigError("no source given; expected one or more videos, pictures, folders, streams or cameras")
        named: dict[str, str] = {}
        for source in [one for given in self.sources for one in self._expanded(given)]:
            try:
                name = source_name(source)
            except (AnclafError, OSError):
                name = source  # opening it says what is wrong with it; the others are analysed
            if name in named:
                table = f"{name}.{self.format}"
                raise ConfigError(f"two sources would both write {table}; give them in two calls with two --out")
            named[name] = source
        return named

    @staticmethod
    def _expanded(source: str) -> list[str]:
        from anclaf.inference.source import expand

        try:
            return expand([source])
        except (AnclafError, OSError):
            return [source]

    def _estimator(self, threads: int | None) -> "AffectEstimator":
        from anclaf.inference.estimator import AffectEstimator
        from anclaf.models.folder import model_folder
        from anclaf.models.shipped import ABOUT, StarterWarning, is_shipped

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StarterWarning)  # it is said here
            estimator = AffectEstimator.load(
                self.model, detector=self.detector, points=self.points, device=self.device, backend=self.backend,
                threads=threads,
            )  # fmt: skip
        if is_shipped(model_folder(self.model)):
            say(f"model: {ABOUT}")
        say(f"detector: {estimator.detector.name}")
        if self.detector == "auto" and estimator.detector.name.startswith("haar"):
            say("  --detector yunet finds more faces; it is downloaded once (320 kB)")
        say(estimator.sureness)
        return estimator

    @staticmethod
    def _say(outcome: "SourceOutcome") -> bool:
        """What became of a source; whether it could be read to its end."""
        if outcome.error:
            if outcome.fault and os.environ.get(TRACEBACK):
                say(outcome.fault)
            fail(fault_line(outcome.error) if outcome.fault else outcome.error)
        done = outcome.result
        if done is None:
            return False
        result(str(done.table))
        counts = f"{done.tracks} tracks, {done.estimated} of {done.rows} rows with an estimate"
        say(f"  {done.frames} frames, {counts}")
        if done.kept:
            say("  complete already" if done.kept == done.frames else f"  went on from frame {done.kept}")
        for note in done.notes:
            say(f"  note: {note}")
        if done.problem:
            fail(f"{done.problem} (what was readable is in {done.table})")
        return not done.problem
