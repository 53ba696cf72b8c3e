from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anclaf.inference.bookmark import Bookmark
from anclaf.inference.estimate import table
from anclaf.inference.estimator import AffectEstimator, StreamOptions


def test_numbers_and_arrays_come_back_exactly(tmp_path: Path):
    mark = Bookmark(
        {"model": "a", "end": None, "fps": 0.1 + 0.2},
        {"frames": 3},
        2**40,
        {"a": np.array([0.1, -np.inf]), "b": [torch.tensor([[1 / 3]]), {"c": np.float64(1 / 3)}], "d": True},
    )
    mark.save(tmp_path / "a.bookmark")
    back = Bookmark.load(tmp_path / "a.bookmark")
    assert (back.made_with, back.counts, back.table_bytes) == (mark.made_with, mark.counts, mark.table_bytes)
    assert back.stream["a"].dtype == np.float64
    np.testing.assert_array_equal(back.stream["a"], mark.stream["a"])
    assert torch.equal(back.stream["b"][0], mark.stream["b"][0])
    assert back.stream["b"][1] == {"c": 1 / 3}
    assert back.stream["d"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["a.bookmark"]


@pytest.mark.parametrize("at", [1, 6, 13, 25])
@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("base", StreamOptions()),
        ("S-4", StreamOptions("largest")),
        ("SA-4", StreamOptions(windows="tumbling", attention=True)),
    ],
)
def test_a_stream_goes_on_with_the_same_numbers(
    tmp_path: Path,
    estimator: Callable[..., AffectEstimator],
    comings_and_goings: list[NDArray],
    variant: str,
    options: StreamOptions,
    at: int,
):
    made = estimator(variant)
    first, second = made.stream(25, options), made.stream(25, options)
    rows = [row for frame in comings_and_goings[:at] for row in first.step(frame)]
    Bookmark({}, {}, 0, first.state()).save(tmp_path / "mark")
    second.restore(Bookmark.load(tmp_path / "mark").stream)
    assert second.frames == at
    expected, got = [], []
    for frame in comings_and_goings[at:]:
        expected += first.step(frame)
        got += second.step(frame)
    assert len(rows) + len(got) >= 40
    assert table(got, second.attention_columns).equals(table(expected, first.attention_columns))
