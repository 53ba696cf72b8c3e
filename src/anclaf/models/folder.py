"""A model's folder, without its weights: who may be named, and the spec in `model.json`. Without torch."""

import json
import re
from pathlib import Path
from typing import Any

from anclaf.config import ModelConfig
from anclaf.core.arguments import checked
from anclaf.core.errors import AnclafError, ModelError
from anclaf.core.people import digests
from anclaf.models.shipped import shipped_model, shipped_names
from anclaf.models.spec import DETECTED, FITTED, HEADS, SPEC_VERSION, ModelSpec, Variant

SPEC = "model.json"
WEIGHTS = "model.safetensors"
ENCODER, HEAD, POINTS = "encoder.onnx", "head.onnx", "points.onnx"
"""Of a model that `anclaf export` wrote (`models/onnx_graph.py`)."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""A path that began as one has a single slash left."""
METADATA, METADATA_FORMAT = "anclaf", 1
"""Key of the metadata in both, which is JSON, and the version of what it holds."""


@checked
def model_folder(model: Path | str) -> Path:
    """The folder of a model that a user names: the one place that says what can be named. A folder's path goes before
    the name of a model that comes with the package.

    Raises:
        ModelError: there is no model of this name.
    """
    folder = Path(model)
    if (folder / SPEC).is_file():
        return folder
    if (shipped := shipped_model(str(model))) is not None:
        return shipped
    if _URL.match(str(model)):
        raise ModelError(f"{model}: models are used from a folder; pull it first: anclaf pull {model} FOLDER")
    if (other := folder.parent / f"{folder.name}{DETECTED}" / SPEC).is_file():
        raise ModelError(
            f"{folder}: fitted on the landmarks of its corpus, which no new face has; use {other.parent}, fitted on "
            "those that the base model finds"
        )
    expected = ", ".join(["a model folder such as RUN/fold0/SA-8", *shipped_names()])
    raise ModelError(f"{folder}: no {SPEC} here; expected {expected}")


@checked
def load_spec(folder: Path) -> ModelSpec:
    """Read `model.json`, of this version of the format or of an earlier one.

    Raises:
        ModelError: no model here, damaged JSON, an unknown spec version, a field missing or unknown, or a kind of model
            whose package is not installed.
    """
    return read_spec(model_folder(folder))[0]


def read_spec(folder: Path) -> tuple[ModelSpec, int]:
    """The spec, and the version of the format that it was written in."""
    path = folder / SPEC
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); copy the model folder again") from error
    return spec_of(content, path)


def spec_of(content: Any, path: Path | str) -> tuple[ModelSpec, int]:
    """What `model.json`, read from `path`, says; and the version of the format that it was written in.

    Raises:
        ModelError: as `load_spec`, but for damaged JSON.
    """
    version: Any = content.get("spec_version") if isinstance(content, dict) else None
    if version not in range(1, SPEC_VERSION + 1):
        raise ModelError(
            f"{path}: spec version {version!r}; this anclaf reads versions 1 to {SPEC_VERSION}. "
            "Use the anclaf that wrote it"
        )
    try:
        content = dict(content)
        model = model_of_version_1(content.pop("sizes")) if version == 1 else content["model"]
        model = ModelConfig.from_json(_with_later_settings(model, version))
        content |= {"model": model, "spec_version": SPEC_VERSION}
        content["corpora"], content["subjects"] = tuple(content["corpora"]), tuple(content["subjects"])
        if version < 5:
            content |= _without_names(content)
        spec = ModelSpec(**content)
        kind = Variant.recorded(spec.variant).kind
        _ = spec.scale
    except (TypeError, KeyError, ValueError, AttributeError, AnclafError) as error:
        raise ModelError(f"{path}: not a model's spec ({error}); copy the model folder again") from error
    if kind not in HEADS and kind not in FITTED:
        raise ModelError(
            f"{path}: {spec.variant} is of kind {kind}, which is not installed here (there are "
            f"{', '.join(HEADS.names())}); install the package that brings it"
        )
    return spec, version


def _without_names(content: dict[str, Any]) -> dict[str, Any]:
    """Of versions before 5, which named people and said where the model that they began from lay."""
    training = dict(content.get("training") or {})
    if "init" in training:
        training["init"] = {name: value for name, value in training["init"].items() if name != "model"}
    return {"subjects": digests(content["subjects"]), "training": training}


def model_of_version_1(sizes: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a `model.json` of version 1, which called it sizes, as version 2 has it."""
    return {
        "image_size": sizes["image_size"],
        "g_width": sizes["generator"],
        "d_width": sizes["discriminator"],
        "c_width": sizes["combiner"],
        "quadrant_source": sizes["quadrant"],
        "lstm": {"hidden_size": sizes["hidden"], "change_input": sizes["motion"]},
        "attention": {
            "score": sizes["attention_score"],
            "divide_context": sizes["attention_divide"],
            "attend_cell": sizes["attention_cell"],
        },
        "options": {},
    }


LATER: dict[int, dict[str, Any]] = {
    3: {
        "geometry": False,
        "crop_motion": False,
        "discriminator_init": "he",
        "discriminator_norm": "none",
        "lstm.forget_bias": 1.0,
        "attention.query": "previous",
        "attention.normalise_states": False,
        "attention.lead_in": False,
        "attention.pad_states": False,
    },
    4: {"landmark_refinements": 0, "lstm.residual": False},
}
"""Version -> the settings that came with it, and what models before it do."""


def _with_later_settings(model: dict[str, Any], version: int) -> dict[str, Any]:
    """`model` of a `model.json` of version 2 or later, with what is `LATER` than it."""
    whole = {name: dict(value) if isinstance(value, dict) else value for name, value in model.items()}
    for since, settings in LATER.items():
        for name, value in settings.items() if since > version else ():
            *section, last = name.split(".")
            (whole[section[0]] if section else whole)[last] = value
    return whole
