"""The documentation's site: built strictly, every link leads somewhere, nothing is fetched; its pages of the API."""

import importlib
import json
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from chromium import CHROMIUM
from docs.api import MODULES, public_packages
from docs.hooks import _address, line_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
BUILD = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir"]
"""Not quietly: then mkdocs does not count its warnings, and strictness is none."""
LOADS = {("script", "src"), ("img", "src"), ("source", "src"), ("video", "src"), ("iframe", "src"), ("object", "data")}
"""What a browser fetches without being asked."""
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run([*BUILD, str(out)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return out


class Built(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.styles: list[str] = []
        self._in_style = False
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            if name == "style":
                self.styles.append(value)
            if (tag, name) in LOADS:
                self.loads.append(value)
            if name == "srcset":
                self.loads += [one.split()[0] for one in value.split(",")]
        if tag in ("a", "area", "link") and (target := dict(attrs).get("href")):
            loading = tag == "link" and LOADING_LINKS & {*str(dict(attrs).get("rel")).split()}
            (self.loads if loading else self.links).append(target)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)


@cache
def built(path: Path) -> Built:
    return Built(path)


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if path.name != "404.html")


def broken(site: Path) -> list[str]:
    """Links and loads within the site to a file or a place that is not there."""
    wrong = []
    for page in pages(site):
        for target in (*built(page).links, *built(page).loads):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            path = path / "index.html" if path.is_dir() else path
            place = unquote(parts.fragment)
            if not path.is_file() or not path.is_relative_to(site):
                wrong.append(f"{page.relative_to(site)}: no file {target}")
            elif place and path.suffix == ".html" and place not in built(path).places | {"__top"}:
                wrong.append(f"{page.relative_to(site)}: no place {target}")
    return wrong


def fetched(site: Path) -> list[str]:
    """What pages and stylesheets load from elsewhere."""
    found = []
    for page in pages(site) + [site / "404.html"]:
        text = "\n".join(built(page).styles)
        named = [*built(page).loads, *re.findall(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", text)]
        found += [f"{page.relative_to(site)}: {one}" for one in map(_first, named) if _elsewhere(one)]
    for sheet in site.rglob("*.css"):
        named = re.findall(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(site)}: {one}" for one in map(_first, named) if _elsewhere(one)]
    return found


def _first(found: str | tuple[str, ...]) -> str:
    return found if isinstance(found, str) else next(filter(None, found))


def _elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc) or urlsplit(address).scheme not in ("", "data")


def test_every_link_and_anchor_leads_somewhere(site: Path):
    assert len(pages(site)) > 60, "pages, sources and API"
    assert broken(site) == []


def test_nothing_is_loaded_from_elsewhere(site: Path):
    assert fetched(site) == []
    for page in site.glob("*.html"):  # what the theme's script would fetch where a page has it
        assert 'class="mermaid"' not in built(page).source
        assert 'data-md-component="source"' not in built(page).source


def test_broken_links_and_other_servers_are_found(tmp_path: Path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html">x</a><a href="#there">x</a><a href="a.html#here" id="here">x</a><a href="../c.html">x</a>'
        '<img src="http://example.org/a.png"><style>@import "//example.org/a.css"; p { background: url(b.png) }</style>'
        '<link rel="preconnect" href="https://example.org"><p style="background: url(https://example.org/c.png)">'
    )
    (tmp_path / "404.html").write_text('<script src="https://example.org/a.js"></script>')
    (tmp_path / "a.css").write_text("p { src: url('https://example.org/font.woff2') } q { src: url(data:x) }")
    assert broken(tmp_path) == [f"a.html: no {what}" for what in ("file b.html", "place #there", "file ../c.html")]
    assert [one.split("example.org")[1] for one in fetched(tmp_path)] == [
        *("/a.png", "", "/a.css", "/c.png", "/a.js", "/font.woff2")
    ]  # fmt: skip


@pytest.mark.parametrize("link", ["nowhere.md", "index.md#nowhere"])
def test_a_page_that_links_to_nothing_fails_the_build(link: str, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Here\n[x]({link})\n")
    config = {"INHERIT": str(ROOT / "mkdocs.yml"), "nav": [{"Here": "index.md"}], "hooks": [], "plugins": []}
    (tmp_path / "mkdocs.yml").write_text(json.dumps(config | {"extra": {"polyfills": []}}))
    command = [*BUILD[:-2], str(tmp_path / "mkdocs.yml"), "--site-dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_pages_read_the_same_as_on_github(site: Path):
    """A list needs no blank line before it there, but in mkdocs."""
    for page in site.glob("*.html"):
        text = re.sub(r"<pre.*?</pre>", "", built(page).source, flags=re.DOTALL)
        assert not re.search(r"<p>[^<]*(?:<(?!/p>)[^<]*)*\n(?:- |\d+\. |\| )", text), page.name
    tables = sum(len(re.findall(r"^\|[-|: ]+\|$", page.read_text(), re.MULTILINE)) for page in ROOT.glob("docs/*.md"))
    assert sum(built(page).source.count("<thead>") for page in site.glob("*.html")) == tables


def test_code_that_a_page_names_is_a_link_to_it(site: Path):
    method = built(site / "method.html")
    target = next(link for link in method.links if "src/anclaf/models/anclaf.py.html#L-" in link)
    line = int(target.rpartition("-")[2])
    assert (ROOT / "src/anclaf/models/anclaf.py").read_text().splitlines()[line - 1].startswith("class Generator")
    assert f'id="L-{line}"' in (site / target.partition("#")[0]).read_text(encoding="utf-8").replace("name=", "id=")
    assert "api/anclaf/losses.html" in built(site / "api.html").links
    assert _address("anclaf.losses.affect_loss") == "api/anclaf/losses.html#affect_loss"
    assert _address("anclaf.losses.no_such") is None
    assert line_of(ROOT / "src/anclaf/models/anclaf.py", "Generator.no_such") is None


def test_the_page_of_the_api_has_every_package():
    table = re.findall(r"^\| `(anclaf[\w.]*)` \|", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert table == ["anclaf", *sorted(f"anclaf.{name}" for name in (*public_packages(), *MODULES))]


def test_every_public_name_has_an_entry(site: Path):
    start = (site / "api" / "anclaf.html").read_text(encoding="utf-8")
    linked = re.findall(r'<li><a href="anclaf/([a-z]+)\.html">', start)
    assert {"config", "core", "inference", "losses", "metrics", "models", "recipes", "training"} <= {*linked}
    for name in ("anclaf", *(f"anclaf.{page}" for page in linked)):
        page = (site / "api" / f"{name.replace('.', '/')}.html").read_text(encoding="utf-8")
        for public in getattr(importlib.import_module(name), "__all__", ()):
            assert f'id="{public}"' in page, f"{name}.{public}"


def test_docstrings_are_read_as_google_style(site: Path):
    losses = (site / "api" / "anclaf" / "losses.html").read_text(encoding="utf-8")
    assert '<h6 id="arguments">Arguments:</h6>' in losses
    assert "RMSE (Eq. 11), COR (Eq. 12)" in losses
    settings = (site / "api" / "anclaf" / "config.html").read_text(encoding="utf-8")
    assert "Updates of C." in settings, "the text below a setting"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_reads_and_searches_it_from_disk_and_asks_for_nothing_else(site: Path):
    api = pytest.importorskip("playwright.sync_api")
    asked: list[str] = []
    wrong: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        for name in ("index", "method", "api", "api/anclaf/losses", "source/src/anclaf/models/anclaf.py"):
            page.goto((site / f"{name}.html").as_uri())
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.wait_for_selector(".md-search-result__meta:not(:has-text('Initializing'))", timeout=60_000)
        page.keyboard.type("baseline")  # what is typed before the search listens is not seen by it
        result = page.wait_for_selector(".md-search-result__link", timeout=60_000)
        assert result is not None
        assert "html" in str(result.get_attribute("href"))
        browser.close()
    elsewhere: list[Any] = [url for url in asked if not url.startswith((site.as_uri(), "data:", "blob:", "about:"))]
    assert elsewhere == []
    assert wrong == []
