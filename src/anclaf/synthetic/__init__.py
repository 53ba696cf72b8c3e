"""People drawn by this program, to show and to test everything without a database."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.synthetic.puppet import write_puppet as write_puppet
    from anclaf.synthetic.puppet import write_puppet_video as write_puppet_video

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "write_puppet": "synthetic.puppet",
        "write_puppet_video": "synthetic.puppet",
    },
)
