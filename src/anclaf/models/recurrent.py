"""The recurrent part of C: ANCLaF-S (Eq. 4) and ANCLaF-SA (Eq. 5-8).

Shapes: B windows, T frames, F features, H hidden. The state is zero at a window's start, so the same
weights serve any T.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Score = Literal["additive", "location"]

CHANGE_GAIN = 3.0
"""x changes little from frame to frame beside what it is; so much more are changes weighed at the start."""


class Recurrence(NamedTuple):
    """affect: (B, T, 2) valence and arousal in [-1, 1] units; attention: (B, T, T) or None.

    attention[b, t, i] is the weight that frame t gives to the state after frame i < t; rows sum to 1 but the first,
    which has no previous state and is 0.
    """

    affect: Tensor
    attention: Tensor | None


class RecurrentCombiner(nn.Module):
    """x_1..x_T -> valence and arousal of every frame.

    Args:
        features: F, the size of x.
        hidden: H.
        attention: False is ANCLaF-S, True is ANCLaF-SA.
        score: how previous states are scored. `location`: softmax(W_a S_i) (Eq. 6). `additive`:
            softmax(v tanh(W_a [S_t; S_i])), the concat score of Luong et al. 2015, which the paper builds on.
            Deviation: Eq. 5 has no tanh; without one the term of S_t is the same for every i and cancels in the
            softmax, so that Eq. 5 would be Eq. 6. The default is the smallest change in which S_t matters.
        cell: a state is [h; c], as the paper proposes; False: h alone, as in Luong et al. 2015.
        divide: divide the context by the number of states, as printed in Eq. 7.
            Deviation: off by default, because the softmax has already averaged, and dividing would make the size of the
            context depend on the window, while one set of weights serves any window.
        motion: the LSTM also sees |x_t - x_{t-1}|, zero at a window's start. Deviation: Eq. 4 gives it x_t alone, and
            it must remember the last one to see a change; with few people it learns who they are before it learns that.
    """

    def __init__(
        self,
        features: int,
        hidden: int = 512,
        attention: bool = False,
        score: Score = "additive",
        divide: bool = False,
        motion: bool = True,
        cell: bool = True,
    ):
        super().__init__()
        self.hidden, self.score, self.divide, self.motion, self.cell = hidden, score, divide, motion, cell
        self.from_input = nn.Linear(features, 4 * hidden)
        self.from_hidden = nn.Linear(hidden, 4 * hidden, bias=False)
        if motion:
            self.from_change = nn.Linear(features, 4 * hidden, bias=False)
        self.affect = nn.Linear(hidden, 2)
        self.attends = attention
        if attention:
            # W_a [S_t; S_i] as two products, so that the product of each past state is made once
            state = 2 * hidden if cell else hidden
            self.align_past = nn.Linear(state, hidden if score == "additive" else 1, bias=False)
            if score == "additive":
                self.align_now = nn.Linear(state, hidden)
                self.align_score = nn.Linear(hidden, 1, bias=False)
            self.from_context = nn.Linear(state, 4 * hidden, bias=False)
            nn.init.zeros_(self.from_context.weight)
        with torch.no_grad():
            self.from_input.bias[hidden : 2 * hidden] += 1.0  # the forget gate starts open

    def forward(self, x: Tensor, dropout: float = 0.0) -> Recurrence:
        """x (B, T, F). dropout: part of x, and of its changes, that is left out; for training."""
        batch, length, _ = x.shape
        driven = self.from_input(functional.dropout(x, dropout))
        if self.motion:
            change = functional.pad((x[:, 1:] - x[:, :-1]).abs(), (0, 0, 1, 0))
            driven = driven + self.from_change(functional.dropout(CHANGE_GAIN * change, dropout))
        h = c = x.new_zeros(batch, self.hidden)
        outputs: list[Tensor] = []
        states: list[Tensor] = []
        projected: list[Tensor] = []
        rows: list[Tensor] = []
        for t in range(length):
            gates = driven[:, t] + self.from_hidden(h)
            if self.attends:
                weights = x.new_zeros(batch, 0)
                if states:
                    weights = self._weights(states[-1], torch.stack(projected, 1))
                    context = torch.einsum("bi,bis->bs", weights, torch.stack(states, 1))
                    if self.divide:
                        context = context / len(states)
                    gates = gates + self.from_context(context)
                rows.append(functional.pad(weights, (0, length - weights.shape[1])))
            i, f, g, o = gates.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
            if self.attends and t < length - 1:
                states.append(torch.cat([h, c], 1) if self.cell else h)
                projected.append(self.align_past(states[-1]))
        return Recurrence(self.affect(torch.stack(outputs, 1)), torch.stack(rows, 1) if self.attends else None)

    def _weights(self, now: Tensor, past: Tensor) -> Tensor:
        """(B, I) softmax over the I previous states. now: (B, 2H or H) latest state; past: (B, I, .) projections."""
        if self.score == "location":
            return past[..., 0].softmax(1)
        return self.align_score(torch.tanh(past + self.align_now(now)[:, None]))[..., 0].softmax(1)

    @classmethod
    def attending(
        cls, plain: "RecurrentCombiner", score: Score = "additive", divide: bool = False, cell: bool = True
    ) -> "RecurrentCombiner":
        """ANCLaF-SA from ANCLaF-S: the same function at its first step, because the context's weights start at zero."""
        model = cls(plain.from_input.in_features, plain.hidden, True, score, divide, plain.motion, cell)
        missing = model.load_state_dict(plain.state_dict(), strict=False)
        assert not missing.unexpected_keys
        return model
