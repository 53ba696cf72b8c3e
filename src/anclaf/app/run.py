"""Starting and ending the server."""

import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn

from anclaf.app.jobs import Queue
from anclaf.app.library import Library
from anclaf.app.limits import Limits
from anclaf.app.live import MOST_BYTES, Webcams
from anclaf.app.server import close, make_app
from anclaf.app.worker import Setup, Worker
from anclaf.core.errors import ConfigError

CONNECTIONS = 200
"""At once; more are answered with 503."""


class _Server(uvicorn.Server):
    """Ends by itself at SIGINT and SIGTERM, so that what comes after it is done."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        self.should_exit = True  # a second one does not break off the first

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(kind, self.handle_exit) for kind in kinds]
        try:
            yield
        finally:
            for kind, handler in zip(kinds, before, strict=True):
                signal.signal(kind, handler)


def serve(
    folder: Path | None,
    results: Path | None,
    setup: Setup,
    limits: Limits,
    host: str,
    port: int,
    ready: Callable[[str, Worker], None],
) -> list[tuple[str, Path]]:
    """Serve until SIGINT or SIGTERM. Then analyses and their processes are ended, and what was uploaded is removed.

    Args:
        folder, results: as `Library`. port: 0 for any that is free. ready: called with the address to open, and the
            process that has the model.

    Returns:
        What `Library.close` leaves.

    Raises:
        ConfigError: the port is taken, no such host or folder. ModelError, DetectorError: as `AffectEstimator.load`.
    """
    listening = _listen(host, port)
    library = None
    try:
        library = Library(folder, results, limits)
        first = Worker(setup)
        queue, webcams = Queue(library, setup, first), Webcams(setup, limits.live)
        try:
            key = None if _is_loopback(host) else secrets.token_urlsafe(18)
            app = make_app(library, queue, webcams, host, key, lambda: server.should_exit)
            server = _Server(
                uvicorn.Config(
                    app, log_level="error", access_log=False, server_header=False, limit_concurrency=CONNECTIONS,
                    timeout_graceful_shutdown=3, ws="websockets-sansio", ws_max_size=MOST_BYTES, ws_max_queue=2,
                )
            )  # fmt: skip
            listening.listen(CONNECTIONS)  # so that who opens the address at once waits instead of being refused
            ready(_address(host, listening.getsockname()[1], key), first)
            server.run(sockets=[listening])
        finally:
            left = close(library, queue, webcams)
        return left
    finally:
        listening.close()
        if library is not None:
            library.close()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 0 (any that is free) to 65535")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host}: no such address ({error.strerror or error})") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"{host}:{port}: cannot be listened at ({error.strerror or error}); choose another --port, or 0 for any"
        ) from error
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str, port: int, key: str | None) -> str:
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):  # all of this machine's
        name = "localhost"
    return f"http://{name}:{port}/" + (f"?key={key}" if key else "")
