"""Servers of this machine that stand for those that models travel to: files over HTTP, and as much of the Hugging Face
Hub's interface as its client asks for."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import unquote, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride] - of no other kind here

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, said: int | None = None
    ) -> None:
        """said: what the header says of the length; the connection ends after `body`."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if said is None else said))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if said is not None:
            self.wfile.flush()
            self.close_connection = True

    def answer_json(self, content: object, status: int = 200) -> None:
        self.answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def file(self, path: Path) -> None:
        """A file; of a server that is `cut`, half of it, and of one that has a `status`, that."""
        if self.server.status:
            self.answer(self.server.status, b"no")
            return
        if not path.is_file():
            self.answer(404, b"no", {"X-Error-Code": "EntryNotFound"})
            return
        content = path.read_bytes()
        etag = {"ETag": f'"{sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if path.name == self.server.cut:
            if "Range" in self.headers:  # of a client that tries to go on
                self.answer(503)
                return
            self.answer(200, content[: len(content) // 2], etag, len(content))
            self.server.sent.set()
            self.server.stalled.wait(30)
        else:
            self.answer(200, content, etag)

    def do_GET(self) -> None:
        self.file(self.server.folder / unquote(urlsplit(self.path).path).lstrip("/"))

    do_HEAD = do_GET


PEOPLE = ("Zoe Doe", "Ann Other")
"""Whom the model that travels in the tests has learnt from."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(Handler):
    """Repositories are folders USER/NAME. Who has no token is told so where `status` is 401."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        if path[:2] == ["api", "models"] and path[4:5] == ["tree"]:
            self._tree(self.server.folder.joinpath(*path[2:4]))
        elif path[:2] == ["api", "models"]:
            self._about("/".join(path[2:4]))
        elif path[2:3] == ["resolve"]:
            self.file(self.server.folder.joinpath(*path[:2], *path[4:]))
        else:
            self.answer(404)

    do_HEAD = do_GET

    def _about(self, repository: str) -> None:
        if self.server.status:
            self.answer(self.server.status, b"{}", {"X-Error-Message": "Invalid username or password."})
        elif not (folder := self.server.folder / repository).is_dir():
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        else:
            names = [{"rfilename": one.name} for one in sorted(folder.iterdir())]
            self.answer_json({"id": repository, "sha": COMMIT, "siblings": names, "tags": [], "private": True})

    def do_POST(self) -> None:
        path, body = unquote(urlsplit(self.path).path).strip("/").split("/"), self.body()
        folder = self.server.folder.joinpath(*path[2:4])
        if self.server.status:
            self.answer(self.server.status, b"{}", {"X-Error-Message": "Invalid username or password."})
        elif path == ["api", "repos", "create"]:
            asked = json.loads(body)
            self.server.created.append(asked)
            folder = self.server.folder / asked.get("organization", "me") / asked["name"].rpartition("/")[2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitattributes").write_text("")
            self.answer_json({"url": f"{self.server.url}/{folder.parent.name}/{folder.name}"})
        elif path == ["api", "validate-yaml"]:
            self.answer_json({"errors": [], "warnings": []})
        elif path[4] == "preupload":
            files = [{"path": one["path"], "uploadMode": "regular"} for one in json.loads(body)["files"]]
            self.answer_json({"files": [one | {"shouldIgnore": False} for one in files]})
        elif path[4] == "commit":
            self._commit(folder, [json.loads(line) for line in body.splitlines()])
        else:
            self.answer(404)

    def _tree(self, folder: Path) -> None:
        files = [(one.name, one.stat().st_size) for one in sorted(folder.iterdir())]
        self.answer_json([{"type": "file", "path": name, "size": size, "oid": COMMIT} for name, size in files])

    def _commit(self, folder: Path, lines: list[dict]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                (folder / value["path"]).write_bytes(base64.b64decode(value["content"]))
            elif line["key"] == "deletedFile":
                (folder / value["path"]).unlink()
        self.answer_json({"commitUrl": f"{self.server.url}/{folder.parent.name}/{folder.name}/commit/{COMMIT}",
                          "commitOid": COMMIT, "hookOutput": "", "success": True})  # fmt: skip


class Server(ThreadingHTTPServer):
    """folder: of what it has. status: that it answers with. cut: the name of a file of which it sends a half; then
    `sent` is set, and it says nothing more until `stalled` is. created: what repositories were asked for."""

    daemon_threads = True

    def __init__(self, folder: Path, handler: type[Handler]):
        super().__init__(("127.0.0.1", 0), handler)
        self.folder, self.status, self.cut = folder, 0, ""
        self.created: list[dict] = []
        self.sent, self.stalled = Event(), Event()
        self.stalled.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(folder: Path, handler: type[Handler]) -> Iterator[Server]:
    with Server(folder, handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
