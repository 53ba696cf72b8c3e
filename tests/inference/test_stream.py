"""What is said of each person in each frame, whatever the chunks that frames come in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from anclaf.config import StreamOptions, WindowMode
from anclaf.core.errors import ConfigError
from anclaf.core.labels import QUADRANTS
from anclaf.data.store import INDEX_COLUMNS, CorpusCard, PreparedCorpus
from anclaf.evaluation.estimate import estimate_of_frames, estimate_windows, features_of
from anclaf.faces import align
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.table import make_table
from anclaf.inference.torch_backend import TorchBackend
from anclaf.models.network import AffectNetwork, to_input

Make = Callable[..., AffectEstimator]
FolderOf = Callable[[Path, Sequence[NDArray]], Path]
Paint = Callable[..., NDArray]

VARIANTS = ("base", "S-4", "SA-4")


def stepped(
    estimator: AffectEstimator, frames: Sequence[NDArray], options: StreamOptions | None = None, fps: float = 25
) -> pd.DataFrame:
    stream = estimator.stream(fps, options)
    return make_table([row for frame in frames for row in stream.step(frame)], stream.attention_columns)


def _network(estimator: AffectEstimator) -> AffectNetwork:
    assert isinstance(estimator.backend, TorchBackend)
    return estimator.backend.network


def assert_same(a: pd.DataFrame, b: pd.DataFrame, atol: float = 5e-5) -> None:
    assert list(a.columns) == list(b.columns)
    for name in a.columns:
        if a[name].dtype == np.float64:
            np.testing.assert_allclose(a[name], b[name], atol=atol, rtol=0, err_msg=name)
        else:
            pd.testing.assert_series_equal(a[name], b[name])


@pytest.mark.parametrize("windows", ["sliding", "tumbling"])
@pytest.mark.parametrize(("variant", "lead_in"), [*((variant, False) for variant in VARIANTS), ("SA-4", True)])
def test_frames_may_come_in_any_chunks(
    estimator: Make, comings_and_goings: list[NDArray], variant: str, lead_in: bool, windows: Any
):
    made = estimator(variant, lead_in=lead_in)
    options = StreamOptions(windows=windows, attention=variant == "SA-4")
    expected = stepped(made, comings_and_goings, options)
    for size in (2, 7, 40):
        stream = made.stream(25, options)
        parts = [comings_and_goings[i : i + size] for i in range(0, 40, size)]
        rows = [row for part in parts for frame in stream.steps(part) for row in frame]
        assert_same(make_table(rows, stream.attention_columns), expected)


def test_whoever_comes_and_goes_within_a_chunk_leaves_nothing_behind(estimator: Make, painted: Paint):
    stream = estimator("SA-4").stream(25)
    found = stream.steps([painted([(1, 10, 30, 60)] if k < 2 else [], k) for k in range(12)])
    assert [rows[0].status for rows in found[:3]] == ["warming_up", "warming_up", "no_face"]
    assert (found[2][0].track, found[-1][0].track) == (0, None)
    assert not stream._windows


def test_times_out_of_order_leave_the_stream_as_it_was(estimator: Make, painted: Paint):
    stream = estimator("SA-4").stream(25)
    frame = painted([(1, 30, 20, 60)])
    with pytest.raises(ConfigError, match=r"time_s 0\.02: expected seconds not before the previous frame's, 0\.04"):
        stream.steps([frame] * 3, [0.0, 0.04, 0.02])
    assert [rows[0].frame for rows in stream.steps([frame] * 2)] == [0, 1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_frame_has_a_row_for_each_track(estimator: Make, comings_and_goings: list[NDArray], variant: str):
    rows = stepped(estimator(variant), comings_and_goings)
    assert sorted(set(rows["frame"])) == list(range(40))
    first = rows[rows["track"] == 0].set_index("frame")
    assert list(first.index) == list(range(40))
    lost = {5, 6, *range(15, 22)}
    assert set(first.index[first["status"] == "no_face"]) == lost
    second = rows[rows["track"] == 1].set_index("frame")
    assert set(second.index[second["status"] != "no_face"]) == set(range(10, 30))
    known = rows["status"].isin(["ok", "warming_up"])
    numbers = ["x", "y", "w", "h", "detection", "valence", "arousal", "q1", "q2", "q3", "q4"]
    assert np.isfinite(rows.loc[known, numbers]).all(axis=None)
    assert rows.loc[~known, [*numbers, "quadrant"]].isna().all(axis=None)


def test_warming_up_until_the_window_is_full_and_after_a_gap(estimator: Make, comings_and_goings: list[NDArray]):
    rows = stepped(estimator("S-4"), comings_and_goings)
    status = rows[rows["track"] == 0].set_index("frame")["status"]
    # two frames are missed and the window goes on; seven are, and it starts anew
    assert set(status.index[status == "warming_up"]) == {0, 1, 2, 22, 23, 24}
    assert "warming_up" not in set(stepped(estimator("base"), comings_and_goings)["status"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_estimates_are_those_of_the_network_on_the_window(estimator: Make, painted: Paint, variant: str):
    made = estimator(variant)
    frames = [painted([(1, 30, 20, 60)], k) for k in range(9)]
    rows = stepped(made, frames)
    matrix = align.crop_matrix(align.TEMPLATE * 60 + (30, 20), 32)
    crops = np.stack([align.warp(frame, matrix, 32) for frame in frames])
    network, n = _network(made), made.spec.parsed_variant.n
    with torch.inference_mode():
        latent = network.latents(to_input(torch.from_numpy(crops)))
        x = network.features(latent)
        if variant == "base":
            expected = network.estimate(x[:, None]).affect[:, 0]
        else:
            windows = [x[None, max(0, k + 1 - n) : k + 1] for k in range(9)]
            still = [torch.zeros(1, window.shape[1], 4) for window in windows]
            found = [network.estimate(*window).affect[0, -1] for window in zip(windows, still, strict=True)]
            expected = torch.stack(found)
    np.testing.assert_allclose(rows[["valence", "arousal"]], expected * 10, atol=1e-4)
    np.testing.assert_allclose(rows[["q1", "q2", "q3", "q4"]], latent.q, atol=1e-5)
    assert np.ptp(rows["valence"]) > 1e-3, "the estimates do not move, so that equality would say nothing"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_second_person_changes_nothing_for_the_first(estimator: Make, painted: Paint, variant: str):
    made = estimator(variant)
    one, other = (1, 10, 30, 60), (2, 90, 30, 60)
    alone = stepped(made, [painted([one], k) for k in range(8)])
    both = stepped(made, [painted([one, other], k) for k in range(8)])
    assert_same(alone, both[both["x"] == 10].reset_index(drop=True))


def test_features_are_computed_once_a_face(estimator: Make, painted: Paint, monkeypatch: pytest.MonkeyPatch):
    made = estimator("SA-4")
    computed, network = [], _network(made)
    features = network.features
    monkeypatch.setattr(network, "features", lambda latents: computed.append(len(latents.z)) or features(latents))
    stepped(made, [painted([(1, 10, 30, 60), (2, 90, 30, 60)], k) for k in range(12)])
    assert computed == [2] * 12


def test_twice_the_models_frame_rate_gives_the_same_at_its_instants(estimator: Make, painted: Paint):
    made = estimator("SA-4", fps=25)
    frames = [painted([(1, 30, 20, 60)], k) for k in range(24)]
    fast = stepped(made, frames, fps=50)
    slow = stepped(made, frames[1::2], fps=25)
    np.testing.assert_allclose(fast["valence"][7::2], slow["valence"][3:], atol=1e-5)
    assert list(fast["status"].unique()) == ["warming_up", "ok"]


def _moving(k: int) -> tuple[int, int, int, int]:
    """Where somebody is who moves, nearer and farther, in frame k."""
    return 1, 20 + 2 * k + k * k % 5, 24 + 3 * k % 7, 56 + 5 * k % 9


def _corpus(folder: Path, frames: Sequence[NDArray], people: Sequence[tuple[int, int, int, int]]) -> PreparedCorpus:
    """The frames as `prepare` cuts faces out: one clip of 25 frames a second."""
    five = np.stack([align.TEMPLATE * side + (x, y) for _, x, y, side in people])
    matrices = np.stack([align.crop_matrix(points, 32) for points in five])
    (folder / "shards").mkdir()
    crops = [align.warp(frame, matrix, 32) for frame, matrix in zip(frames, matrices, strict=True)]
    np.save(folder / "shards" / "00000.npy", np.stack(crops))
    np.savez(folder / "geometry.npz", landmarks=five, matrix=matrices)
    rows = [("c", "p", -1, k, k / 25, 0.0, 0.0, 0, k) for k in range(len(frames))]
    card = CorpusCard(*("table", -10.0, 10.0, "five-point", 32, 25.0, len(rows), 1, 1, 5, "none", {}, [], {}, {}, "0"))
    return PreparedCorpus(folder, card, pd.DataFrame(rows, columns=list(INDEX_COLUMNS)))


@pytest.mark.parametrize("windows", ["sliding", "tumbling"])
@pytest.mark.parametrize(("variant", "lead_in"), [*((variant, False) for variant in VARIANTS), ("SA-4", True)])
def test_a_video_is_estimated_as_the_corpus_made_of_it(
    tmp_path: Path, estimator: Make, painted: Paint, variant: str, lead_in: bool, windows: Any
):
    """The crop's motion too, at the model's frame rate and at twice that."""
    made, people = estimator(variant, lead_in=lead_in), [_moving(k) for k in range(12)]
    frames = [painted([one], k) for k, one in enumerate(people)]
    corpus, rows = _corpus(tmp_path, frames, people), np.arange(12)
    assert np.abs(corpus.crop_motion[1:]).max(0)[:3].min() > 0.01, "nothing moves, so that equality would say nothing"
    network, n = _network(made), made.spec.parsed_variant.n
    x, motion = features_of(network, corpus, rows, "cpu"), torch.from_numpy(corpus.crop_motion)
    if variant == "base":
        expected = estimate_of_frames(network, x)
    else:
        expected, _ = estimate_windows(network, x, motion, corpus.segments(), n, windows)
        still, _ = estimate_windows(network, x, 0 * motion, corpus.segments(), n, windows)
        assert np.nanmax(np.abs(expected - still)) > 1e-3, "the motion counts for nothing"
    assert np.isfinite(expected).all()
    options = StreamOptions(windows=windows)
    slow = stepped(made, frames, options)[["valence", "arousal"]] / 10
    np.testing.assert_allclose(slow, expected, atol=1e-5)
    if windows == "sliding":
        between = [painted([(1, x + 3, y + 2, side + 1)], 99) for _, x, y, side in people]
        fast = stepped(made, [one for pair in zip(between, frames, strict=True) for one in pair], options, fps=50)
        found = fast.loc[fast["frame"] % 2 == 1, ["valence", "arousal"]] / 10
        full = slice(n + network.head.lead_in - 1, None)
        np.testing.assert_allclose(found[full], expected[full], atol=1e-5)


def test_outputs_are_in_the_corpus_s_units(estimator: Make, painted: Paint):
    frames = [painted([(1, 30, 20, 60)], k) for k in range(5)]
    wide, unit = (stepped(estimator("S-4", low=low, high=high), frames) for low, high in ((-10, 10), (0, 1)))
    np.testing.assert_allclose(unit["valence"], wide["valence"] / 20 + 0.5, atol=1e-6)
    assert list(unit["quadrant"]) == list(wide["quadrant"])
    signs = {(v >= 0, a >= 0): q for v, a, q in zip(wide["valence"], wide["arousal"], wide["quadrant"], strict=True)}
    names = {(True, True): 0, (False, True): 1, (False, False): 2, (True, False): 3}
    assert all(QUADRANTS[names[sign]] == name for sign, name in signs.items())


def test_attention_weights_are_columns(estimator: Make, painted: Paint):
    rows = stepped(estimator("SA-4"), [painted([(1, 30, 20, 60)], k) for k in range(6)], StreamOptions(attention=True))
    weights = rows[["attention_1", "attention_2", "attention_3"]].to_numpy()
    assert np.isnan(weights[0]).all()
    assert np.isfinite(weights).sum(1).tolist() == [0, 1, 2, 3, 3, 3]
    np.testing.assert_allclose(np.nansum(weights[1:], 1), 1, atol=1e-5)


def test_attention_is_of_the_states_before_nearest_first(estimator: Make, painted: Paint):
    made = estimator("SA-4")
    frames = [painted([(1, 30, 20, 60)], k) for k in range(4)]
    rows = stepped(made, frames, StreamOptions(attention=True))
    matrix = align.crop_matrix(align.TEMPLATE * 60 + (30, 20), 32)
    crops = np.stack([align.warp(frame, matrix, 32) for frame in frames])
    with torch.inference_mode():
        network = _network(made)
        x = network.features(network.latents(to_input(torch.from_numpy(crops))))
        attention = network.estimate(x[None], torch.zeros(1, 4, 4)).attention
    assert attention is not None
    got = rows[["attention_3", "attention_2", "attention_1"]].to_numpy()[3]
    np.testing.assert_allclose(got, attention[0, 3, :3], atol=1e-5)
    assert np.ptp(got) > 1e-4


@pytest.mark.parametrize("windows", get_args(WindowMode))
def test_a_lead_in_gives_the_numbers_of_testing(estimator: Make, painted: Paint, windows: WindowMode):
    """Estimates and weights are those of `estimate_windows` on the same frames."""
    made, options = estimator("SA-4", lead_in=True), StreamOptions(attention=True, windows=windows)
    frames = [painted([(1, 30, 20, 60)], k) for k in range(12)]
    rows = stepped(made, frames, options)
    matrix = align.crop_matrix(align.TEMPLATE * 60 + (30, 20), 32)
    crops = np.stack([align.warp(frame, matrix, 32) for frame in frames])
    with torch.inference_mode():
        network = _network(made)
        x = network.features(network.latents(to_input(torch.from_numpy(crops))))
    affect, attention = estimate_windows(network, x, torch.zeros(12, 4), [np.arange(12)], 4, windows)
    np.testing.assert_allclose(rows[["valence", "arousal"]], affect * 10, atol=1e-4)
    columns = [f"attention_{k}" for k in range(1, 5)]
    assert [name for name in rows if str(name).startswith("attention")] == columns
    assert attention is not None
    np.testing.assert_allclose(rows[columns], attention, atol=1e-5)
    assert np.isfinite(rows[columns]).sum(1).tolist() == [0, 1, 2, 3, *[4] * 8], "four real states at every frame"
    plain, _ = estimate_windows(_network(estimator("SA-4")), x, torch.zeros(12, 4), [np.arange(12)], 4, windows)
    assert np.abs(plain - affect)[4:].max() > 1e-4, "the frames before the window make no difference"


@pytest.mark.parametrize("variant", ["base", "S-4"])
def test_attention_of_a_model_without_is_refused(estimator: Make, variant: str):
    with pytest.raises(ConfigError, match=f"attention: the model is {variant}, which has none; SA models do"):
        estimator(variant).stream(25, StreamOptions(attention=True))


def test_small_faces_and_blurred_ones_have_a_reason_and_no_estimate(estimator: Make, painted: Paint):
    blurred = painted([(1, 30, 20, 60)])
    blurred[20:80, 30:90] = np.linspace(20, 220, 60, dtype=np.uint8)[:, None]  # nothing is left but a shade
    for frame, reason in ((painted([(1, 30, 20, 24)]), "too_small"), (blurred, "blurred")):
        rows = stepped(estimator("SA-4"), [frame] * 3)
        assert list(rows["status"]) == [reason] * 3
        assert rows[["valence", "arousal", "quadrant", "q1"]].isna().all(axis=None)
        assert rows[["x", "y", "w", "h", "detection", "size", "sharpness", "track"]].notna().all(axis=None)


def test_thresholds_are_settings(estimator: Make, painted: Paint):
    options = StreamOptions(min_size=20, min_sharpness=0)
    assert list(stepped(estimator("base"), [painted([(1, 30, 20, 24)])], options)["status"]) == ["ok"]


def test_nobody_is_one_row_without_a_track(estimator: Make, painted: Paint):
    rows = stepped(estimator("SA-4"), [painted([])] * 3)
    assert list(rows["status"]) == ["no_face"] * 3
    assert rows.drop(columns=["frame", "time_s", "status"]).isna().all(axis=None)


def test_largest_gives_one_row_a_frame(estimator: Make, comings_and_goings: list[NDArray]):
    rows = stepped(estimator("SA-4"), comings_and_goings, StreamOptions(faces="largest"))
    assert list(rows["frame"]) == list(range(40))
    tracks = rows.set_index("frame")["track"]
    assert (tracks[0:15] == 0).all()
    assert (tracks[15:22] == 1).all(), "the other person is the largest while the first is away"
    assert (tracks[22:40] == 0).all()


def test_memory_does_not_grow(estimator: Make, painted: Paint):
    stream = estimator("SA-4").stream(25)
    for k in range(150):
        # a new person every fifth frame, elsewhere
        stream.step(painted([(1, 10, 30, 50), (2 + k // 5, 90, 5 + 30 * (k // 5 % 2), 40)], k))
    assert len(stream._windows) < 12
    assert all(len(window._items) <= 6 for window in stream._windows.values())


def test_times_can_be_given(estimator: Make, painted: Paint):
    stream = estimator("S-4").stream(25)
    frame = painted([(1, 30, 20, 60)])
    assert [stream.step(frame, t)[0].time_s for t in (0.0, 0.05, 0.05, 7.0)] == [0.0, 0.05, 0.05, 7.0]
    with pytest.raises(ConfigError, match=r"time_s 1\.0: expected seconds not before the previous frame's, 7\.0"):
        stream.step(frame, 1.0)


def test_the_base_model_sees_the_newest_frame_even_where_times_are_equal(estimator: Make, painted: Paint):
    made, frames = estimator("base"), [painted([(1, 30, 20, 60)], k) for k in range(3)]
    together = make_table([row for found in made.stream(25).steps(frames, [0.0, 0.0, 0.0]) for row in found])
    alone = [made.stream(25).step(frame)[0].valence for frame in frames]
    np.testing.assert_allclose(together["valence"], alone, atol=1e-5)
    assert len(set(np.round(alone, 3))) == 3


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_rgb_frame_is_refused(estimator: Make, frame: NDArray):
    with pytest.raises(ConfigError, match=r"expected \(H, W, 3\) uint8 RGB"):
        estimator("base").stream(25).step(frame)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_frame_rate_out_of_range_is_refused(estimator: Make, fps: float):
    with pytest.raises(ConfigError, match="expected frames a second, above 0"):
        estimator("base").stream(fps)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faces": "some"}, "expected one of all, largest"),
        ({"windows": "x"}, "expected one of sliding, tumbling"),
        ({"min_size": -1}, "0 or more"),
    ],
)
def test_options_out_of_range_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        StreamOptions(**settings)


def test_an_empty_result_has_the_columns():
    assert list(make_table([], attention=1).columns)[-2:] == ["arousal_from_rest", "attention_1"]
