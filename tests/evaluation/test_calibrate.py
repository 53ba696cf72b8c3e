"""A model's folder learns how sure the model is, and says so in a video."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anclaf.config import LstmConfig, ModelConfig, StreamOptions
from anclaf.core.errors import ConfigError, ModelError, StaleError
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.calibrate import calibrate_model
from anclaf.evaluation.estimate import estimate_of_frames, estimate_windows, features_of
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.table import BOUNDS, make_table
from anclaf.metrics.conformal import person_quantile
from anclaf.models.calibration import CALIBRATION, load_calibration
from anclaf.models.folder import load_spec
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant
from whole_frame import WholeFrame

SIZES = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=8))
MakeCorpus = Callable[..., PreparedCorpus]


@pytest.fixture(scope="module")
def many(make_corpus: MakeCorpus) -> PreparedCorpus:
    """60 people, of whom a fifth of the 48 that a fold does not test validates."""
    return make_corpus(subjects=60, clips=1, frames=4)


def trained(folder: Path, corpus: PreparedCorpus, part: Split, variant: str = "base") -> Path:
    """A model of random weights that says to be trained on a split."""
    torch.manual_seed(0)
    network = AffectNetwork(SIZES, Variant.parse(variant), points=5)
    seen = np.concatenate([part.train, part.validation])
    spec = ModelSpec(
        variant, SIZES, -10, 10, "five-point", 25.0, ("test",), digests(corpus.subjects[seen]),
        part.protocol, part.fold, {"corpus": corpus.card.fingerprint, "model": "abc"}, versions(), points=5,
    )  # fmt: skip
    save_model(folder, network, spec)
    return folder


@pytest.mark.parametrize("variant", ["base", "S-4"])
def test_how_far_off_it_was_on_people_who_validated(tmp_path: Path, many: PreparedCorpus, variant: str):
    part = split(many, "strict", 0)
    folder = trained(tmp_path / "m", many, part, variant)
    found = calibrate_model(folder, many, part)
    assert found is not None
    network, spec = load_model(folder)
    rows = part.validation
    x = features_of(network, many, rows, "cpu")
    if variant == "base":
        estimate = estimate_of_frames(network, x)
    else:
        motion = torch.from_numpy(many.crop_motion[rows])
        estimate, _ = estimate_windows(network, x, motion, many.segment_positions(rows), 4, "sliding")
    off = np.abs(many.targets[rows] - estimate)
    people = many.subjects[rows]
    assert found.reach == tuple(person_quantile(off[:, k], people, 0.9) for k in (0, 1))
    assert (found.people, found.frames, found.level) == (len(set(people)), len(rows), 0.9)
    assert found.people >= 9
    back = load_calibration(folder, spec)
    assert back is not None
    assert back.digest == found.digest
    assert calibrate_model(folder, many, part, 0.5).reach < found.reach  # pyright: ignore[reportOptionalMemberAccess]


def test_with_few_people_intervals_are_the_whole_scale(tmp_path: Path, corpus: PreparedCorpus):
    part = split(corpus, "strict", 0)
    folder = trained(tmp_path / "m", corpus, part)
    found = calibrate_model(folder, corpus, part)
    assert found is not None
    assert found.reach == (np.inf, np.inf)
    made = AffectEstimator.load(folder, detector=WholeFrame())
    assert made.backend.calibration is not None
    assert made.backend.calibration.reach == (np.inf, np.inf)
    assert made.sureness == "intervals of 90 % are the whole scale: by 1 person, and they take 9"
    row = made.predict(corpus.images(np.array([0]))[0]).iloc[0]
    assert tuple(row[list(BOUNDS)]) == (-10, 10, -10, 10)


@pytest.mark.parametrize("variant", ["base", "S-4"])
def test_a_video_has_intervals_and_unfamiliarity(tmp_path: Path, many: PreparedCorpus, variant: str):
    part = split(many, "strict", 0)
    folder = trained(tmp_path / "m", many, part, variant)
    clip = [np.kron(face, np.ones((2, 2, 1), np.uint8)) for face in many.images(part.test[:12])]
    without = AffectEstimator.load(folder, detector=WholeFrame())
    assert without.sureness.startswith("no intervals and no unfamiliarity: the model has no calibration (trained by")
    plain, bare = without.predict(clip), without.fingerprint
    assert plain[[*BOUNDS, "unfamiliar"]].isna().all(axis=None)
    found = calibrate_model(folder, many, part)
    assert found is not None
    made = AffectEstimator.load(folder, detector=WholeFrame())
    assert made.fingerprint != bare
    assert made.sureness == (
        f"intervals of 90 % by {found.people} people whom the model did not train on: they hold for people like these"
    )
    table = made.predict(clip)
    assert table.attrs["sureness"] == made.sureness
    new = [*BOUNDS, "unfamiliar"]
    np.testing.assert_array_equal(table.drop(columns=new).to_numpy(str), plain.drop(columns=new).to_numpy(str))
    for name, reach in zip(("valence", "arousal"), found.reach, strict=True):
        for end, sign in (("low", -1), ("high", 1)):
            expected = np.clip(table[name] + sign * 10 * reach, -10, 10)
            np.testing.assert_allclose(table[f"{name}_{end}"], expected, atol=1e-4)
    assert table["unfamiliar"].between(0, 1).all()
    stream = made.stream(25)
    stepped = make_table([row for frame in clip for row in stream.step(frame)])
    for name in new:
        np.testing.assert_allclose(stepped[name], table[name], atol=1e-5, err_msg=name)
    noise = [np.random.default_rng(k).integers(0, 256, (64, 64, 3)).astype(np.uint8) for k in range(12)]
    assert made.predict(noise)["unfamiliar"].min() > table["unfamiliar"].max(), "no face at all"
    with pytest.warns(UserWarning, match="no intervals: the model was calibrated with sliding windows"):
        tumbling = made.predict(clip, StreamOptions(windows="tumbling"))
    assert tumbling[list(BOUNDS)].isna().all(axis=None)
    assert tumbling["unfamiliar"].notna().all()


def test_who_trained_cannot_calibrate(tmp_path: Path, many: PreparedCorpus, make_corpus: MakeCorpus):
    part = split(many, "strict", 0)
    folder = trained(tmp_path / "m", many, part)
    for other in (split(many, "strict", 1), split(many, "paper", 0), split(many, "strict", 0, seed=1)):
        with pytest.raises(ConfigError, match="trained on fold 0, protocol strict, of another split"):
            calibrate_model(folder, many, other)
    with pytest.raises(StaleError, match="trained on another corpus"):
        calibrate_model(folder, make_corpus(subjects=12, clips=1, frames=2), part)
    paper = split(many, "paper", 0)
    assert calibrate_model(trained(tmp_path / "paper", many, paper), many, paper) is None
    assert not (tmp_path / "paper" / CALIBRATION).exists()
    made = AffectEstimator.load(tmp_path / "paper", detector=WholeFrame())
    assert "or on the people who validated" in made.sureness
    shared = replace(part, validation=np.sort(np.append(part.validation, part.train[0])))
    assert calibrate_model(trained(tmp_path / "shared", many, shared), many, shared) is None


def test_a_calibration_that_is_not_the_models_own(tmp_path: Path, many: PreparedCorpus):
    part = split(many, "strict", 0)
    folder = trained(tmp_path / "m", many, part)
    calibrate_model(folder, many, part)
    path, spec = folder / CALIBRATION, load_spec(folder)
    with pytest.raises(ModelError, match=r"of another model \(base abc\) than this \(base def\)"):
        load_calibration(folder, replace(spec, fingerprints={"model": "def"}))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"calibration\.safetensors: damaged"):
        AffectEstimator.load(folder, detector=WholeFrame())
    save_file({"mean": torch.zeros(1)}, path, metadata={"calibration": json.dumps({"format": 9})})
    with pytest.raises(ModelError, match="format 9; this anclaf reads 1"):
        load_calibration(folder, spec)
    path.unlink()
    assert load_calibration(folder, spec) is None
