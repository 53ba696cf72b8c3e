"""The best window length: where it is, and what cannot be told from it."""

import numpy as np
import pandas as pd

from anclaf.evaluation.window_length import optimum


def tables(noise: dict[int, float], people: int = 12, frames: int = 60) -> dict[int, pd.DataFrame]:
    rng = np.random.default_rng(0)
    count = people * frames
    labels = rng.normal(size=(count, 2))
    where = {
        "clip": np.repeat(np.arange(people), frames).astype(str), "frame": np.tile(np.arange(frames), people),
        "subject": np.repeat(np.arange(people), frames).astype(str), "valence": labels[:, 0], "arousal": labels[:, 1],
    }  # fmt: skip
    errors = rng.normal(size=(count, 2))
    return {
        n: pd.DataFrame(where | {"valence_hat": e[:, 0], "arousal_hat": e[:, 1]})
        for n, size in noise.items()
        for e in [labels + size * errors + 0.01 * rng.normal(size=(count, 2))]
    }


def test_the_best_is_found_and_equals_are_told() -> None:
    found = optimum(tables({2: 1.0, 8: 0.3, 16: 0.3, 32: 0.6}), 0.0, 300)
    assert found is not None
    assert found.n in (8, 16)
    assert found.alike == [8, 16]
    assert found.behind[2][0] > 0
    assert sum(found.share.values()) == 1
    assert found.share[2] == found.share[32] == 0


def test_frames_that_not_all_have_are_left_out() -> None:
    """Windows that do not overlap drop the rest of a clip, a longer one more of it."""
    both = tables({2: 0.5, 8: 0.5})
    # what only one length has would make it the best
    both[2].loc[both[2]["frame"] >= 40, ["valence_hat", "arousal_hat"]] = (
        both[2].loc[both[2]["frame"] >= 40, ["valence", "arousal"]].to_numpy()
    )
    found = optimum(both | {8: both[8][both[8]["frame"] < 40]}, 0.0, 100)
    assert found is not None
    assert found == optimum({n: table[table["frame"] < 40] for n, table in both.items()}, 0.0, 100)
    assert found != optimum(both, 0.0, 100)


def test_where_nothing_can_be_said() -> None:
    two = tables({2: 0.5, 8: 0.5})
    assert optimum({2: two[2]}, 0.0) is None, "one length"
    assert optimum(two | {8: two[8].iloc[:0]}, 0.0) is None, "no predictions of one"
    assert optimum(tables({2: 0.5, 8: 0.5}, people=1), 0.0) is None, "one person"
    constant = {n: table.assign(valence=1.0, valence_hat=1.0) for n, table in two.items()}
    assert optimum(constant, 0.0) is None, "no CCC"
