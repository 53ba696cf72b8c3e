"""A model, a detector, a runtime and a page, written as static files that need no server of their own."""

import re
import tempfile
from dataclasses import dataclass
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

from anclaf import __version__
from anclaf.config import StreamOptions
from anclaf.core.arguments import checked
from anclaf.core.errors import DetectorError, OutputError
from anclaf.core.files import atomic_path, json_text
from anclaf.core.labels import QUADRANTS
from anclaf.core.telemetry import load_onnxruntime
from anclaf.core.windows import MAX_GAP
from anclaf.experiment.export import export_model
from anclaf.faces.corrected import MOST_SCALE, MOST_SHIFT, MOST_TURN, PointFinder, rounds
from anclaf.faces.yunet import LONGER_SIDE, MIN_SCORE, YuNetDetector
from anclaf.faces.yunet_network import OVERLAP
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.inference.onnx_backend import load as load_onnx
from anclaf.inference.table import column_types
from anclaf.models.calibration import CALIBRATION
from anclaf.models.folder import ENCODER, HEAD, POINTS, model_folder
from anclaf.models.onnx_graph import with_metadata
from anclaf.models.shipped import ABOUT, is_shipped
from anclaf.web.runtime import MODULE, Runtime

ABOUT_PAGE = "page.json"
"""Written last: a folder that has it has all."""
SHARED = ("draw.js", "files.js", "result.js", "timeline.js", "circumplex.js", "attention.js", "stage.js", "view.js")
"""Modules that are the page of `anclaf app`'s too."""
_OUTPUTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


@dataclass(frozen=True)
class WebPage:
    """folder: of the page. files: below it, with `/`, `index.html` among them. bytes: of all of them."""

    folder: Path
    files: tuple[str, ...]
    bytes: int


@checked
def write_page(model: Path | str, out: Path, detector: Path, runtime: Runtime, *, overwrite: bool = False) -> WebPage:
    """Write a page that runs a model on the webcam or a video, in the browser that shows it.

    What the model's own files say of the people and corpora that it learnt from is left out.

    Args:
        model: its folder, or that of an export, or the name of one that comes with the package.
        out: a folder, new, empty, or with a page that `overwrite` lets be replaced.
        detector: the ONNX file of YuNet of free input size.
        runtime: of `read_runtime`.

    Raises:
        ModelError, ConfigError: as `export_model` and `AffectEstimator`. DetectorError: no YuNet, or one of a fixed
            input size. OutputError: `out` holds something else, or cannot be written.
    """
    _refuse_other_content(out, overwrite)
    folder = model_folder(model)
    found = YuNetDetector(detector)
    _check_free_size(detector)
    with tempfile.TemporaryDirectory() as temporary:
        exported = folder
        if not (folder / ENCODER).is_file():
            exported = export_model(model, Path(temporary)).folder
        backend = load_onnx(exported)
        estimator = AffectEstimator(backend, found)
        finder = backend.point_finder()
        files: dict[str, bytes] = {f"runtime/{name}": content for name, content in runtime.files.items()}
        files["models/yunet.onnx"] = detector.read_bytes()
        # all but the spec, which says whom it learnt from
        about = {name: value for name, value in backend.about.items() if name not in ("spec", "int8")}
        for name in (ENCODER, HEAD):
            files[f"models/{name}"] = with_metadata((exported / name).read_bytes(), about)
        files[f"models/{POINTS}"] = (exported / POINTS).read_bytes()
        if backend.calibration is not None:
            files[f"models/{CALIBRATION}"] = (exported / CALIBRATION).read_bytes()
    files |= page_files()
    shipped = is_shipped(folder)
    files[ABOUT_PAGE] = json_text(_about_page(backend, estimator, finder, runtime, ABOUT if shipped else "")).encode()
    for name, content in files.items():
        with atomic_path(out / name) as path:
            path.write_bytes(content)
    return WebPage(out, tuple(files), sum(map(len, files.values())))


def _refuse_other_content(out: Path, overwrite: bool) -> None:
    if out.is_file():
        raise OutputError(f"{out}: is a file; give a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / ABOUT_PAGE).is_file():
        raise OutputError(f"{out}: holds something else than a page of `anclaf web`; give another folder")
    if not overwrite:
        raise OutputError(f"{out}: holds a page already; give another folder, or --overwrite to replace it")


def _check_free_size(detector: Path) -> None:
    """OpenCV gives a network of a fixed input size any size; the browser's runtime does not."""
    onnxruntime = load_onnxruntime()
    try:
        session = onnxruntime.InferenceSession(detector.read_bytes(), providers=["CPUExecutionProvider"])
        found = session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, 64, 96), np.float32)})
    except Exception as error:  # it has a class of its own for each way in which a file can be damaged
        raise DetectorError(
            f"{detector}: does not take every size of frame; expected YuNet with a free input size, as "
            "`yunet_n_dynamic.onnx` of its authors"
        ) from error
    shapes = {one.name: np.shape(cast(Any, value)) for one, value in zip(session.get_outputs(), found, strict=True)}
    for (name, width), stride in product(_OUTPUTS.items(), (8, 16, 32)):
        expected = (1, 64 // stride * (96 // stride), width)
        if shapes.get(f"{name}_{stride}") != expected:
            raise DetectorError(f"{detector}: no output {name}_{stride} of shape {expected}; expected YuNet")


def page_files() -> dict[str, bytes]:
    """Name -> content of what is the same on every page."""
    own, app = resources.files("anclaf.web") / "page", resources.files("anclaf.app") / "page"
    stage = re.search(r"<!-- stage -->.*<!-- /stage -->", (app / "index.html").read_text(encoding="utf-8"), re.DOTALL)
    assert stage is not None
    index = (own / "index.html").read_text(encoding="utf-8").replace("<!-- stage -->", stage[0])
    files = {"index.html": index.encode()}
    files |= {name: (app / name).read_bytes() for name in ("style.css", "icon.svg")}
    files |= {f"js/{name}": (app / "js" / name).read_bytes() for name in SHARED}
    return files | {f"js/{file.name}": file.read_bytes() for file in sorted((own / "js").iterdir(), key=str)}


def _about_page(
    backend: OnnxBackend, estimator: AffectEstimator, finder: PointFinder, runtime: Runtime, about: str
) -> dict[str, Any]:
    """What the page's programs go by."""
    spec, options, calibration = backend.spec, StreamOptions(), backend.calibration
    return {
        "anclaf": __version__,
        "variant": spec.variant,
        "about": about,
        "model": backend.about["model"],
        "precision": backend.about["precision"],
        "sureness": estimator.sureness,
        "image_size": spec.model.image_size,
        "n": backend.about["n"],
        "lead_in": backend.lead_in,
        "attends": backend.attends,
        "reach": backend.reach,
        "fps": spec.fps,
        "max_gap": MAX_GAP,
        "low": spec.low,
        "high": spec.high,
        "quadrants": QUADRANTS,
        "options": {name: getattr(options, name) for name in ("min_size", "min_sharpness", "max_gap_s")},
        "calibration": None if calibration is None else backend.about["calibration"],
        "intervals": calibration is not None and calibration.windows == options.windows,
        "detector": {"min_score": MIN_SCORE, "overlap": OVERLAP, "longer_side": LONGER_SIDE},
        "points": {
            "image_size": finder.image_size,
            "rounds": rounds(estimator.detector),
            "most_scale": MOST_SCALE,
            "most_turn": MOST_TURN,
            "most_shift": MOST_SHIFT,
        },
        "columns": list(column_types()),
        "runtime": {"module": MODULE, "version": runtime.version},
    }
