"""Models leave the machine and come to it: what travels, how it is checked, and the places that it travels between."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.travel.pull import pull_model as pull_model
    from anclaf.travel.push import Pushed as Pushed
    from anclaf.travel.push import push_model as push_model

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "pull_model": "travel.pull",
        "Pushed": "travel.push",
        "push_model": "travel.push",
    },
)
