"""Numbers and times of pictures, without any file."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from anclaf.faces.clock import VideoClock
from anclaf.faces.order import picture_order

D = 0.04


def run(clock: VideoClock, times: Sequence[float | None], keys: int = 1000) -> tuple[list[int], list[float]]:
    """Packets in the order of pictures, each decoded as it comes: numbers and times."""
    numbers, seconds = [], []
    for k, at in enumerate(times):
        stamp = clock.shown(clock.sent(at, at, D, key=k % keys == 0).serial)
        assert stamp is not None
        numbers.append(stamp.number)
        seconds.append(stamp.time_s)
    clock.end()
    assert clock.given == len(numbers)
    return numbers, seconds


def steps(*count: int) -> list[float]:
    """The times of frames with these numbers."""
    return [k * D for k in count]


@pytest.mark.parametrize(
    ("times", "expected", "notes"),
    [
        (steps(0, 1, 2, 3), steps(0, 1, 2, 3), ()),
        (steps(125, 126, 127), steps(0, 1, 2), ()),
        (steps(-3, -2, -1, 0), steps(0, 1, 2, 3), ()),
        (steps(0, 1, 3, 10, 11), steps(0, 1, 3, 10, 11), ()),
        # begins again, and again
        (steps(5, 6, 7, 0, 1, 2), steps(0, 1, 2, 3, 4, 5), ("starts again or runs backwards at frame 3:",)),
        (
            steps(5, 6, 7, 0, 1, 4, 0, 2),
            steps(0, 1, 2, 3, 4, 7, 8, 10),
            ("starts again or runs backwards at frame 3, and at 1 more:",),
        ),
        # one wrong time
        (steps(0, 1, 0, 3, 4), steps(0, 1, 2, 3, 4), ("starts again or runs backwards at frame 2:",)),
        (steps(0, 1, 99999, 3, 4), steps(0, 1, 2, 3, 4), ("jumps ahead at frame 2:",)),
        (steps(0, 1, 1, 3, 4), steps(0, 1, 2, 3, 4), ("stands still at frame 2:",)),
        (steps(0, 1, 1, 1, 4, 5), steps(0, 1, 2, 3, 4, 5), ("stands still at frame 2, and at 1 more:",)),
        # a repeated time that moves all the others
        (steps(0, 1, 1, 2, 3), steps(0, 1, 2, 3, 4), ("stands still at frame 2:",)),
        # another clock from here on
        (steps(0, 1, 99999, 100000, 100003), steps(0, 1, 2, 3, 6), ("jumps ahead at frame 2:",)),
        # after a hole the frame's duration is still the frame's
        (steps(0, 1, 2, 20, 0, 1), steps(0, 1, 2, 20, 21, 22), ("starts again or runs backwards at frame 4:",)),
        # no times at all, none at first, one in between
        ([None, None, None], steps(0, 1, 2), ()),
        ([None, None, *steps(70, 71)], steps(0, 1, 2, 3), ()),
        ([0, None, *steps(2, 3)], steps(0, 1, 2, 3), ()),
    ],
)
def test_time_goes_on(times: list[float | None], expected: list[float], notes: tuple[str, ...]):
    clock = VideoClock(25)
    numbers, seconds = run(clock, times)
    assert numbers == list(range(len(times)))
    assert seconds == pytest.approx(expected, abs=1e-9)
    assert all(later > earlier for earlier, later in pairwise(seconds))
    assert len(clock.notes) == len(notes)
    for note, words in zip(clock.notes, notes, strict=True):
        assert note == f"the video's clock {words} time goes on by the frame's duration there"


@pytest.mark.parametrize(("step", "limit", "jumps"), [(59, 60, 0), (61, 60, 1), (9, 10, 0), (11, 10, 1)])
def test_a_long_step_is_a_jump(step: float, limit: float, jumps: int):
    clock = VideoClock(25, jump_s=limit)
    _, seconds = run(clock, [0, D, D + step, 2 * D + step])
    assert seconds[2] == pytest.approx(2 * D if jumps else D + step)
    assert seconds[3] - seconds[2] == pytest.approx(D)
    assert len(clock.notes) == jumps


def test_slow_pictures_do_not_jump():
    clock = VideoClock(1 / 120)
    assert run(clock, [0, 120, 240, 600, 720])[1] == [0, 120, 240, 600, 720]
    assert clock.notes == []


def test_the_rate_counts_where_the_container_is_silent():
    clock = VideoClock(50)
    for k in range(3):
        stamp = clock.shown(clock.sent(None, None, key=k == 0).serial)
        assert stamp is not None
        assert stamp == (k, pytest.approx(k / 50))


# lost pictures


def test_a_refused_picture_leaves_its_number_and_time():
    clock = VideoClock(25)
    packets = [clock.sent(k * D, k * D, D, key=k == 0) for k in range(5)]
    clock.failed(packets[0], "broken")
    clock.failed(packets[3], "broken too")
    stamps = [clock.shown(packet.serial) for packet in packets if not packet.reason]
    clock.failed(clock.sent(5 * D, 5 * D), "last")
    clock.end()
    assert [stamp and stamp.number for stamp in stamps] == [1, 2, 4]
    assert [stamp and stamp.time_s for stamp in stamps] == pytest.approx(steps(1, 2, 4))
    assert clock.lost == [(0, "broken"), (3, "broken too"), (5, "last")]
    assert (clock.given, clock.notes) == (3, [])


def test_a_picture_that_does_not_come_is_lost_unless_none_needs_to():
    clock = VideoClock(25)
    for k in range(8):
        packet = clock.sent(k * D, k * D, D, key=k == 0, certain=k != 4, hidden=k == 5)
        if k not in (2, 4, 5):
            stamp = clock.shown(packet.serial)
            assert stamp is not None
            assert stamp.time_s == pytest.approx(k * D)
    assert stamp.number == 5
    assert clock.lost == [(2, "no picture came of it")]


def test_patched_pictures_are_lost():
    clock = VideoClock(25)
    stamps = [clock.shown(clock.sent(k * D, k * D, key=k == 0).serial, damaged=k == 1) for k in range(3)]
    assert stamps[1] is None
    assert stamps[2] == (2, pytest.approx(2 * D))
    assert clock.lost == [(1, "damaged")]


def test_held_pictures_are_not_lost():
    """I0 P3 B1 B2 P6 B4 B5, of which B4 cannot be decoded."""
    clock = VideoClock(25, reorders=True)
    display = (0, 3, 1, 2, 6, 4, 5)
    packets = {n: clock.sent(n * D, (k - 1) * D, D, key=k == 0) for k, n in enumerate(display)}
    clock.failed(packets[4], "broken")
    numbers = [clock.shown(packets[n].serial) for n in (0, 1, 2, 3, 5, 6)]
    assert [stamp and stamp.number for stamp in numbers] == [0, 1, 2, 3, 5, 6]
    assert clock.lost == [(4, "broken")]


def test_a_picture_that_comes_late_gets_its_own_number_back():
    clock = VideoClock(25, reorders=True)
    packets = {n: clock.sent(n * D, k * D - D, D, key=k == 0) for k, n in enumerate((0, 3, 1, 2))}
    assert clock.shown(packets[0].serial) == (0, 0)
    assert clock.shown(packets[2].serial, damaged=True) is None
    assert [lost.number for lost in clock.lost] == [1, 2]
    assert clock.shown(packets[1].serial) == (1, pytest.approx(D))
    assert [lost.number for lost in clock.lost] == [2]
    assert clock.shown(packets[3].serial) == (3, pytest.approx(3 * D))


def test_a_picture_that_comes_too_late_stays_lost():
    clock = VideoClock(25, reorders=True)
    packets = {n: clock.sent(n * D, k * D - D, D, key=k == 0) for k, n in enumerate((0, 3, 1, 2))}
    assert [clock.shown(packets[n].serial) for n in (0, 2)][1] == (2, pytest.approx(2 * D))
    assert clock.shown(packets[1].serial) is None
    assert [lost.number for lost in clock.lost] == [1]


def test_lost_pictures_of_an_earlier_clock_come_before_the_new_one():
    clock = VideoClock(25, reorders=True)
    packets = [clock.sent(k * D, k * D, D, key=k == 0) for k in (7, 8, 9, 0, 1)]
    clock.failed(packets[2], "broken")
    stamps = [clock.shown(packets[k].serial) for k in (0, 1, 3, 4)]
    assert [stamp and stamp.number for stamp in stamps] == [0, 1, 3, 4]
    assert [stamp and stamp.time_s for stamp in stamps] == pytest.approx(steps(0, 1, 3, 4))


def test_two_fields_are_one_picture():
    clock = VideoClock(25)
    for k in range(4):
        first = clock.sent(k * D, k * D, D / 2, key=k == 0)
        clock.sent(k * D + D / 2, k * D + D / 2, D / 2)
        assert clock.shown(first.serial, interlaced=True) == (k, pytest.approx(k * D))
    clock.end()
    assert clock.lost == []


def test_what_rests_on_pictures_before_the_file_is_not_lost():
    clock = VideoClock(25, reorders=True)
    packets = [clock.sent(at * D, k * D, D, key=k == 2) for k, at in enumerate((3, 4, 7, 5, 6, 8))]
    clock.failed(packets[1], "no parameters")
    stamps = [clock.shown(packets[k].serial, damaged=k == 4) for k in (4, 2, 5)]
    assert stamps == [None, (0, pytest.approx(0)), (1, pytest.approx(D))]
    clock.end()
    assert clock.lost == []
    assert clock.notes == ["the file begins in the middle: 4 pictures that rest on earlier ones are left out"]


@pytest.mark.parametrize(("torn", "steady", "lost"), [(True, False, 2), (False, True, 2), (False, False, 0)])
def test_pictures_that_vanish_with_their_packets(torn: bool, steady: bool, lost: int):
    clock = VideoClock(25, vanishing=True)
    before = [0, 1, 2, 3, 4] if steady else [0, 1, 2, 4]
    for k in (*before, before[-1] + 3):
        stamp = clock.shown(clock.sent(k * D, k * D, D, key=k == 0, torn=torn and k == before[-1]).serial)
    assert stamp is not None
    assert stamp.number == len(before) + lost
    assert [picture.reason for picture in clock.lost] == ["its data are missing"] * lost


def test_a_long_hole_of_a_steady_stream_is_a_pause():
    clock = VideoClock(25, vanishing=True)
    numbers, _ = run(clock, steps(*range(6), 40))
    assert numbers[-1] == 6


# order


def test_times_in_the_order_of_decoding_are_not_those_of_presentation():
    """I0 P3 B1 B2 P6 B4 B5, timed 0, 1, 2, …"""
    clock = VideoClock(25, reorders=True)
    sent, stamps = [], []
    for serial in (0, 1, 2, 3, 4, 5, 6):
        sent.append(clock.sent(serial * D, serial * D, D, key=serial == 0))
        for k in {2: (0, 2), 3: (3,), 4: (1,), 5: (5,), 6: (6, 4)}.get(serial, ()):
            stamps.append(clock.shown(sent[k].serial))
    clock.end()
    assert [stamp.number for stamp in stamps] == list(range(7))
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(*range(7)))
    assert clock.lost == []
    assert clock.notes == ["the container's presentation times are in the order of decoding: frames are timed by that"]


def mpeg4(kind: str) -> bytes:
    return b"\0\0\1\xb6" + bytes(["IPBS".index(kind) << 6, 0, 0, 0])


@pytest.mark.parametrize(
    ("kinds", "lost", "expected"),
    [
        ("IPBBPBBP", None, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("IPBBPBBP", 3, [0, 1, 3, 4, 5, 6, 7]),  # the second B
        ("IPBBPBBP", 4, [0, 1, 2, 3, 4, 5, 7]),  # the second P, 6th to be shown
        ("IPBB?BBP", 4, [0, 1, 2, 3, 4, 5, 7]),  # as after two B before
        ("IPBBP?BP", 5, [0, 1, 2, 3, 5, 6, 7]),
    ],
)
def test_where_lost_pictures_belong_without_times(kinds: str, lost: int | None, expected: list[int]):
    clock, order = VideoClock(25, timed=False, reorders=True), picture_order("mpeg4", None)
    numbers, held, sent = [], None, []

    def show(serial: int) -> None:
        stamp = clock.shown(serial)
        assert stamp is not None
        assert stamp.time_s == pytest.approx(stamp.number * D)
        numbers.append(stamp.number)

    for k, kind in enumerate(kinds):
        packet = clock.sent(None, k * D, D, key=k == 0)
        order.place(packet, b"" if kind == "?" else mpeg4(kind))
        sent.append(packet)
        if k == lost:
            clock.failed(packet, "broken")
        elif kind == "B":
            show(k)
        else:
            if held is not None:
                show(held)
            held = k
    order.end()
    assert held is not None
    show(held)
    clock.end()
    assert numbers == expected
    assert [picture.number for picture in clock.lost] == sorted(set(range(8)) - set(expected))
