"""`anclaf demo`: the main job on the embedded corpus: prepare, train, test, report, and a video of an unseen person."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import progress_display, say
from anclaf.cli.predict import Predict
from anclaf.cli.prepare import reader_command
from anclaf.cli.report import Report
from anclaf.cli.train import Train
from anclaf.recipes import make_run

UNSEEN = 100_000
"""Number of the person in the video; a corpus has its people from 0."""


@dataclass(frozen=True)
class Demo:
    """Minutes on a CPU: draw people, train ANCLaF, ANCLaF-S and ANCLaF-SA on them, test on others, report, predict."""

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")] = Path("demo")
    """Folder for everything."""
    clips: int = 120
    """Videos to draw."""
    subjects: int = 60
    """People in them."""
    seed: int = 0
    """Decides who is drawn, and the training."""
    workers: int = 2
    """Processes that draw."""

    def run(self) -> int:
        corpus, run, video = self.out / "corpus", self.out / "run", self.out / "unseen.mp4"
        say("1/4  drawing people and cutting out their faces")
        puppet = reader_command("puppet")
        puppet(
            out=corpus, image_size=64, clips=self.clips, subjects=self.subjects, seed=self.seed, workers=self.workers
        ).run()
        say("2/4  training, then testing on people who were not in training")
        longest = max(make_run("demo").lengths)
        Train(corpus, run, recipe="demo", variants=f"S-{longest},SA-{longest}", seed=self.seed).run()
        say("3/4  report")
        with progress_display(quiet=True):
            Report(run).run()
        say("4/4  a video of a person nobody has seen")
        from anclaf.synthetic.puppet import write_puppet_video

        if not video.is_file():
            write_puppet_video(video, subject=UNSEEN, frames=150, seed=self.seed, size=(480, 360))
        folder = self.out / "prediction"
        Predict((str(video),), model=str(run / "fold0" / f"SA-{longest}"), out=folder, overwrite=True).run()
        say("")
        say(f"report          {run / 'report' / 'index.html'}")
        say(f"overlay video   {folder / 'unseen.overlay.mp4'}")
        say("These are drawn faces. The numbers say that the software works, nothing about real people.")
        return 0
