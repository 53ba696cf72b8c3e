"""f_i/F of Eq. 10: rare labels weigh more, so that mostly neutral frames do not train an estimator of neutral alone."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import ClassWeighting, Stage1Config, Stage2Config
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError


@dataclass(frozen=True)
class ClassWeights:
    """Weight of each label class, per dimension. table: (2, bins), the bins being equal parts of [-1, 1]."""

    table: Tensor

    def of(self, target: Tensor) -> Tensor:
        """Labels (..., 2) in [-1, 1] -> weights (..., 2), on the target's device."""
        table = self.table.to(target.device)
        bins = table.shape[1]
        # labels of AFEW-VA lie on the bins' edges, so an edge must not fall to either side by rounding
        index = ((target + 1) * (bins / 2) + 1e-4).long().clamp(0, bins - 1)
        return torch.stack([table[d][index[..., d]] for d in range(2)], -1)


@checked
def class_weights(
    target: NDArray, bins: int = 10, max_weight: float = 10.0, weighting: ClassWeighting = "inverse"
) -> ClassWeights:
    """Weights in proportion to f_i, with mean 1 over these frames.

    Args:
        target: (N, 2) valence, arousal in [-1, 1] of the training frames.
        bins: equal parts of [-1, 1], the upper edge belonging to the next ("discretised by a value of 10", §3.3).
        max_weight: the largest weight, so that one rare label cannot dominate a batch; 1 makes every weight 1, 0 is no
            limit.
        weighting: `inverse`: f_i is the inverse of how often a label's bin occurs; a bin without training frames weighs
            as much as the heaviest that has some. `count`: f_i is how often; a bin without training frames weighs 0.

    Deviation: by default f_i is the inverse. The paper's text calls it the number of instances, which favours common
    labels; "crucial in cases of large imbalance" can only mean its inverse.

    Raises:
        ConfigError: no frames, not (N, 2), bins below 1, or max_weight below 1 and not 0.
    """
    target = np.asarray(target, np.float64)
    if target.ndim != 2 or target.shape[1] != 2 or len(target) == 0:
        raise ConfigError(f"class weights: got labels of shape {target.shape}; expected (N, 2), N > 0")
    if bins < 1 or not (max_weight >= 1 or max_weight == 0):
        raise ConfigError(
            f"class weights: got bins={bins}, max_weight={max_weight}; expected both to be 1 or more, or no limit (0)"
        )
    unit = ClassWeights(torch.arange(bins).expand(2, bins))
    index = unit.of(torch.from_numpy(target)).numpy()
    table = np.empty((2, bins))
    for dimension in range(2):
        count = np.bincount(index[:, dimension], minlength=bins)
        present = count > 0
        f = 1 / count[present] if weighting == "inverse" else count[present].astype(np.float64)
        table[dimension, present] = _limited(f, count[present], max_weight or np.inf)
        table[dimension, ~present] = table[dimension, present].max() if weighting == "inverse" else 0.0
    return ClassWeights(torch.from_numpy(table).float())


def class_weights_of(config: Stage1Config | Stage2Config, target: NDArray) -> ClassWeights:
    """Of the training frames' labels (N, 2), as a stage's settings have them."""
    return class_weights(target, config.class_bins, config.max_class_weight, config.class_weighting)


def _limited(f: NDArray[np.float64], count: NDArray[np.int64], max_weight: float) -> NDArray[np.float64]:
    """min(s * f, max_weight) of each bin, s such that the mean over all frames is 1."""
    frames, free = float(count.sum()), f * count
    # heaviest bin first: what the limit takes from it is shared among the lighter ones
    order = np.argsort(-f, kind="stable")
    for done, heaviest in enumerate(order):
        s = frames / free[order[done:]].sum()
        if s * f[heaviest] <= max_weight:
            return np.minimum(s * f, max_weight)
        frames -= max_weight * count[heaviest]
    return np.full(len(f), max_weight)
