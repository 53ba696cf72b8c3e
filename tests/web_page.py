"""Pages of `anclaf web` that are visited by a browser, which may ask their own server alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from chromium import serving, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

DONE = "!document.getElementById('about').hidden && document.getElementById('work').hidden"


@dataclass
class Visit:
    """wrong: requests to elsewhere, errors, and what the page's policy refused."""

    page: "Page"
    wrong: list[str]

    def analyse(self, files: list[Path], seconds: float = 240) -> None:
        self.page.evaluate("document.getElementById('about').hidden = true")  # shown again when it is done
        self.page.set_input_files("#file", files)
        until(self.page, DONE, seconds)
        assert self.page.inner_text("#problem") == ""

    def table(self) -> pd.DataFrame:
        with self.page.expect_download() as saved:
            self.page.get_by_role("button", name="Save CSV").click()
        return pd.read_csv(saved.value.path())


@contextmanager
def visiting(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    """`visit(folder, width)`. Every request that is not to the page's own server is denied, and none may be made."""
    wrong = list[str]()
    with ExitStack() as stack:

        def visit(folder: Path, width: int = 1280) -> Visit:
            address, _ = stack.enter_context(serving(folder))
            context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
            stack.callback(context.close)
            _deny_others(context, address, wrong)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
            page.goto(address)
            until(page, "!document.getElementById('file').disabled", 120)
            return Visit(page, wrong)

        yield visit
    assert wrong == []


def _deny_others(context: "BrowserContext", address: str, wrong: list[str]) -> None:
    def decide(route: Any) -> None:
        if route.request.url.startswith((address, "blob:")):
            route.continue_()
        else:
            wrong.append(f"request to {route.request.url}")
            route.abort()

    context.route("**/*", decide)
