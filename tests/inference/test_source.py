import os
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from anclaf.core.errors import ConfigError, VideoError
from anclaf.faces.frames import VideoFrame
from anclaf.inference.source import CHUNK, CHUNK_BYTES, ahead, chunks, expand, open_source, source_name


def test_images_of_a_folder_come_by_the_number_in_their_name(tmp_path: Path):
    for k in (0, 2, 10, 9):
        Image.fromarray(np.full((4, 4, 3), k, np.uint8)).save(tmp_path / f"frame{k}.png")
    (tmp_path / "notes.txt").touch()
    source = open_source(tmp_path, image_fps=10)
    frames = list(source.read())
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 2, 9, 10]
    assert [frame.time_s for frame in frames] == [0, 0.1, 0.2, 0.3]
    assert (source.name, source.fps, source.frames) == (tmp_path.name, 10, 4)


def _numbered(folder: Path, *names: str) -> Path:
    """Pictures whose grey is their place in this list."""
    folder.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        Image.fromarray(np.full((4, 4, 3), k, np.uint8)).save(folder / name)
    return folder


GAP = "no picture has the number {}: gaps in time"
ORDER = "the numbers in the pictures' names count no frames: the pictures are taken one after another"


@pytest.mark.parametrize(
    ("names", "places", "note"),
    [
        (("f0", "f1", "f2"), (0, 1, 2), ""),
        (("f0", "f1", "f3"), (0, 1, 3), GAP.format("2")),
        (("f007", "f008", "f012", "f013", "f014"), (0, 1, 5, 6, 7), GAP.format("9 to 11")),
        (("f0", "f5", "f10", "f20", "f25"), (0, 1, 2, 4, 5), GAP.format("15")),
        (("cam2_1", "cam2_2", "cam2_4", "cam2_5"), (0, 1, 3, 4), GAP.format("3")),
        (("1000", "1040", "1080"), (0, 1, 2), ""),
        (("IMG_1034", "IMG_1056", "IMG_2000"), (0, 1, 2), ORDER),
        (("f0", "f1", "f2", "f900"), (0, 1, 2, 3), ORDER),
        (("ann", "bob", "eve"), (0, 1, 2), ""),
        (("a1_b1", "a1_b2", "a2_b1"), (0, 1, 2), ""),
    ],
)
def test_a_missing_number_is_a_gap_in_time(tmp_path: Path, names: tuple[str, ...], places: tuple, note: str):
    source = open_source(_numbered(tmp_path / "s", *(f"{name}.png" for name in names)), image_fps=10)
    frames = list(source.read())
    assert [frame.index for frame in frames] == list(places)
    assert [frame.time_s for frame in frames] == pytest.approx([place / 10 for place in places])
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(len(names)))
    assert [frame.file for frame in frames] == [f"{name}.png" for name in names]
    assert source.notes == [note] * bool(note)


def test_files_of_the_system_are_no_pictures(tmp_path: Path):
    folder = _numbered(tmp_path / "s", "f0.jpg", "f1.jpg", "f2.JPG")
    for name in ("._f1.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png"):
        (folder / name).write_bytes(b"\0\x05\x16\x07" + bytes(60))
    (folder / "f9.png").mkdir()
    source = open_source(folder)
    assert [frame.file for frame in source.read()] == ["f0.jpg", "f1.jpg", "f2.JPG"]
    assert source.frames == 3


def test_a_bad_picture_is_a_frame_that_says_why(tmp_path: Path):
    folder = _numbered(tmp_path / "s", *(f"{k}.png" for k in range(4)))
    (folder / "2.png").write_bytes(b"no picture")
    source = open_source(folder, image_fps=10)
    frames = list(source.read())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [bool(frame.problem) for frame in frames] == [False, False, True, False]
    assert frames[2].problem == source.problems[0]
    assert "2.png: not an image of a known format" in frames[2].problem
    for k in (0, 1, 3):
        (folder / f"{k}.png").write_bytes(b"")
    with pytest.raises(VideoError, match=r"0\.png: zero bytes"):
        list(open_source(folder).read())


