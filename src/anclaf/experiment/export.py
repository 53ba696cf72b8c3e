"""A trained model to ONNX files that need no torch, held to what torch says of it before they are written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from anclaf.config import Protocol
from anclaf.core.arguments import checked
from anclaf.core.errors import AnclafError, ConfigError, ModelError, OutputError
from anclaf.core.files import atomic_path, write_json
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, estimate_from_features
from anclaf.inference.backend import Backend
from anclaf.inference.onnx_backend import OnnxBackend
from anclaf.inference.torch_backend import TorchBackend
from anclaf.inference.torch_backend import load as load_torch
from anclaf.models.calibration import save_calibration
from anclaf.models.folder import ENCODER, HEAD, POINTS, SPEC, WEIGHTS, model_folder
from anclaf.models.io import load_model
from anclaf.models.onnx_graph import (
    encoder_graph,
    head_graph,
    longest_window,
    metadata_of,
    points_graph,
    quantised,
    with_metadata,
)
from anclaf.models.points import BASE

PARITY = 1e-4
"""How far numbers may be from torch's, of floating-point files."""
INT8_LOSS = 0.02
"""How much lower the CCC of an eight-bit encoder may be, unless another bound is given."""
_EXPECTED = "expected a head that can be traced, of tensors' shapes rather than len(), and that sees no later frame"
_CALIBRATING = 256
"""Faces by which activations get their scale."""
_BATCH = 32


@dataclass(frozen=True)
class Exported:
    """folder: with `encoder.onnx`, `head.onnx`, `points.onnx`, `model.json` and, of a calibrated model,
    `calibration.safetensors`.
    parity: the greatest difference from torch, of each output, before quantisation. int8: CCC on held-out people with
    torch and with the eight-bit encoder, the loss, and of how many frames and people; None of a float one."""

    folder: Path
    parity: dict[str, float]
    int8: dict[str, Any] | None


@checked
def export_model(
    model: Path | str,
    out: Path,
    *,
    int8: PreparedCorpus | None = None,
    int8_loss: float = INT8_LOSS,
    overwrite: bool = False,
) -> Exported:
    """Write a model as ONNX files (`models/onnx_graph.py`), for `AffectEstimator.load` and other programs.

    Args:
        model: its folder, or the name of one that comes with the package. out: a folder.
        int8: make the encoder's products eight-bit, by the training faces of this corpus. Its held-out people say what
            that costs: those of the model's own fold where it was trained on this corpus, of fold 0 by person else.
        int8_loss: refuse where the CCC on them, mean of valence and arousal, is lower by more than this.
        overwrite: replace an export that is there.

    Raises:
        ModelError: no model, one that needs labels, numbers further than `PARITY` from torch's, as of a head that
            looks at later frames, or a loss above `int8_loss`. Nothing is written.
        ConfigError: the package onnx or onnxruntime is missing, or no such bound.
        OutputError: `out` holds a model, or cannot be written.
    """
    if not 0 <= int8_loss <= 2:
        raise ConfigError(f"int8_loss {int8_loss:g}: expected a difference of CCC, 0 to 2")
    if (out / WEIGHTS).is_file() or ((out / SPEC).is_file() and not overwrite):
        raise OutputError(f"{out} holds a model; give another folder, or --overwrite to replace an export")
    source = load_torch(model_folder(model))
    network, spec = source.network, source.spec
    if network.config.needs_labels:
        raise ModelError(f"quadrant_source={network.config.quadrant_source}: a model that is given labels has no use")
    about = metadata_of(network, spec) | {"calibration": _about_calibration(source)}
    try:
        graphs = encoder_graph(network), head_graph(network)
        files = [with_metadata(graph, about) for graph in graphs]
        points = points_graph(load_model(model_folder(BASE))[0])
        exported = OnnxBackend(files[0], files[1], spec, source.calibration, points=points)
        parity = _parity(source, exported, longest_window(network))
    except AnclafError:
        raise
    except Exception as error:  # torch's exporter and onnxruntime have many; a head may do what neither can follow
        raise ModelError(f"{model}: cannot be exported ({str(error).partition(chr(10))[0]}); {_EXPECTED}") from error
    if odd := [f"{name} by {worst:.1e}" for name, worst in parity.items() if not worst <= PARITY]:
        raise ModelError(
            f"{model}: exported, it differs from torch in {', '.join(odd)}, more than {PARITY:g}; {_EXPECTED}"
        )
    about["parity"] = parity
    cost = None
    if int8 is not None:
        eight, cost = _eight_bit(source, graphs[0], with_metadata(graphs[1], about), about, int8)
        if not cost["loss"] <= int8_loss:
            raise ModelError(
                f"{model}: with an eight-bit encoder CCC is {cost['int8']:.3f} on {cost['people']} held-out people, "
                f"and {cost['torch']:.3f} with torch: {cost['loss']:.3f} lower, more than {int8_loss:g}. Leave --int8 "
                "out, or accept more with --int8-loss"
            )
        about |= {"precision": "int8", "int8": cost}
        graphs = eight, graphs[1]
    for name, graph in zip((ENCODER, HEAD), graphs, strict=True):
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(with_metadata(graph, about))
    with atomic_path(out / POINTS) as temporary:
        temporary.write_bytes(points)
    if source.calibration is not None:
        save_calibration(out, spec, source.calibration)
    write_json(out / SPEC, asdict(spec))
    return Exported(out, parity, cost)


