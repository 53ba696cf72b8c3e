"""ANCLaF-SA: Eq. 5 to 8 of the paper, attention over the states before each frame.

Shapes as in `models.anclaf`; K states that are attended to, D the size of one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.config import ModelConfig
from anclaf.models.anclaf import Estimate, LstmHead
from anclaf.models.scan import Memory, SharedLinear


class AttentionHead(LstmHead):
    """ANCLaF-SA (Eq. 5-8): the LSTM also sees a context, a weighted sum of previous states S_i = [h_i; c_i].

    Deviation: Eq. 5 has no tanh; without one the term of S_t is the same for every i and cancels in the softmax, so
    that Eq. 5 would be Eq. 6. The `additive` score is the smallest change in which S_t matters; `general` is the one of
    Luong et al. 2015 in which a state can be found by what it holds.
    Deviation: the context is not divided by the number of states (Eq. 7) unless `divide_context` says so: the softmax
    has already averaged, and the size of the context would depend on the window, while one set of weights serves any.

    Args:
        n: frames of the window; 0 where it may be of any length, which `AttentionConfig.lead_in`, `pad_states` and the
            `place` score do not allow.
    """

    attends = True
    starts_from = "S"

    def __init__(self, features: int, config: ModelConfig, n: int = 0):
        super().__init__(features, config)
        attention = config.attention
        self.score, self.query, self.divide = attention.score, attention.query, attention.divide_context
        self.cell, self.normalise = attention.attend_cell, attention.normalise_states
        self.lead_in, self.padding = n if attention.lead_in else 0, n if attention.pad_states else 0
        self.states = n if attention.lead_in or attention.pad_states else max(n - 1, 0)
        hidden, state = self.hidden, 2 * self.hidden if self.cell else self.hidden
        # W_a [S_t; S_i] as two products, so that the product of each past state is made once
        if self.score == "place":
            self.align_place = nn.Parameter(torch.zeros(self.states))
        elif self.score == "general":
            self.align_past = nn.Linear(state, hidden, bias=False)
            self.align_now = nn.Linear(state, hidden, bias=False)
        else:
            self.align_past = nn.Linear(state, hidden if self.score == "additive" else 1, bias=False)
        if self.score == "additive":
            self.align_now = nn.Linear(state, hidden)
            self.align_score = nn.Linear(hidden, 1, bias=False)
        self.from_context = nn.Linear(state, 4 * hidden, bias=False)
        nn.init.zeros_(self.from_context.weight)  # SA-n is S-n at its first step

    @classmethod
    def build(cls, features: int, config: ModelConfig, n: int) -> "AttentionHead":
        return cls(features, config, n)

    def added(self) -> list[nn.Parameter]:
        own = ("align_", "from_context")
        return [parameter for name, parameter in self.named_parameters() if name.startswith(own)]

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:
        batch, length = x.shape[:2]
        driven = self._driven(x, dropout).unbind(1)
        from_hidden, from_context = SharedLinear(self.from_hidden), SharedLinear(self.from_context)
        align_past = None if self.score == "place" else SharedLinear(self.align_past)
        align_now = SharedLinear(self.align_now) if self.score in ("general", "additive") else None
        h = c = x.new_zeros(batch, self.hidden)
        outputs: list[Tensor] = []
        padding = self.padding  # states that are 0, before S_1
        states = Memory(x.new_zeros(batch, padding + length, self.from_context.in_features))
        # their part of W_a [S_t; S_i], which is made once
        projected = align_past and Memory(x.new_zeros(batch, padding + length, self.align_past.out_features))
        rows: list[Tensor] = []
        for t in range(length):
            gates, weights = from_hidden(h, driven[t]), x.new_zeros(batch, 0)
            known = padding + t
            first = max(0, known - self.states) if self.states else 0
            if known:
                if self.query == "present":
                    now = self._state(*self._cell(gates, c))
                else:
                    now = states.read(known - 1, known)[:, 0]
                asked = align_now(now) if align_now else now[:, :0]
                weights = self._scores(asked, projected or states, first, known).softmax(1)  # Eq. 5, 6
                context = states.mix(weights, first)  # Eq. 7
                if self.divide:
                    context = context / weights.shape[1]
                gates = from_context(context, gates)  # Eq. 8
            seen = max(0, first - padding)  # frames of the window before the first of these states
            rows.append(functional.pad(weights[:, weights.shape[1] - (t - seen) :], (seen, length - t)))
            h, c = self._cell(gates, c)
            outputs.append(h)
            if t < length - 1:
                state = self._state(h, c)
                states.write(known, state)
                if projected and align_past:
                    projected.write(known, align_past(state))
        return Estimate(self._affect(x, torch.stack(outputs, 1), dropout), torch.stack(rows, 1))

    def _state(self, h: Tensor, c: Tensor) -> Tensor:
        """S (B, D)."""
        state = torch.cat([h, c], 1) if self.cell else h
        return functional.layer_norm(state, (self.from_context.in_features,)) if self.normalise else state

    def _scores(self, now: Tensor, past: Memory, first: int, stop: int) -> Tensor:
        """(B, K) of the previous states, oldest first. now: (B, .) what asks; past: what each answers."""
        if self.score == "place":
            return self.align_place[: stop - first].flip(0).expand(now.shape[0], -1)
        if self.score == "general":
            return past.dot(now, first, stop) / now.shape[1] ** 0.5
        answers = past.read(first, stop)
        if self.score == "location":
            return answers[..., 0]
        return self.align_score(torch.tanh(answers + now[:, None]))[..., 0]