def test_what_a_folder_without_pictures_is(tmp_path: Path):
    for name in ("a.mp4", "b.MOV"):
        (tmp_path / name).touch()
    with pytest.raises(VideoError, match=r"a folder of 2 videos; expected pictures\. Give its videos: '.*/\*'"):
        open_source(tmp_path)
    _numbered(tmp_path, "cover.png")
    assert open_source(tmp_path).notes == ["2 videos in this folder left out: give each by its name"]
    (tmp_path / "deep" / "er").mkdir(parents=True)
    with pytest.raises(VideoError, match="a folder without images, of folders; expected pictures"):
        open_source(tmp_path / "deep")
    (tmp_path / "deep" / "er" / "a.heic").touch()
    with pytest.raises(VideoError, match=r"a folder of \.heic pictures, which cannot be read\. Save them as PNG"):
        open_source(tmp_path / "deep" / "er")
    _numbered(tmp_path / "deep" / "er", "a.png")
    assert open_source(tmp_path / "deep" / "er").notes == ["1 picture of .heic left out: save as PNG or JPEG"]
    (tmp_path / "deep" / "er" / "b.CR2").touch()
    assert open_source(tmp_path / "deep" / "er").notes == ["2 pictures of .cr2 and .heic left out: save as PNG or JPEG"]


def test_an_animated_picture_is_a_video(tmp_path: Path):
    pictures = [Image.new("RGB", (8, 8), (40 * k, 0, 0)) for k in range(5)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=40, lossless=True)
    source = open_source(tmp_path / "a.webp")
    assert (source.fps, source.frames, source.images) == (25, 5, ())
    assert [int(frame.image[0, 0, 0]) for frame in source.read()] == [0, 40, 80, 120, 160]


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_of_an_animated_picture_that_is_cut_the_beginning_is_read(tmp_path: Path, suffix: str):
    rng = np.random.default_rng(1)
    pictures = [Image.fromarray(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)) for _ in range(6)]
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"a.{suffix}"
    pictures[0].save(whole, save_all=True, append_images=pictures[1:], duration=40)
    assert len([*open_source(whole).read()]) == 6
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    source, frames = open_source(path), []
    with pytest.raises(VideoError, match=f"a.{suffix}: damaged image"):
        frames.extend(source.read())
    assert 3 <= len(frames) < 6
    assert source.fps == pytest.approx(25)


def test_a_name_that_is_no_text_is_shown_as_bytes(tmp_path: Path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/m\xfcller.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", name)
    (frame,) = open_source(name).read()
    assert frame.file == "m\\xfcller.png"


def test_one_image_is_one_frame(tmp_path: Path):
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "a.b.JPG")
    source = open_source(tmp_path / "a.b.JPG")
    assert [frame.image.shape for frame in source.read()] == [(4, 6, 3)]
    assert (source.name, source.frames) == ("a.b", 1)


@pytest.mark.realdata
def test_a_video_says_its_frame_rate(shared: Path):
    source = open_source(shared / "realdata" / "videos" / "pyfeat_single_face.mp4")
    assert (source.name, source.fps, source.frames) == ("pyfeat_single_face", 30, 72)


