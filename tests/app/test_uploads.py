"""Videos that clients send: whole, wrong, too large, endless, too slow, too many."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from anclaf.app.limits import Limits
from app_helpers import HOSTILE, FakeWorker, Served, running, write_video


def _kept(served: Served) -> list[Path]:
    return [path for path in served.library.temporary.iterdir() if path.is_dir()]


def test_a_video_is_sent_analysed_and_removed(served: Served, tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4").read_bytes()
    sent = served.client.post("/api/videos", params={"name": "../my talk.mp4"}, content=content)
    assert sent.status_code == 201
    video = served.wait(sent.json()["id"], "done")
    assert (video["name"], video["uploaded"]) == ("my talk.mp4", True)
    assert served.client.get(f"/api/videos/{video['id']}/video").content == content
    table = served.client.get(f"/api/videos/{video['id']}/table")
    assert table.headers["content-disposition"] == "attachment; filename*=utf-8''my%20talk.csv"
    assert served.client.delete(f"/api/videos/{video['id']}").status_code == 204
    assert served.client.get(f"/api/videos/{video['id']}").status_code == 404
    assert _kept(served) == []


def test_it_can_be_sent_without_being_analysed(served: Served, tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4").read_bytes()
    sent = served.client.post("/api/videos", params={"analyse": False}, content=content).json()
    assert (sent["state"], sent["name"]) == ("new", "video")
    assert served.worker.seen == []


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_video_is_refused_and_not_kept(steady: Served, what: str):
    answer = steady.client.post("/api/videos", params={"name": "talk.mp4"}, content=HOSTILE[what])
    assert answer.status_code == 415
    assert answer.json()["detail"].startswith("talk.mp4: ")
    assert _kept(steady) == []
    assert steady.client.get("/api/videos").status_code == 200


def test_too_large(tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4", frames=100).read_bytes()
    with running(limits=Limits(upload_mb=len(content) / 1e6 - 0.001)) as served:
        for body in (content, iter([content[:1000], content[1000:]])):
            answer = served.client.post("/api/videos", content=body)
            assert answer.status_code == 413
            assert "the most that an upload may have" in answer.json()["detail"]
        assert _kept(served) == []


def test_an_endless_upload_is_cut_off(tmp_path: Path):
    head = write_video(tmp_path / "talk.mp4").read_bytes()
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield head
        while sent < 2_000_000_000:
            sent += 100_000
            yield bytes(100_000)

    with running(limits=Limits(upload_mb=1)) as served:
        with suppress(httpx.TransportError):  # it writes on while the server has closed
            assert served.client.post("/api/videos", content=endless()).status_code == 413
        assert sent < 100_000_000
        assert _kept(served) == []
        assert served.client.get("/api/videos").json() == []


def test_what_is_no_video_is_not_read_to_its_end():
    sent = 0

    def pages() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2_000_000_000:
            sent += 100_000
            yield b"<html>" * 20_000

    with running() as served:
        with suppress(httpx.TransportError):
            assert served.client.post("/api/videos", content=pages()).status_code == 415
        assert sent < 100_000_000
        assert _kept(served) == []


def _raw(port: int, head: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").format(port=port).encode())
    return connection


def test_a_client_that_falls_silent_is_given_up(tmp_path: Path):
    head = write_video(tmp_path / "talk.mp4").read_bytes()[:500]
    with running(limits=Limits(silent_s=0.5)) as served:
        request = "POST /api/videos HTTP/1.1\nHost: 127.0.0.1:{port}\nContent-Length: 100000\n\n"
        with _raw(served.port, request) as connection:
            connection.sendall(head)
            began = time.monotonic()
            assert b" 408 " in connection.recv(4000).splitlines()[0]
            assert time.monotonic() - began < 10
        assert _kept(served) == []


def test_a_client_that_goes_leaves_nothing(tmp_path: Path):
    with running() as served:
        request = "POST /api/videos HTTP/1.1\nHost: 127.0.0.1:{port}\nContent-Length: 100000\n\n"
        with _raw(served.port, request) as connection:
            connection.sendall(write_video(tmp_path / "talk.mp4").read_bytes()[:2000])
            while not _kept(served):
                time.sleep(0.02)
        until = time.monotonic() + 10
        while _kept(served) and time.monotonic() < until:
            time.sleep(0.05)
        assert _kept(served) == []
        assert served.client.get("/api/videos").json() == []


LENGTHS = ["x", "-1", "1e3", "99999999999999999999999", "0x10", " "]


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_that_are_none(steady: Served, length: str):
    request = f"POST /api/videos HTTP/1.1\nHost: 127.0.0.1:{{port}}\nContent-Length: {length}\n\n"
    with _raw(steady.port, request) as connection:
        status = connection.recv(4000).splitlines()[0]
    assert status.split()[1] in (b"400", b"413", b"507"), status
    assert steady.client.get("/api/videos").status_code == 200


def test_too_long(tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4", frames=50).read_bytes()
    with running(limits=Limits(seconds=1.0)) as served:
        answer = served.client.post("/api/videos", params={"name": "talk.mp4"}, content=content)
        assert (answer.status_code, answer.json()["detail"]) == (413, "talk.mp4: 2 s long; expected at most 1 s")
        assert _kept(served) == []


def test_too_many(tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4").read_bytes()
    with running(limits=Limits(uploads=2)) as served:
        sent = [served.client.post("/api/videos", content=content) for _ in range(3)]
        assert [one.status_code for one in sent] == [201, 201, 507]
        assert "2 uploaded videos are kept already; remove one first" in sent[2].json()["detail"]
        served.client.delete(f"/api/videos/{sent[0].json()['id']}")
        assert served.client.post("/api/videos", content=content).status_code == 201


def test_attention_that_the_model_has_not(steady: Served, tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4").read_bytes()
    answer = steady.client.post("/api/videos", params={"attention": True}, content=content)
    assert answer.status_code == 422
    assert "attention: the model is S-4, which has none" in answer.json()["detail"]
    assert _kept(steady) == []


def test_removing_what_is_analysed_stops_it(tmp_path: Path):
    content = write_video(tmp_path / "talk.mp4").read_bytes()
    with running(worker=FakeWorker(free=False)) as served:
        id = served.client.post("/api/videos", content=content).json()["id"]
        served.wait(id, "running")
        assert served.client.delete(f"/api/videos/{id}").status_code == 204
        assert _kept(served) == []
