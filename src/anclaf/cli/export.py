"""`anclaf export`: a model as ONNX files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import say
from anclaf.core.errors import ConfigError

_MODEL = tyro.conf.arg(
    metavar="MODEL", help="A model's folder, such as RUN/fold0/SA-8, or one that comes with the package, as starter."
)
_INT8 = tyro.conf.arg(
    metavar="CORPUS",
    help="Make the encoder's products eight-bit, by the training faces of this prepared corpus; its held-out people "
    "say what that costs.",
    help_behavior_hint="(default: all is float)",
)
_LOSS = tyro.conf.arg(
    help="With --int8: refuse where CCC on the held-out people is lower by more than this.",
    help_behavior_hint="(default: 0.02)",
)


@dataclass(frozen=True)
class Export:
    """Write a model as encoder.onnx and head.onnx, for `anclaf predict` without torch and for other programs
    (docs/export.md)."""

    model: Annotated[str, tyro.conf.Positional, _MODEL]
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT", help="Folder to write.")]
    int8: Annotated[Path | None, _INT8] = None
    int8_loss: Annotated[float | None, _LOSS] = None
    overwrite: bool = False
    """Replace an export that is there."""

    def run(self) -> int:
        from anclaf.data.store import PreparedCorpus
        from anclaf.experiment.export import INT8_LOSS, export_model

        if self.int8_loss is not None and self.int8 is None:
            raise ConfigError("--int8-loss has no effect without --int8; leave it out")
        done = export_model(
            self.model, self.out,
            int8=None if self.int8 is None else PreparedCorpus.open(self.int8),
            int8_loss=INT8_LOSS if self.int8_loss is None else self.int8_loss,
            overwrite=self.overwrite,
        )  # fmt: skip
        print(done.folder)
        say(f"  at most {max(done.parity.values()):.1e} from torch")
        if (cost := done.int8) is not None:
            say(
                f"  int8: CCC {cost['int8']:.3f} on {cost['people']} held-out people, {cost['torch']:.3f} with torch "
                f"({cost['loss']:+.3f} lost)"
            )
        return 0
