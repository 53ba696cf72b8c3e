"""The model that comes with the package: there, whole, small, named where no model is, and worth what its card says."""

import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream
from sklearn.metrics import roc_auc_score

from anclaf.cli import main as cli
from anclaf.core.errors import ModelError
from anclaf.inference import estimator as module
from anclaf.inference.estimator import AffectEstimator
from anclaf.models import shipped
from anclaf.models.folder import load_spec, model_folder
from anclaf.models.io import load_model
from anclaf.models.shipped import StarterWarning, shipped_model, shipped_names

SHARED = Path(__file__).parents[2].parent / "shared"
PHOTOS, VIDEOS = SHARED / "realdata" / "photos", SHARED / "realdata" / "videos"
CASES = SHARED / "bugcases"
YUNET = SHARED / "models" / "yunet_n_dynamic.onnx"
realdata = [
    pytest.mark.realdata,
    pytest.mark.skipif(not (PHOTOS.is_dir() and YUNET.is_file()), reason="no real faces beside the checkout"),
]


def test_names():
    assert shipped_names() == ["starter", "starter/S-8", "starter/SA-8", "starter/base"]
    assert shipped_model("starter") == shipped_model(f"starter/{shipped.DEFAULT_VARIANT}")
    for name in ("starter/..", "starter/S-8/..", "starter/S-8/../..", "starter/nothing", "other", ""):
        assert shipped_model(name) is None
    with pytest.raises(
        ModelError, match=r"nowhere: no model.json here; expected a model folder .*, starter, starter/S-8"
    ):
        model_folder("nowhere")


def test_a_folder_of_that_name_goes_first(tmp_path, monkeypatch):
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    assert model_folder("starter") == shipped_model("starter")
    (tmp_path / "starter" / "model.json").write_text("{}")
    assert model_folder("starter") == Path("starter")


@pytest.mark.parametrize("name", ["starter/base", "starter/S-8", "starter/SA-8"])
def test_it_is_whole_and_learnt_from_no_real_person(name):
    network, spec = load_model(name)
    assert name.endswith(spec.variant)
    assert (spec.corpora, spec.low, spec.high, spec.protocol) == (("starter",), -1, 1, "strict")
    assert len(spec.subjects) > 1000
    assert all(bool(value.isfinite().all()) for value in network.state_dict().values())


def reencoded(path: Path, frames: list[av.VideoFrame], width: int, crf: int) -> Path:
    """The frames as H.264 of this width: 240 rows whose pixels are as much wider as there are fewer than 320."""
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=25, options={"crf": str(crf)})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, 240, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(320, width)
        for number, frame in enumerate(frames):
            narrow = frame.reformat(width, 240, "yuv420p", interpolation=Interpolation.BICUBIC)
            narrow.pts, narrow.time_base = number, Fraction(1, 25)
            box.mux(stream.encode(narrow))
        box.mux(stream.encode())
    return path


@pytest.mark.realdata
@pytest.mark.skipif(not (CASES / "sar43.mp4").is_file(), reason="no such files beside the checkout")
@pytest.mark.parametrize("detector", ["haar", f"yunet:{YUNET}"])
def test_pixels_that_are_not_square_give_the_estimates_of_square_ones(tmp_path: Path, detector: str):
    """Squeezed to three quarters of its width, with or without loss, each frame stays within 0.3 of 20 points."""
    with av.open(str(CASES / "plain.mp4")) as box:
        frames = list(box.decode(video=0))
    lossless = reencoded(tmp_path / "lossless.mp4", frames, 240, 0)
    made = AffectEstimator.load("starter", detector=detector)
    plain, *others = (
        made.predict(path)[["valence", "arousal"]].to_numpy() * 10 / made.spec.scale.high
        for path in (CASES / "plain.mp4", lossless, CASES / "sar43.mp4")
    )
    for other in others:
        assert np.abs(other - plain).max() < 0.3


def test_it_fits_into_eight_megabytes():
    folder = model_folder("starter").parent
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 8_000_000


