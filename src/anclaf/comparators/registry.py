"""What ANCLaF is compared with, by name: labels and needs of each comparator, without importing torch or scikit-learn.

Another package adds one with a function of a `Task`::

    COMPARATORS.register("median", Comparator("training median", median, quick=True))

or, so that worker processes have it too, with an entry point of group `anclaf.comparators` that names a `Comparator`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.core.progress import Progress, silent
from anclaf.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric
    from numpy.typing import NDArray

    from anclaf.config import ComparatorConfig, ModelConfig
    from anclaf.data.folds import Split
    from anclaf.data.store import PreparedCorpus


@dataclass(frozen=True)
class Task:
    """One fold, on which a comparator is fitted and tested.

    name: the comparator's. split: rows of the corpus; only `train` and `validation` may be learnt from. model: the
    sizes of the run's networks, all else by default. config: how comparators are trained. seed: of the run. folder:
    where the comparator keeps what it wants to keep. fingerprint: of everything that decides the outcome, to recognise
    what is in `folder`. parents: folders of what this one starts from, by name: comparators, and `base`.
    """

    name: str
    fabric: "Fabric"
    corpus: "PreparedCorpus"
    split: "Split"
    model: "ModelConfig"
    config: "ComparatorConfig"
    seed: int
    folder: Path
    fingerprint: str
    progress: Progress = silent
    parents: Mapping[str, Path] = field(default_factory=dict)


Work = Callable[[Task], "NDArray[np.floating[Any]]"]


@dataclass(frozen=True)
class Comparator:
    """A comparator: how it is shown, what it needs, and what does the work.

    label: in tables. work: a function of a `Task`, or `module:function`, which is imported when it is needed; see
    `estimate` for what it returns. needs_sequence: it cannot be used on stills. quick: it takes seconds, and
    `anclaf train` runs it by default. trains: its outcome depends on `Task.model` and `Task.config`.
    needs: comparators that it starts from. needs_base: it starts from the fold's base model, which finds landmarks; it
    is left out where none is trained that does.
    """

    label: str
    work: Work | str
    needs_sequence: bool = False
    quick: bool = False
    trains: bool = False
    needs: tuple[str, ...] = ()
    needs_base: bool = False

    def estimate(self, task: Task) -> "NDArray[np.floating[Any]]":
        """(len(task.split.test), 2) valence and arousal in the corpus's units, NaN where there is no estimate.

        With several processes every one of them calls this, and the first one's result is kept.

        Raises:
            ConfigError: the corpus holds stills and this comparator needs sequences, or the work returned another
                shape. AnclafError: what the work raises.
        """
        if self.needs_sequence and not task.corpus.card.fps:
            raise ConfigError(f"{task.name}: {task.corpus.folder} holds stills, which have no sequence; leave it out")
        work = self.work
        if isinstance(work, str):
            module, _, function = work.partition(":")
            work = getattr(import_module(module), function)
        estimate = work(task)
        if estimate.shape != (expected := (len(task.split.test), 2)):
            raise ConfigError(f"comparator {task.name!r}: estimates have shape {estimate.shape}; expected {expected}")
        return estimate


_CLASSICAL, _NEURAL = "anclaf.comparators.classical", "anclaf.comparators.neural"
_DETECTED = "anclaf.comparators.detected"

MEAN = Comparator("training mean", f"{_CLASSICAL}:training_mean", quick=True)
RIDGE_1 = Comparator("ridge on landmarks, 1 frame", f"{_CLASSICAL}:ridge_on_frame", quick=True)
RIDGE_8 = Comparator("ridge on landmarks, 8 frames", f"{_CLASSICAL}:ridge_on_window", needs_sequence=True, quick=True)
RIDGE_1_DETECTED = Comparator(
    "ridge on detected landmarks, 1 frame", f"{_DETECTED}:ridge_on_frame", quick=True, needs_base=True
)
RIDGE_8_DETECTED = Comparator(
    "ridge on detected landmarks, 8 frames", f"{_DETECTED}:ridge_on_window", needs_sequence=True, quick=True,
    needs_base=True,
)  # fmt: skip
SVR = Comparator("SVR on landmarks and appearance", f"{_CLASSICAL}:svr")
CNN = Comparator("CNN, frame by frame", f"{_NEURAL}:network", trains=True)
CNN_MA = Comparator(
    "CNN with a moving average", f"{_NEURAL}:moving_average", needs_sequence=True, trains=True, needs=("cnn",)
)
AEG_CD = Comparator("AEG-CD", f"{_NEURAL}:network", trains=True)
COHERENCE = Comparator("CNN with temporal coherence", f"{_NEURAL}:network", needs_sequence=True, trains=True)
TUCKER = Comparator("Tucker tensor regression", f"{_NEURAL}:network", trains=True)

COMPARATORS: Registry[Comparator] = Registry(
    "comparator",
    "anclaf.comparators",
    {
        "mean": f"{__name__}:MEAN",
        "ridge-1": f"{__name__}:RIDGE_1",
        "ridge-8": f"{__name__}:RIDGE_8",
        "ridge-1@detected": f"{__name__}:RIDGE_1_DETECTED",
        "ridge-8@detected": f"{__name__}:RIDGE_8_DETECTED",
        "svr": f"{__name__}:SVR",
        "cnn": f"{__name__}:CNN",
        "cnn-ma": f"{__name__}:CNN_MA",
        "aeg-cd": f"{__name__}:AEG_CD",
        "coherence": f"{__name__}:COHERENCE",
        "tucker": f"{__name__}:TUCKER",
    },
)


def quick_comparators() -> tuple[str, ...]:
    """Names of the comparators that take seconds."""
    return tuple(name for name in COMPARATORS.names() if COMPARATORS.get(name).quick)


@checked
def parse_comparators(text: str) -> tuple[str, ...]:
    """`all`, `none`, `quick`, or names with commas between; see `with_needs`.

    Raises:
        ConfigError: no such comparator; the names are listed.
    """
    if text in ("all", "none"):
        return COMPARATORS.names() if text == "all" else ()
    if text == "quick":
        return quick_comparators()
    return with_needs([name.strip() for name in text.split(",")])


def with_needs(names: Sequence[str]) -> tuple[str, ...]:
    """These comparators and those that they start from, in the registry's order with the needed ones first.

    Raises:
        ConfigError: no such comparator; the names are listed.
    """
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for needed in COMPARATORS.get(name).needs:
            add(needed)
        found[name] = None

    place = {name: i for i, name in enumerate(COMPARATORS.names())}
    for name in sorted(names, key=lambda name: place.get(name, 0)):
        add(name)
    return tuple(found)


def label_of(name: str) -> str:
    """What tables call a comparator; its name, where it is of a package that is not installed here."""
    return COMPARATORS.get(name).label if name in COMPARATORS else name
