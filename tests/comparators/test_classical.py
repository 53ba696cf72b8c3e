"""Comparators without networks: features, windows within segments, no leak, and signal is found."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightning_fabric import Fabric

from anclaf.comparators import classical
from anclaf.comparators.classical import appearance_features, frame_features, window_features
from anclaf.comparators.registry import COMPARATORS, Task
from anclaf.config import ComparatorConfig, ModelConfig
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.data.folds import Split
from anclaf.data.store import INDEX_COLUMNS, CorpusCard, PreparedCorpus
from anclaf.faces.align import TEMPLATE, crop_matrix, five_points
from anclaf.metrics.regression import ccc_score, rmse_error

SIZE = 64
LANDMARKS = ("mean", "ridge-1", "ridge-8")
"""Comparators that look at no pixel."""


def estimated(name: str, corpus: PreparedCorpus, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    part = Split("strict", 0, 5, 0, train, train[:0], test)
    task = Task(name, Fabric(accelerator="cpu"), corpus, part, ModelConfig(), ComparatorConfig(), 0, corpus.folder, "")
    return COMPARATORS.get(name).estimate(task)


def store(folder: Path, clips: list[dict], fps: float = 25.0) -> PreparedCorpus:
    """A prepared corpus without pixels. A clip: subject, landmarks (T, P, 2), labels (T, 2) and perhaps times."""
    rows, landmarks = [], []
    for number, clip in enumerate(clips):
        times = clip.get("times", np.arange(len(clip["landmarks"])) / (fps or 1))
        for frame, (points, label) in enumerate(zip(clip["landmarks"], clip["labels"], strict=True)):
            rows.append((f"c{number:03d}", clip["subject"], -1, frame, times[frame], *label, 0, 0))
            landmarks.append(points)
    index = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    matrix = np.array([crop_matrix(points, SIZE) for points in landmarks])
    np.savez(folder / "geometry.npz", landmarks=np.array(landmarks), matrix=matrix)
    card = CorpusCard(
        *("table", -1.0, 1.0, "five-point", SIZE, fps, len(index), len(clips), 1, 5, "none", {}, [], {}, {}, "0")
    )
    return PreparedCorpus(folder, card, index)


def face(
    smile: float = 0.0, shift: tuple[float, float] = (0, 0), scale: float = 100.0, angle: float = 0.0
) -> np.ndarray:
    """(5, 2) pixels: the crop's own template, its mouth corners `smile` apart, turned about its centre."""
    points = TEMPLATE - 0.5
    points[3, 0] -= smile
    points[4, 0] += smile
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T * scale + np.array([200.0, 150.0]) + shift


def people(seed: int = 0, subjects: int = 12, frames: int = 24) -> list[dict]:
    """Valence widens the mouth; arousal is how fast the head moves, of which a single frame shows nothing."""
    rng = np.random.default_rng(seed)
    clips = []
    for subject in range(subjects):
        for _ in range(2):
            valence, arousal = rng.uniform(-1, 1, 2)
            pace = (1 + arousal) * 2
            position = np.cumsum(rng.normal(0, 1, (frames, 2)) * pace, 0)
            mouth = 0.04 * valence + rng.normal(0, 0.002, frames)
            landmarks = np.stack([face(m, tuple(p)) for m, p in zip(mouth, position, strict=True)])
            clips.append(
                {"subject": f"s{subject}", "landmarks": landmarks, "labels": np.tile([valence, arousal], (frames, 1))}
            )
    return clips


def test_frame_features_do_not_show_where_the_head_is(tmp_path: Path):
    poses = [face(), face(shift=(30, -10)), face(scale=57.0), face(angle=0.4), face(smile=0.02)]
    corpus = store(tmp_path, [{"subject": "a", "landmarks": np.array(poses), "labels": np.zeros((5, 2))}])
    features = frame_features(corpus)
    assert features.shape == (5, 10)
    np.testing.assert_allclose(features[1:4], features[:1].repeat(3, 0), atol=1e-5)
    np.testing.assert_allclose(features[0].reshape(5, 2), TEMPLATE * 2 - 1, atol=1e-5)
    assert np.abs(features[4] - features[0]).max() > 0.01


