"""ANCLaF, ANCLaF-S-n and ANCLaF-SA-n: Eq. 1 to 8 of the paper, in its order.

    I --G--> Z, Î = G(I)      Eq. 1    Generator
    Î --D--> Q                Eq. 2    Discriminator
    [Z; Q] --C--> x, θ̂        Eq. 3    Combiner, LinearHead (x also has Z's landmarks: geometry.py)
    x_1..x_n --LSTM--> θ̂      Eq. 4    LstmHead
    with attention            Eq. 5-8  models.attention.AttentionHead

Shapes: B images or windows, T frames of a window, S side of the face, F size of x, H size of the LSTM's state, w width
of G. Images are RGB in [-1, 1]; θ̂ is valence and arousal, also in [-1, 1].
"""

from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.config import DiscriminatorInit, DiscriminatorNorm, ModelConfig
from anclaf.core.arguments import checked
from anclaf.models.scan import SharedLinear

LEAK = 0.01
"""Slope of LeakyReLU below 0, in D, C and where landmarks are found."""


def _norm(channels: int) -> nn.Module:
    # instance normalisation as groups of one channel: the same numbers, several times as fast for one image on a CPU
    return nn.GroupNorm(channels, channels)


def _block(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, _norm(channels), nn.ReLU())


class FewOutputs(nn.Conv2d):
    """A 7x7 convolution, padded, to few channels: the same weights and numbers as PyTorch's, on a CPU sooner.

    A CPU's vector holds `LANES` channels, however few are wanted. So the pixels of a block become channels: the kernel,
    moved to each of them, steps by whole blocks. The image's sides are even.
    """

    LANES = 16
    """Numbers of float32 in a vector of AVX-512."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, 7, padding=3, bias=bias)
        self.block = (1 + (2 * outputs <= self.LANES), 1 + (4 * outputs <= self.LANES))

    def forward(self, input: Tensor) -> Tensor:
        rows, columns = self.block
        if rows == 1 or input.device.type != "cpu":
            return super().forward(input)
        pads = [(x, columns - 1 - x, y, rows - 1 - y) for y in range(rows) for x in range(columns)]
        kernel = torch.stack([functional.pad(self.weight, pad) for pad in pads], 1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(rows * columns)
        planes = functional.conv2d(input, kernel, bias, self.block, 3)
        blocks = planes.unflatten(1, (self.out_channels, rows, columns)).permute(0, 1, 4, 2, 5, 3)
        return blocks.flatten(4).flatten(2, 3)


class _Residual(nn.Module):
    def __init__(self, channels: int, skip: bool = True):
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skip else self.body(x)


class Planes(NamedTuple):
    """What G's encoder makes of faces. detail: (B, w, S, S), of its first block. z: Z (B, 4w, S/4, S/4)."""

    detail: Tensor
    z: Tensor


class Generator(nn.Module):
    """G, the latent feature extractor (Eq. 1): an autoencoder whose middle is the latent Z.

    encode: I (B, 3, S, S) -> Z (B, 4w, S/4, S/4), the output of the third residual block, which has no skip.
    decode: Z -> Î (B, 3, S, S), the cleaned image.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        w = width
        self.encoder = nn.Sequential(
            _block(FewOutputs(3, w, bias=False), w),
            _block(nn.Conv2d(w, 2 * w, 4, stride=2, padding=1, bias=False), 2 * w),
            _block(nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1, bias=False), 4 * w),
            _Residual(4 * w),
            _Residual(4 * w),
            _Residual(4 * w, skip=False),
        )
        self.decoder = nn.Sequential(
            _Residual(4 * w),
            _Residual(4 * w),
            _block(nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False), 2 * w),
            _block(nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False), w),
            FewOutputs(w, 3, bias=True),
        )

    def encode(self, image: Tensor) -> Tensor:
        return self.encoder(image)

    def planes(self, image: Tensor) -> Planes:
        """Z, and the plane of the size of the image on the way to it."""
        detail = self.encoder[0](image)
        return Planes(detail, self.encoder[1:](detail))

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(self.decoder(z))

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image))


class Judgement(NamedTuple):
    """What D says of an image. real: (B, 1, p, p) logits, a map over patches; quadrant: (B, outputs), logits."""

    real: Tensor
    quadrant: Tensor


class Discriminator(nn.Module):
    """D, the quadrant estimator (Eq. 2): stride-2 convolutions down to 2x2 (six at 128x128), then two heads.

    Args:
        image_size: S.
        width: channels of the first layer; they double.
        outputs: 4 quadrants. D of the parent model AEG-CD gives 2 in their place, valence and arousal.
        init: of the convolutions.
        norm: Deviation: with `instance` all planes but the last, which is too small for it, are normalised.
    """

    def __init__(
        self,
        image_size: int = 128,
        width: int = 16,
        outputs: int = 4,
        init: DiscriminatorInit = "he",
        norm: DiscriminatorNorm = "none",
    ):
        super().__init__()
        depth = image_size.bit_length() - 2
        channels = [3, *(width * 2**i for i in range(depth))]
        self.features = 4 * channels[-1]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
            if norm == "instance" and after < channels[-1]:
                layers.append(_norm(after))
            layers.append(nn.LeakyReLU(LEAK))
        self.body = nn.Sequential(*layers)
        for layer in self.body:
            if isinstance(layer, nn.Conv2d) and init == "he":
                # PyTorch's own start makes each layer's output smaller, until the heads see next to nothing of the face
                nn.init.kaiming_normal_(layer.weight, a=LEAK, nonlinearity="leaky_relu")
        self.real = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        self.quadrant = nn.Conv2d(channels[-1], outputs, 2, bias=False)

    def forward(self, image: Tensor) -> Judgement:
        return self.judge(self.body(image))

    def judge(self, plane: Tensor) -> Judgement:
        """What the heads say of the body's plane (B, features / 4, 2, 2)."""
        return Judgement(self.real(plane), self.quadrant(plane).flatten(1))


