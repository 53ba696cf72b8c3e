"""A model that was exported gives the numbers that it gives with torch, without torch."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from anclaf.config import AttentionConfig, LstmConfig, ModelConfig, StreamOptions
from anclaf.core.errors import ConfigError, ModelError, OutputError
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.experiment.export import PARITY, export_model
from anclaf.faces import align
from anclaf.faces.detect import make_detector
from anclaf.faces.images import read_image
from anclaf.inference.backend import load_backend
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.metrics.conformal import person_weights
from anclaf.models.calibration import Calibration, save_calibration
from anclaf.models.familiarity import Familiarity
from anclaf.models.folder import ENCODER, HEAD, SPEC, load_spec
from anclaf.models.io import save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import HEADS, ModelSpec, Variant

Folder = Callable[..., Path]
Paint = Callable[..., NDArray]

SMALL: dict[str, Any] = {"image_size": 32, "g_width": 4, "d_width": 4, "c_width": 8, "lstm": LstmConfig(8)}
AS_THE_PAPER: dict[str, Any] = {
    "geometry": False,
    "crop_motion": False,
    "discriminator_norm": "none",
    "lstm": LstmConfig(8, change_input=False, residual=False),
    "attention": AttentionConfig("location", "previous", divide_context=True),
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("base", {}),
    "base as the paper's": ("base", AS_THE_PAPER),
    "S": ("S-4", {}),
    "S as the paper's": ("S-4", AS_THE_PAPER),
    "S+": ("S-4+", {"attention": AttentionConfig("general", lead_in=True)}),
    "S of D on the image": ("S-2", {"quadrant_source": "image", "landmark_refinements": 0}),
    "S without Q": ("S-3-direct", {"quadrant_source": "none", "discriminator_init": "plain"}),
    "SA": ("SA-4", {"attention": AttentionConfig("additive", "previous")}),
    "SA as the paper's": ("SA-4", AS_THE_PAPER),
    "SA with a lead-in": ("SA-4", {"attention": AttentionConfig("general", "present", True, lead_in=True)}),
    "SA with states of 0": ("SA-3", {"attention": AttentionConfig("additive", "present", pad_states=True)}),
    "SA of places": ("SA-4", {"attention": AttentionConfig("place", lead_in=True, attend_cell=False)}),
    "ridge": ("ridge-4", {}),
    "SA without motion": ("SA-4", {"crop_motion": False, "attention": AttentionConfig("location")}),
}


@pytest.fixture
def random_model(tmp_path: Path) -> Folder:
    """`random_model("SA-4", calibrated=True, **settings)`: the folder of a model of random weights."""

    def make(variant: str, calibrated: bool = True, **settings: Any) -> Path:
        sizes, parsed = ModelConfig(**{**SMALL, **settings}), Variant.recorded(variant)
        torch.manual_seed(0)
        network = AffectNetwork(sizes, parsed, points=5)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
        network.trust.fill_(0.5)
        folder = tmp_path / "model"
        spec = ModelSpec(
            variant, sizes, -10, 10, "five-point", 25.0, ("test",), digests(["p1"]), "strict", 0, {}, versions(),
            points=5 if sizes.geometry else 0,
        )  # fmt: skip
        save_model(folder, network, spec)
        if calibrated:
            pooled = np.random.default_rng(0).normal(size=(60, 16 * 4 * sizes.g_width))
            familiarity = Familiarity.fit(pooled[:40], pooled[40:], person_weights(np.arange(20)))
            save_calibration(folder, spec, Calibration(0.9, (0.5, np.inf), 20, 20, "sliding", familiarity))
        return folder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_the_numbers_of_torch(tmp_path: Path, random_model: Folder, kind: str):
    variant, settings = KINDS[kind]
    folder = random_model(variant, **settings)
    done = export_model(folder, tmp_path / "out")
    assert set(done.parity) == {"x", "q", "unfamiliar", "points", "affect"} | (
        {"attention"} if variant[:2] == "SA" else set()
    )
    with_torch, with_onnx = load_backend(folder), load_backend(tmp_path / "out", threads=1)
    assert (with_torch.name, with_onnx.name) == ("torch", "onnx")
    for name in ("spec", "lead_in", "attends", "reach"):
        assert getattr(with_torch, name) == getattr(with_onnx, name), name
    assert with_onnx.calibration is not None
    assert with_torch.calibration is not None
    assert with_onnx.calibration.digest == with_torch.calibration.digest
    rng = np.random.default_rng(1)
    for faces in (1, 3):
        crops = rng.integers(0, 256, (faces, 32, 32, 3), np.uint8)
        for one, other in zip(with_torch.encode(crops), with_onnx.encode(crops), strict=True):
            assert one is not None
            assert other is not None
            np.testing.assert_allclose(one, other, atol=PARITY, rtol=0)
    moved, longer = [], (np.zeros(0, np.float32), np.zeros(0, np.float32))
    for frames in range(1, with_torch.spec.parsed_variant.n + with_torch.lead_in + 1):
        for count in (1, 2):
            x = rng.normal(0, 1, (count, frames, with_onnx.encode(crops).x.shape[1])).astype(np.float32)
            motion = rng.normal(0, 0.02, (count, frames, 4)).astype(np.float32)
            affect, attention = with_torch.estimate(x, motion)
            found, weights = with_onnx.estimate(x, motion)
            np.testing.assert_allclose(affect, found, atol=PARITY, rtol=0)
            assert (attention is None) == (weights is None)
            if attention is not None and weights is not None:
                np.testing.assert_allclose(attention, weights, atol=PARITY, rtol=0)
            moved.append(affect[0, -1])
            longer = x.repeat(2, 1), motion.repeat(2, 1)
    assert np.ptp(moved, 0).min() > 0.01 or variant == "base", "the estimates do not move: equality would say nothing"
    with pytest.raises(ValueError, match="frames; expected"):
        with_onnx.estimate(*longer)


@pytest.mark.parametrize("windows", ["sliding", "tumbling"])
@pytest.mark.parametrize(("variant", "lead_in"), [("base", False), ("S-4", False), ("SA-4", True)])
def test_a_video_has_the_same_table(
    tmp_path: Path,
    model: Folder,
    estimator: Callable[..., AffectEstimator],
    comings_and_goings: list[NDArray],
    variant: str,
    lead_in: bool,
    windows: Any,
):
    folder = model(variant, lead_in=lead_in)
    export_model(folder, tmp_path / "out")
    detector = estimator("base").detector
    options = StreamOptions(windows=windows, attention=variant == "SA-4")
    expected, found = (
        AffectEstimator.load(one, detector=detector, threads=1).predict(comings_and_goings, options)
        for one in (folder, tmp_path / "out")
    )
    assert list(expected.columns) == list(found.columns)
    assert expected["valence"].notna().sum() > 30
    pd.testing.assert_frame_equal(expected, found, atol=1e-3, rtol=0)  # of a scale of 20


ONE_FACE = """
import sys
from anclaf.cli.main import main
from anclaf.faces.align import TEMPLATE
from anclaf.faces.detect import DETECTORS, Face


