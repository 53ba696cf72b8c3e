"""`anclaf predict`: videos and pictures to a table of valence and arousal, and an overlay video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anclaf.cli.screen import fail, progress_bar, say
from anclaf.core.errors import AnclafError, ConfigError


@dataclass(frozen=True)
class Predict:
    """A row for every frame and person: valence, arousal, quadrant, or why there is none."""

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...")]
    """Videos, pictures, or folders of pictures."""
    model: Path
    """A model's folder, such as RUN/fold0/SA-8."""
    out: Path
    """Folder for NAME.csv and NAME.overlay.mp4."""
    faces: Literal["all", "largest"] = "all"
    """Everybody, or in each frame the largest face only."""
    detector: str = "auto"
    """auto, haar or yunet:PATH."""
    windows: Literal["sliding", "tumbling"] = "sliding"
    """tumbling: windows that do not overlap, as the paper evaluates."""
    attention: bool = False
    """Add the attention weights of SA models as columns."""
    overlay: bool = True
    """Write the overlay video."""
    overwrite: bool = False
    """Replace results that are there."""
    device: str = "cpu"
    threads: int | None = None
    """CPU threads of torch; as many as it likes if not stated."""

    def run(self) -> int:
        import torch

        from anclaf.inference.analyse import analyse
        from anclaf.inference.estimator import AffectEstimator, StreamOptions

        if not self.sources:
            raise ConfigError("no source given; expected one or more videos, pictures or folders of pictures")
        stems = [source.stem for source in self.sources]
        if twins := sorted({stem for stem in stems if stems.count(stem) > 1}):
            raise ConfigError(f"two sources would both write {twins[0]}.csv; give them in two calls with two --out")
        if self.threads is not None:
            torch.set_num_threads(max(1, self.threads))
        estimator = AffectEstimator.load(self.model, detector=self.detector, device=self.device)
        options = StreamOptions(faces=self.faces, windows=self.windows, attention=self.attention)
        say(f"detector: {estimator.detector.name}")
        failed = 0
        with progress_bar() as progress:
            for source in self.sources:
                try:
                    done = analyse(
                        estimator, source, self.out, options, overlay=self.overlay, overwrite=self.overwrite,
                        progress=progress,
                    )  # fmt: skip
                except AnclafError as error:
                    fail(str(error))
                    failed += 1
                    continue
                print(done.table)
                counts = f"{done.tracks} tracks, {done.estimated} of {done.rows} rows with an estimate"
                say(f"  {done.frames} frames, {counts}")
                for note in done.notes:
                    say(f"  note: {note}")
                if done.problem:
                    fail(f"{done.problem} (what was readable is in {done.table})")
                    failed += 1
        if failed:
            fail(f"{failed} of {len(self.sources)} sources failed")
        return 2 if failed else 0
