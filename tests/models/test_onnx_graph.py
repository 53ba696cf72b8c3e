"""The encoder's graph: layers in onnxruntime's quick forms, and what of it eight bits leave alone."""

from typing import Any

import numpy as np
import pytest
import torch

from anclaf.config import LstmConfig, ModelConfig
from anclaf.models import onnx_graph
from anclaf.models.anclaf import FewOutputs
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    "layer",
    [torch.nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1, bias=False), FewOutputs(5, 3, bias=True)],
    ids=["transposed", "few outputs"],
)
def test_a_layer_in_blocks_gives_the_same_numbers(layer: torch.nn.Module):
    holder = torch.nn.Sequential(layer.double())
    image = torch.randn(2, 5, 6, 8, dtype=torch.float64)
    expected = holder(image)
    onnx_graph._in_quick_nodes(holder)
    assert type(holder[0]) is not type(layer)
    torch.testing.assert_close(holder(image), expected, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def encoder() -> bytes:
    torch.manual_seed(0)
    sizes = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(8))
    network = AffectNetwork(sizes, Variant("base"), 5).eval()
    assert network.landmarks is not None
    network.landmarks.scale.fill_(0.1)
    return onnx_graph.encoder_graph(network)


def test_between_two_numbers_is_no_choice(encoder: bytes):
    """The exporter's own `lerp` chooses between two forms of it for every number."""
    nodes = onnx.load_from_string(encoder).graph.node
    assert not [node.name for node in nodes if node.op_type == "Where" and "/looks" in node.name]
    assert {"ConvTranspose", "DepthToSpace"}.isdisjoint(node.op_type for node in nodes)


def test_eight_bits_leave_landmarks_as_they_were(encoder: bytes):
    """What finds them, and what is pooled, reads planes that were not rounded again; Q is of rounded ones."""
    crops = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    model = onnx.load_from_string(onnx_graph.quantised(encoder, [crops]))
    made_by: dict[str, Any] = {output: node for node in model.graph.node for output in node.output}
    weights = {one.name for one in model.graph.initializer}
    rounded = [
        (node.name, name)
        for node in model.graph.node
        if node.name.startswith(("/landmarks/", "/encoder.0/"))
        for name in node.input
        if name in made_by and made_by[name].op_type == "DequantizeLinear" and made_by[name].input[0] not in weights
    ]
    of_z = made_by["pooled"]
    while of_z.op_type != "InstanceNormalization":
        of_z = made_by[of_z.input[0]]  # not by way of a rounding node
        assert of_z.op_type not in ("QuantizeLinear", "DequantizeLinear")
    assert not rounded
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    exact, eight = (
        ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"]).run(["q"], {"crops": crops})[0]
        for graph in (encoder, model.SerializeToString())
    )
    assert 0 < np.abs(exact - eight).max() < 0.05