@checked
def condition(z: Tensor, q: Tensor) -> Tensor:
    """ZQ: Z (B, c, p, p) with Q (B, 4) broadcast over its plane -> (B, c + 4, p, p)."""
    if q.shape[:-1] != z.shape[:-3] or z.ndim < 3:
        raise ValueError(f"got z {tuple(z.shape)}, q {tuple(q.shape)}; expected (B, c, p, p) and (B, 4)")
    plane = q[..., None, None].expand(*q.shape, *z.shape[-2:])
    return torch.cat([z, plane.to(z.dtype)], -3)


class Combiner(nn.Module):
    """enc of C (Eq. 3): ZQ (B, c, p, p) -> x (B, F), by stride-2 convolutions with LeakyReLU down to 1x1.

    F = width * 2**(log2(p) - 1): 1024 for the paper's 32x32 plane and width 64, 512 for a 16x16 plane.
    """

    def __init__(self, channels: int = 68, plane: int = 32, width: int = 64):
        super().__init__()
        depth = plane.bit_length() - 1
        sizes = [channels, *(width * 2**i for i in range(depth))]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(LEAK)]
        self.body = nn.Sequential(*layers)
        # of the last kernel only the middle is read; with its channels last that is two whole pieces of memory
        last = layers[-2]
        assert isinstance(last, nn.Conv2d)
        last.weight = nn.Parameter(last.weight.detach().contiguous(memory_format=torch.channels_last))
        self.features = sizes[-1]

    def forward(self, zq: Tensor) -> Tensor:
        last = self.body[-2]
        assert isinstance(last, nn.Conv2d)
        plane = self.body[:-2](zq).permute(0, 2, 3, 1)
        # from 2x2 to 1x1 only the middle of the 4x4 kernel meets the plane, the rest meets padding
        kernel = last.weight.permute(0, 2, 3, 1)
        above = functional.linear(plane[:, 0].flatten(1), kernel[:, 1, 1:3].flatten(1), last.bias)
        below = functional.linear(plane[:, 1].flatten(1), kernel[:, 2, 1:3].flatten(1))
        return self.body[-1](above + below)


class Estimate(NamedTuple):
    """What a head says of windows.

    affect: (B, T, 2) valence and arousal of every frame. attention: (B, T, T) or None; [b, t, i] is the weight that
    frame t gives to the state after frame i < t. Its rows sum to 1, but the first has no previous state and is 0; with
    `pad_states`, what is missing to 1 is the weight of states that are 0.
    """

    affect: Tensor
    attention: Tensor | None


