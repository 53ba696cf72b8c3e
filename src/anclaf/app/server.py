"""The HTTP interface: videos and their results, the queue, webcams, and the page itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

import anclaf
from anclaf.app import tables, uploads
from anclaf.app.answers import AnalysisOptions, Problem, RowsAnswer, ServerAnswer, TableKind, VideoAnswer
from anclaf.app.guard import Guard
from anclaf.app.jobs import Queue
from anclaf.app.library import Library, Video
from anclaf.app.limits import RefusedError
from anclaf.app.live import Webcams, follow
from anclaf.app.look import media_of
from anclaf.app.rating.lag import LagSearch
from anclaf.app.rating.routes import add_ratings
from anclaf.app.rating.store import RatingStores
from anclaf.app.runs import add_runs
from anclaf.config import StreamOptions
from anclaf.core.errors import AnclafError
from anclaf.inference.edits import Edits, read_edits, write_edits

_PAGE = files("anclaf.app").joinpath("page")
PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"js/{file.name}": (f"js/{file.name}", "text/javascript; charset=utf-8")
        for file in _PAGE.joinpath("js").iterdir()
        if file.name.endswith(".js")
    },
}
"""Address -> file of the page, and its type: nothing else is given."""
_EVENTS_S = 0.25
Columns = Annotated[
    str | None,
    Query(pattern=r"^[a-z0-9_]+\*?(,[a-z0-9_]+\*?)*$", max_length=1000, description="names, or beginnings with a `*`"),
]
_NO_TELEMETRY: Any = dict.fromkeys(("auto_configure", "tracing", "metrics", "logs", "operation_spans"), False)
"""FastAPI can send what is asked to a collector that the environment names; nothing leaves this machine."""
_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 403, 404, 408, 409, 413, 415, 421, 422, 500, 503, 507)
}


def make_app(
    library: Library,
    queue: Queue,
    webcams: Webcams,
    host: str = "127.0.0.1",
    key: str | None = None,
    closing: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The application.

    Args:
        host, key: as `Guard`. closing: whether the server is to end, so that streams of events end.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        search.close()
        await asyncio.to_thread(close, library, queue, webcams)

    app = FastAPI(
        title="ANCLaF", version=anclaf.__version__, lifespan=lifespan, openapi_url="/api/openapi.json", docs_url=None,
        redoc_url=None, responses=_REFUSED, telemetry=_NO_TELEMETRY,
        description="Valence and arousal of faces in videos, frame by frame: docs/app.md.",
    )  # fmt: skip
    app.add_middleware(Guard, host=host, key=key)  # type: ignore[arg-type]
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(AnclafError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    _add_page(app)
    stores = RatingStores(library)
    _add_videos(app, library, queue, stores)
    _add_results(app, library, queue)
    search = LagSearch(library.limits, queue.setup.detector)
    add_ratings(app, library, queue, stores, search)
    add_runs(app, library)

    @app.get("/api/events", response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """Server-sent events: all videos, as `GET /api/videos`, whenever one of them changes."""

        async def changes() -> AsyncIterator[str]:
            before, silent = "", 0
            while not closing():
                now = json.dumps([one.model_dump() for one in await asyncio.to_thread(_all, library, queue)])
                silent += 1
                if now != before or silent > 40:  # now and then, so that it is known who has gone
                    before, silent = now, 0
                    yield f"data: {now}\n\n"
                await asyncio.sleep(_EVENTS_S)

        return StreamingResponse(changes(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    @app.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        await follow(socket, webcams, library.limits)

    return app


def close(library: Library, queue: Queue, webcams: Webcams) -> list[tuple[str, Path]]:
    """End what goes on, and remove what was uploaded; what `Library.close` gives."""
    webcams.close()
    queue.close()
    return library.close()


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 409
    # what else a client would send is not waited for
    return JSONResponse({"detail": " ".join(str(error).splitlines())}, status, {"connection": "close"})


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
    return JSONResponse({"detail": said}, 422)


def _add_page(app: FastAPI) -> None:
    def giver(file: str, kind: str) -> Callable[[], Response]:
        content = _PAGE.joinpath(file).read_bytes()
        return lambda: Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    for address, (file, kind) in PAGE.items():
        app.add_api_route(f"/{address}", giver(file, kind), include_in_schema=False, methods=["GET"])


def _answer(queue: Queue, video: Video) -> VideoAnswer:
    files = video.files()
    return VideoAnswer(
        id=video.id, name=video.name, uploaded=video.uploaded, state=video.state, position=queue.position(video),
        done=video.done, total=video.total, message=video.message, playable=video.path is not None,
        overlay=_there(files.overlay), plot=_there(files.plot),
    )  # fmt: skip


def _there(path: Path | None) -> bool:
    return path is not None and path.is_file()


def _all(library: Library, queue: Queue) -> list[VideoAnswer]:
    return [_answer(queue, video) for video in library.videos()]


def _add_videos(app: FastAPI, library: Library, queue: Queue, stores: RatingStores) -> None:
    @app.get("/api/server")
    def server() -> ServerAnswer:
        """What runs here."""
        folder = None if library.folder is None else library.folder.name
        limits = {name: float(value) for name, value in asdict(library.limits).items()}
        return ServerAnswer(version=anclaf.__version__, model=asdict(queue.info), limits=limits, folder=folder)

    @app.get("/api/videos")
    def videos() -> list[VideoAnswer]:
        """All videos: those of the folder, then those uploaded."""
        return _all(library, queue)

    body = {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }

    @app.post("/api/videos", status_code=201, openapi_extra={"requestBody": body})
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=1000, description="file name, to show")] = "video",
        analyse: Annotated[bool, Query(description="put it into the queue")] = True,
        faces: Annotated[str, Query(pattern="^(all|largest)$")] = "all",
        attention: bool = False,
    ) -> VideoAnswer:
        """Upload a video, whose bytes are the body, and put it into the queue."""
        options = AnalysisOptions.model_validate({"faces": faces, "attention": attention})
        video = await uploads.receive(request, library, name)
        if analyse:
            try:
                await asyncio.to_thread(queue.add, video, *_options(options))
            except RefusedError:
                library.remove(video)
                raise
        return _answer(queue, video)

    @app.get("/api/videos/{id}")
    def one(id: str) -> VideoAnswer:
        """One video, and how far it is."""
        return _answer(queue, library.get(id))

    @app.delete("/api/videos/{id}", status_code=204)
    def remove(
        id: str, rated: Annotated[bool, Query(description="with ratings that nobody has downloaded")] = False
    ) -> None:
        """Remove an upload with its results."""
        video = library.get(id)
        library.check_removal(video, rated)
        if video.state in ("waiting", "running"):
            queue.cancel(video)
            queue.settle(video)
        library.remove(video)
        stores.forget(video)

    @app.post("/api/videos/{id}/analysis", status_code=202)
    def analyse(id: str, options: AnalysisOptions) -> VideoAnswer:
        """Put a video into the queue. Where an analysis was stopped, it goes on."""
        video = library.get(id)
        queue.add(video, *_options(options))
        return _answer(queue, video)

    @app.delete("/api/videos/{id}/analysis", status_code=202)
    def cancel(id: str) -> VideoAnswer:
        """Take it out of the queue, or stop it."""
        video = library.get(id)
        queue.cancel(video)
        return _answer(queue, video)


def _options(asked: AnalysisOptions) -> tuple[StreamOptions, str | None, bool]:
    return StreamOptions(faces=asked.faces, attention=asked.attention), asked.baseline, asked.overwrite


def _add_results(app: FastAPI, library: Library, queue: Queue) -> None:
    def table_of(video: Video) -> Path:
        if (path := library.table(video)) is None:
            raise RefusedError(404, f"{video.name}: no results yet")
        return path

    @app.get("/api/videos/{id}/rows", response_model=RowsAnswer)
    def rows(id: str, columns: Columns = None) -> Response:
        """The table as JSON."""
        video = library.get(id)
        with ThreadPoolExecutor(1) as beside:
            looking = None if video.path is None else beside.submit(library.look, video)
            table, about = tables.load(table_of(video)), library.about(video)
            wanted = None if columns is None else columns.split(",")
            content = {"rows": len(table), "columns": tables.as_columns(table, wanted)} | _about(table, about, queue)
            look = None if looking is None else looking.result()
        content |= {
            "first_s": look.first_s if look else 0.0, "width": look.width if look else 0,
            "height": look.height if look else 0, "fps": look.fps if look else 0.0,
        }  # fmt: skip
        return Response(tables.as_json(content), media_type="application/json", headers={"cache-control": "no-store"})

    @app.get("/api/videos/{id}/table", response_class=FileResponse)
    def table(id: str, format: TableKind = "csv") -> FileResponse:
        """The table as CSV or Parquet, as `anclaf predict` writes it."""
        video = library.get(id)
        path, to = table_of(video), library.temporary / f"{video.id}-{video.results.stat().st_mtime_ns}.{format}"
        path = tables.as_csv(path, to) if format == "csv" else tables.as_parquet(path, to)
        kind = "text/csv; charset=utf-8" if format == "csv" else "application/vnd.apache.parquet"
        return _file(path, kind, f"{video.stem_shown}.{format}")

    @app.get("/api/videos/{id}/plot", response_class=FileResponse)
    def plot(id: str) -> FileResponse:
        """The plot, a PNG."""
        video = library.get(id)
        return _file(library.file(video.files().plot, "plot"), "image/png", f"{video.stem_shown}.plot.png")

    @app.get("/api/videos/{id}/overlay", response_class=FileResponse)
    def overlay(id: str) -> FileResponse:
        """The overlay video, or a range of it."""
        video = library.get(id)
        return _file(
            library.file(video.files().overlay, "overlay video"), "video/mp4", f"{video.stem_shown}.overlay.mp4"
        )

    @app.get("/api/videos/{id}/video", response_class=FileResponse)
    def video_file(id: str) -> FileResponse:
        """The video itself, or a range of it."""
        video = library.get(id)
        path = library.file(video.path, "video file")
        return FileResponse(path, media_type=media_of(path), headers={"cache-control": "no-store"})

    @app.get("/api/videos/{id}/edits")
    def edits(id: str) -> Edits:
        """Who was renamed or joined, and which stretches do not count."""
        return read_edits(table_of(library.get(id)))

    @app.put("/api/videos/{id}/edits")
    def edit(id: str, edits: Edits) -> Edits:
        """Write them beside the table, which stays as it is."""
        write_edits(table_of(library.get(id)), edits)
        return edits


def _about(table: Any, about: dict[str, Any], queue: Queue) -> dict[str, Any]:
    made_with = about.get("made_with") if isinstance(about.get("made_with"), dict) else {}
    assert isinstance(made_with, dict)
    low, high = tables.scale_of(table, about, queue.info)
    notes = about.get("notes")
    return {
        "low": low, "high": high, "attention": sum(name.startswith("attention_") for name in table.columns),
        "model_fps": queue.info.fps, "complete": about.get("complete") is True,
        "notes": [str(note) for note in notes] if isinstance(notes, list) else [],
        "sureness": str(about.get("sureness", "")), "made_with": made_with,
    }  # fmt: skip


def _file(path: Path, kind: str, name: str) -> FileResponse:
    told = {"content-disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}", "cache-control": "no-store"}
    return FileResponse(path, media_type=kind, headers=told)
