import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from anclaf.config import StreamOptions
from anclaf.core.errors import OutputError
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.outputs import StreamCheckpoint
from anclaf.inference.table import make_table


def test_numbers_and_arrays_come_back_exactly(tmp_path: Path):
    checkpoint = StreamCheckpoint(
        {"model": "a", "end": None, "fps": 0.1 + 0.2},
        {"frames": 3},
        2**40,
        {
            "a": np.array([0.1, -np.inf]),
            "b": [np.array([[1 / 3, 1], [2, 3]], np.float32).T, {"c": np.float64(1 / 3)}],
            "d": True,
        },
    )
    checkpoint.save(tmp_path / "a.bookmark")
    back = StreamCheckpoint.load(tmp_path / "a.bookmark")
    assert (back.made_with, back.counts, back.table_bytes) == (
        checkpoint.made_with,
        checkpoint.counts,
        checkpoint.table_bytes,
    )
    assert back.stream["a"].dtype == np.float64
    np.testing.assert_array_equal(back.stream["a"], checkpoint.stream["a"])
    assert back.stream["b"][0].dtype == np.float32
    np.testing.assert_array_equal(back.stream["b"][0], checkpoint.stream["b"][0])
    assert back.stream["b"][1] == {"c": 1 / 3}
    assert back.stream["d"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["a.bookmark"]


def test_a_checkpoint_whose_features_were_tensors(tmp_path: Path):
    content = {"made_with": {}, "counts": {}, "table_bytes": 1, "stream": {"features": {"tensor": "0"}}}
    features = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    save_file({"0": features}, tmp_path / "a.bookmark", metadata={"stream_checkpoint": json.dumps(content)})
    np.testing.assert_array_equal(StreamCheckpoint.load(tmp_path / "a.bookmark").stream["features"], features)


def test_a_checkpoint_of_another_version_is_refused_in_a_line(tmp_path: Path):
    save_file({}, tmp_path / "a.bookmark", metadata={"bookmark": "{}"})
    with pytest.raises(OutputError, match=r"a\.bookmark: damaged or of another version.*Use --overwrite"):
        StreamCheckpoint.load(tmp_path / "a.bookmark")


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
    StreamCheckpoint({}, {}, 0, first.state()).save(tmp_path / "checkpoint")
    second.restore(StreamCheckpoint.load(tmp_path / "checkpoint").stream)
    assert second.frames == at
    expected, got = [], []
    for frame in comings_and_goings[at:]:
        expected += first.step(frame)
        got += second.step(frame)
    assert len(rows) + len(got) >= 40
    assert make_table(got, second.attention_columns).equals(make_table(expected, first.attention_columns))
