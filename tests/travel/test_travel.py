"""A model that went somewhere and came back is the same one, and nothing else came with it."""

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import torch

from anclaf.cli.main import main
from anclaf.core.errors import AnclafError, LeakError, ModelError, OutputError, TravelError
from anclaf.evaluation.scores import refuse_leak
from anclaf.inference.estimator import AffectEstimator
from anclaf.models.calibration import load_calibration
from anclaf.models.folder import load_spec
from anclaf.models.io import load_model, model_fingerprint
from anclaf.travel.manifest import FILES, MANIFEST
from anclaf.travel.pull import pull_model
from anclaf.travel.push import push_model
from model_servers import COMMIT, PEOPLE, Handler, Hub, Server, serving

NAMES = sorted({"model.json", "model.safetensors", "calibration.safetensors", "README.md", MANIFEST})


PULL = """
import sys
from pathlib import Path
from anclaf.travel.pull import pull_model
pull_model(sys.argv[1], Path(sys.argv[2]))
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rewrite(pushed: Path, **changes: object) -> None:
    """Change the manifest's entries of these files; None takes one out."""
    content = json.loads((pushed / MANIFEST).read_text())
    for name, entry in changes.items():
        if entry is None:
            del content["files"][name]
        else:
            content["files"][name] = entry
    (pushed / MANIFEST).write_text(json.dumps(content))