def test_window_features_by_hand(tmp_path: Path):
    rng = np.random.default_rng(0)
    landmarks = np.stack([face() + rng.normal(0, 2, (5, 2)) for _ in range(12)])
    corpus = store(tmp_path, [{"subject": "a", "landmarks": landmarks, "labels": np.zeros((12, 2))}])
    got = window_features(corpus, n=8)
    points, moved = frame_features(corpus).astype(np.float64), corpus.crop_motion
    assert got.shape == (12, 3 * 10 + 4)
    for t in range(12):
        start = max(0, t - 7)
        np.testing.assert_allclose(got[t, :10], points[start : t + 1].mean(0), atol=1e-5)
        np.testing.assert_allclose(got[t, 10:20], points[t], atol=1e-6)
        if t == 0:
            np.testing.assert_array_equal(got[t, 20:], 0)
        else:
            np.testing.assert_allclose(got[t, 20:30], np.abs(np.diff(points[start : t + 1], axis=0)).mean(0), atol=1e-5)
            np.testing.assert_allclose(got[t, 30:], np.abs(moved[start + 1 : t + 1]).mean(0), atol=1e-5)


def test_windows_never_leave_a_clip_or_cross_a_gap(tmp_path: Path):
    rng = np.random.default_rng(1)
    clips = [
        {
            "subject": "a",
            "landmarks": np.stack([face() + rng.normal(0, 3, (5, 2)) for _ in range(10)]),
            "labels": np.zeros((10, 2)),
        }
        for _ in range(2)
    ]
    times = np.arange(10) / 25
    clips[1]["times"] = np.where(np.arange(10) < 4, times, times + 1)  # a second is missing before frame 4
    (tmp_path / "whole").mkdir()
    whole = window_features(store(tmp_path / "whole", clips))
    pieces = []
    for k, (clip, start, stop) in enumerate([(clips[0], 0, 10), (clips[1], 0, 4), (clips[1], 4, 10)]):
        (tmp_path / str(k)).mkdir()
        part = {"subject": "a", "landmarks": clip["landmarks"][start:stop], "labels": np.zeros((stop - start, 2))}
        pieces.append(window_features(store(tmp_path / str(k), [part])))
    np.testing.assert_allclose(whole, np.concatenate(pieces), atol=1e-6)


def test_what_each_comparator_can_see(tmp_path: Path):
    corpus = store(tmp_path, people())
    unseen = np.isin(corpus.subjects, ["s0", "s1", "s2", "s3"])
    train, wanted = np.flatnonzero(~unseen), np.flatnonzero(unseen)
    estimates = {name: estimated(name, corpus, train, wanted) for name in LANDMARKS}
    np.testing.assert_allclose(estimates["mean"], np.tile(corpus.labels[train].mean(0), (len(wanted), 1)))

    def ccc(name: str, dimension: int) -> float:
        return ccc_score(estimates[name][:, dimension], corpus.labels[wanted, dimension])

    assert ccc("ridge-1", 0) > 0.95
    assert ccc("ridge-8", 0) > 0.95
    assert ccc("ridge-1", 1) < 0.3
    assert ccc("ridge-8", 1) > 0.7


def test_nothing_but_the_training_rows_is_learnt_from(tmp_path: Path):
    clips = people(subjects=6, frames=10)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    corpus = store(tmp_path / "a", clips)
    train, wanted = np.flatnonzero(corpus.subjects != "s0"), np.flatnonzero(corpus.subjects == "s0")
    for clip in clips:
        if clip["subject"] == "s0":
            clip["labels"] = -clip["labels"]
    other = store(tmp_path / "b", clips)
    for name in LANDMARKS:
        estimate = estimated(name, corpus, train, wanted)
        np.testing.assert_array_equal(estimate, estimated(name, other, train, wanted))
        # a part of the rows wanted gets the estimates it gets among all of them
        np.testing.assert_allclose(estimated(name, corpus, train, wanted[3:5]), estimate[3:5], atol=1e-5)


def test_the_penalty_is_chosen_over_groups_of_subjects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    corpus = store(tmp_path, people(subjects=7, frames=6))
    train = np.flatnonzero(corpus.subjects != "s0")
    seen: list[list] = []
    original = classical.RidgeCV

    def watched(alphas, cv):
        seen.append(cv)
        return original(alphas, cv=cv)

    monkeypatch.setattr(classical, "RidgeCV", watched)
    for name in LANDMARKS:
        estimated(name, corpus, train, train)
    assert len(seen) == 2
    for cuts in seen:
        assert len(cuts) == 5
        for fitted, held in cuts:
            assert not set(corpus.subjects[train[fitted]]) & set(corpus.subjects[train[held]])


