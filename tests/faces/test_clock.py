"""Numbers and times of pictures, without any file."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from anclaf.faces.clock import Sent, Stamp, VideoClock
from anclaf.faces.order import picture_order

D = 0.04


def show(clock: VideoClock, packet: Sent, *, interlaced: bool = False) -> Stamp:
    """The stamp of a picture that is given."""
    stamp = clock.shown(packet.serial, interlaced=interlaced)
    assert stamp is not None
    return stamp


def run(clock: VideoClock, times: Sequence[float | None], keys: int = 1000) -> tuple[list[int], list[float]]:
    """Packets in the order of pictures, each decoded as it comes: numbers and times."""
    numbers, seconds = [], []
    for k, at in enumerate(times):
        stamp = show(clock, clock.sent(at, at, D, key=k % keys == 0))
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
        # the second clock's hole is not taken for a return of the first one
        (steps(0, 1, 2, 0, 1, 20), steps(0, 1, 2, 3, 4, 23), ("starts again or runs backwards at frame 3:",)),
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
    times = (0, 120, 240, 600, 720)
    assert [show(clock, clock.sent(at, at, key=True)).time_s for at in times] == [*times]
    assert clock.notes == []


def test_the_rate_counts_where_the_container_is_silent():
    clock = VideoClock(50)
    for k in range(3):
        assert show(clock, clock.sent(None, None, key=k == 0)) == (k, pytest.approx(k / 50))


# lost pictures


def test_a_refused_picture_leaves_its_number_and_time():
    clock = VideoClock(25)
    packets = [clock.sent(k * D, k * D, D, key=k == 0) for k in range(5)]
    clock.failed(packets[0], "broken")
    clock.failed(packets[3], "broken too")
    stamps = [show(clock, packet) for packet in packets if not packet.reason]
    clock.failed(clock.sent(5 * D, 5 * D), "last")
    clock.end()
    assert [stamp.number for stamp in stamps] == [1, 2, 4]
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(1, 2, 4))
    assert clock.lost == [(0, "broken"), (3, "broken too"), (5, "last")]
    assert (clock.given, clock.notes) == (3, [])


def test_a_picture_that_does_not_come_is_lost_unless_none_needs_to():
    clock = VideoClock(25)
    packets = [clock.sent(k * D, k * D, D, key=k == 0, certain=k != 4, hidden=k == 5) for k in range(8)]
    stamps = [show(clock, packets[k]) for k in (0, 1, 3, 6, 7)]
    assert [stamp.number for stamp in stamps] == [0, 1, 3, 4, 5]
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(0, 1, 3, 6, 7))
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
    assert [show(clock, packets[n]).number for n in (0, 1, 2, 3, 5, 6)] == [0, 1, 2, 3, 5, 6]
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
    assert [show(clock, packets[n]) for n in (0, 2)] == [(0, 0), (2, pytest.approx(2 * D))]
    assert clock.shown(packets[1].serial) is None
    assert [lost.number for lost in clock.lost] == [1]


def test_lost_pictures_of_an_earlier_clock_come_before_the_new_one():
    clock = VideoClock(25, reorders=True)
    packets = [clock.sent(k * D, k * D, D, key=k == 7) for k in (7, 8, 9, 0, 1)]
    clock.failed(packets[2], "broken")
    stamps = [show(clock, packets[k]) for k in (0, 1, 3, 4)]
    assert [stamp.number for stamp in stamps] == [0, 1, 3, 4]
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(0, 1, 3, 4))


def test_a_picture_of_an_earlier_clock_that_does_not_come_is_lost_in_time():
    clock = VideoClock(25, reorders=True)
    packets = [clock.sent(k * D, k * D, D, key=k == 7) for k in (7, 8, *range(30))]
    numbers = [show(clock, packet).number for packet in packets if packet.serial != 1]
    assert numbers[:2] == [0, 1]
    assert numbers[-1] == 31
    assert len(clock.lost) == 1


def test_two_fields_are_one_picture():
    clock = VideoClock(25)
    for k in range(4):
        first = clock.sent(k * D, k * D, D / 2, key=k == 0)
        clock.sent(k * D + D / 2, k * D + D / 2, D / 2)
        assert show(clock, first, interlaced=True) == (k, pytest.approx(k * D))
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


@pytest.mark.parametrize(("torn", "steady", "lost"), [(True, False, 3), (False, True, 2), (False, False, 0)])
def test_pictures_that_vanish_with_their_packets(torn: bool, steady: bool, lost: int):
    clock = VideoClock(25, vanishing=True)
    before = [0, 1, 2, 3, 4] if steady else [0, 1, 2, 4]
    for k in before:
        show(clock, clock.sent(k * D, k * D, D, key=k == 0, torn=torn and k == before[-1]))
    assert show(clock, clock.sent(7 * D, 7 * D, D)).number == len(before) + lost
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
            stamps.append(show(clock, sent[k]))
    clock.end()
    assert [stamp.number for stamp in stamps] == list(range(7))
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(*range(7)))
    assert clock.lost == []
    assert clock.notes == ["the container's presentation times are in the order of decoding: frames are timed by that"]


def test_frames_without_presentation_times_have_those_of_decoding():
    """I0 P3 B1 B2 P5 B4, of which B1 cannot be decoded."""
    clock = VideoClock(25, timed=False, reorders=True)
    decoding, display = (0, 1, 4, 5, 9, 10), (0, 3, 1, 2, 5, 4)
    packets = {}
    for at, place in zip(decoding, display, strict=True):
        packets[place] = clock.sent(None, at * D, D, key=place == 0)
        packets[place].order = place
    clock.failed(packets[1], "broken")
    stamps = [show(clock, packets[place]) for place in (0, 2, 3, 4, 5)]
    assert [stamp.number for stamp in stamps] == [0, 2, 3, 4, 5]
    assert [stamp.time_s for stamp in stamps] == pytest.approx(steps(0, 4, 5, 9, 10))


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5, 6])
def test_a_refused_packet_that_says_nothing_belongs_where_one_is_missing(lost: int):
    """Orders go up by two, as picture order counts do, until the next group of pictures."""
    clock = VideoClock(25, timed=False, reorders=True)
    display = (0, 4, 2, 1, 3, 6, 5)
    packets: dict[int, Sent] = {}
    for k, place in enumerate((*display, *(7 + place for place in display))):
        packets[place] = clock.sent(None, k * D, D, key=place % 7 == 0)
        packets[place].order = None if place == 7 + lost else 2.0 * (place % 7) + 2**33 * (place // 7)
    clock.failed(packets[7 + lost], "broken")
    expected = [place for place in range(14) if place != 7 + lost]
    assert [show(clock, packets[place]).number for place in expected] == expected
    clock.end()
    assert clock.lost == [(7 + lost, "broken")]


def mpeg4(kind: str) -> bytes:
    return b"\0\0\1\xb6" + bytes(["IPBS".index(kind) << 6, 0, 0, 0])


@pytest.mark.parametrize(
    ("kinds", "lost", "expected"),
    [
        ("IPBBPBBP", None, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("IPBBPBBP", 3, [0, 1, 3, 4, 5, 6, 7]),  # the second B
        ("IPBBPBBP", 4, [0, 1, 2, 3, 7]),  # the second P, on which two B rest, and the first P comes after them
        ("IPBBPBB?BBP", 7, [0, 1, 2, 3, 4, 5, 6, 10]),  # not a B, as after two B before
        ("IPBBP?BP", 5, [0, 1, 2, 3, 5, 6, 7]),
    ],
)
def test_where_lost_pictures_belong_without_times(kinds: str, lost: int | None, expected: list[int]):
    clock, order = VideoClock(25, timed=False, reorders=True), picture_order("mpeg4", None)
    numbers, held, spoilt = [], None, False

    def take(packet: Sent) -> None:
        stamp = show(clock, packet)
        assert stamp.time_s == pytest.approx(stamp.number * D)
        numbers.append(stamp.number)

    for k, kind in enumerate(kinds):
        packet = clock.sent(None, k * D, D, key=k == 0)
        order.place(packet, b"" if kind == "?" else mpeg4(kind))
        if k == lost:
            clock.failed(packet, "broken")
            spoilt = k != 5 and kind != "B"
        elif kind == "B" and spoilt:
            assert clock.shown(k, damaged=True) is None
        elif kind == "B":
            take(packet)
        else:
            spoilt = False
            if held is not None:
                take(held)
            held = packet
    order.end()
    assert held is not None
    take(held)
    clock.end()
    assert numbers == expected
    assert [picture.number for picture in clock.lost] == sorted(set(range(len(kinds))) - set(expected))


@pytest.mark.parametrize(("times", "expected", "lost"), [
    (steps(0, 1, 2, 3, 4, 5, 8), [0, 1, 2, 3, 4, 5, 8], [6, 7]),
    (steps(0, 1, 2, 3, 4, 5, 6), [0, 1, 2, 3, 4, 5, 6], []),
    (steps(0, 1, 3, 4, 9, 10, 14), [0, 1, 2, 3, 4, 5], [None]),
])  # fmt: skip
def test_of_a_cut_file_pictures_before_the_last_are_missing(times: list[float], expected: list[int], lost: list):
    clock = VideoClock(25, reorders=True)
    numbers = []
    for k, at in enumerate(times):
        clock.cut = k == 6
        stamp = clock.shown(clock.sent(at, at, D, key=k == 0).serial)
        numbers += [] if stamp is None else [stamp.number]
    assert numbers == expected
    assert [picture.number for picture in clock.lost] == lost
