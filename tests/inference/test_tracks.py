import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from anclaf.core.errors import ConfigError
from anclaf.inference.tracks import Sighting, Tracker, appearance_descriptor

APPEARANCES = [
    appearance_descriptor(np.random.default_rng(k).integers(0, 256, (32, 32, 3)).astype(np.uint8)) for k in range(5)
]


def seen(x: float, y: float = 100, side: float = 50, who: int = 0) -> Sighting:
    return Sighting((x - side / 2, y - side / 2, side, side), APPEARANCES[who])


def ids(tracker: Tracker, sightings: Sequence[Sighting], time_s: float) -> list[int | None]:
    """The track of each sighting."""
    found = {track.seen: track.id for track in tracker.update(sightings, time_s)}
    return [found.get(index) for index in range(len(sightings))]


def test_appearance_descriptors_are_unit_vectors_that_light_does_not_change():
    crop = np.random.default_rng(0).integers(20, 100, (64, 64, 3)).astype(np.uint8)
    assert np.linalg.norm(appearance_descriptor(crop)) == pytest.approx(1)
    brighter = (crop * 2 + 10).astype(np.uint8)
    assert appearance_descriptor(crop) @ appearance_descriptor(brighter) == pytest.approx(1, abs=5e-3)
    assert abs(APPEARANCES[0] @ APPEARANCES[1]) < 0.2
    assert np.isfinite(appearance_descriptor(np.zeros((64, 64, 3), np.uint8))).all()


def test_one_person_keeps_one_id_through_motion_and_trembling():
    tracker, rng = Tracker(), np.random.default_rng(0)
    got = {
        ids(tracker, [seen(100 + 5 * k + rng.normal(0, 2), side=50 + rng.normal(0, 3))], k / 25)[0] for k in range(80)
    }
    assert got == {0}


def test_ids_do_not_depend_on_the_order_of_detections():
    tracker = Tracker()
    people = [seen(60, who=0), seen(200, who=1), seen(340, who=2)]
    assert ids(tracker, people, 0) == [0, 1, 2]
    for k, order in enumerate(itertools.permutations(range(3)), 1):
        assert ids(tracker, [people[i] for i in order], k / 25) == list(order)


@pytest.mark.parametrize(("missing_s", "same"), [(0.2, True), (0.9, True), (1.2, False)])
def test_a_short_gap_is_survived_and_a_long_one_is_not(missing_s: float, same: bool):
    tracker = Tracker(max_gap_s=1.0)
    for k in range(50):
        ids(tracker, [seen(100)], k / 25)
    assert len(tracker.update([], 49 / 25 + missing_s / 2)) == 1
    assert len(tracker.update([], 49 / 25 + missing_s - 0.01)) == same
    assert ids(tracker, [seen(105)], 49 / 25 + missing_s) == [0 if same else 1]


def test_a_false_detection_is_soon_forgotten():
    tracker = Tracker()
    for k in range(25):
        tracker.update([seen(100), *([seen(300, who=1)] if k == 10 else [])], k / 25)
        assert len(tracker.tracks) == (2 if 10 <= k <= 13 else 1), k


def test_an_unsure_face_continues_a_track_and_begins_none():
    tracker = Tracker()
    unsure = replace(seen(300, who=1), sure=False)
    assert ids(tracker, [seen(100), unsure], 0) == [0, None]
    assert ids(tracker, [replace(seen(100), sure=False), unsure], 1 / 25) == [0, None]
    assert ids(tracker, [seen(100), replace(unsure, sure=True)], 2 / 25) == [0, 1]


def test_at_a_low_frame_rate_too_a_person_is_followed():
    tracker = Tracker()
    assert [ids(tracker, [seen(100 + k)], k / 2) for k in range(4)] == [[0]] * 4


@pytest.mark.parametrize("hidden", [0, 8, 16])
@pytest.mark.parametrize("alike", [False, True])
def test_people_who_cross_keep_their_ids(hidden: int, alike: bool):
    tracker = Tracker()
    for k in range(100):
        a, b = seen(50 + 3 * k, who=0), seen(350 - 3 * k, y=110, who=0 if alike else 1)
        behind = abs(k - 50) <= hidden / 2
        got = ids(tracker, [a] if behind else [a, b], k / 25)
        assert got == ([0] if behind else [0, 1]), k


def test_people_who_meet_and_turn_back_keep_their_ids():
    tracker = Tracker()
    for k in range(100):
        away = 3 * abs(k - 50)
        behind = away < 24
        sightings = [seen(195 - away, who=0), *([] if behind else [seen(205 + away, who=1)])]
        assert ids(tracker, sightings, k / 25) == [0, 1][: len(sightings)], k


def test_another_person_in_the_same_place_is_another_track():
    tracker = Tracker()
    for k in range(10):
        ids(tracker, [seen(100, who=0)], k / 25)
    assert ids(tracker, [seen(100, who=1)], 10 / 25) == [1]


def test_a_jump_across_the_picture_is_another_track():
    tracker = Tracker()
    ids(tracker, [seen(100)], 0)
    assert ids(tracker, [seen(400)], 1 / 25) == [1]


def test_what_is_kept_does_not_grow():
    tracker = Tracker()
    for k in range(500):
        tracker.update([seen(100), seen(1000 + 300 * k, who=1 + k % 4)], k / 25)
    assert len(tracker.tracks) < 10


def test_a_negative_gap_is_refused():
    with pytest.raises(ConfigError, match="max_gap_s -1: expected seconds, 0 or more"):
        Tracker(-1)
