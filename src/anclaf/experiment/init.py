"""The trained model that a run begins from: which of its weights each of the run's models takes, and at what rate."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from anclaf.config import ModelConfig, RunConfig
from anclaf.core.errors import ConfigError, LeakError, ModelError
from anclaf.data.folds import Split
from anclaf.data.store import PreparedCorpus
from anclaf.models.folder import load_spec, model_folder
from anclaf.models.io import load_model, model_fingerprint
from anclaf.models.spec import ModelSpec, Variant
from anclaf.training.beginning import Beginning

LR_SCALE = 0.3
"""Not measured: a choice of ours. What is trained already is to be changed, not forgotten."""


@dataclass(frozen=True)
class Init:
    """A trained model to begin from.

    Stage 1 begins with the weights of the base model beside it in its fold, or with its own G, D and C; S-n and SA-n
    with their own heads, where the model or one beside it has them, else as always with that of the model before.
    Controls (S-n+, S-n-direct) begin as always.

    Args:
        model: as `models.folder.model_folder`.
        lr_scale: all learning rates of models that begin so, as a part of the recipe's.
    """

    model: Path | str
    lr_scale: float = LR_SCALE

    def __post_init__(self) -> None:
        if not 0 < self.lr_scale <= 10:
            raise ConfigError(f"init: got lr_scale={self.lr_scale}; expected more than 0, at most 10")

    @property
    def spec(self) -> ModelSpec:
        return load_spec(self._folder)

    @property
    def _folder(self) -> Path:
        return model_folder(self.model).resolve()

    def beginning(self, variant: Variant) -> Beginning | None:
        """What a model of this variant begins with; None for one that begins as always.

        Raises:
            ModelError: the model, or the one beside it, cannot be read.
        """
        if variant.control:
            return None
        own = self.spec.parsed_variant
        folder = self._folder if own == variant else self._folder.parent / str(variant)
        if own != variant and not _beside(folder, self._folder, variant):
            return _loaded(self._folder) if variant.kind == "base" else None
        return _loaded(folder)

    def to_json(self, variant: Variant) -> dict[str, Any]:
        """What decides a model's outcome, or nothing where it begins as always; and the rate of its control."""
        found = self.beginning(variant)
        if found is not None:
            return {"init": {"begins": found.fingerprint, "lr_scale": self.lr_scale}}
        return {"init": {"lr_scale": self.lr_scale}} if self._slower(variant) else {}

    @property
    def identity(self) -> dict[str, Any]:
        """Of a run, wherever the model lies."""
        return {"fingerprint": _loaded(self._folder).fingerprint, "lr_scale": self.lr_scale}

    def described(self) -> dict[str, Any]:
        """For `model.json`, which may leave this machine: no path."""
        spec = self.spec
        of = {"variant": spec.variant, "corpora": list(spec.corpora), "people": len(spec.subjects)}
        return of | self.identity

    def located(self) -> dict[str, Any]:
        """For `run.json`."""
        return {"model": str(self._folder)} | self.described()

    def scaled(self, config: RunConfig, variant: Variant) -> RunConfig:
        """The configuration with the learning rates of this variant."""
        if not self._slower(variant):
            return config
        scale, stage1 = self.lr_scale, config.stage1
        rates = {name: getattr(stage1, name) * scale for name in ("lr", "adversarial_lr", "quadrant_lr")}
        return replace(
            config, stage1=replace(stage1, **rates), stage2=replace(config.stage2, lr=config.stage2.lr * scale)
        )

    def _slower(self, variant: Variant) -> bool:
        """Whether a model begins with weights of its own, or is the control of one."""
        followed = variant.follows or (Variant(variant.kind, variant.n) if variant.control else variant)
        return self.beginning(followed) is not None

    def check(self, config: ModelConfig, corpus: PreparedCorpus, split: Split) -> None:
        """Check that the networks and the crop are the model's, and that it learnt from nobody who is to be tested.

        Raises:
            ConfigError: they are not; which settings differ.
            LeakError: it did.
        """
        spec = self.spec
        differ = spec.model.differences(config)
        differ.pop("options", None)  # of heads, which a recipe states as far as they are not the defaults
        if differ:
            flags = " ".join(_flag(name, value) for name, value in differ.items())
            raise ConfigError(
                f"{self.model}: its networks are others than this run's; take those of the model with {flags}"
            )
        if spec.crop != corpus.card.crop:
            raise ModelError(f"{self.model}: takes the {spec.crop} crop, {corpus.folder} has {corpus.card.crop}")
        if split.protocol != "strict":
            return
        tested = sorted(set(corpus.subjects[split.test].tolist()))
        if people := spec.known(tested):
            more = f" and {len(people) - 3} more" if len(people) > 3 else ""
            raise LeakError(
                f"{self.model}: learnt from {len(people)} of the {len(tested)} people to be tested in fold "
                f"{split.fold} ({', '.join(people[:3])}{more}), so that the test would be too good. Begin from another "
                "model, or, if they are other people of the same names, rename them in the corpus"
            )


def _flag(name: str, value: Any) -> str:
    flag = f"--config.model.{name.replace('_', '-')}"
    if isinstance(value, bool):
        head, dot, last = name.replace("_", "-").rpartition(".")
        return flag if value else f"--config.model.{head}{dot}no-{last}"
    return f"{flag} {value}"


def _beside(folder: Path, model: Path, variant: Variant) -> bool:
    """Whether a folder holds this variant of the same curriculum: with the same G."""
    try:
        found = load_spec(folder)
    except ModelError:
        return False
    if found.parsed_variant != variant:
        return False
    one, other = (_loaded(path).network.generator.state_dict() for path in (folder, model))
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@lru_cache(maxsize=32)
def _loaded(folder: Path) -> Beginning:
    network, spec = load_model(folder)
    return Beginning(network, model_fingerprint(network, spec))
