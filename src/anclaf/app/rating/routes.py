"""The HTTP interface of ratings."""

import secrets
import time
from typing import Annotated

import pandas as pd
from fastapi import FastAPI, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from anclaf.app import tables
from anclaf.app.jobs import Queue
from anclaf.app.library import Library, Video
from anclaf.app.limits import RefusedError
from anclaf.app.rating.answers import (
    FolderRatings,
    JoinChoice,
    JoinedAnswer,
    JoinSettings,
    Kept,
    Rater,
    RatingBegin,
    RatingFinish,
    RatingImport,
    RatingSamples,
    RatingSaved,
    RatingSession,
    Subject,
    VideoRatings,
)
from anclaf.app.rating.lag import LagSearch
from anclaf.app.rating.store import RatingStore, RatingStores
from anclaf.app.rating.view import Estimates, estimates_of, view
from anclaf.core.labels import LabelScale
from anclaf.corpora.ratings import Dimension
from anclaf.inference.edits import read_edits

Of = Annotated[str | None, Query(description="identifier of an upload, whose ratings are its own; else FOLDER's")]


def add_ratings(app: FastAPI, library: Library, queue: Queue, stores: RatingStores, search: LagSearch) -> None:
    """Add the addresses of ratings."""
    _add_rating(app, library, stores)
    _add_files(app, library, stores)
    _add_joined(app, library, queue, stores)

    def of(video: str | None) -> RatingStore:
        return stores.of_folder() if video is None else stores.of(library.get(video))

    @app.get("/api/ratings")
    def of_folder(video: Of = None) -> FolderRatings:
        """The ratings of all videos of the folder, how they are joined, and what makes a corpus of them."""
        return of(video).of_folder()

    @app.put("/api/ratings/settings")
    def choose(choice: JoinChoice, video: Of = None) -> FolderRatings:
        """State how raters are joined, and how late they answer."""
        store = of(video)
        before = store.settings()
        told = before.lag_told if before.lag_s == choice.lag_s else ""
        store.set(JoinSettings(join=choice.join, lag_s=choice.lag_s, lag_told=told))
        return store.of_folder()

    @app.post("/api/ratings/lag")
    def find_lag(video: Of = None) -> FolderRatings:
        """Look for the shift at which ratings tell most of the faces in all rated videos; it takes a while."""
        store = of(video)
        found = store.of_folder()
        if not found.complete:
            raise RefusedError(409, "no video has ratings of valence and arousal yet")
        lag_s, told = search.find(store.table, store.videos, store.join(), found.videos)
        store.set(JoinSettings(join=found.settings.join, lag_s=lag_s, lag_told=told))
        return store.of_folder()


def _all_of(library: Library, store: RatingStore, video: Video) -> VideoRatings:
    look = library.look(video)
    return VideoRatings(
        raters=store.raters(video), unfinished=store.unfinished(video), subject=store.subject(video),
        folder=str(store.folder(video)), lasting=store.lasting, first_s=look.first_s, duration_s=look.duration_s,
    )  # fmt: skip


def _add_rating(app: FastAPI, library: Library, stores: RatingStores) -> None:
    def all_of(video: Video) -> VideoRatings:
        return _all_of(library, stores.of(video), video)

    @app.get("/api/videos/{id}/ratings")
    def ratings(id: str) -> VideoRatings:
        """Who has rated a video, and what was broken off."""
        return all_of(library.get(id))

    @app.post("/api/videos/{id}/ratings", status_code=201)
    def begin(id: str, asked: RatingBegin) -> RatingSession:
        """Begin a rating, or go on with one that was broken off."""
        video = library.get(id)
        library.look(video)
        return stores.of(video).begin(video, asked)

    @app.delete("/api/videos/{id}/ratings")
    def remove(id: str, rater: Annotated[Rater, Query()], what: Kept) -> VideoRatings:
        """Set a rating aside: its file is moved to the folder `kept`."""
        video = library.get(id)
        stores.of(video).remove(video, rater, what)
        return all_of(video)

    @app.post("/api/videos/{id}/ratings/samples")
    def add(id: str, asked: RatingSamples) -> RatingSaved:
        """Samples of a rating that goes on. They are on disk when this is answered."""
        video = library.get(id)
        saved = stores.of(video).add(video, asked.rater, asked.session, asked.first, list(asked.samples))
        return RatingSaved(saved=saved)

    @app.post("/api/videos/{id}/ratings/finish")
    def finish(id: str, asked: RatingFinish) -> VideoRatings:
        """Write a rating as CARMA's files, a file for each dimension."""
        video = library.get(id)
        stores.of(video).finish(video, asked.rater, asked.session)
        return all_of(video)

    @app.put("/api/videos/{id}/ratings/subject")
    def name_subject(id: str, asked: Subject) -> VideoRatings:
        """Say who is in the video: nobody is in training and in test at once."""
        video = library.get(id)
        stores.of(video).name_subject(video, asked.subject)
        return all_of(video)


def _add_files(app: FastAPI, library: Library, stores: RatingStores) -> None:
    @app.post("/api/videos/{id}/ratings/imports", status_code=201)
    def take(id: str, asked: RatingImport) -> VideoRatings:
        """Take another tool's file as the ratings of further raters."""
        video = library.get(id)
        store = stores.of(video)
        store.take(video, asked)
        return _all_of(library, store, video)

    @app.get("/api/videos/{id}/ratings/file", response_class=FileResponse)
    def file(id: str, rater: Annotated[Rater, Query()], dimension: Dimension) -> FileResponse:
        """A rating as CARMA's file."""
        video = library.get(id)
        path = library.file(stores.of(video).path(video, rater, dimension), f"{dimension} by {rater}")
        name = f"{video.stem_shown}.{path.name}"
        told = {"cache-control": "no-store"}
        return FileResponse(path, media_type="text/csv; charset=utf-8", filename=name, headers=told)

    @app.get("/api/videos/{id}/ratings/archive", response_class=FileResponse)
    def archive(id: str) -> FileResponse:
        """All ratings of a video as a ZIP, which is unpacked beside it: `ratings/VIDEO/…`."""
        video, now = library.get(id), time.time_ns()
        to = library.temporary / f"{secrets.token_hex(8)}.zip"
        stores.of(video).archive(video, to)

        def sent() -> None:
            to.unlink(missing_ok=True)
            video.saved_ns = now

        return FileResponse(
            to, media_type="application/zip", filename=f"{video.stem_shown}.ratings.zip",
            headers={"cache-control": "no-store"}, background=BackgroundTask(sent),
        )  # fmt: skip


def _add_joined(app: FastAPI, library: Library, queue: Queue, stores: RatingStores) -> None:
    @app.get("/api/videos/{id}/ratings/joined")
    def joined(id: str) -> JoinedAnswer:
        """All raters of a video together: curves, the joined rating, agreement, and the model beside them."""
        video = library.get(id)
        store = stores.of(video)
        settings, own = store.settings(), store.folder(video)
        folders = {own, *(path for _, path in store.folders())} if settings.join == "ewe" else {own}
        found = {path: store.read(path) for path in sorted(folders)}
        return view(found, own, settings, estimates(video))

    def estimates(video: Video) -> Estimates | None:
        if (path := library.table(video)) is None:
            return None
        table: pd.DataFrame = tables.load(path)
        low, high = tables.scale_of(table, library.about(video), queue.info)
        return estimates_of(table, read_edits(path).merged, LabelScale(low, high))
