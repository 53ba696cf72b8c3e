"""The leak check: nobody may be tested by a model that was trained on them."""

from collections.abc import Iterable

from anclaf.core.errors import LeakError
from anclaf.models.spec import ModelSpec


def refuse_leak(spec: ModelSpec, tested: Iterable[str]) -> None:
    """Do nothing, or refuse.

    People are told apart by their names alone, whatever the corpus, for one database is prepared in many ways.
    The `paper` protocol tests people it trained on by construction; its own test block is not for this check.

    Args:
        spec: of the model; `spec.subjects` are those that trained it or chose its checkpoint.
        tested: subjects it is to be tested on.

    Raises:
        LeakError: the two share a subject.
    """
    tested = set(tested)
    shared = sorted(tested & set(spec.subjects))
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise LeakError(
            f"{spec.variant} of fold {spec.fold} was trained on {len(shared)} of the {len(tested)} people to be tested "
            f"({', '.join(shared[:3])}{more}); test it on others, for example on the test people of its own fold"
        )
