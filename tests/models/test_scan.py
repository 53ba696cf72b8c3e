"""Shared maps and memories against what autograd makes of the same written plainly."""

import gc

import pytest
import torch
from torch import Tensor, nn

from anclaf.models.scan import Memory, SharedLinear, _Store

STEPS = 5


def _plain(layer: nn.Linear, other: nn.Linear, x: Tensor) -> Tensor:
    h, states = x[:, 0], [torch.zeros_like(x[:, 0])]
    for t in range(STEPS):
        past = torch.stack(states[max(0, t - 2) : t + 1], 1)
        mixed = torch.einsum("bk,bkd->bd", torch.einsum("bd,bkd->bk", h, past).softmax(1), past)
        h = torch.tanh(layer(h) + other(past).square().sum(1) + mixed + x[:, t])
        states.append(h)
    return h


def _shared(layer: nn.Linear, other: nn.Linear, x: Tensor) -> Tensor:
    h, memory, step = x[:, 0], Memory(x.new_zeros(len(x), STEPS + 1, x.shape[2])), SharedLinear(layer)
    for t in range(STEPS):
        first = max(0, t - 2)
        mixed = memory.mix(memory.dot(h, first, t + 1).softmax(1), first)
        h = torch.tanh(step(h, other(memory.read(first, t + 1)).square().sum(1) + mixed) + x[:, t])
        memory.write(t + 1, h)
    return h


@pytest.fixture
def layers() -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    return nn.Linear(3, 3).double(), nn.Linear(3, 3, bias=False).double()


def test_the_gradients_are_those_of_the_plain_way(layers: tuple[nn.Linear, nn.Linear]):
    x = torch.randn(2, STEPS, 3, dtype=torch.float64, requires_grad=True)
    wanted = [x, *layers[0].parameters(), *layers[1].parameters()]
    plain, shared = (way(*layers, x) for way in (_plain, _shared))
    torch.testing.assert_close(plain, shared)
    expected = torch.autograd.grad(plain.sum(), wanted)
    for _ in range(2):  # a second pass does not meet the first one's sums
        for a, b in zip(expected, torch.autograd.grad(shared.sum(), wanted, retain_graph=True), strict=True):
            torch.testing.assert_close(a, b)
    assert torch.autograd.gradcheck(lambda x: _shared(*layers, x), x)


def test_without_gradients_it_only_computes(layers: tuple[nn.Linear, nn.Linear]):
    x = torch.randn(2, STEPS, 3, dtype=torch.float64)
    with torch.inference_mode():
        assert torch.allclose(_shared(*layers, x), _plain(*layers, x))
    layers[0].requires_grad_(False)
    x.requires_grad_()
    for a, b in zip(*(torch.autograd.grad(way(*layers, x).sum(), x) for way in (_plain, _shared)), strict=True):
        torch.testing.assert_close(a, b)


def test_mixed_precision(layers: tuple[nn.Linear, nn.Linear]):
    """Under autocast the products are made in bfloat16, in the forward pass and in the other."""
    layer, other = (layer.float() for layer in layers)
    x = torch.randn(2, STEPS, 3, requires_grad=True)
    wanted = [x, *layer.parameters(), *other.parameters()]
    with torch.autocast("cpu", torch.bfloat16):
        plain, shared = (way(layer, other, x) for way in (_plain, _shared))
    for a, b in zip(*(torch.autograd.grad(y.float().sum(), wanted) for y in (plain, shared)), strict=True):
        assert a.dtype == b.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=0.1, rtol=0.1)


def test_nothing_is_held_when_all_is_done(layers: tuple[nn.Linear, nn.Linear]):
    """Autograd's nodes hold what they need, and a circle through them would never be freed."""
    x = torch.randn(2, STEPS, 3, dtype=torch.float64, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        for backward in (False, True):
            shared = _shared(*layers, x)
            assert _stores() == 1
            if backward:
                shared.sum().backward()
            del shared
            assert _stores() == 0
    finally:
        gc.enable()


def _stores() -> int:
    return sum(isinstance(thing, _Store) for thing in gc.get_objects())
