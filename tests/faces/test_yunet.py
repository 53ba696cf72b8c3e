"""The download against a server on this machine."""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anclaf.core.errors import DetectorError, OutputError
from anclaf.faces.yunet import YUNET_FILE, download_yunet

CONTENT = bytes(range(256)) * 50
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        if self.path in ("/404", "/503"):
            self.send_error(int(self.path[1:]))
            return
        bodies = {"/truncated": CONTENT[:5000], "/other": CONTENT[::-1], "/endless": CONTENT * 20, "/empty": b""}
        body = bodies.get(self.path, CONTENT)
        self.send_response(200)
        if self.path not in ("/endless", "/drip"):
            self.send_header("Content-Length", str(len(CONTENT) if self.path == "/truncated" else len(body)))
        self.end_headers()
        try:
            if self.path == "/silent":
                time.sleep(1.5)
            elif self.path == "/drip":
                for byte in body[:40]:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
            else:
                self.wfile.write(body)
        except OSError:
            pass  # the client has gone

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    _Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def _get(folder: Path, url: str, timeout_s: float = 5) -> Path:
    return download_yunet(folder, url, SHA256, len(CONTENT), timeout_s)


@pytest.mark.parametrize("path", ["/good", "/moved"])
def test_it_is_downloaded_once(tmp_path: Path, server: str, path: str):
    file = _get(tmp_path / "cache", server + path)
    assert file == tmp_path / "cache" / YUNET_FILE
    assert file.read_bytes() == CONTENT
    asked = len(_Handler.asked)
    assert _get(tmp_path / "cache", server + path) == file
    assert len(_Handler.asked) == asked
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [YUNET_FILE]


def test_a_damaged_copy_is_replaced(tmp_path: Path, server: str):
    (tmp_path / YUNET_FILE).write_bytes(CONTENT[:100])
    assert _get(tmp_path, server + "/good").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/404", "the server answers 404"),
        ("/503", "the server answers 503"),
        ("/truncated", "got 5000 bytes or more, expected 12800"),
        ("/empty", "got 0 bytes"),
        ("/endless", "got 12801 bytes or more, expected 12800"),
        ("/other", "sha256 [0-9a-f]{64}, expected [0-9a-f]{64}; nothing was kept"),
        ("/silent", "cannot be downloaded .*timed out"),
        ("/drip", "cannot be downloaded .*more than 0.5 s"),
    ],
)
def test_every_failure_says_what_to_do_and_leaves_nothing(tmp_path: Path, server: str, path: str, message: str):
    with pytest.raises(DetectorError, match=message) as caught:
        _get(tmp_path, server + path, timeout_s=0.5)
    assert server + path in str(caught.value)
    assert "use detector=haar" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_connection(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DetectorError, match=r"cannot be downloaded .*refused"):
        _get(tmp_path, f"http://127.0.0.1:{port}/yunet.onnx")


@pytest.mark.parametrize("url", ["yunet.onnx", "file:///yunet.onnx", "ftp://127.0.0.1/yunet.onnx"])
def test_only_http(tmp_path: Path, url: str):
    with pytest.raises(DetectorError, match="expected an http or https address"):
        _get(tmp_path, url)


def test_a_place_that_cannot_be_written(tmp_path: Path, server: str):
    (tmp_path / YUNET_FILE).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        _get(tmp_path, server + "/good")
