"""`anclaf push` and `anclaf pull`: models to and from folders, stores and the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import progress_display, say

_MODEL = tyro.conf.arg(
    metavar="MODEL", help="A model's folder, such as RUN/fold0/SA-8, an export, or one that comes with the package."
)
_PLACE = "a folder, a URL such as s3://bucket/model, or hf://USER/NAME of the Hugging Face Hub"
_LICENCE = tyro.conf.arg(
    help="Of the weights, for the card: an identifier such as cc-by-nc-4.0, or words.",
    help_behavior_hint="(default: the card says that none is stated)",
)
_FINGERPRINT = tyro.conf.arg(
    help="The 64 digits that `anclaf push` printed: take this model and no other.",
    help_behavior_hint="(default: files are held to the manifest beside them)",
)
_MOST = tyro.conf.arg(help="Refuse a model of more megabytes than this.", help_behavior_hint="(default: 2048)")


@dataclass(frozen=True)
class Push:
    """Put a model where others can pull it: safetensors or ONNX, JSON and a card; people as digests of their names
    (docs/travel.md). Prints its fingerprint."""

    model: Annotated[str, tyro.conf.Positional, _MODEL]
    dest: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DEST", help=f"Where to: {_PLACE}.")]
    licence: Annotated[str | None, _LICENCE] = None
    overwrite: bool = False
    """Replace the model that is there."""

    def run(self) -> int:
        from anclaf.core.words import counted
        from anclaf.travel.push import push_model

        done = push_model(self.model, self.dest, licence=self.licence, overwrite=self.overwrite)
        print(f"{done.fingerprint}  {done.where}")
        people = counted(done.people, "person").replace("persons", "people")
        say(f"  {done.size / 1e6:.1f} MB, {people} as digests; its card is README.md there")
        if self.licence is None:
            say("  no licence is stated: --licence does")
        return 0


@dataclass(frozen=True)
class Pull:
    """Bring a model that `anclaf push` put somewhere into a folder, for --model. Every file is checked, none is run
    (docs/travel.md)."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE", help=f"Where from: {_PLACE}.")]
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT", help="Folder to make.")]
    fingerprint: Annotated[str | None, _FINGERPRINT] = None
    most_mb: Annotated[int | None, _MOST] = None

    def run(self) -> int:
        from anclaf.travel.pull import MOST_MB, pull_model

        with progress_display() as progress:
            found = pull_model(
                self.source, self.out, self.fingerprint,
                most_mb=MOST_MB if self.most_mb is None else self.most_mb, progress=progress,
            )  # fmt: skip
        print(self.out)
        say(f"  fingerprint {found}" + ("" if self.fingerprint is None else ", as expected"))
        if self.fingerprint is None:
            say("  compare it with what who pushed it was told, or give it with --fingerprint")
        return 0