class Head(nn.Module):
    """The end of C, from x to valence and arousal. A head is made of (F, ModelConfig) and registered in `HEADS`.

    Class attributes: `attends`, whether its estimates have attention weights; `starts_from`, the kind of the model with
    the same window that it is trained from, or None for its own kind with the window before (and base for the first);
    `options`, names and defaults of its own settings, all of which it finds in `ModelConfig.options`.
    """

    attends: ClassVar[bool] = False
    starts_from: ClassVar[str | None] = None
    options: ClassVar[dict[str, float]] = {}

    lead_in: int = 0
    """Frames before the window that it reads too, fewer where a clip begins. They are a part of `forward`'s x, and what
    it says of them is not used."""

    @classmethod
    def build(cls, features: int, config: ModelConfig, n: int) -> "Head":  # noqa: ARG003 - for heads that need it
        """A head for windows of n frames."""
        return cls(features, config)

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:
        """x (B, T, F), frames in time order. dropout: part of the input that is left out, for training."""
        raise NotImplementedError

    def reach(self, n: int) -> int:
        """How many previous states a frame attends to at most, in a window of n: those of the window, or n of them
        where there is a lead-in."""
        return n if self.lead_in else n - 1

    def added(self) -> list[nn.Parameter]:
        """Those of its parameters that the model it starts from has not; they may have a learning rate of their own."""
        return []

    def inherit(self, parent: nn.Module) -> None:
        """Begin with the weights of the head of the model that this one is trained from, if they are of use."""
        if type(parent) is type(self):
            self.load_state_dict(parent.state_dict())


class LinearHead(Head):
    """FC of C (Eq. 3): each frame by itself. The base model, ANCLaF."""

    def __init__(self, features: int, config: ModelConfig):  # noqa: ARG002 - as every head
        super().__init__()
        self.affect = nn.Linear(features, 2)

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:
        return Estimate(self.affect(functional.dropout(x, dropout)), None)


CHANGE_GAIN = 3.0
"""x changes little from frame to frame beside what it is; by so much more are changes weighed at the start."""


class LstmHead(Head):
    """ANCLaF-S (Eq. 4): an LSTM over the window. Its state is zero at the start, so that the same weights serve any n.

    Deviation: with `change_input` the LSTM also sees |x_t - x_{t-1}|, zero at a window's start. Eq. 4 gives it x_t
    alone, and it must remember the last one to see a change; with few people it learns who they are before that.
    Deviation: with `residual` its estimate is what the base model says of the frame, and the LSTM's correction.
    """

    def __init__(self, features: int, config: ModelConfig):
        super().__init__()
        hidden = config.lstm.hidden_size
        self.hidden, self.motion = hidden, config.lstm.change_input
        self.from_input = nn.Linear(features, 4 * hidden)
        self.from_hidden = nn.Linear(hidden, 4 * hidden, bias=False)
        if self.motion:
            self.from_change = nn.Linear(features, 4 * hidden, bias=False)
        self.affect = nn.Linear(hidden, 2)
        self.frame = nn.Linear(features, 2) if config.lstm.residual else None
        with torch.no_grad():
            self.from_input.bias[hidden : 2 * hidden] += config.lstm.forget_bias  # 1: the forget gate starts open

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:
        h = c = x.new_zeros(x.shape[0], self.hidden)
        from_hidden = SharedLinear(self.from_hidden)
        outputs: list[Tensor] = []
        # not driven[:, t], whose gradient would fill all of `driven` at every frame
        for driven in self._driven(x, dropout).unbind(1):
            h, c = self._cell(from_hidden(h, driven), c)
            outputs.append(h)
        return Estimate(self._affect(x, torch.stack(outputs, 1), dropout), None)

    def _affect(self, x: Tensor, states: Tensor, dropout: float) -> Tensor:
        """(B, T, 2) valence and arousal. states: (B, T, H) h after each frame."""
        affect = self.affect(states)
        return affect if self.frame is None else affect + self.frame(functional.dropout(x, dropout))

    def _driven(self, x: Tensor, dropout: float) -> Tensor:
        """(B, T, 4H) what x adds to the gates."""
        driven = self.from_input(functional.dropout(x, dropout))
        if self.motion:
            change = functional.pad((x[:, 1:] - x[:, :-1]).abs(), (0, 0, 1, 0))
            driven = driven + self.from_change(functional.dropout(CHANGE_GAIN * change, dropout))
        return driven

    @staticmethod
    def _cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Gates (B, 4H) and the cell's state -> h, c."""
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def inherit(self, parent: nn.Module) -> None:
        """What it shares with another LSTM head, attention or not; with `residual`, it begins as the base model."""
        if isinstance(parent, LstmHead):
            missing = self.load_state_dict(parent.state_dict(), strict=False)
            assert not missing.unexpected_keys
        elif isinstance(parent, LinearHead) and self.frame is not None:
            known = parent.affect.in_features  # the base model does not see how the crop moves
            for layer in (self.frame, self.affect):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            with torch.no_grad():
                self.frame.weight[:, :known] = parent.affect.weight
                self.frame.bias.copy_(parent.affect.bias)
