"""Every picture with its own number and time in whatever container: pictures show their number, which is read back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from av.video.stream import VideoStream

from anclaf.core.errors import VideoError
from anclaf.corpora.base import LabelledFrame, SkippedFrame
from anclaf.corpora.table import list_table
from anclaf.faces.frames import VideoFrame, probe, read_video
from numbered_video import (
    Damage,
    Film,
    damage_middle,
    damage_packet,
    noise,
    number_in,
    zeros,
    zeros_after_head,
    zeros_in_second_half,
)


@dataclass
class Read:
    """What came of a video. problem: the error in the end, or ""."""

    frames: list[VideoFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def shown(self) -> list[int | None]:
        return [number_in(frame.image) for frame in self.frames]

    @property
    def index(self) -> list[int]:
        return [frame.index for frame in self.frames]

    @property
    def times(self) -> list[float]:
        return [frame.time_s for frame in self.frames]


def read(path: Path) -> Read:
    got = Read()
    try:
        got.frames.extend(read_video(path, notes=got.notes))
    except VideoError as error:
        got.problem = str(error)
    return got


# a sample of everything


@dataclass(frozen=True)
class Case:
    """A film in a container. hidden: pictures that its edit list leaves out at the beginning. damaged: a packet, in the
    order of decoding; of a programme or transport stream, where packets are in pieces, a stretch in its middle.
    """

    suffix: str
    film: Film
    hidden: int = 0
    damaged: int | None = None
    damage: Damage = zeros

    def __str__(self) -> str:
        film = self.film
        words = [f"{film.codec}{self.suffix}", f"{film.b_frames}b", f"{float(film.rate):.5g}fps", f"start{film.start}"]
        words += ["variable"] * (film.at is not None) + ["fragmented"] * bool(film.container)
        return "-".join(words + [f"{self.damaged}:{self.damage.__name__}"] * (self.damaged is not None))

    def write(self, path: Path) -> Path:
        self.film.write(path)
        if self.damaged is not None and self.suffix in STREAMED:
            damage_middle(path)
        elif self.damaged is not None:
            damage_packet(path, self.damaged, self.damage)
        return path

    @property
    def spoilt(self) -> range:
        """Numbers of the pictures that damage may have spoilt: up to the next key picture."""
        if self.damaged is None:
            return range(0)
        before, group = self.film.b_frames + 1, self.film.group
        if self.suffix in STREAMED:  # bytes in the middle, and FFmpeg guesses times until it finds its way again
            return range(2 * group, 7 * group)
        # encoders of MPEG-1 to 4 let a group of pictures end with P
        stop = (self.damaged // group + 1 + (self.film.b_frames > 0)) * group
        return range(self.damaged - before - self.hidden, stop - self.hidden)


STREAMED = (".ts", ".mpg")


FORMATS = (
    (".mp4", ("libx264", "mpeg4", "libx265", "mjpeg")),
    (".mov", ("libx264", "mpeg4")),
    (".mkv", ("libx264", "mpeg4", "mpeg2video", "mjpeg", "libvpx")),
    (".webm", ("libvpx", "libvpx-vp9")),
    (".avi", ("libx264", "mpeg4", "mpeg2video", "mjpeg")),
    (".ts", ("libx264", "mpeg2video")),
    (".mpg", ("mpeg1video", "mpeg2video")),
    (".flv", ("libx264", "flv")),
    (".nut", ("libx264", "mpeg4")),
)
RATES = (Fraction(25), Fraction(30), Fraction(50), Fraction(30000, 1001), Fraction(24000, 1001))
REORDERED = ("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video")
DAMAGES = (zeros, zeros_after_head, noise, zeros_in_second_half)


def sample(count: int) -> list[Case]:
    rng = np.random.default_rng(12)
    cases = []
    for k in range(count):
        suffix, codecs = FORMATS[k % len(FORMATS)]
        codec = str(rng.choice(codecs))
        b_frames = int(rng.choice([0, 2, 3])) if codec in REORDERED else 0
        rate = RATES[rng.integers(len(RATES))]
        # FFmpeg's AVI muxer puts the first picture at 0 and the second one where it belongs
        start = 0 if suffix == ".avi" else int(rng.choice([0, 37, 125]))
        at, hidden, container, count = None, 0, {}, 64 if suffix in STREAMED else 24
        steady = suffix in (".avi", ".mpg", ".ts") or codec.startswith("mpeg")
        if not steady and rng.random() < 0.4:
            at = tuple(np.cumsum(rng.integers(1, 4, 24)).tolist())
        if suffix in (".mp4", ".mov") and rng.random() < 0.25:
            container = {"movflags": "frag_keyframe+empty_moov"}
        elif suffix in (".mp4", ".mov") and codec != "libx265" and at is None and rng.random() < 0.3:
            start, hidden = -5, 5
        damaged = int(rng.integers(9, 15)) if rng.random() < 0.5 else None
        film = Film(codec, count, rate, b_frames, 8, at, start, None, container)
        cases.append(Case(suffix, film, hidden, damaged, DAMAGES[rng.integers(len(DAMAGES))]))
    return cases


def check(case: Case, got: Read) -> None:
    """Frames with their numbers and times, all but those that damage spoilt, and these are told."""
    film, hidden = case.film, case.hidden
    times = (np.array(film.times[hidden:]) - film.times[hidden]) / float(film.rate)
    count = film.frames - hidden
    assert (np.diff(got.index) > 0).all()
    assert (np.diff(got.times) > 0).all()
    for frame, shown in zip(got.frames, got.shown, strict=True):
        assert frame.time_s == pytest.approx(times[frame.index], abs=1.1e-3), frame.index
        if shown != frame.index + hidden:
            # after a lost picture the next ones show remains of earlier ones
            assert frame.index in case.spoilt, (frame.index, shown)
            assert film.codec != "mjpeg"
    missing = set(range(count)) - set(got.index)
    assert missing <= set(case.spoilt), missing
    if missing:
        assert "damaged: frame" in got.problem
        assert f"{len(got.frames)} could be read" in got.problem
    elif case.damaged is None:
        assert got.problem == ""


def check_labels(case: Case, path: Path, column: str) -> None:
    """Labels by frame and by time fall on their own pictures."""
    film, hidden = case.film, case.hidden
    numbers = range(film.frames - hidden)
    at = [(film.times[hidden + k] - film.times[hidden]) / float(film.rate) for k in numbers]
    where = [f"{k}" if column == "frame" else f"{at[k]:.3f}" for k in numbers]
    rows = [f"{path.name},{place},{k / 1000},0.5" for k, place in zip(numbers, where, strict=True)]
    table = path.with_suffix(".csv")
    table.write_text("\n".join([f"video,{column},valence,arousal", *rows]) + "\n")
    used = []
    for frame in list_table(table, low=-1, high=1).clips[0].frames():
        if isinstance(frame, LabelledFrame):
            label = round(frame.valence * 1000)
            used.append(label)
            shown = number_in(frame.image)
            assert shown == label + hidden or label in case.spoilt, (label, shown)
            assert frame.index == label
        elif isinstance(frame, SkippedFrame):
            assert frame.reason == "corrupt_video", frame
            assert case.damaged is not None
    assert case.damaged is not None or used == list(numbers)


def test_pictures_numbers_and_times_of_a_sample(tmp_path: Path, request: pytest.FixtureRequest):
    """108 cases: 9 containers with 2 to 5 codecs, with and without B pictures, 5 frame rates, 4 times at which they
    start, steady and varying, fragmented, with edit lists, half of them with a damaged packet. `--video-cases N` has
    more."""
    failures = []
    cases = sample(int(str(request.config.getoption("--video-cases"))))
    for k, case in enumerate(cases):
        path = case.write(tmp_path / f"{k}{case.suffix}")
        try:
            check(case, read(path))
            check_labels(case, path, "frame" if k % 2 else "time_s")
        except AssertionError as error:
            failures.append(f"{k} {case}: {error}")
        path.unlink()
    assert not failures, f"{len(failures)} of {len(cases)}\n" + "\n".join(failures)


# cases that went wrong once


def labelled(path: Path, column: str, where: Sequence[str]) -> tuple[list[int], list[SkippedFrame]]:
    """The labels, row 0, 1, 2, …, whose frames show their own number, and what is skipped."""
    rows = [f"{path.name},{place},{k / 1000},0.5" for k, place in enumerate(where)]
    table = path.with_suffix(".csv")
    table.write_text("\n".join([f"video,{column},valence,arousal", *rows]) + "\n")
    found = list(list_table(table, low=-1, high=1).clips[0].frames())
    used = [frame for frame in found if isinstance(frame, LabelledFrame)]
    assert [number_in(frame.image) for frame in used] == [round(frame.valence * 1000) for frame in used]
    return [round(frame.valence * 1000) for frame in used], [f for f in found if isinstance(f, SkippedFrame)]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_b_pictures_in_avi(tmp_path: Path, codec: str):
    path = Film(codec, 12, b_frames=2, group=12).write(tmp_path / "a.avi")
    got = read(path)
    assert got.shown == got.index == list(range(12))
    np.testing.assert_allclose(got.times, np.arange(12) / 25, atol=1e-9)
    assert (got.problem, got.notes) == ("", [])
    assert labelled(path, "time_s", [f"{k / 25:.2f}" for k in range(12)]) == (list(range(12)), [])


@pytest.mark.parametrize("packet", range(9, 16))
@pytest.mark.parametrize("damage", [zeros, zeros_after_head])
@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", 3), ("libx264", 2), ("mpeg4", 2)])
def test_a_lost_picture_among_b_pictures_in_avi(tmp_path: Path, codec: str, b_frames: int, damage: Damage, packet: int):
    """Nothing in the container says where it belongs, and of zeros not even the picture does."""
    path = Film(codec, 24, b_frames=b_frames).write(tmp_path / "a.avi")
    with av.open(str(path)) as box:
        lost = [p for p in box.demux(video=0) if p.size][packet]
    damage_packet(path, packet, damage)
    got = read(path)
    stop = 24 if lost.is_keyframe else 16
    right = [(k, n) for k, n in zip(got.index, got.shown, strict=True) if n is not None and not 7 < k < stop]
    assert all(k == n for k, n in right)
    assert max(got.index) == 23
    assert len(got.frames) == 24 or "damaged: frame" in got.problem
    assert len(got.frames) < 24 or damage is zeros_after_head  # which the decoder may not notice


def test_two_recordings_in_one_stream(tmp_path: Path):
    one = Film(frames=25, b_frames=2, group=250).write(tmp_path / "one.ts").read_bytes()
    two = Film(frames=50, b_frames=2, group=250, first=25).write(tmp_path / "two.ts").read_bytes()
    path = tmp_path / "both.ts"
    path.write_bytes(one + two)
    got = read(path)
    assert got.shown == got.index == list(range(75))
    np.testing.assert_allclose(got.times, np.arange(75) / 25, atol=1e-6)
    assert got.problem == ""
    (note,) = got.notes
    assert note.startswith("the video's clock starts again or runs backwards at frame 25: time goes on by")
    for column, where in (("frame", [str(k) for k in range(75)]), ("time_s", [f"{k / 25:.2f}" for k in range(75)])):
        assert labelled(path, column, where) == (list(range(75)), [])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".flv"])
def test_a_picture_that_cannot_be_decoded_leaves_a_hole(tmp_path: Path, suffix: str):
    path = Film(frames=40, b_frames=2, group=250).write(tmp_path / f"a{suffix}")
    with av.open(str(path)) as box:
        sizes = [packet.size for packet in box.demux(video=0) if packet.size]
    smallest = int(np.argmin(sizes[15:25])) + 15  # to which no other refers
    damage_packet(path, smallest, zeros_after_head)
    got = read(path)
    (lost,) = set(range(40)) - set(got.index)
    assert got.shown == got.index
    np.testing.assert_allclose(got.times, np.array(got.index) / 25, atol=1e-3)
    expected = rf"damaged: frame {lost} cannot be decoded \(.+\); 39 could be read\. Copy the file again$"
    assert re.search(expected, got.problem)
    kept = [k for k in range(40) if k != lost]
    for column, where in (("frame", [str(k) for k in range(40)]), ("time_s", [f"{k / 25:.2f}" for k in range(40)])):
        used, skipped = labelled(path, column, where)
        assert used == kept
        assert [frame.reason for frame in skipped] == ["corrupt_video"]
        assert f"frame {lost} cannot be decoded" in skipped[0].detail


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".mp4", ".ts", ".nut", ".mpg"])
def test_a_whole_file_that_begins_late_is_whole(tmp_path: Path, suffix: str):
    codec = "mpeg2video" if suffix == ".mpg" else "libx264"
    got = read(Film(codec, 12, start=125).write(tmp_path / f"a{suffix}"))
    assert (got.shown, got.problem, got.notes) == (list(range(12)), "", [])
    np.testing.assert_allclose(got.times, np.arange(12) / 25, atol=1e-3)


@pytest.mark.parametrize(
    ("suffix", "codec", "container"),
    [
        (".mp4", "libx264", {"movflags": "faststart"}),
        (".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        (".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
        (".mov", "mjpeg", {"movflags": "faststart"}),
        (".mkv", "libx264", {}),
        (".webm", "libvpx", {}),
        (".flv", "libx264", {}),
        (".wmv", "wmv2", {}),
        (".avi", "mpeg4", {}),
        (".avi", "mjpeg", {}),
        (".mxf", "mpeg2video", {}),
        (".mkv", "libx264", {"live": "1"}),
        (".ts", "libx264", {}),
    ],
)
@pytest.mark.parametrize("part", [0.501, 0.61, 0.83])
def test_a_cut_file_is_told_and_its_beginning_given(
    tmp_path: Path, suffix: str, codec: str, container: dict[str, str], part: float
):
    whole = Film(codec, 48, container=container).write(tmp_path / f"whole{suffix}")
    assert (read(whole).problem, len(read(whole).frames)) == ("", 48)
    path = tmp_path / f"cut{suffix}"
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    got = read(path)
    assert got.shown == got.index == list(range(len(got.frames)))
    assert 4 < len(got.frames) < 48
    assert "cut short" in got.problem
    assert f"{len(got.frames)} frames could be read" in got.problem


@pytest.mark.parametrize(
    ("suffix", "codec", "b_frames"),
    [
        (".mp4", "libx264", 3),
        (".mkv", "libx264", 3),
        (".flv", "libx264", 2),
        (".avi", "libx264", 3),
    ],
)
def test_pictures_before_the_last_ones_are_cut_off(tmp_path: Path, suffix: str, codec: str, b_frames: int):
    """Packets are in the order of decoding: a picture comes before those that are shown before it."""
    container = {"movflags": "faststart"} if suffix == ".mp4" else {}
    whole = Film(codec, 48, b_frames=b_frames, group=24, container=container).write(tmp_path / f"whole{suffix}")
    with av.open(str(whole)) as box:
        positions = [(packet.pos, packet.size) for packet in box.demux(video=0) if packet.size]
    holes = 0
    for number in range(28, 36):
        path = tmp_path / f"{number}{suffix}"
        pos, size = positions[number]
        assert pos is not None
        path.write_bytes(whole.read_bytes()[: pos + size])
        got = read(path)
        assert got.shown == got.index
        np.testing.assert_allclose(got.times, np.array(got.index) / 25, atol=1e-3)
        assert "the file is cut short" in got.problem
        holes += got.index != list(range(len(got.index)))
    assert holes


@pytest.mark.parametrize("left", [4, "moof"])
def test_a_cut_at_the_beginning_of_a_fragment_is_told(tmp_path: Path, left: int | str):
    options = {"movflags": "frag_keyframe+empty_moov"}
    content = Film(frames=48, container=options).write(tmp_path / "whole.mp4").read_bytes()
    boxes = [k - 4 for k in range(len(content)) if content[k : k + 4] == (b"mdat" if left == "moof" else b"moof")]
    path = tmp_path / "a.mp4"
    path.write_bytes(content[: boxes[3] + (0 if left == "moof" else 4)])
    got = read(path)
    assert got.shown == list(range(24))
    assert got.problem == f"{path}: the file is cut short; 24 frames could be read. Copy the file again"


def test_the_end_of_a_stream_may_be_what_is_cut(tmp_path: Path):
    """The last tag of an FLV, less than half a second of it."""
    whole = Film(frames=48).write(tmp_path / "whole.flv")
    assert read(whole).problem == ""
    (tmp_path / "a.flv").write_bytes(whole.read_bytes()[:-30])
    assert "the file is cut short" in read(tmp_path / "a.flv").problem


def test_a_packet_of_which_nothing_comes_is_not_an_order_of_times(tmp_path: Path):
    """The decoder of MPEG-2 holds a picture back even where none is shown out of turn."""
    path = Film("mpeg2video", 24, group=8).write(tmp_path / "a.mkv")
    damage_packet(path, 10, zeros)
    got = read(path)
    assert got.notes == []
    assert "frame 10 cannot be decoded" in got.problem
    assert [k for k, n in zip(got.index, got.shown, strict=True) if k < 10 or k > 15] == [*range(10), *range(16, 24)]
    assert all(k == n for k, n in zip(got.index, got.shown, strict=True) if k < 10 or k > 15)


def test_a_cut_between_two_pictures_is_told(tmp_path: Path):
    path = Film("mjpeg", 40).write(tmp_path / "a.avi")
    with av.open(str(path)) as box:
        positions = [packet.pos for packet in box.demux(video=0) if packet.size]
    assert positions[24] is not None
    path.write_bytes(path.read_bytes()[: positions[24]])
    got = read(path)
    assert got.shown == list(range(24))
    assert got.problem == f"{path}: the file is cut short; 24 frames could be read. Copy the file again"


def test_presentation_times_in_the_order_of_decoding(tmp_path: Path):
    """As muxers write that know nothing of B pictures."""
    film = Film(frames=24, b_frames=2, retime=lambda number, pts, dts: (number, number))
    got = read(film.write(tmp_path / "a.mp4"))
    assert got.shown == got.index == list(range(24))
    np.testing.assert_allclose(got.times, np.arange(24) / 25, atol=1e-6)
    assert got.notes == ["the container's presentation times are in the order of decoding: frames are timed by that"]


@pytest.mark.parametrize(("suffix", "hole", "told"), [
    (".ts", 8, False), (".ts", 100, True), (".mkv", 50, False), (".mkv", 100, True), (".mp4", 3600, True),
])  # fmt: skip
def test_holes_are_kept_and_jumps_are_not(tmp_path: Path, suffix: str, hole: int, told: bool):
    at = [*range(12), *range(12 + 25 * hole, 24 + 25 * hole)]
    got = read(Film(frames=24, at=at).write(tmp_path / f"a{suffix}"))
    assert got.shown == got.index == list(range(24))
    assert got.problem == ""
    np.testing.assert_allclose(got.times, np.arange(24) / 25 if told else np.array(at) / 25, atol=1e-3)
    assert len(got.notes) == told
    if told:
        assert got.notes[0].startswith("the video's clock jumps ahead at frame 12: time goes on")


def test_a_stream_that_begins_in_the_middle(tmp_path: Path):
    path = Film(frames=40, b_frames=2, group=8).write(tmp_path / "a.ts")
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 188 // 3 * 188 :])
    got = read(path)
    first = got.shown[0]
    assert first is not None
    assert 8 < first < 32
    assert got.index == list(range(len(got.frames)))
    assert got.shown == [first + k for k in got.index]
    assert got.problem == ""
    assert got.notes[-1].startswith("the file begins in the middle: ")


def test_pictures_without_any_time(tmp_path: Path):
    got = read(Film(frames=24, b_frames=2).write(tmp_path / "a.h264"))
    assert got.shown == got.index == list(range(24))
    np.testing.assert_allclose(got.times, np.arange(24) / 25, atol=1e-6)


# what the container says of the picture


def draw(path: Path, size: tuple[int, int], pixel: Fraction | None = None, turn: int | None = None) -> Path:
    """A film of one circle, drawn for pixels of this aspect."""
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    across = (x - width / 2) * float(pixel or 1)
    image = np.where((across**2 + (y - height / 2) ** 2 < 40**2)[..., None], (250, 250, 250), (20, 20, 20))
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel or Fraction(1)
        if turn is not None:
            stream.set_display_rotation(turn)
        for _ in range(3):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")))
        box.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("stored", "pixel", "turn", "shown", "stretch"),
    [
        ((160, 120), None, None, (160, 120), (1, 1)),
        ((120, 120), Fraction(4, 3), None, (160, 120), (4 / 3, 1)),
        ((160, 90), Fraction(3, 4), None, (160, 120), (1, 4 / 3)),
        ((120, 160), Fraction(4, 3), 90, (160, 160), (1, 4 / 3)),
        ((160, 120), Fraction(20), None, (160, 120), (1, 1)),
    ],
)
def test_pixels_are_made_square(
    tmp_path: Path,
    stored: tuple[int, int],
    pixel: Fraction | None,
    turn: int | None,
    shown: tuple[int, int],
    stretch: tuple[float, float],
):
    path = draw(tmp_path / "a.mp4", stored, pixel if pixel != 20 else None, turn)
    if pixel == 20:
        path = draw(tmp_path / "b.mkv", stored, pixel)
    frame = read(path).frames[0]
    assert frame.image.shape[:2] == (shown[1], shown[0])
    assert frame.stretch == pytest.approx(stretch)
    assert (probe(path).width, probe(path).height) == shown
    if pixel != 20:
        inside = frame.image[..., 1] > 128
        across = 80 * max(1 / (pixel or 1), 1)
        assert np.ptp(np.flatnonzero(inside.any(0))) + 1 == pytest.approx(across, abs=2)
        assert np.ptp(np.flatnonzero(inside.any(1))) + 1 == pytest.approx(across, abs=2)


@pytest.mark.parametrize(("stored", "pixel"), [((240, 240), Fraction(4, 3)), ((320, 180), Fraction(3, 4))])
def test_making_pixels_square_moves_nothing(tmp_path: Path, stored: tuple[int, int], pixel: Fraction):
    """Of a picture that was squeezed without loss, nothing lies elsewhere than before: neither by half a pixel, which
    is how far off enlarging is that takes pixels for points, nor at one edge more than at the other."""
    noise = np.random.default_rng(0).integers(40, 215, (30, 40)).astype(np.uint8)
    whole = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)
    with av.open(str(tmp_path / "a.mp4"), "w") as box:
        stream = box.add_stream("libx264", rate=25, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = *stored, "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        squeezed = np.asarray(cv2.resize(whole, stored, interpolation=cv2.INTER_AREA), np.uint8)
        for _ in range(3):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(np.stack([squeezed] * 3, -1), format="rgb24")))
        box.mux(stream.encode())
    shown = read(tmp_path / "a.mp4").frames[0].image[..., 1]
    assert shown.shape == whole.shape
    halves = [np.s_[:, :160], np.s_[:, 160:], np.s_[:120], np.s_[120:]]
    for part in halves:
        (x, y), _ = cv2.phaseCorrelate(whole[part].astype(np.float64), shown[part].astype(np.float64))
        assert abs(x) < 0.1
        assert abs(y) < 0.1


def two_streams(path: Path, sizes: Sequence[tuple[int, int]], default: int | None = None) -> Path:
    """Streams of one picture each: of grey 60, 120, …"""
    with av.open(str(path), "w") as box:
        streams = []
        for k, size in enumerate(sizes):
            stream = box.add_stream("libx264", rate=25)
            assert isinstance(stream, VideoStream)
            (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
            stream.disposition = Disposition.default if k == default else Disposition(0)
            streams.append(stream)
        for k, stream in enumerate(streams):
            image = np.full((stream.height, stream.width, 3), 60 * (k + 1), np.uint8)
            box.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            box.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("sizes", "default", "taken"),
    [(((64, 48), (96, 64)), None, 1), (((96, 64), (64, 48)), None, 0), (((64, 48), (96, 64)), 0, 0)],
)
def test_the_best_of_several_video_streams(
    tmp_path: Path, sizes: Sequence[tuple[int, int]], default: int | None, taken: int
):
    got = read(two_streams(tmp_path / "a.mkv", sizes, default))
    assert got.frames[0].image[20, 20, 1] == pytest.approx(60 * (taken + 1), abs=4)
    width, height = sizes[taken]
    assert got.notes == [f"2 video streams: number {taken} ({width}x{height}, h264) is read"]


def plain(path: Path, codec: str, pixels: str, planes: Sequence[Any], size=(64, 48), **tags: int) -> Path:
    """A film of one colour in these planes."""
    with av.open(str(path), "w") as box:
        stream = box.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, pixels
        frame = av.VideoFrame(*size, format=pixels)
        for plane, value in zip(frame.planes, planes, strict=True):
            kind = np.uint16 if "10" in pixels else np.uint8
            content = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
            content[:, : plane.width] = value
            plane.update(content.tobytes())
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
            setattr(frame, name, value)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        box.mux(stream.encode(frame))
        box.mux(stream.encode())
    return path


RED_601, RED_709 = (81, 90, 240), (63, 102, 240)


@pytest.mark.parametrize(
    ("name", "colour", "film"),
    [
        ("limited", (255, 255, 255), {"pixels": "yuv420p", "planes": (235, 128, 128)}),
        ("limited", (0, 0, 0), {"pixels": "yuv420p", "planes": (16, 128, 128)}),
        ("full", (235, 235, 235), {"pixels": "yuvj420p", "planes": (235, 128, 128)}),
        ("full by its tag", (235, 235, 235), {"pixels": "yuv420p", "planes": (235, 128, 128), "color_range": 2}),
        ("small, untagged", (255, 0, 0), {"pixels": "yuv420p", "planes": RED_601}),
        ("BT.709", (255, 0, 0), {"pixels": "yuv420p", "planes": RED_709, "colorspace": 1}),
        ("large, untagged", (255, 0, 0), {"pixels": "yuv420p", "planes": RED_709, "size": (64, 640)}),
        ("large, BT.601", (255, 0, 0), {"pixels": "yuv420p", "planes": RED_601, "size": (64, 640), "colorspace": 6}),
    ],
)
def test_colours_as_a_player_shows_them(tmp_path: Path, name: str, colour: tuple[int, int, int], film: dict[str, Any]):
    image = read(plain(tmp_path / "a.mkv", "libx264", **film)).frames[0].image
    np.testing.assert_allclose(image[20, 20], colour, atol=4)


def test_high_dynamic_range_is_shown_as_standard(tmp_path: Path):
    """PQ: the white of a page, 203 cd/m² (ITU-R BT.2408), is white; half of its light is grey."""
    tags = {"colorspace": 9, "color_trc": 16, "color_primaries": 9, "color_range": 1}
    white, grey = 64 + round(0.5807 * 876), 64 + round(0.5089 * 876)
    light = np.where(np.arange(64) < 32, white, grey).astype(np.uint16)
    path = plain(tmp_path / "a.mkv", "ffv1", "yuv420p10le", (np.tile(light, (48, 1)), 512, 512), **tags)
    (frame,) = read(path).frames
    assert frame.image[20, 10].min() >= 245
    assert 170 <= frame.image[20, 50].min() <= frame.image[20, 50].max() <= 200


# the files themselves


@pytest.mark.realdata
def test_files_that_went_wrong(shared: Path):
    folder = shared / "bugcases"
    if not folder.is_dir():
        pytest.skip("no such files beside the checkout")
    avi, joined, damaged = (read(folder / n) for n in ("h264_bframes.avi", "concat.ts", "damaged_frame20.mp4"))
    np.testing.assert_allclose(avi.times, np.arange(12) / 25, atol=1e-9)
    assert (avi.index, avi.problem) == (list(range(12)), "")
    np.testing.assert_allclose(joined.times, np.arange(75) / 25, atol=1e-6)
    assert len(joined.notes) == 1
    assert len(damaged.frames) == 39
    np.testing.assert_allclose(damaged.times, np.array(damaged.index) / 25, atol=1e-6)
    assert "damaged: frame 19 cannot be decoded" in damaged.problem
    late, cut = read(folder / "start5s.mkv"), read(folder / "cut_mjpeg.avi")
    assert (len(late.frames), late.problem, late.times[0]) == (12, "", 0)
    assert len(cut.frames) == 24
    assert "the file is cut short; 24 frames could be read" in cut.problem
    for name, used, reasons in (("labels_h264_avi.csv", 12, []), ("labels_damaged.csv", 39, ["corrupt_video"])):
        found = list(list_table(folder / name, low=-1, high=1).clips[0].frames())
        assert sum(isinstance(frame, LabelledFrame) for frame in found) == used
        assert [frame.reason for frame in found if isinstance(frame, SkippedFrame)] == reasons
    assert read(folder / "sar43.mp4").frames[0].image.shape == read(folder / "plain.mp4").frames[0].image.shape
