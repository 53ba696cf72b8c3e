"""The webcam's WebSocket: what it takes, what it refuses, and that a session ends."""

import io
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from anclaf.app.limits import Limits
from anclaf.app.live import MOST_BYTES, Webcams
from anclaf.app.worker import Live, Setup, WorkerDied
from anclaf.core.errors import AnclafError
from app_helpers import Served, running


@dataclass(eq=False)
class FakeLive:
    """Answers each picture with its time; `fail` instead, where it is there."""

    fail: Exception | None = None
    begun: list[Live] = field(default_factory=list)
    ended: int = 0

    def begin_live(self, work: Live) -> None:
        self.begun.append(work)

    def live_rows(self, picture: bytes, seconds: float) -> list[dict[str, Any]]:
        if self.fail is not None:
            raise self.fail
        return [{"time_s": struct.unpack_from("<d", picture)[0], "valence": float("nan"), "status": "no_face"}]

    def end_live(self) -> None:
        self.ended += 1

    def end(self) -> None:
        pass


@contextmanager
def _served(fake: FakeLive, limits: Limits | None = None) -> Iterator[Served]:
    webcams = Webcams(Setup("none"), 1)
    webcams._free.append(fake)  # type: ignore[arg-type]
    with running(limits=limits, live=webcams) as served:
        yield served


def _connect(served: Served) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{served.port}/api/live")


def _picture(time_s: float = 0.0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, "JPEG")
    return struct.pack("<d", time_s) + file.getvalue()


def _problem(socket: ClientConnection) -> str:
    """The last thing that is said before it is closed."""
    said = ""
    try:
        while True:
            said = json.loads(socket.recv(timeout=20)).get("problem", said)
    except ConnectionClosed:
        return said


def test_each_picture_is_answered():
    fake = FakeLive()
    with _served(fake) as served, _connect(served) as socket:
        socket.send('{"fps": 12, "faces": "largest"}')
        assert json.loads(socket.recv(timeout=20)) == {"ready": True}
        for k in range(3):
            socket.send(_picture(k / 10))
            answer = json.loads(socket.recv(timeout=20))
            assert answer["rows"] == [{"time_s": k / 10, "valence": None, "status": "no_face"}]
    (work,) = fake.begun
    assert (work.fps, work.options.faces) == (12.0, "largest")
    assert fake.ended == 1


BEGINNINGS = [
    "",
    "{}",
    "null",
    '{"fps": 0}',
    '{"fps": 1e999}',
    '{"fps": "x"}',
    '{"fps": 9, "more": 1}',
    "\x00",
    b"\xff",
]


@pytest.mark.parametrize("first", BEGINNINGS)
def test_a_beginning_that_is_none(first: str | bytes):
    fake = FakeLive()
    with _served(fake) as served, _connect(served) as socket:
        socket.send(first)
        assert 'expected {"fps": 1 to 60} first' in _problem(socket)
    assert fake.begun == []


@pytest.mark.parametrize("picture", ["text", b"", b"1234567", bytes(8)])
def test_a_message_that_is_no_picture(picture: str | bytes):
    fake = FakeLive()
    with _served(fake) as served:
        with _connect(served) as socket:
            socket.send('{"fps": 10}')
            socket.send(picture)
            assert "expected a time and a JPEG of at most" in _problem(socket)
        assert fake.ended == 1
        with _connect(served) as socket:
            socket.send('{"fps": 10}')
            assert json.loads(socket.recv(timeout=20)) == {"ready": True}


def test_a_picture_that_is_too_large_ends_the_session():
    with _served(FakeLive()) as served, _connect(served) as socket:
        socket.send('{"fps": 10}')
        assert json.loads(socket.recv(timeout=20)) == {"ready": True}
        with suppress(ConnectionClosed):  # while it is still being sent
            socket.send(bytes(MOST_BYTES + 9))
        assert "expected a time and a JPEG of at most 2,000,000 bytes" in _problem(socket)


@pytest.mark.parametrize("error", [AnclafError("a picture that is no JPEG"), WorkerDied("the process ended")])
def test_what_goes_wrong_is_said_and_the_next_session_begins(error: Exception):
    fake = FakeLive(fail=error)
    with _served(fake) as served:
        with _connect(served) as socket:
            socket.send('{"fps": 10}')
            socket.send(_picture())
            assert _problem(socket) == str(error)
        fake.fail = None
        with _connect(served) as socket:
            socket.send('{"fps": 10}')
            assert json.loads(socket.recv(timeout=20)) == {"ready": True}


def test_as_many_as_may_be():
    with _served(FakeLive()) as served:
        with _connect(served) as first:
            first.send('{"fps": 10}')
            assert json.loads(first.recv(timeout=20)) == {"ready": True}
            with _connect(served) as second:
                second.send('{"fps": 10}')
                assert _problem(second) == "1 webcams are on already, the most; try again later"
        until = time.monotonic() + 10
        while time.monotonic() < until:  # until the first has been given back
            with _connect(served) as third:
                third.send('{"fps": 10}')
                if json.loads(third.recv(timeout=20)) == {"ready": True}:
                    return
        raise AssertionError("the first session was not given back")


@pytest.mark.parametrize(("limits", "said"), [(Limits(silent_s=0.3), "no picture came for 0.3 s"),
                                             (Limits(live_s=0.001), "a webcam may be on for 0.001 s")])  # fmt: skip
def test_a_session_does_not_last_for_ever(limits: Limits, said: str):
    fake = FakeLive()
    with _served(fake, limits) as served, _connect(served) as socket:
        socket.send('{"fps": 10}')
        if limits.live_s < 1:
            socket.send(_picture())
            time.sleep(0.1)
            socket.send(_picture())
        assert said in _problem(socket)
    assert fake.ended == 1