class Mark:
    name = "mark"

    def __init__(self, argument=None):
        pass

    def detect(self, image):
        return [Face((30, 20, 60, 60), TEMPLATE * 60 + (30, 20), 0.9)]


DETECTORS.register("mark", Mark)
code = main(sys.argv[1:])
print(code, "torch" in sys.modules, "onnxruntime" in sys.modules)
"""


def test_prediction_imports_no_torch(tmp_path: Path, random_model: Folder, painted: Paint, folder_of: Any):
    export_model(random_model("SA-4", attention=AttentionConfig("general", lead_in=True)), tmp_path / "out")
    video = folder_of(tmp_path / "video", [painted([(1, 30, 20, 60)], k) for k in range(3)])
    words = ["predict", video, "--model", tmp_path / "out", "--backend", "onnx", "--out", tmp_path / "table"]
    words += ["--detector", "mark", "--attention", "--threads", "1"]
    done = subprocess.run([sys.executable, "-c", ONE_FACE, *map(str, words)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["0 False True"], done.stderr
    table = pd.read_csv(tmp_path / "table" / "video.csv")
    assert table[["valence", "unfamiliar", "valence_low"]].notna().all(axis=None)
    about = json.loads((tmp_path / "table" / "video.json").read_text())
    assert "onnxruntime" in about["made_with"]["versions"]


def test_a_copy_for_another_process(tmp_path: Path, random_model: Folder):
    export_model(random_model("S-4"), tmp_path / "out")
    made = load_backend(tmp_path / "out", "onnx", threads=1)
    again = pickle.loads(pickle.dumps(made))
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(made.encode(crops).x, again.encode(crops).x)
    assert made.fingerprint == again.fingerprint != load_backend(tmp_path / "model").fingerprint


def test_what_is_no_export(tmp_path: Path, random_model: Folder, monkeypatch: pytest.MonkeyPatch):
    folder, out = random_model("S-4"), tmp_path / "out"
    with pytest.raises(ModelError, match=rf"no {ENCODER} here; `anclaf export .*model OUT` makes"):
        AffectEstimator.load(folder, detector="haar", backend="onnx")
    export_model(folder, out)
    with pytest.raises(ModelError, match=r"no model\.safetensors; it was exported, for prediction with the onnx"):
        AffectEstimator.load(out, detector="haar", backend="torch")
    with pytest.raises(ConfigError, match="device 'cuda': the onnx backend runs on the CPU"):
        AffectEstimator.load(out, detector="haar", device="cuda")
    with pytest.raises(ConfigError, match="threads 0: expected 1 or more"):
        AffectEstimator.load(out, detector="haar", threads=0)
    with pytest.raises(OutputError, match="out holds a model; give another folder, or --overwrite"):
        export_model(folder, out)
    with pytest.raises(OutputError, match="model holds a model"):
        export_model(folder, folder, overwrite=True)
    encoder = (out / ENCODER).read_bytes()
    (out / ENCODER).write_bytes(encoder[: len(encoder) // 2])
    with pytest.raises(ModelError, match=rf"out: {ENCODER} cannot be read .*; export it again"):
        AffectEstimator.load(out, detector="haar")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"onnxruntime is not installed: pip install 'anclaf\[onnx\]'"):
        AffectEstimator.load(out, detector="haar")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"onnx is not installed: pip install 'anclaf\[export\]'"):
        export_model(folder, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_files_of_different_models(tmp_path: Path, random_model: Folder):
    folder = random_model("S-4")
    export_model(folder, tmp_path / "out")
    weights = load_file(folder / "model.safetensors")
    save_file({name: np.asarray(2 * value) for name, value in weights.items()}, folder / "model.safetensors")
    export_model(folder, tmp_path / "other")
    (tmp_path / "out" / HEAD).write_bytes((tmp_path / "other" / HEAD).read_bytes())
    with pytest.raises(ModelError, match=r"encoder\.onnx, head\.onnx and model\.json are of different models"):
        load_backend(tmp_path / "out")
    spec = json.loads((tmp_path / "other" / SPEC).read_text())
    (tmp_path / "other" / SPEC).write_text(json.dumps(spec | {"high": 20}))
    with pytest.raises(ModelError, match="are of different models; export it again"):
        load_backend(tmp_path / "other")


def test_the_files_say_what_they_are(tmp_path: Path, random_model: Folder):
    onnx = pytest.importorskip("onnx")
    export_model(random_model("SA-4", attention=AttentionConfig(lead_in=True)), tmp_path / "out")
    for name in (ENCODER, HEAD):
        model = onnx.load(tmp_path / "out" / name)
        onnx.checker.check_model(model)
        (about,) = (json.loads(one.value) for one in model.metadata_props if one.key == "anclaf")
        assert model.opset_import[0].version == about["opset"] == 18
        assert (about["n"], about["lead_in"], about["longest"], about["precision"]) == (4, 4, 8, "float32")
        assert about["calibration"] == {"level": 0.9, "reach": [0.5, None], "people": 20, "windows": "sliding"}
        assert about["spec"]["variant"] == load_spec(tmp_path / "out").variant == "SA-4"
        assert 0 < about["parity"]["affect"] <= PARITY


def test_a_head_that_sees_later_frames_is_refused(tmp_path: Path, random_model: Folder):
    from anclaf.models.anclaf import Estimate, Head

    class Mean(Head):
        def __init__(self, features: int, config: ModelConfig):
            super().__init__()
            self.affect = torch.nn.Linear(features, 2)

        def forward(self, x: torch.Tensor, dropout: float = 0.0) -> Estimate:
            return Estimate(self.affect(x.mean(1, keepdim=True).expand(x.shape)), None)

    HEADS.register("MEAN", Mean)
    try:
        folder = random_model("MEAN-4")
        with pytest.raises(ModelError, match=r"differs from torch in affect by .*that sees no later frame"):
            export_model(folder, tmp_path / "out")
    finally:
        HEADS.unregister("MEAN")
    assert not (tmp_path / "out").exists()


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["starter/base", "starter/S-8", "starter/SA-8"])
def test_real_faces_have_the_numbers_of_torch(tmp_path: Path, shared: Path, name: str):
    export_model(name, tmp_path / "out")
    with_torch, with_onnx = load_backend(_folder(name), threads=1), load_backend(tmp_path / "out", threads=1)
    assert isinstance(with_onnx, OnnxBackend)
    detector = make_detector(f"yunet:{shared / 'models' / 'yunet_n_dynamic.onnx'}")
    crops = _crops(sorted((shared / "realdata" / "photos" / "images").iterdir())[:60], detector)
    assert len(crops) >= 40
    expected, found = with_torch.encode(crops), with_onnx.encode(crops)
    for one, other in zip(expected, found, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one, other, atol=PARITY, rtol=0)
    n = with_torch.spec.parsed_variant.n + with_torch.lead_in
    motion = np.random.default_rng(0).normal(0, 0.02, (2, n, 4)).astype(np.float32)
    windows = expected.x[: 2 * n].reshape(2, n, -1)
    np.testing.assert_allclose(
        with_torch.estimate(windows, motion)[0], with_onnx.estimate(windows, motion)[0], atol=PARITY, rtol=0
    )


def _folder(name: str) -> Path:
    from anclaf.models.folder import model_folder

    return model_folder(name)


def _crops(paths: Sequence[Path], detector: Any) -> NDArray[np.uint8]:
    pictures = [read_image(path) for path in paths]
    faces = [(picture, found[0]) for picture in pictures if (found := detector.detect(picture))]
    return np.stack([align.warp(picture, align.crop_matrix(face.points, 64), 64) for picture, face in faces])
