"""A network as two ONNX graphs, its metadata in both; and what finds five points, which is the starter's.

The encoder sees each face by itself: crops (faces, S, S, 3) uint8 RGB -> x (faces, F), q (faces, 4) and pooled
(faces, D), which `Familiarity` goes by. The head sees windows: x (windows, frames, F) and, of models that read how the
crop moved, motion (windows, frames, 4) -> affect (windows, frames, 2) in [-1, 1] and, of those that attend, attention
(windows, frames, frames). Both are float32.

The head's loop over frames is unrolled to its longest window, n frames and the lead-in; a shorter window is filled up
at its end, which no frame before it sees, and what is said of the filling is cut off. So one graph is exact for every
length, of any head that sees no later frame.
"""

import json
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.onnx import register_custom_op_symbolic as register  # pyright: ignore[reportPrivateImportUsage]
from torch.onnx import unregister_custom_op_symbolic as unregister  # pyright: ignore[reportPrivateImportUsage]

from anclaf.core.extras import naming_extras
from anclaf.core.files import versions
from anclaf.core.telemetry import load_onnxruntime
from anclaf.models.anclaf import FewOutputs
from anclaf.models.folder import METADATA, METADATA_FORMAT
from anclaf.models.io import model_fingerprint
from anclaf.models.network import AffectNetwork, pooled
from anclaf.models.points import FivePoints
from anclaf.models.spec import ModelSpec

OPSET = 18
_PRODUCTS = ["Conv", "Gemm", "MatMul"]
_OUTPUTS = ("x", "q", "pooled"), ("affect", "attention")


def longest_window(network: AffectNetwork) -> int:
    """Frames that its head reads at most."""
    return network.variant.n + network.head.lead_in


def encoder_graph(network: AffectNetwork) -> bytes:
    """The encoder, without metadata.

    Raises:
        ConfigError: the package onnx is missing.
    """
    side = network.config.image_size
    crops = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    axes = {name: {0: "faces"} for name in ("crops", *_OUTPUTS[0])}
    return _traced(_Encoder(network), {"crops": crops}, _OUTPUTS[0], axes)


def points_graph(network: AffectNetwork) -> bytes:
    """What finds the five points of a face (`models/points.py`): crops (faces, S, S, 3) uint8 RGB -> points
    (faces, 5, 2) float32, pixels of the crop. Without metadata.

    Args:
        network: that finds landmarks.

    Raises:
        ConfigError: the package onnx is missing.
    """
    side = network.config.image_size
    crops = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    return _traced(
        _Points(network), {"crops": crops}, ("points",), {name: {0: "faces"} for name in ("crops", "points")}
    )


def head_graph(network: AffectNetwork) -> bytes:
    """The head, without metadata.

    Raises:
        ConfigError: the package onnx is missing.
    """
    frames = min(2, longest_window(network))
    inputs = {"x": torch.zeros(2, frames, network.feature_size), "motion": torch.zeros(2, frames, 4)}
    outputs = _OUTPUTS[1][: 1 + network.head.attends]
    axes: dict[str, dict[int, str]] = {name: {0: "windows", 1: "frames"} for name in (*inputs, "affect")}
    axes["attention"] = {0: "windows", 1: "frames", 2: "frames"}
    return _traced(_Windows(network), inputs, outputs, axes)


def metadata_of(network: AffectNetwork, spec: ModelSpec) -> dict[str, Any]:
    """What both files say of the model: its whole spec, which weights, and what its windows are."""
    head = network.head
    return {
        "format": METADATA_FORMAT,
        "spec": json.loads(json.dumps(asdict(spec))),
        "model": model_fingerprint(network, spec),
        "opset": OPSET,
        "n": network.variant.n,
        "lead_in": head.lead_in,
        "longest": longest_window(network),
        "attends": head.attends,
        "reach": head.reach(network.variant.n),
        "precision": "float32",
        "versions": versions(),
    }


def with_metadata(graph: bytes, about: dict[str, Any]) -> bytes:
    """The graph with `about` as its metadata, JSON under the key `METADATA`."""
    onnx = _onnx()
    model = onnx.load_from_string(graph)
    model.producer_name = "anclaf"
    onnx.helper.set_model_props(model, {METADATA: json.dumps(about)})
    return model.SerializeToString()


