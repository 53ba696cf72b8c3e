"""A video that a client sends: to a file as it comes, cut off where it becomes too large or nothing comes any more."""

import asyncio
import shutil
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from anclaf.app.library import Library, Video
from anclaf.app.limits import RefusedError
from anclaf.app.look import media_type

_HEAD = 1024
_DRAIN, _DRAIN_S = 16_000_000, 2.0
_SPARE = 1e9
"""Bytes that stay free on the disk."""


async def receive(request: Request, library: Library, name: str) -> Video:
    """The body of a request as a video of the library, which has been looked at.

    Raises:
        RefusedError: no room (507), too large or too long (413), nothing comes (408), broken off (400), no video that
            can be decoded (415). Nothing of it is kept.
    """
    library.check_room()
    limit = int(library.limits.upload_mb * 1e6)
    announced = int(request.headers.get("content-length") or 0)
    if announced > limit:
        raise _too_large(library)
    if shutil.disk_usage(library.temporary).free - max(announced, 0) < _SPARE:
        raise RefusedError(507, f"the disk of {library.temporary} is almost full")
    video = library.new_upload(name)
    try:
        await _store(request, library, video, limit)
        look = await run_in_threadpool(library.look, video)
        if look.duration_s is not None and look.duration_s > library.limits.seconds:
            most = library.limits.seconds
            raise RefusedError(413, f"{video.name}: {look.duration_s:.0f} s long; expected at most {most:g} s")
        library.add(video)
    except RefusedError:
        library.discard(video)
        await _drain(request)
        raise
    except BaseException:
        library.discard(video)
        raise
    return video


async def _drain(request: Request) -> None:
    """A little more is taken and dropped: a client that is still sending when the connection ends reads no answer."""
    taken = 0
    with suppress(ClientDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > _DRAIN:
                    return


async def _store(request: Request, library: Library, video: Video, limit: int) -> None:
    assert video.path is not None
    size, head, known = 0, b"", False
    silent_s = library.limits.silent_s
    chunks = request.stream()
    with open(video.path, "wb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks, None), silent_s)
            except TimeoutError:
                raise RefusedError(408, f"{video.name}: nothing came for {silent_s:g} s") from None
            except ClientDisconnect:
                raise RefusedError(400, f"{video.name}: broken off after {size:,} bytes") from None
            if chunk is None:
                break
            size += len(chunk)
            if size > limit:
                raise _too_large(library)
            if not known:
                head += chunk[:_HEAD]
                if known := len(head) >= _HEAD:
                    _check_head(head, video)
            await run_in_threadpool(_write, file, chunk, library)
    if not size:
        raise RefusedError(415, f"{video.name}: an empty file; expected a video as the body of the request")
    if not known:
        _check_head(head, video)


def _write(file, chunk: bytes, library: Library) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise RefusedError(507, f"{library.temporary}: cannot be written ({error.strerror or error})") from error


def _check_head(head: bytes, video: Video) -> None:
    """What is no video is not taken to its end."""
    if media_type(head) is None:
        raise RefusedError(415, f"{video.name}: not a video by its first bytes")


def _too_large(library: Library) -> RefusedError:
    return RefusedError(413, f"larger than {library.limits.upload_mb:g} MB, the most that an upload may have")
