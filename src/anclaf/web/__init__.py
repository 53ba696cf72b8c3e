"""`anclaf web`: a page of static files that runs a model in the browser and sends nothing anywhere."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.web.build import WebPage as WebPage
    from anclaf.web.build import write_page as write_page
    from anclaf.web.runtime import Runtime as Runtime
    from anclaf.web.runtime import download_runtime as download_runtime
    from anclaf.web.runtime import read_runtime as read_runtime

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "WebPage": "web.build",
        "write_page": "web.build",
        "Runtime": "web.runtime",
        "download_runtime": "web.runtime",
        "read_runtime": "web.runtime",
    },
)
