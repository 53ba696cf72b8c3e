"""What a recurrence needs of autograd: maps and memories that are used at every step, with gradients made once.

Autograd by itself would add up the gradient of each weight, and of each state that is read again, step by step, which
on a CPU takes longer than the products do. The numbers are the same but for the order of sums.

A `token` ties the uses together: an empty tensor by which autograd knows that the gradient of what is shared comes
after the gradients of all who used it.
"""
# pyright: reportIncompatibleMethodOverride=false
# (a Function's backward under once_differentiable)

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _Share(Function):
    """The weight's token. Its gradient is the last of all: the sum over all uses in one product."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, uses: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.uses = uses
        return weight.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        inputs, gradients = (torch.cat(parts) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return gradients.t() @ inputs.to(gradients.dtype), None


class _Use(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, plus: Tensor | None, _token: Tensor, map: "SharedLinear") -> Tensor:
        ctx.uses = map.uses
        ctx.save_for_backward(input, map.weight)
        return torch.mm(input, map.turned) if plus is None else torch.addmm(plus, input, map.turned)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        (gradient,) = grad_outputs
        input, weight = ctx.saved_tensors
        ctx.uses.append((input.detach(), gradient))  # with its graph, it would hold itself
        back = gradient @ weight if ctx.needs_input_grad[0] else None
        return back, gradient if ctx.needs_input_grad[1] else None, gradient.new_empty(0), None


class SharedLinear:
    """A linear layer for the steps of one forward pass: (B, in) -> (B, out). Where they are traced it is the layer."""

    def __init__(self, layer: nn.Linear):
        self._layer = layer if _tracing() else None
        self.weight, self._bias = layer.weight.detach(), layer.bias
        if torch.is_autocast_enabled(kind := self.weight.device.type):
            self.weight = self.weight.to(torch.get_autocast_dtype(kind))  # once, not at every step
        self.turned = self.weight.t().contiguous()  # read in this order by every step, which is sooner
        self.uses: list[tuple[Tensor, Tensor]] = []
        self._token = None if self._layer else _Share.apply(layer.weight, self.uses)

    def __call__(self, input: Tensor, plus: Tensor | None = None) -> Tensor:
        """plus: (B, out) that is added."""
        if self._layer is not None:
            return self._layer(input) if plus is None else plus + self._layer(input)
        output = _Use.apply(input, plus, self._token, self)
        return output if self._bias is None else output + self._bias


class _Store:
    """What a memory holds. Autograd's nodes hold it too, so that it must not hold a token, which holds its node."""

    def __init__(self, values: Tensor):
        self.values, self.empty = values, True
        self._gradient: Tensor | None = None

    @property
    def gradient(self) -> Tensor:
        """What the reads have added up so far, in a backward pass."""
        if self._gradient is None:
            self._gradient = torch.zeros_like(self.values)
        return self._gradient

    def forget(self) -> None:
        self._gradient = None


class _Write(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor, store: _Store, place: int) -> Tensor:
        ctx.store, ctx.place, ctx.first = store, place, store.empty
        store.values.data[:, place] = value  # .data: what others have read does not change
        store.empty = False
        return token.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gradient = ctx.store.gradient
        if ctx.first:
            ctx.store.forget()  # the last step of all: a second pass begins anew
        return gradient[:, ctx.place], grad_outputs[0], None, None


class _Read(Function):
    @staticmethod
    def forward(ctx: Any, _token: Tensor, store: _Store, first: int, stop: int) -> Tensor:
        ctx.store, ctx.first, ctx.stop = store, first, stop
        return store.values.data[:, first:stop]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        ctx.store.gradient[:, ctx.first : ctx.stop] += grad_outputs[0]
        return grad_outputs[0].new_empty(0), None, None, None


class _Product(Function):
    """`_dot` of states and a query, or `_mix` of states by weights. Each is the other's gradient."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, _token: Tensor, store: _Store, first: int, stop: int, mix: bool) -> Tensor:
        ctx.store, ctx.here, ctx.mix = store, slice(first, stop), mix
        ctx.save_for_backward(given)
        return (_mix if mix else _dot)(given, store.values[:, ctx.here])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        (given,), values = ctx.saved_tensors, ctx.store.values
        gradient = grad_outputs[0].to(values.dtype)
        weights, query = (given, gradient) if ctx.mix else (gradient, given)
        ctx.store.gradient[:, ctx.here].addcmul_(weights[:, :, None], query[:, None])
        back = (_dot if ctx.mix else _mix)(gradient, values[:, ctx.here])
        return back, gradient.new_empty(0), None, None, None, None


class Memory:
    """States (B, K, D) that are written one after the other and read several at once, as views.

    Args:
        blank: (B, K, D) what it holds before, such as zeros.
    """

    def __init__(self, blank: Tensor):
        self._traced = list(blank.unbind(1)) if _tracing() else None  # a trace knows no writing into it
        self._store = _Store(blank)
        self._token = blank.new_empty(0, requires_grad=torch.is_grad_enabled())

    def write(self, place: int, value: Tensor) -> None:
        if self._traced is not None:
            self._traced[place] = value
        else:
            self._token = _Write.apply(value, self._token, self._store, place)

    def read(self, first: int, stop: int) -> Tensor:
        """(B, stop - first, D)."""
        if self._traced is not None:
            return torch.stack(self._traced[first:stop], 1)
        return _Read.apply(self._token, self._store, first, stop)

    def dot(self, query: Tensor, first: int, stop: int) -> Tensor:
        """(B, stop - first) products of a query (B, D) and each of these states."""
        if self._traced is not None:
            return _dot(query, self.read(first, stop))
        return _Product.apply(query, self._token, self._store, first, stop, False)

    def mix(self, weights: Tensor, first: int) -> Tensor:
        """(B, D) the sum of the states from one on, by weights (B, .)."""
        stop = first + weights.shape[1]
        if self._traced is not None:
            return _mix(weights, self.read(first, stop))
        return _Product.apply(weights, self._token, self._store, first, stop, True)


def _tracing() -> bool:
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def _dot(query: Tensor, states: Tensor) -> Tensor:
    """(B, K). query: (B, D); states: (B, K, D)."""
    return torch.einsum("bd,bkd->bk", query, states)


def _mix(weights: Tensor, states: Tensor) -> Tensor:
    """(B, D). weights: (B, K); states: (B, K, D)."""
    return torch.einsum("bk,bkd->bd", weights, states)
