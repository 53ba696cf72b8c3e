"""What is written as CARMA's file is read as the same numbers."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from anclaf.core.errors import ConfigError
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files.carma import read_carma, write_carma
from anclaf.corpora.ratings import Ratings

nan = float("nan")
WHEN = datetime(2026, 3, 1, 9, 5, 7)


def test_written_and_read(tmp_path: Path):
    rng = np.random.default_rng(0)
    value = np.where(rng.random(200) < 0.2, nan, rng.normal(size=200))
    ratings = replace(Ratings.bins(np.arange(1, 201) * 0.1, value), scale=LabelScale(-7.5, 9))
    write_carma(tmp_path / "v.csv", ratings, "valence", 'a "b"\n,c.mp4', WHEN)
    (found,) = read_carma(tmp_path / "v.csv")
    np.testing.assert_array_equal(found.value, value)
    np.testing.assert_array_equal(found.stop, ratings.stop)
    np.testing.assert_allclose(found.start, ratings.start, atol=1e-12)
    assert found.scale == LabelScale(-7.5, 9)
    assert (tmp_path / "v.csv").read_text().splitlines()[:11] == [
        '"Time of Rating","01-Mar-2026 09:05:07"', '"Multimedia File","a ""b"" ,c.mp4"',
        '"Lower Label","unpleasant"', '"Upper Label","pleasant"', '"Minimum Value","-7.5"', '"Maximum Value","9"',
        '"Number of Steps","9"', '"Second","Rating"', '"%%%%%%","%%%%%%"', *(
            f'"{end}","{one}"' for end, one in (("0.1", repr(float(value[0]))), ("0.2", repr(float(value[1]))))
        ),
    ]  # fmt: skip


def test_samples_keep_their_moments(tmp_path: Path):
    samples = replace(Ratings.samples(np.arange(90) / 29.97, np.arange(90.0)), scale=LabelScale(0, 100))
    write_carma(tmp_path / "a.csv", samples, "arousal", "a.mp4", WHEN)
    (found,) = read_carma(tmp_path / "a.csv")
    moments = np.linspace(-0.1, 3.1, 500)
    np.testing.assert_array_equal(found.at(moments), samples.at(moments))


def test_what_it_cannot_hold(tmp_path: Path):
    changes = Ratings.changes([0, 1, 5], [1, 2, 0])
    with pytest.raises(ConfigError, match="got no range; expected a range, and one length"):
        write_carma(tmp_path / "v.csv", changes, "valence", "a.mp4", WHEN)
    with pytest.raises(ConfigError, match="got bins of several lengths"):
        write_carma(tmp_path / "v.csv", replace(changes, scale=LabelScale(0, 5)), "valence", "a.mp4", WHEN)
    assert not list(tmp_path.iterdir())