def test_what_cannot_be_read_is_refused(tmp_path: Path, folder_of: Callable[[Path, Sequence[NDArray]], Path]):
    with pytest.raises(VideoError, match="no such video file"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(VideoError, match=r"none\.png: no such image file"):
        open_source(tmp_path / "none.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "a.avif")
    (tmp_path / "b.avif").write_bytes((tmp_path / "a.avif").read_bytes()[:100])
    with pytest.raises(VideoError, match=r"b\.avif: damaged image \(only its beginning is one\)"):
        list(open_source(tmp_path / "b.avif").read())
    with pytest.raises(VideoError, match="a folder without images; expected"):
        open_source(folder_of(tmp_path / "empty", []))
    with pytest.raises(ConfigError, match="image_fps 0: expected a positive number"):
        open_source(tmp_path, image_fps=0)


def test_reading_may_start_later_and_end_earlier(tmp_path: Path, folder_of: Callable[[Path, Sequence[NDArray]], Path]):
    folder = folder_of(tmp_path / "talk", [np.full((4, 4, 3), k, np.uint8) for k in range(8)])
    source = open_source(folder, image_fps=10, seconds=0.55)
    assert source.frames == 6
    assert [(f.index, int(f.image[0, 0, 0])) for f in source.read(4)] == [(4, 4), (5, 5)]


def test_reading_a_video_may_start_later(tmp_path: Path):
    path = _film(tmp_path / "talk.mp4", 20)
    every = list(open_source(path).read())
    late = list(open_source(path).read(13))
    assert [frame.index for frame in late] == list(range(13, 20))
    for one, other in zip(every[13:], late, strict=True):
        assert one.time_s == other.time_s
        np.testing.assert_array_equal(one.image, other.image)
    assert len(list(open_source(path, seconds=0.4).read())) == open_source(path, seconds=0.4).frames == 10


def test_patterns(tmp_path: Path):
    for name in ("b.mp4", "a.mp4", "c.txt", "d[1].mp4"):
        (tmp_path / name).touch()
    found = expand([f"{tmp_path}/[ab].mp4", "rtsp://host/*", f"{tmp_path}/d[1].mp4", f"{tmp_path}/x*"])
    names = ["a.mp4", "b.mp4"]
    assert found == [
        *(f"{tmp_path}/{name}" for name in names),
        "rtsp://host/*",
        f"{tmp_path}/d[1].mp4",
        f"{tmp_path}/x*",
    ]
    with pytest.raises(VideoError, match=r"x\*: no file or folder matches this pattern"):
        open_source(tmp_path / "x*")
    with pytest.raises(ConfigError, match="2 sources match; expected one"):
        open_source(tmp_path / "[ab].mp4")


def test_a_pattern_that_one_matches_is_that_one(tmp_path: Path):
    Image.new("RGB", (4, 4)).save(tmp_path / "smile.png")
    assert open_source(tmp_path / "*.png").name == "smile"


def test_names_of_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert source_name(".") == tmp_path.name
    assert source_name("talks/a.b.mp4") == "a.b"
    assert source_name("rtsp://me:secret@host/cam") == "rtsp_host_cam"


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_seconds_are_positive(tmp_path: Path, seconds: float):
    with pytest.raises(ConfigError, match=r"seconds .*: expected a positive number"):
        open_source(tmp_path, seconds=seconds)


def _film(path: Path, frames: int, codec: str = "mpeg4", size: tuple[int, int] = (64, 48)) -> Path:
    with av.open(str(path), "w") as box:
        stream = box.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(frames):
            image = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
            box.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        box.mux(stream.encode())
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the films of `tmp_path`: /NAME; /silent/NAME holds the line afterwards; /cut/NAME
    breaks off half way."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            way, _, name = self.path.rpartition("/")
            path = tmp_path / name
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            self.send_response(200)
            if way != "/silent":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if way == "/cut" else content)
            if way == "/silent":
                done.wait(20)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        done.set()
        http.shutdown()


def test_a_network_stream_gives_the_frames_of_the_file(tmp_path: Path, server: str):
    path = _film(tmp_path / "talk.ts", 30, "mpeg2video")
    source = open_source(f"{server}/talk.ts")
    assert (source.path, source.frames, source.fps) == (None, None, 25)
    assert source.name == f"http_127.0.0.1_{server.rpartition(':')[2]}_talk.ts"
    sent, stored = list(source.read()), list(open_source(path).read())
    assert [frame.index for frame in sent] == list(range(30))
    for one, other in zip(sent, stored, strict=True):
        assert one.time_s == other.time_s
        np.testing.assert_array_equal(one.image, other.image)


def test_a_stream_without_an_end_stops_when_it_is_told(tmp_path: Path, server: str):
    _film(tmp_path / "talk.ts", 200, "mpeg2video", (160, 120))
    frames = list(open_source(f"{server}/silent/talk.ts", seconds=1).read())
    assert len(frames) == 25


def test_a_stream_that_breaks_off_gives_its_beginning_and_then_says_so(tmp_path: Path, server: str):
    _film(tmp_path / "talk.mkv", 100)
    frames: list[VideoFrame] = []
    source = open_source(f"{server}/cut/talk.mkv")
    with pytest.raises(VideoError, match=r"/cut/talk\.mkv: .*frames.*\. Check the connection"):
        frames.extend(source.read())
    assert 10 < len(frames) < 90


def test_a_stream_that_falls_silent_says_so(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.faces.frames._SILENT_S", 0.5)
    _film(tmp_path / "talk.ts", 200, "mpeg2video", (160, 120))
    frames: list[VideoFrame] = []
    source = open_source(f"{server}/silent/talk.ts")
    with pytest.raises(VideoError, match=r"broke off after \d+ frames \(nothing came for 0.5 s\)"):
        frames.extend(source.read())
    assert len(frames) > 150


def test_streams_that_cannot_be_had(server: str):
    with pytest.raises(VideoError, match=r"/none\.mp4: cannot be opened \(.*\)\. Check the address"):
        open_source(f"{server}/none.mp4")
    with pytest.raises(VideoError, match=r"v4l2:/dev/video99: cannot be opened \(No such file or directory\)"):
        open_source("v4l2:/dev/video99")


def test_a_camera(tmp_path: Path):
    source = open_source("lavfi:testsrc=size=64x48:rate=10", seconds=1.5)
    frames = list(source.read())
    assert len(frames) == 15
    assert frames[0].image.shape == (48, 64, 3)
    assert (source.fps, source.frames, source.path) == (10, None, None)


# reading ahead


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise ValueError("no more")


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_hold_everything_in_order(count: int):
    found = list(chunks(range(count), lambda _: 1))
    assert [item for chunk in found for item in chunk] == list(range(count))
    assert [len(chunk) for chunk in found[:-1]] == [CHUNK] * (len(found) - 1)
    assert all(found)


def test_what_is_not_to_wait_comes_one_by_one():
    assert list(chunks(range(3), lambda _: 1, most=1)) == [[0], [1], [2]]


def test_large_items_come_in_small_chunks():
    half = CHUNK_BYTES // 2 + 1
    assert list(chunks([half, half, 1, 2 * half, 5], lambda size: size)) == [[half, half], [1, 2 * half], [5]]


@pytest.mark.parametrize("count", [0, 3, CHUNK, CHUNK + 3])
def test_what_comes_before_an_exception_is_given(count: int):
    found = []
    with pytest.raises(ValueError, match="no more"):
        found.extend(item for chunk in ahead(chunks(failing(count), lambda _: 1)) for item in chunk)
    assert found == list(range(count))


def test_another_thread_makes_one_item_ahead():
    made, may_go_on = [], threading.Event()

    def items() -> Iterator[int]:
        for k in range(5):
            made.append((k, threading.current_thread()))
            if k == 2:
                may_go_on.set()
            yield k

    for item in ahead(items()):
        if item == 1:
            assert may_go_on.wait(5), "the next item is not made while this one is in use"
        assert len(made) <= item + 2
    assert [k for k, _ in made] == list(range(5))
    assert threading.main_thread() not in {thread for _, thread in made}


@pytest.mark.parametrize("interrupt", [True, False])
def test_the_thread_ends_with_its_user(interrupt: bool):
    running = ahead(iter(range(1000)))
    assert next(running) == 0
    if interrupt:
        with pytest.raises(KeyboardInterrupt):
            running.throw(KeyboardInterrupt)
    else:
        running.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
