"""The head of a comparator: a linear map of where landmarks are in a window, and how much they move."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from anclaf.config import ModelConfig
from anclaf.models.anclaf import Estimate, Head


class RidgeHead(Head):
    """Linear in x at the window's last frame, in its mean, in its mean absolute change, and in its mean over the frames
    that have one before them, which is for columns that are changes already.

    Weights are (2, F), zero for what was not fitted on, such as the appearance. `comparators.detected` fits them.
    """

    def __init__(self, features: int, config: ModelConfig):  # noqa: ARG002 - as every head
        super().__init__()
        self.last = nn.Linear(features, 2)
        self.mean, self.change, self.later = (nn.Linear(features, 2, bias=False) for _ in range(3))
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, dropout: float = 0.0) -> Estimate:  # noqa: ARG002 - it is not trained
        frames = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        before = (frames - 1).clamp_min(1)
        later = functional.pad(x[:, 1:], (0, 0, 1, 0))
        change = functional.pad((x[:, 1:] - x[:, :-1]).abs(), (0, 0, 1, 0))
        moves = self.change(change.cumsum(1) / before) + self.later(later.cumsum(1) / before)
        return Estimate(self.last(x) + self.mean(x.cumsum(1) / frames) + moves, None)