def refused(source: str | Path, tmp_path: Path, kind: type[AnclafError] = TravelError, **options: object) -> str:
    """The one line with which a pull is refused; it leaves nothing."""
    out = tmp_path / "out"
    with pytest.raises(kind) as caught:
        pull_model(str(source), out, **options)  # pyright: ignore[reportArgumentType]
    assert [name for name in names(tmp_path) if "out" in name] == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestWhatTravels:
    def test_the_same_model_comes_back(self, model: Path, pushed: Path, fingerprint: str, tmp_path: Path):
        assert names(pushed) == NAMES
        assert pull_model(str(pushed), tmp_path / "out", fingerprint) == fingerprint
        assert names(tmp_path / "out") == NAMES
        network, spec = load_model(model)
        again, spec_again = load_model(tmp_path / "out")
        assert spec_again == spec
        assert model_fingerprint(again, spec_again) == model_fingerprint(network, spec)
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
        one, other = load_calibration(model, spec), load_calibration(tmp_path / "out", spec)
        assert one is not None
        assert other is not None
        assert one.digest == other.digest
        assert AffectEstimator.load(tmp_path / "out", detector="haar").spec == spec

    def test_it_names_nobody_and_no_place_of_this_machine(self, model: Path, pushed: Path):
        everything = b"".join(path.read_bytes() for path in pushed.iterdir()).lower()
        for word in ("zoe", "doe", "other ann", "ann other", str(model.parents[2]), "actor 00", "home/", "root"):
            assert word.lower().encode() not in everything, word

    def test_whoever_has_it_tests_on_nobody_whom_it_knows(self, pushed: Path):
        spec = load_spec(pushed)
        with pytest.raises(LeakError, match=r"SA-4 of fold 0 was trained on 1 of the 2 people .*\(ZOE  Doe\)"):
            refuse_leak(spec, ["ZOE  Doe", "Zed"])
        assert spec.known(["zed", *PEOPLE]) == sorted(PEOPLE)

    def test_the_card(self, pushed: Path):
        said = (pushed / "README.md").read_text()
        assert said.startswith("---\nlibrary_name: anclaf\nlicense: cc-by-nc-4.0\ntags:\n")
        for words in (
            "valence and arousal from -10 to 10", "windows of 4 frames at 25 frames a second",
            "by 20 people whom it did not train on", "- Corpus: people\\_1", "people drawn by this program",
            "Trained and chosen by: 2 people, 4 clips", "nobody in test is in training", "Recipe small",
            "fold 0; in brackets the 95 % interval by bootstrap over people",
            "Real people: those of this corpus are drawn", "Article 5",
            "The weights: CC-BY-NC-4.0.", "- torch ",
        ):  # fmt: skip
            assert words in said, words
        row = next(line for line in said.splitlines() if line.startswith("| SA-4 |"))
        assert re.fullmatch(r"\| SA-4 (\| -?\d\.\d{3} \[-?\d\.\d{3}, -?\d\.\d{3}\] ){6}\|", row), row

    def test_without_a_run_the_card_says_so(self, pushed: Path, tmp_path: Path):
        push_model(pushed, str(tmp_path / "again"))
        said = (tmp_path / "again" / "README.md").read_text()
        assert "Absent: the model does not lie in the folder of a run that has been scored." in said
        assert "None is stated: ask who gave you the model." in said
        assert "license" not in said

    def test_of_another_corpus_the_card_says_so(self, model: Path, tmp_path: Path):
        run = tmp_path / "run"
        other = run / "fold0" / "SA-4"
        other.mkdir(parents=True)
        for name in ("model.json", "model.safetensors", "calibration.safetensors"):
            (other / name).write_bytes((model / name).read_bytes())
        for name in ("run.json", "metrics.json"):
            text = (model.parents[1] / name).read_text()
            (run / name).write_text(text.replace("0123456789abcdef", "f" * 16))
        push_model(other, str(tmp_path / "pushed"))
        assert (
            "Absent: the run that it lies in is of another corpus." in (tmp_path / "pushed" / "README.md").read_text()
        )

    def test_the_same_model_has_the_same_fingerprint(self, model: Path, fingerprint: str, tmp_path: Path):
        assert push_model(model, str(tmp_path / "a"), licence="CC-BY-NC-4.0").fingerprint == fingerprint

    def test_an_export(self, pushed: Path, tmp_path: Path):
        onnx_graph = pytest.importorskip("anclaf.models.onnx_graph")
        pytest.importorskip("onnxruntime")
        assert main(["export", str(pushed), str(tmp_path / "exported")]) == 0
        push_model(tmp_path / "exported", str(tmp_path / "there"))
        pull_model(str(tmp_path / "there"), tmp_path / "out")
        expected = {
            "encoder.onnx",
            "head.onnx",
            "points.onnx",
            "model.json",
            "calibration.safetensors",
            "README.md",
            MANIFEST,
        }
        assert set(names(tmp_path / "out")) == expected
        assert AffectEstimator.load(tmp_path / "out", detector="haar").backend.name == "onnx"
        for name in ("encoder.onnx", "head.onnx"):  # as an earlier version wrote it
            path = tmp_path / "exported" / name
            about = AffectEstimator.load(tmp_path / "out", detector="haar").backend.about  # pyright: ignore[reportAttributeAccessIssue]
            old = about | {"spec": about["spec"] | {"spec_version": 4, "subjects": list(PEOPLE)}}
            path.write_bytes(onnx_graph.with_metadata(path.read_bytes(), old))
        assert AffectEstimator.load(tmp_path / "exported", detector="haar").spec.known(PEOPLE) == sorted(PEOPLE)
        with pytest.raises(ModelError, match="exported by an earlier version, with people's names in it"):
            push_model(tmp_path / "exported", str(tmp_path / "no"))
        assert not (tmp_path / "no").exists()