def test_it_says_once_what_it_is(monkeypatch):
    monkeypatch.setattr(module, "_TOLD", {})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        first = AffectEstimator.load(detector="haar")
        second = AffectEstimator.load("starter", detector="haar")
    assert [one.category for one in said] == [StarterWarning]
    assert "learnt from rendered heads and from no real person" in str(said[0].message)
    assert first.fingerprint == second.fingerprint
    assert first.backend.calibration is not None
    assert first.spec == load_spec(model_folder("starter"))


def test_predict_without_a_model(tmp_path, capsys):
    image = np.full((96, 96, 3), 90, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    words = ["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--detector", "haar", "--threads", "1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", StarterWarning)
        assert cli.main(words) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("learnt from rendered heads") == 1
    assert pd.read_csv(tmp_path / "out" / "a.csv")["status"].tolist() == ["no_face"]


def test_it_is_in_the_wheel(tmp_path):
    root = Path(__file__).parents[2]
    script = "from setuptools import build_meta; import sys; print(build_meta.build_wheel(sys.argv[1]))"
    copy = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(root), str(copy)], check=True)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    wheel = next(tmp_path.glob("*.whl"))
    names = subprocess.run([sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True).stdout
    for part in ("shared.safetensors", "S-8/model.json", "S-8/model.safetensors", "S-8/calibration.safetensors"):
        assert f"anclaf/models/starter/{part}" in names
    assert "starter/rule.py" not in names


def _auc(higher: pd.Series, lower: pd.Series) -> float:
    return float(roc_auc_score(np.repeat([1, 0], [len(higher), len(lower)]), np.concatenate([higher, lower])))


@pytest.fixture(scope="module", params=[f"yunet:{YUNET}", "haar"])
def photographs(request: pytest.FixtureRequest) -> pd.DataFrame:
    """Labels and estimates of the photographs in which a detector finds a face; of every third with Haar, for time."""
    labels = pd.read_csv(PHOTOS / "labels.csv")[:: 3 if request.param == "haar" else 1].reset_index(drop=True)
    estimator = AffectEstimator.load("starter", detector=request.param)
    found = []
    for image in labels["image"]:
        table = estimator.predict(PHOTOS / image)
        best = table.sort_values("w", ascending=False).iloc[0]
        found.append((best["valence"], best["arousal"]))
    labels[["v", "a"]] = found
    return labels[labels["v"].notna()]


@pytest.mark.thorough
class TestPhotographs:
    pytestmark = realdata

    def test_it_tells_expressions_apart(self, photographs):
        of = photographs.groupby("expression").get_group
        negative = photographs[photographs["expression"].isin(["anger", "disgust", "fear", "sadness", "contempt"])]
        assert len(photographs) > 200
        assert _auc(of("happiness")["v"], of("neutral")["v"]) >= 0.93
        assert _auc(of("happiness")["v"], negative["v"]) >= 0.87
        assert _auc(of("surprise")["a"], of("neutral")["a"]) >= 0.80

    def test_it_follows_the_labels(self, photographs):
        assert np.corrcoef(photographs["v"], photographs["valence"])[0, 1] >= 0.58
        assert np.corrcoef(photographs["a"], photographs["arousal"])[0, 1] >= 0.30


class TestVideos:
    pytestmark = realdata

    def test_a_smile_is_seen(self):
        table = AffectEstimator.load("starter", detector=f"yunet:{YUNET}").predict(VIDEOS / "pyfeat_single_face.mp4")
        valence = table["valence"].to_numpy()
        assert np.median(valence[30:60]) - np.median(valence[:10]) >= 0.5
        assert np.abs(valence).max() <= 1

    @pytest.mark.thorough
    def test_a_neutral_sentence_stays_near_the_middle(self):
        estimator = AffectEstimator.load("starter", detector=f"yunet:{YUNET}")
        clips = sorted((VIDEOS / "grid").glob("*.mpg"))
        assert len(clips) > 8
        for clip in clips:
            assert estimator.predict(clip)["valence"].abs().max() <= 0.5, clip.name
