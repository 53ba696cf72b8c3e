"""The files of a page: all there, nothing from elsewhere, nobody's name; and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from anclaf.cli.main import main
from anclaf.core.errors import DetectorError, ModelError, OutputError
from anclaf.core.files import write_json
from anclaf.experiment.export import export_model
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.table import COLUMNS
from anclaf.models.io import load_model, save_model
from anclaf.models.shipped import ABOUT, shipped_model
from anclaf.web.build import WebPage, write_page
from anclaf.web.runtime import FILES, Runtime
from page import Page

from .conftest import package_files, write_tarball

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_model("starter", tmp_path_factory.mktemp("exported")).folder


@pytest.fixture
def built(exported: Path, yunet: Path, stand_in: Runtime, tmp_path: Path) -> WebPage:
    return write_page(exported, tmp_path / "page", yunet, stand_in)


def test_all_that_its_files_name_is_there(built: WebPage):
    there = {str(path.relative_to(built.folder)) for path in built.folder.rglob("*") if path.is_file()}
    assert there == {*built.files}
    assert built.bytes == sum((built.folder / name).stat().st_size for name in there)
    page = Page(built.folder / "index.html")
    named = {*(one["src"] for one in page.attributes("script")), *(one["href"] for one in page.attributes("link"))}
    for script in (built.folder / "js").iterdir():
        text = script.read_text(encoding="utf-8")
        named |= {f"js/{name}" for name in re.findall(r'(?:from "\./|URL\(")(\w+\.js)"', text)}
        named |= set(re.findall(r'"(models/[\w.]+|page\.json)"', text))
    assert there - named == {"index.html", *(f"runtime/{name}" for name in FILES)}
    assert named <= there


def test_nothing_comes_from_elsewhere(built: WebPage):
    page = Page(built.folder / "index.html")
    for name in built.files:
        if name.endswith((".html", ".css", ".js", ".json")):
            assert not re.search(r"(?:https?:)?//[a-z0-9]", (built.folder / name).read_text().replace("// ", "")), name
    (policy,) = [one["content"] for one in page.attributes("meta") if one.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    sources = {source for value in rules.values() for source in value.split()}
    assert sources == {"'none'", "'self'", "blob:", "'wasm-unsafe-eval'"}
    assert "not what a person feels" in page.text


def test_nobodys_name_is_in_it(exported: Path, yunet: Path, stand_in: Runtime, tmp_path: Path):
    spec = json.loads((exported / "model.json").read_text())
    names = [*spec["subjects"][:3], *spec["corpora"]]
    assert any(names[0].encode() in path.read_bytes() for path in exported.iterdir())
    built = write_page(exported, tmp_path / "page", yunet, stand_in)
    for name in built.files:
        if name.startswith("models/") or name == "page.json":
            content = (built.folder / name).read_bytes()
            assert not [one for one in names[:3] if one.encode() in content], name


def test_what_the_programs_go_by(built: WebPage, exported: Path):
    about = json.loads((built.folder / "page.json").read_text())
    assert about["columns"] == [*COLUMNS]
    estimator = AffectEstimator.load(exported, detector="haar")
    assert about["sureness"] == estimator.sureness
    assert (about["n"], about["lead_in"], about["fps"], about["image_size"]) == (8, 0, 25.0, 64)
    assert about["about"] == "", "an export does not say whose it is"
    assert about["intervals"] is True
    assert about["runtime"] == {"module": "ort.wasm.min.mjs", "version": "1.20.1"}


def test_a_page_is_replaced_only_when_asked(built: WebPage, exported: Path, yunet: Path, stand_in: Runtime):
    with pytest.raises(OutputError, match="holds a page already; give another folder, or --overwrite"):
        write_page(exported, built.folder, yunet, stand_in)
    own = built.folder / "own.txt"
    own.write_text("mine")
    write_page(exported, built.folder, yunet, replace(stand_in, version="1.21.0"), overwrite=True)
    assert json.loads((built.folder / "page.json").read_text())["runtime"]["version"] == "1.21.0"
    assert own.read_text() == "mine"


def test_other_content_stays(exported: Path, yunet: Path, stand_in: Runtime, tmp_path: Path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="holds something else"):
            write_page(exported, tmp_path / "page", yunet, stand_in, overwrite=overwrite)
    with pytest.raises(OutputError, match="is a file"):
        write_page(exported, tmp_path / "page" / "index.html", yunet, stand_in)
    assert (tmp_path / "page" / "index.html").read_text() == "mine"


def test_a_detector_that_the_browser_cannot_run_is_refused(
    exported: Path, yunet: Path, stand_in: Runtime, tmp_path: Path
):
    import onnx

    model = onnx.load(str(yunet))
    for size, given in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 640, 640), strict=True):
        size.ClearField("dim_param")
        size.dim_value = given
    onnx.save(model, str(tmp_path / "fixed.onnx"))
    with pytest.raises(DetectorError, match="does not take every size of frame; expected YuNet with a free input"):
        write_page(exported, tmp_path / "page", tmp_path / "fixed.onnx", stand_in)
    with pytest.raises(DetectorError, match="no such file"):
        write_page(exported, tmp_path / "page", tmp_path / "none.onnx", stand_in)
    with pytest.raises(DetectorError, match="cannot use it as a YuNet"):
        write_page(exported, tmp_path / "page", exported / "encoder.onnx", stand_in)
    assert not (tmp_path / "page").exists()


def test_a_model_that_needs_landmarks_is_refused(yunet: Path, stand_in: Runtime, tmp_path: Path):
    folder = shipped_model("starter/base")
    assert folder is not None
    network, spec = load_model(folder)
    save_model(tmp_path / "model", network, replace(spec, crop="paper"))
    with pytest.raises(ModelError, match="crop=paper needs the 68 or 49 landmarks"):
        write_page(tmp_path / "model", tmp_path / "page", yunet, stand_in)
    assert not (tmp_path / "page").exists()


def test_the_command(yunet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    package = write_tarball(tmp_path / "x.tgz", package_files())
    words = ["web", str(tmp_path / "page"), "--model", "starter/base", "--runtime", str(package)]
    assert main([*words, "--detector", f"yunet:{yunet}"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "page" / "index.html")
    assert "onnxruntime-web 1.20.1" in said.err
    assert json.loads((tmp_path / "page" / "page.json").read_text())["about"] == ABOUT
    for detector in ("haar", "yunet:"):
        assert main([*words, "--detector", detector]) == 2
        assert "expected yunet or yunet:PATH" in capsys.readouterr().err
    write_json(tmp_path / "page" / "page.json", {})
    assert main([*words, "--detector", f"yunet:{yunet}"]) == 2
    assert "--overwrite" in capsys.readouterr().err