def test_stills_have_no_window(tmp_path: Path):
    clips = [
        {"subject": clip["subject"], "landmarks": clip["landmarks"][:1], "labels": clip["labels"][:1]}
        for clip in people(subjects=20)
    ]
    corpus = store(tmp_path, clips, fps=0.0)
    rows = np.arange(len(corpus))
    estimate = estimated("ridge-1", corpus, rows[:30], rows[30:])
    assert ccc_score(estimate[:, 0], corpus.labels[30:, 0]) > 0.8
    with pytest.raises(ConfigError, match=r"ridge-8: .* holds stills"):
        estimated("ridge-8", corpus, rows[:30], rows[30:])


def test_one_subject_is_cut_by_clips(tmp_path: Path):
    clips = [clip | {"subject": "a"} for clip in people(subjects=4, frames=8)]
    corpus = store(tmp_path, clips)
    train, wanted = np.flatnonzero(corpus.clips < "c006"), np.flatnonzero(corpus.clips >= "c006")
    error = {
        name: rmse_error(estimated(name, corpus, train, wanted)[:, 0], corpus.labels[wanted, 0]) for name in LANDMARKS
    }
    assert error["ridge-1"] < 0.4 * error["mean"]


def test_too_little_to_fit(tmp_path: Path):
    corpus = store(tmp_path, people(subjects=2, frames=5))
    with pytest.raises(CorpusError, match="no training rows for mean"):
        estimated("mean", corpus, np.array([], np.int64), np.arange(3))
    with pytest.raises(CorpusError, match="all training rows are of one clip, c000; expected at least two"):
        estimated("ridge-1", corpus, np.arange(5), np.arange(5, 10))


def test_landmarks_and_matrices_agree_about_the_five_points(tmp_path: Path):
    corpus = store(tmp_path, people(subjects=1, frames=3))
    for row in range(len(corpus)):
        on_crop = five_points((corpus.crop_landmarks[row] + 1) * SIZE / 2)
        assert np.abs(on_crop - TEMPLATE * SIZE).max() < 0.1 * SIZE


def test_svr_sees_landmarks_and_appearance(make_corpus, monkeypatch: pytest.MonkeyPatch):
    corpus = make_corpus(subjects=12, clips=1, frames=8, size=64)
    train, wanted = np.flatnonzero(corpus.subjects > "p3"), np.flatnonzero(corpus.subjects <= "p3")
    assert not set(corpus.subjects[train]) & set(corpus.subjects[wanted])
    estimate = estimated("svr", corpus, train, wanted)
    assert estimate.shape == (len(wanted), 2)
    mean = estimated("mean", corpus, train, wanted)
    for dimension in (0, 1):  # arousal is in the pixels only
        truth = corpus.labels[wanted, dimension]
        assert rmse_error(estimate[:, dimension], truth) < 0.7 * rmse_error(mean[:, dimension], truth)
    np.testing.assert_array_equal(estimate, estimated("svr", corpus, train, wanted))
    monkeypatch.setattr(classical, "SVR_FRAMES", len(train) // 2)
    assert not np.array_equal(estimate, estimated("svr", corpus, train, wanted))


def _appearance(image: np.ndarray) -> np.ndarray:
    class One:
        def images(self, rows: np.ndarray) -> np.ndarray:
            return np.repeat(image[None], len(rows), 0)

    return appearance_features(One(), np.arange(3), batch=2)  # type: ignore[arg-type]


def test_a_flat_face_has_no_appearance():
    assert _appearance(np.full((64, 64, 3), 90, np.uint8)).shape == (3, 576)
    np.testing.assert_allclose(_appearance(np.full((64, 64, 3), 90, np.uint8)), 0, atol=1e-5)


def test_a_wave_of_grey_is_in_its_own_coefficient():
    """cos(pi (2 x + 1) / 16) is the DCT's first basis function of 8 points: nothing else of each block is used."""
    wave = np.cos(np.pi * (2 * np.arange(64) + 1) / 16)
    image = np.repeat((128 + 100 * np.tile(wave, (64, 1)))[..., None], 3, 2).round().astype(np.uint8)
    features = _appearance(image)[0].reshape(64, 9)
    used = np.abs(features) > 0.1
    assert used[:, 0].all()
    assert not used[:, 1:].any()


def test_contrast_does_not_change_the_appearance():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 100, (64, 64, 1)).repeat(3, 2)
    dark, light = (_appearance((k * image).astype(np.uint8)) for k in (1, 2))
    np.testing.assert_allclose(dark, light, atol=1e-3)


@pytest.mark.parametrize("size", [32, 64])
def test_appearance_of_every_size_of_face(make_corpus, size: int):
    corpus: PreparedCorpus = make_corpus(subjects=2, clips=1, frames=3, size=size)
    assert appearance_features(corpus, np.arange(6)).shape == (6, 576)
