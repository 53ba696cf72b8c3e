"""A static page: sections in order, pictures in a light and a dark theme, nothing loaded from elsewhere."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib import metadata, resources
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from anclaf.core.files import output_error, write_text
from anclaf.core.progress import Progress, silent
from anclaf.report.figures.theme import DARK, LIGHT, Theme, save
from anclaf.report.markup import Html


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn. draw: theme -> figure. suffix: `svg`, or `png` where it shows faces."""

    name: str
    suffix: str
    draw: Callable[[Theme], Figure]

    def path(self, theme: Theme) -> str:
        """Below the page's folder."""
        return f"images/{self.name}{'' if theme is LIGHT else '-dark'}.{self.suffix}"


@dataclass
class Page:
    """A page in the making. lead: a sentence below the title."""

    title: str
    lead: str
    sections: list[tuple[str, str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def add(self, anchor: str, title: str, parts: Iterable[str]) -> None:
        """A section of pieces of markup; an empty one is left out."""
        body = "\n".join(parts)
        if body:
            self.sections.append((anchor, title, body))

    def picture(self, name: str, draw: Callable[[Theme], Figure], alt: str, caption: str, faces: bool = False) -> Html:
        """Markup of a picture, which is drawn later in both themes."""
        picture = Picture(name, "png" if faces else "svg", draw)
        self.pictures.append(picture)
        light, dark = picture.path(LIGHT), picture.path(DARK)
        return Html(
            f'<figure><div class="scroll"><a href="{light}"><picture>'
            f'<source srcset="{dark}" media="(prefers-color-scheme: dark)">'
            f'<img src="{light}" alt="{escape(alt)}"></picture></a></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def write(self, out: Path, files: Mapping[str, str], progress: Progress = silent) -> Path:
        """Write the pictures, the files beside the page by name, and last index.html, whose path is returned.

        Raises:
            OutputError: `out` cannot be written.
        """
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(out, error) from error
        drawings = [(picture, theme) for picture in self.pictures for theme in (LIGHT, DARK)]
        for done, (picture, theme) in enumerate(drawings):
            progress(done, len(drawings), "report", picture.name)
            save(picture.draw(theme), out / picture.path(theme))
        for name, text in files.items():
            write_text(out / name, text)
        write_text(out / "index.html", self._html())
        progress(len(drawings), len(drawings), "report")
        return out / "index.html"

    def _html(self) -> str:
        files = resources.files("anclaf.report")
        template = Template((files / "page.html").read_text(encoding="utf-8"))
        return template.substitute(
            title=escape(self.title),
            lead=escape(self.lead),
            version=escape(metadata.version("anclaf")),
            style=(files / "style.css").read_text(encoding="utf-8"),
            navigation="\n".join(f'<li><a href="#{anchor}">{escape(t)}</a></li>' for anchor, t, _ in self.sections),
            body="\n".join(
                f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
                f'<h2 id="{anchor}-title">{escape(title)}</h2>\n{body}\n</section>'
                for anchor, title, body in self.sections
            ),
        )
