"""How far appearance is trusted; training, testing and use see the same."""

import math
from collections.abc import Callable

import pytest
import torch

from anclaf.config import LstmConfig, ModelConfig
from anclaf.evaluation.estimate import TRUSTS, choose_trust
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant

TINY = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12))


def _score(network: AffectNetwork, of: dict[float, float]) -> Callable[[], dict[str, float]]:
    return lambda: {"ccc": of[float(network.trust)], "seen": float(network.trust)}


@pytest.mark.parametrize(
    ("scores", "best"), [((0.1, 0.3, 0.2), 0.5), ((0.4, 0.3, 0.2), 0.0), ((-0.2, math.nan, -0.1), 1.0)]
)
def test_the_trust_with_the_best_score_is_kept_and_nan_never_is(scores: tuple[float, ...], best: float):
    network = AffectNetwork(TINY, Variant("base"), 5)
    found = choose_trust(network, _score(network, dict(zip(TRUSTS, scores, strict=True))))
    assert float(network.trust) == best
    assert found == {"ccc": scores[TRUSTS.index(best)], "seen": best, "trust": best}


def test_where_all_scores_are_nan_there_is_no_score():
    network = AffectNetwork(TINY, Variant("base"), 5)
    assert math.isnan(choose_trust(network, _score(network, dict.fromkeys(TRUSTS, math.nan)))["ccc"])


def test_a_network_without_landmarks_is_left_alone():
    """Appearance is all that it has."""
    network = AffectNetwork(TINY, Variant("base"))
    asked: list[float] = []

    def score() -> dict[str, float]:
        asked.append(float(network.trust))
        return {"ccc": 0.2}

    assert choose_trust(network, score) == {"ccc": 0.2}
    assert asked == [1.0]
    assert torch.equal(network.trust, torch.ones(()))