def _about_calibration(source: TorchBackend) -> dict[str, Any] | None:
    """All but the statistics of faces, which are beside."""
    found = source.calibration
    if found is None:
        return None
    reach = [value if np.isfinite(value) else None for value in found.reach]
    return {"level": found.level, "reach": reach, "people": found.people, "windows": found.windows}


def _parity(torch_one: Backend, onnx_one: Backend, longest: int) -> dict[str, float]:
    """Greatest differences, on random faces and on windows of all kinds of length made of them."""
    rng, side = np.random.default_rng(0), torch_one.spec.model.image_size
    worst: dict[str, float] = {}

    def compare(names: str, *pairs: tuple[NDArray | None, NDArray | None]) -> None:
        for name, (one, other) in zip(names.split(), pairs, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                worst[name] = max(worst.get(name, 0.0), float(np.abs(one - other).max()))

    features = []
    for count in (1, 5):
        crops = rng.integers(0, 256, (count, side, side, 3), np.uint8)
        expected, found = torch_one.encode(crops), onnx_one.encode(crops)
        compare("x q unfamiliar", *zip(expected, found, strict=True))
        features.append(expected.x)
    finders = torch_one.point_finder(), onnx_one.point_finder()
    side = finders[0].image_size
    crops = rng.integers(0, 256, (5, side, side, 3), np.uint8)
    expected, found = (finder.find(crops) / side for finder in finders)
    compare("points", (expected, found))
    seen = np.concatenate(features)
    for length in sorted({1, min(2, longest), (longest + 1) // 2, longest}):
        for count in (1, 3):
            x = seen[rng.integers(0, len(seen), (count, length))]
            x = x + (seen.std(0) * rng.normal(0, 0.5, x.shape)).astype(np.float32)
            motion = rng.normal(0, 0.02, (count, length, 4)).astype(np.float32)
            compare("affect attention", *zip(torch_one.estimate(x, motion), onnx_one.estimate(x, motion), strict=True))
    return worst


def _eight_bit(
    source: TorchBackend, encoder: bytes, head: bytes, about: dict[str, Any], corpus: PreparedCorpus
) -> tuple[bytes, dict[str, Any]]:
    """The quantised encoder, and what it costs."""
    spec = source.spec
    if corpus.card.image_size != spec.model.image_size or corpus.card.crop != spec.crop:
        raise ConfigError(
            f"{corpus.folder}: faces of {corpus.card.image_size} pixels, crop {corpus.card.crop}; the model's have "
            f"{spec.model.image_size}, crop {spec.crop}. Prepare the corpus so"
        )
    own = spec.fingerprints.get("corpus") == corpus.card.fingerprint
    part = split(corpus, cast(Protocol, spec.protocol), spec.fold) if own else split(corpus, "strict", 0)
    some = part.train[:: -(-len(part.train) // _CALIBRATING)]
    eight = quantised(encoder, _batches(corpus, some))
    backend = OnnxBackend(with_metadata(eight, about), head, spec, source.calibration)
    score = partial(_ccc, source, corpus, part.test)
    cost: dict[str, Any] = {"torch": score(source), "int8": score(backend)}
    cost |= {"loss": cost["torch"] - cost["int8"], "frames": len(part.test)}
    return eight, cost | {"people": len(set(corpus.subjects[part.test].tolist())), "corpus": corpus.card.fingerprint}


def _batches(corpus: PreparedCorpus, rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    for i in range(0, len(rows), _BATCH):
        yield corpus.images(rows[i : i + _BATCH])


def _ccc(source: TorchBackend, corpus: PreparedCorpus, rows: NDArray[np.int64], encoder: Backend) -> float:
    """Mean CCC of valence and arousal on rows, of x from an encoder."""
    x = torch.from_numpy(np.concatenate([encoder.encode(crops).x for crops in _batches(corpus, rows)]))
    estimate = estimate_from_features(source.network, corpus, rows, x, source.spec.fps)
    return agreement_score(estimate, corpus.targets[rows])["ccc"]
