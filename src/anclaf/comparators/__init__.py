"""What ANCLaF is compared with under the same folds: a registry by name, and one way to an estimate for all of them."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.comparators.registry import COMPARATORS as COMPARATORS
    from anclaf.comparators.registry import Comparator as Comparator
    from anclaf.comparators.registry import Task as Task
    from anclaf.comparators.registry import parse_comparators as parse_comparators

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "COMPARATORS": "comparators.registry",
        "Comparator": "comparators.registry",
        "Task": "comparators.registry",
        "parse_comparators": "comparators.registry",
    },
)