def quantised(encoder: bytes, crops: Iterable[NDArray[np.uint8]]) -> bytes:
    """The encoder with convolutions and products of eight-bit integers, by onnxruntime's static quantisation.

    Activations are uint8, one scale a tensor, from the least to the greatest value of the given faces; weights are int8
    of 7 bits, one scale a channel, so that no processor's sums overflow. Where landmarks are found, all stays float:
    they are a matter of a hundredth of the face's side. So does the first convolution: of three channels, it takes
    longer in eight bits.

    Args:
        crops: batches (B, S, S, 3) of faces like those to come.
    """
    onnx = _onnx()
    load_onnxruntime()
    from onnxruntime import quantization

    class Faces(quantization.CalibrationDataReader):
        def __init__(self):
            self._batches = iter(crops)

        def get_next(self) -> Any:  # the base class has None in its type where there is nothing left
            batch = next(self._batches, None)
            return None if batch is None else {"crops": batch}

    model = onnx.load_from_string(encoder)
    exact = [node.name for node in model.graph.node if node.name.startswith(("/landmarks/", "/encoder.0/"))]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        quantization.quantize_static(
            model, Path(folder) / "int8.onnx", Faces(),
            op_types_to_quantize=_PRODUCTS, nodes_to_exclude=exact, per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        return _float_where_it_was(onnx.load(Path(folder) / "int8.onnx"), exact).SerializeToString()


def _float_where_it_was(model: Any, exact: list[str]) -> Any:
    """Quantising gives every reader of a rounded tensor the rounded numbers; here only products get them, and the rest
    the numbers as they were, where these are there in float at all."""
    made_by = {output: node for node in model.graph.node for output in node.output}

    def rounds(node: Any) -> bool:
        return node.op_type in (*_PRODUCTS, "QuantizeLinear", "DequantizeLinear") and node.name not in exact

    for node in model.graph.node:
        if rounds(node):
            continue
        for index, name in enumerate(node.input):
            opened = made_by.get(name)
            if opened is None or opened.op_type != "DequantizeLinear":
                continue
            closed = made_by.get(opened.input[0])  # none, of weights
            if closed is not None and not rounds(made_by[closed.input[0]]):
                node.input[index] = closed.input[0]
    return model


def _input(crops: Tensor) -> Tensor:
    """As `to_input`, in operations that can be traced."""
    return crops.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0


class _Points(nn.Module):
    def __init__(self, network: AffectNetwork):
        super().__init__()
        self.five = FivePoints(deepcopy(network).cpu().eval())
        _in_quick_nodes(self.five.generator)

    def forward(self, crops: Tensor) -> Tensor:
        return self.five(_input(crops))


class _Encoder(nn.Module):
    def __init__(self, network: AffectNetwork):
        super().__init__()
        self.network = deepcopy(network).cpu().eval()
        for part in (self.network.generator, self.network.discriminator):
            _in_quick_nodes(part)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        latents = self.network.latents(_input(crops))
        return self.network.features(latents), latents.q, pooled(latents.z)


def _in_quick_nodes(module: nn.Module) -> None:
    """Layers in the form in which onnxruntime is quick at them; the numbers are the same to rounding."""
    for name, child in module.named_children():
        quick: nn.Module | None = None
        if isinstance(child, nn.GroupNorm) and child.num_groups == child.num_channels:
            quick = nn.InstanceNorm2d(child.num_channels, eps=child.eps, affine=True)
            quick.load_state_dict(child.state_dict())
        elif isinstance(child, FewOutputs) and child.out_channels < child.in_channels:
            quick = _Blocks.of_few(child)
        elif isinstance(child, FewOutputs):
            quick = nn.Conv2d(child.in_channels, child.out_channels, 7, padding=3, bias=child.bias is not None)
            quick.load_state_dict(child.state_dict())
        elif isinstance(child, nn.ConvTranspose2d):
            quick = _Blocks.of_transposed(child)
        if quick is None:
            _in_quick_nodes(child)
        else:
            setattr(module, name, quick.eval())


class _Blocks(nn.Module):
    """A convolution whose channels are the pixels of blocks of 2x2, by channel, column and row; and cut off the border.

    Two transpositions that move a single axis each are what onnxruntime copies fast; its DepthToSpace is slow.
    """

    def __init__(self, kernel: Tensor, bias: Tensor | None, stride: int, padding: int, cut: int):
        super().__init__()
        outputs, inputs, side, _ = kernel.shape
        self.convolution = nn.Conv2d(inputs, outputs, side, stride, padding, bias=bias is not None)
        self.convolution.weight = nn.Parameter(kernel)
        self.convolution.bias = None if bias is None else nn.Parameter(bias)
        self.cut = cut

    @classmethod
    def of_few(cls, layer: FewOutputs) -> "_Blocks":
        """The kernel moved to each pixel of a block."""
        pads = [(x, 1 - x, y, 1 - y) for x in (0, 1) for y in (0, 1)]
        kernel = torch.stack([functional.pad(layer.weight, pad) for pad in pads], 1).flatten(0, 1)
        return cls(kernel, None if layer.bias is None else layer.bias.repeat_interleave(4), 2, 3, 0)

    @classmethod
    def of_transposed(cls, layer: nn.ConvTranspose2d) -> "_Blocks":
        """Of kernel 4, stride 2 and padding 1: each output is of two by two inputs. A block begins a pixel before the
        input does: its first pixel has the kernel's places 2 and 0, its second one 3 and 1."""
        assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        assert layer.bias is None
        places = [(2, 0), (3, 1)]
        parts = [layer.weight[:, :, rows][:, :, :, columns] for columns in places for rows in places]
        return cls(torch.stack(parts, 2).transpose(0, 1).transpose(1, 2).flatten(0, 1), None, 1, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        planes = self.convolution(image)
        channels, height, width = (int(size) for size in planes.shape[1:])  # which tracing knows
        tall = planes.reshape(-1, 2, height, width).transpose(1, 2)
        wide = tall.reshape(-1, 2, 2 * height * width).transpose(1, 2)
        whole = wide.reshape(-1, channels // 4, 2 * height, 2 * width)
        return functional.pad(whole, [-self.cut] * 4) if self.cut else whole


class _Windows(nn.Module):
    def __init__(self, network: AffectNetwork):
        super().__init__()
        self.network, self.longest = deepcopy(network).cpu().eval(), longest_window(network)

    def forward(self, x: Tensor, motion: Tensor) -> tuple[Tensor, ...]:
        frames = x.shape[1]
        found = self.network.estimate(self._filled(x, self.network.feature_size), self._filled(motion, 4))
        affect = found.affect[:, :frames]
        return (affect,) if found.attention is None else (affect, found.attention[:, :frames, :frames])

    def _filled(self, window: Tensor, size: int) -> Tensor:
        filled = functional.pad(window, (0, 0, 0, self.longest - window.shape[1]))
        return filled.reshape(-1, self.longest, size)  # a length that tracing knows


def _traced(
    module: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...], axes: dict[str, dict[int, str]]
) -> bytes:
    _onnx()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    # of both exporters the one that traces: the other takes minutes for a head that is unrolled
    with _quiet(), _plain_lerp(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), Path(folder) / "graph.onnx", dynamo=False, opset_version=OPSET,
            input_names=list(inputs), output_names=list(outputs),
            dynamic_axes={name: some for name, some in axes.items() if name in inputs or name in outputs},
        )  # fmt: skip
        return (Path(folder) / "graph.onnx").read_bytes()


@contextmanager
def _plain_lerp() -> Iterator[None]:
    """`torch.lerp` as one product; by itself the exporter makes two, and a choice between them for every number."""

    def symbolic(graph: Any, start: Any, end: Any, weight: Any) -> Any:
        return graph.op("Add", start, graph.op("Mul", weight, graph.op("Sub", end, start)))

    register("aten::lerp", symbolic, OPSET)
    try:
        yield
    finally:
        unregister("aten::lerp", OPSET)


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every loop and length that it takes as it finds it, and onnxruntime of graphs that were not
    optimised before they are quantised; what comes out is compared afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _onnx() -> Any:
    with naming_extras():
        import onnx
        import onnx.helper
    return onnx