class TestWhatIsRefused:
    def test_any_changed_byte(self, pushed: Path, fingerprint: str, tmp_path: Path):
        for name in NAMES:
            whole = (pushed / name).read_bytes()
            (pushed / name).write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
            refused(pushed, tmp_path, fingerprint=fingerprint)
            (pushed / name).write_bytes(whole)
        pull_model(str(pushed), tmp_path / "out", fingerprint)

    def test_a_file_that_is_longer_or_shorter_than_it_says(self, pushed: Path, tmp_path: Path):
        path = pushed / "model.safetensors"
        whole = path.read_bytes()
        path.write_bytes(whole + b"x")
        assert f"more than the {len(whole):,} bytes" in refused(pushed, tmp_path)
        path.write_bytes(whole[:-1])
        assert "broke off after" in refused(pushed, tmp_path)

    @pytest.mark.parametrize(
        "name", ["../evil.json", "/etc/passwd", "a/../../evil", "model.pt", "C:\\evil", "", "manifest.json", "mod\0el"]
    )
    def test_a_name_that_may_not_travel(self, pushed: Path, tmp_path: Path, name: str):
        rewrite(pushed, **{name: {"sha256": "0" * 64, "size": 3}})
        said = refused(pushed, tmp_path)
        assert f"lists {name!r}; nothing travels but {', '.join(FILES)}" in said

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"README.md": {"sha256": "0" * 64, "size": 1 << 30}},
                "README.md of 1,073,741,824 bytes; expected at most",
            ),
            ({"README.md": {"sha256": "0" * 64, "size": -1}}, "no SHA-256 and size"),
            ({"README.md": {"sha256": "0" * 63, "size": 1}}, "no SHA-256 and size"),
            ({"README.md": {"size": 1}}, "not a manifest"),
            ({"README.md": 7}, "not a manifest"),
            ({"model.json": None}, "expected model.json, and model.safetensors or encoder.onnx and head.onnx"),
            ({"model.safetensors": None}, "expected model.json, and model.safetensors"),
            ({"model.safetensors": {"sha256": "0" * 64, "size": 10**12}}, "more than 2048 MB; allow more"),
            ({"encoder.onnx": {"sha256": "0" * 64, "size": 10}}, "encoder.onnx is not there"),
        ],
    )
    def test_a_manifest_of_no_model(self, pushed: Path, tmp_path: Path, changes: dict, message: str):
        rewrite(pushed, **changes)
        assert message in refused(pushed, tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff\xfe", b"[]", b"{}", b'{"format": "anclaf model 2"}', b"[" * 60_000, b"{" + b" " * 70_000],
    )
    def test_no_manifest(self, pushed: Path, tmp_path: Path, content: bytes):
        (pushed / MANIFEST).write_bytes(content)
        assert MANIFEST in refused(pushed, tmp_path)

    def test_further_files(self, pushed: Path, tmp_path: Path):
        (pushed / "model.pt").write_bytes(pickle.dumps(PEOPLE))
        assert "model.pt is there and not in its manifest.json; nothing was taken" in refused(pushed, tmp_path)

    def test_links_and_folders_in_place_of_files(self, pushed: Path, tmp_path: Path):
        path = pushed / "model.safetensors"
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        assert "a link; expected a file of its own" in refused(pushed, tmp_path)
        path.unlink()
        path.mkdir()
        assert "not a file" in refused(pushed, tmp_path)

    def test_what_is_no_model_though_its_manifest_says_so(self, pushed: Path, tmp_path: Path):
        weights, spec = pushed / "model.safetensors", pushed / "model.json"
        again = tmp_path / "again"
        for path, content in ((weights, pickle.dumps(PEOPLE)), (spec, b"{}")):
            whole = path.read_bytes()
            path.write_bytes(content)
            _manifest_anew(pushed)
            assert path.stem in refused(pushed, tmp_path, ModelError)
            path.write_bytes(whole)
        _manifest_anew(pushed)
        pull_model(str(pushed), again)

    def test_another_model_than_was_asked_for(self, pushed: Path, fingerprint: str, tmp_path: Path):
        other = "0" * 64
        said = refused(pushed, tmp_path, fingerprint=other)
        assert f"another model, of fingerprint {fingerprint}; expected {other}" in said
        assert "expected the 64 hex digits" in refused(pushed, tmp_path, fingerprint=fingerprint[:16])

    def test_too_much(self, pushed: Path, tmp_path: Path):
        (pushed / "README.md").write_bytes(b"x" * (1 << 20))
        (pushed / "model.safetensors").write_bytes(b"x" * 10**6)
        _manifest_anew(pushed)
        assert "more than 1 MB; allow more with --most-mb" in refused(pushed, tmp_path, most_mb=1)
        assert "expected 1 or more" in refused(pushed, tmp_path, most_mb=0)

    @pytest.mark.parametrize(
        ("place", "message"),
        [
            ("", "expected a folder, a URL"),
            ("nowhere", "nothing there; expected a folder"),
            ("gopher://host/model", "no such kind of place"),
            ("zip://model::memory://a.zip", "expected one plain URL"),
            ("hf://model", "expected hf://USER/NAME"),
            ("hf://a/b/c", "expected hf://USER/NAME"),
            ("s3://bucket/model", "s3"),
            ("file:///nowhere/at/all", "nothing there"),
        ],
    )
    def test_no_such_place(self, place: str, message: str, tmp_path: Path):
        assert message in refused(place, tmp_path)

    def test_a_model_is_pulled_before_it_is_used(self, capsys: pytest.CaptureFixture[str]):
        for url in ("hf://me/model", "s3://bucket/model"):
            with pytest.raises(ModelError, match=f"pull it first: anclaf pull {url} FOLDER"):
                AffectEstimator.load(url)
        assert main(["predict", "a.mp4", "--model", "hf://me/model", "--out", "x"]) == 2
        assert "pull it first" in capsys.readouterr().err


def _manifest_anew(folder: Path) -> None:
    from anclaf.travel.manifest import Manifest

    (folder / MANIFEST).write_text(Manifest.of(folder).text)


class TestTheFolder:
    def test_the_same_pull_again(self, pushed: Path, fingerprint: str, tmp_path: Path):
        for _ in range(2):
            assert pull_model(str(pushed), tmp_path / "out") == fingerprint
        (tmp_path / "out" / "model.json").write_text("{}")
        with pytest.raises(OutputError, match="is there already, and is not this model"):
            pull_model(str(pushed), tmp_path / "out")

    def test_what_is_there_stays(self, pushed: Path, tmp_path: Path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("mine")
        for place in (tmp_path / "out", tmp_path / "out" / "mine"):
            with pytest.raises(OutputError, match="give another name"):
                pull_model(str(pushed), place)
        assert names(tmp_path / "out") == ["mine"]
        with pytest.raises(OutputError, match="cannot be written"):
            pull_model(str(pushed), tmp_path / "out" / "mine" / "further")

    def test_a_killed_pull_is_taken_up(self, pushed: Path, tmp_path: Path):
        """Killed while half of the weights is there; what is whole is not read again."""
        part = tmp_path / ".out.part"
        with serving(pushed.parent, Handler) as server:
            server.cut = "model.safetensors"
            server.stalled.clear()
            words = [sys.executable, "-c", PULL, f"{server.url}/model", str(tmp_path / "out")]
            child = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
            assert server.sent.wait(60)
            child.kill()
            child.wait()
            server.stalled.set()
            assert not (tmp_path / "out").exists()
            left = set(names(part))
            assert {"README.md", "calibration.safetensors", "model.json"} <= left
            (part / "evil.pt").write_text("left by another")
            server.cut = ""
            (pushed / "model.json").rename(tmp_path / "away")  # it is there already
            pull_model(f"{server.url}/model", tmp_path / "out")
        assert names(tmp_path / "out") == NAMES
        assert not part.exists()
        load_model(tmp_path / "out")

    def test_two_at_once(self, pushed: Path, tmp_path: Path):
        with serving(pushed.parent, Handler) as server:
            server.cut = "model.safetensors"

            def second(done: int, total: int, task: str, note: str = "") -> None:
                with pytest.raises(OutputError, match="another pull is writing it"):
                    pull_model(str(pushed), tmp_path / "out")

            with pytest.raises(TravelError):
                pull_model(f"{server.url}/model", tmp_path / "out", progress=second)
        assert not (tmp_path / ".out.part").exists()

    def test_a_push_replaces_a_model_only_where_it_is_told_to(self, model: Path, pushed: Path, tmp_path: Path):
        before = (pushed / MANIFEST).read_bytes()
        with pytest.raises(OutputError, match="a model is there; give another place, or --overwrite"):
            push_model(model, str(pushed))
        assert (pushed / MANIFEST).read_bytes() == before
        (pushed / "calibration.safetensors").write_text("old")
        assert push_model(model, str(pushed), overwrite=True).fingerprint != ""
        assert (pushed / MANIFEST).read_bytes() != before
        pull_model(str(pushed), tmp_path / "out")
        assert names(pushed.parent) == ["model"]
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="srv: model is there, and no model that"):
                push_model(model, str(pushed.parent), overwrite=overwrite)


class TestByUrl:
    def test_any_file_system(self, model: Path, fingerprint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        place = f"memory://{uuid4()}/models/mine"
        assert main(["push", str(model), place, "--licence", "CC-BY-NC-4.0"]) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{fingerprint}  {place}\n"
        assert "2 people as digests; its card is README.md there" in printed.err
        assert main(["push", str(model), place]) == 2
        assert "a model is there" in capsys.readouterr().err
        assert main(["pull", place, str(tmp_path / "out"), "--fingerprint", fingerprint]) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{tmp_path / 'out'}\n"
        assert f"fingerprint {fingerprint}, as expected" in printed.err
        assert main(["push", str(model), place, "--overwrite"]) == 0
        assert main(["pull", place, str(tmp_path / "other"), "--fingerprint", fingerprint]) == 2
        assert "another model" in capsys.readouterr().err
        assert main(["pull", place, str(tmp_path / "other")]) == 0
        assert "give it with --fingerprint" in capsys.readouterr().err

    def test_http(self, model: Path, pushed: Path, fingerprint: str, tmp_path: Path):
        with serving(pushed.parent, Handler) as server:
            place = f"{server.url}/model"
            assert pull_model(place, tmp_path / "pulled", fingerprint) == fingerprint
            with pytest.raises(TravelError, match="can only be read"):
                push_model(model, place)
            server.cut = "model.safetensors"
            assert "model.safetensors" in refused(place, tmp_path)
            assert "not there" in refused(f"{server.url}/other", tmp_path)
            for status, message in ((401, "not allowed"), (500, "cannot be reached or used")):
                server.status = status
                assert message in refused(place, tmp_path)
        assert "cannot be reached or used" in refused(place, tmp_path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    (tmp_path / "hub").mkdir()
    with serving(tmp_path / "hub", Hub) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setenv("HF_TOKEN", "hf_none")
        yield server


class TestTheHub:
    def test_there_and_back(self, hub: Server, model: Path, fingerprint: str, tmp_path: Path):
        repository = hub.folder / "me" / "mine"
        assert push_model(model, "hf://me/mine", licence="CC-BY-NC-4.0").fingerprint == fingerprint
        assert hub.created[0]["name"] == "mine"
        assert hub.created[0].get("private") or hub.created[0].get("visibility") == "private"
        assert names(repository) == sorted([".gitattributes", *NAMES])
        assert pull_model("hf://me/mine", tmp_path / "pulled", fingerprint) == fingerprint
        assert pull_model(f"hf://me/mine@{COMMIT}", tmp_path / "again", fingerprint) == fingerprint
        with pytest.raises(OutputError, match="a model is there"):
            push_model(model, "hf://me/mine")
        (repository / "encoder.onnx").write_text("of an earlier push")
        assert "encoder.onnx is there and not in its manifest.json" in refused("hf://me/mine", tmp_path)
        push_model(model, "hf://me/mine", overwrite=True)
        assert names(repository) == sorted([".gitattributes", *NAMES])

    def test_what_goes_wrong(self, hub: Server, pushed: Path, tmp_path: Path):
        assert "nothing there" in refused("hf://me/nobody", tmp_path)
        (hub.folder / "me").mkdir()
        pushed.rename(hub.folder / "me" / "mine")
        hub.cut = "model.safetensors"
        assert "model.safetensors" in refused("hf://me/mine", tmp_path)
        hub.status = 401
        assert "not allowed" in refused("hf://me/mine", tmp_path)
        assert "log in" in refused("hf://me/mine", tmp_path)
