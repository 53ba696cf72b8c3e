"""Readers by name, those of this package and others, as `anclaf prepare NAME` takes them."""

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from anclaf.cli import main as cli
from anclaf.config import CorpusKind
from anclaf.core.labels import LabelScale
from anclaf.corpora.base import CorpusListing, LabelledFrame
from anclaf.corpora.readers import READERS, Preparation
from anclaf.data.store import PreparedCorpus


@dataclass(frozen=True)
class TinyClip:
    """Three frames whose labels are the lines of a file."""

    name: str
    subject: str
    path: Path
    gain: float
    fold: int = -1

    def frames(self) -> Iterator[LabelledFrame]:
        rng = np.random.default_rng(0)
        for k, line in enumerate(self.path.read_text().splitlines()):
            valence, arousal = (self.gain * float(word) for word in line.split())
            points = rng.normal((30, 30), 8, (68, 2))
            yield LabelledFrame(k, k / 10, rng.integers(0, 255, (60, 60, 3), np.uint8), valence, arousal, points)


@dataclass(frozen=True)
class Tiny:
    """A folder of text files, one a person."""

    src: Path
    """Folder of the text files."""
    gain: float = 1.0
    """Factor of the labels."""

    def listing(self, _: Preparation, /) -> CorpusListing:
        clips = [TinyClip(p.stem, p.stem, p, self.gain) for p in sorted(self.src.glob("*.txt"))]
        return CorpusListing("tiny", LabelScale(-1, 1), 10.0, list(clips), options={"gain": self.gain})


@dataclass(frozen=True)
class Cartoons(Tiny):
    """The same, drawn."""

    corpus_kind: ClassVar[CorpusKind] = "drawn"

    def listing(self, _: Preparation, /) -> CorpusListing:
        pytest.fail("refused before any work")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for person in ("ann", "bo"):
        (folder / f"{person}.txt").write_text("0.1 0.2\n0.3 0.4\n0.5 0.6\n")
    return folder


@pytest.fixture
def registered() -> Iterator[None]:
    READERS.register("tiny", Tiny)
    READERS.register("cartoons", Cartoons)
    yield
    READERS.unregister("tiny")
    READERS.unregister("cartoons")


def card(out: Path) -> dict:
    return json.loads((out / "corpus.json").read_text())


def test_the_readers_of_this_package():
    own = ("afew-va", "sewa", "aff-wild2", "affectnet", "crema-d", "table", "puppet")
    assert READERS.names()[: len(own)] == own


def test_a_registered_reader_is_a_command(registered, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert cli.main(["prepare", "tiny", str(source), str(out), "--gain", "0.5", "--kind", "real"]) == 0
    corpus = PreparedCorpus.open(out)
    assert (corpus.card.source, corpus.card.kind, corpus.card.options) == ("tiny", "real", {"gain": 0.5})
    np.testing.assert_allclose(corpus.labels[:3], [[0.05, 0.1], [0.15, 0.2], [0.25, 0.3]])
    with pytest.raises(SystemExit) as stop:
        cli.main(["prepare", "tiny", "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("A folder of text files", "SRC", "OUT", "Factor of the labels", "--kind"))
    assert printed.index("SRC") < printed.index("OUT")


def test_a_reader_of_another_package(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path):
    module = types.ModuleType("other_package")
    module.Tiny = Tiny  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "other_package", module)
    entry_points(monkeypatch, metadata.EntryPoint("tiny", "other_package:Tiny", "anclaf.readers"))
    assert cli.main(["prepare", "tiny", str(source), str(tmp_path / "out")]) == 0
    assert card(tmp_path / "out")["source"] == "tiny"


def test_a_package_that_cannot_be_imported_stops_no_other_reader(
    monkeypatch: pytest.MonkeyPatch, registered, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    entry_points(monkeypatch, metadata.EntryPoint("lost", "no_such_package:Reader", "anclaf.readers"))
    assert cli.main(["prepare", "tiny", str(source), str(tmp_path / "out")]) == 0
    assert "lost" not in capsys.readouterr().err
    assert cli.main(["prepare", "lost", str(source), str(tmp_path / "out")]) == 2
    assert "corpus reader 'lost': its package cannot be imported" in capsys.readouterr().err


def entry_points(monkeypatch: pytest.MonkeyPatch, point: metadata.EntryPoint) -> None:
    monkeypatch.setitem(READERS.__dict__, "_entry_points", {point.name: point})


@dataclass(frozen=True)
class Clashing(Tiny):
    workers: int = 3


def test_an_option_that_prepare_has_itself_is_refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    READERS.register("clashing", Clashing)
    try:
        assert cli.main(["prepare", "clashing", str(source), str(tmp_path / "out")]) == 2
    finally:
        READERS.unregister("clashing")
    assert "its option workers is one of `anclaf prepare` itself; rename it" in capsys.readouterr().err


# the corpus's kind


def test_the_kind_is_unknown_until_it_is_stated(
    tmp_path: Path, afew_clip, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for clip, actor in (("001", "Ann"), ("002", "Bo")):
        afew_clip(tmp_path / "rendered" / clip, actor=actor)
    out = tmp_path / "real people"
    words = ["prepare", "afew-va", str(tmp_path / "rendered"), str(out)]
    assert cli.main(words) == 0
    assert card(out)["kind"] == "unknown"
    said = " ".join(capsys.readouterr().err.split())
    assert "kind: unknown" in said
    assert "say --kind real or --kind synthetic with the same command" in said
    fingerprint = card(out)["fingerprint"]
    for words_more, kind in ((["--kind", "synthetic"], "synthetic"), ([], "synthetic"), (["--kind", "real"], "real")):
        assert cli.main([*words, *words_more]) == 0
        assert (card(out)["kind"], card(out)["fingerprint"]) == (kind, fingerprint)
        assert f"kind: {kind}" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == 0
    assert card(out)["kind"] == "unknown", "made anew, with nothing stated"


@pytest.mark.parametrize("kind", ["drawn", "unknown", "photographed"])
def test_only_real_and_synthetic_can_be_stated(kind: str, tmp_path: Path):
    with pytest.raises(SystemExit):
        cli.main(["prepare", "table", "t.csv", str(tmp_path / "out"), "--kind", kind])


@pytest.mark.parametrize("name", ["puppet", "cartoons"])
def test_a_kind_that_the_reader_knows_is_not_the_user_s(
    name: str, registered, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = [] if name == "puppet" else [str(source)]
    assert cli.main(["prepare", name, *folder, str(tmp_path / "out"), "--kind", "real"]) == 2
    assert "--kind real has no effect: this reader's corpora are drawn. Leave it out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"], "nothing was drawn either"


def test_puppets_are_drawn(tmp_path: Path):
    words = ["prepare", "puppet", str(tmp_path / "out"), "--clips", "2", "--subjects", "2", "--frames", "2", "3"]
    assert cli.main(words) == 0
    assert (card(tmp_path / "out")["source"], card(tmp_path / "out")["kind"]) == ("puppet", "drawn")
