"""A webcam: the browser sends pictures over a WebSocket, the server answers each with its rows."""

import asyncio
import json
import time
from contextlib import suppress
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.tables import as_json
from anclaf.app.worker import Live, Setup, Worker, WorkerDied
from anclaf.config import StreamOptions
from anclaf.core.errors import AnclafError

MOST_SIDE = 1280
"""Pixels of a picture's longer side."""
MOST_BYTES = 2_000_000
"""Of a picture."""
_TRY_LATER, _TOO_LONG, _UNFIT = 1013, 1000, 1008


class Beginning(BaseModel):
    """What the browser says first. fps: pictures a second that it means to send."""

    model_config = ConfigDict(extra="forbid")

    fps: float = Field(ge=1, le=60, allow_inf_nan=False)
    faces: str = Field("all", pattern="^(all|largest)$")


class Webcams:
    """Processes for so many at once. One that was used is kept for the next."""

    def __init__(self, setup: Setup, most: int):
        self._setup, self._free, self._used, self._most = setup, list[Worker](), set[Worker](), most
        self._taken, self._closed, self._lock = 0, False, Lock()

    def take(self) -> Worker:
        """A process, which is started where none is free.

        Raises:
            RefusedError: (503) there are as many webcams as may be. ModelError: as `Worker`.
        """
        with self._lock:
            if self._closed or self._taken >= self._most:
                raise RefusedError(503, f"{self._taken} webcams are on already, the most; try again later")
            self._taken += 1
            worker = self._free.pop() if self._free else None
        try:
            worker = worker or Worker(self._setup)
        except BaseException:
            with self._lock:
                self._taken -= 1
            raise
        with self._lock:
            self._used.add(worker)
        return worker

    def give(self, worker: Worker) -> None:
        """Give it back."""
        with self._lock:
            self._taken -= 1
            self._used.discard(worker)
            if not self._closed:
                self._free.append(worker)
                return
        worker.end()

    def close(self) -> None:
        """End all."""
        with self._lock:
            self._closed = True
            workers, self._free = [*self._free, *self._used], []
        for worker in workers:
            worker.end()


async def follow(socket: WebSocket, webcams: Webcams, limits: Limits) -> None:
    """One session: a first message as `Beginning`, then pictures, each a time in seconds as a little-endian double and
    a JPEG; each is answered with `{"rows": […], "took_s": …}` before the next is taken. What is wrong is said as
    `{"problem": …}` before the socket is closed."""
    await socket.accept()
    try:
        told = await asyncio.wait_for(socket.receive(), limits.silent_s)
        wanted = Beginning.model_validate_json(told.get("text") or "")
        worker = await asyncio.to_thread(webcams.take)
    except ValidationError as error:
        await _end(socket, _UNFIT, f'expected {{"fps": 1 to 60}} first ({error.errors()[0]["msg"]})')
        return
    except (AnclafError, WorkerDied, TimeoutError) as error:
        await _end(socket, _TRY_LATER, str(error) or f"nothing came for {limits.silent_s:g} s")
        return
    except WebSocketDisconnect:
        return
    try:
        work = Live(wanted.fps, StreamOptions(faces="largest" if wanted.faces == "largest" else "all"), MOST_SIDE)
        await asyncio.to_thread(worker.begin_live, work)
        await socket.send_text(json.dumps({"ready": True}))
        await _pictures(socket, worker, limits)
    except (AnclafError, WorkerDied) as error:
        await _end(socket, _UNFIT, str(error))
    except WebSocketDisconnect:
        await asyncio.to_thread(worker.end_live)
    finally:
        webcams.give(worker)


async def _pictures(socket: WebSocket, worker: Worker, limits: Limits) -> None:
    until = time.monotonic() + limits.live_s
    while True:
        try:
            told = await asyncio.wait_for(socket.receive(), limits.silent_s)
        except TimeoutError:
            await asyncio.to_thread(worker.end_live)
            return await _end(socket, _TOO_LONG, f"no picture came for {limits.silent_s:g} s")
        if told["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        if time.monotonic() > until:
            await asyncio.to_thread(worker.end_live)
            return await _end(socket, _TOO_LONG, f"a webcam may be on for {limits.live_s:g} s; switch it on again")
        picture: Any = told.get("bytes")
        if not isinstance(picture, bytes) or not 8 < len(picture) <= MOST_BYTES:
            await asyncio.to_thread(worker.end_live)
            return await _end(socket, _UNFIT, f"expected a time and a JPEG of at most {MOST_BYTES:,} bytes")
        began = time.monotonic()
        rows = await asyncio.to_thread(worker.live_rows, picture, limits.stalled_s)
        clean = [{name: None if value != value else value for name, value in row.items()} for row in rows]
        await socket.send_bytes(as_json({"rows": clean, "took_s": round(time.monotonic() - began, 4)}))


async def _end(socket: WebSocket, code: int, problem: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):  # it has gone
        await socket.send_text(json.dumps({"problem": problem}))
        await socket.close(code)
