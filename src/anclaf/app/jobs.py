"""The queue: so many videos are analysed at once, each by a process of its own; the others wait and are told so."""

from collections import deque
from dataclasses import dataclass
from threading import Condition, Thread

from anclaf.app.library import Library, State, Video
from anclaf.app.limits import RefusedError
from anclaf.app.worker import Analysis, Cancelled, ModelInfo, Setup, Worker, WorkerDied
from anclaf.config import OutputOptions, StreamOptions
from anclaf.core.errors import AnclafError


@dataclass
class _Job:
    video: Video
    options: StreamOptions
    baseline: str | None
    overwrite: bool
    cancelled: bool = False


class Queue:
    """Of the videos of a library.

    Args:
        first: the process that was started already, to know that the model can be had.
    """

    def __init__(self, library: Library, setup: Setup, first: Worker):
        self._library, self.setup, self._first = library, setup, first
        self.info: ModelInfo = first.info
        self._waiting: deque[_Job] = deque()
        self._running: dict[str, _Job] = {}
        self._workers: list[Worker] = [first]
        self._change, self._closed = Condition(), False
        self._threads = [
            Thread(target=self._work, args=(first if slot == 0 else None,), name=f"analysis-{slot}", daemon=True)
            for slot in range(library.limits.jobs)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, video: Video, options: StreamOptions, baseline: str | None, overwrite: bool) -> None:
        """Analyse a video when its turn comes.

        Raises:
            RefusedError: it waits or is analysed already (409), too many wait (503), there is no attention to give, or
                the file is no video (415).
        """
        if options.attention and not self.info.attends:
            raise RefusedError(422, f"attention: the model is {self.info.variant}, which has none; SA models do")
        self._library.look(video)
        with self._change:
            if video.state in ("waiting", "running"):
                raise RefusedError(409, f"{video.name}: {video.state} already")
            if len(self._waiting) >= self._library.limits.waiting:
                raise RefusedError(503, f"{len(self._waiting)} videos wait already; try again later")
            video.state, video.message, video.done, video.total = "waiting", "", 0, 0
            self._waiting.append(_Job(video, options, baseline, overwrite))
            self._change.notify()

    def position(self, video: Video) -> int:
        """How many videos are before it, of those that wait; 0 where it does not."""
        with self._change:
            return next((k for k, job in enumerate(self._waiting) if job.video is video), 0)

    def cancel(self, video: Video) -> None:
        """Take a video out of the queue, or stop its analysis.

        Raises:
            RefusedError: (409) it neither waits nor is analysed.
        """
        with self._change:
            for job in self._waiting:
                if job.video is video:
                    self._waiting.remove(job)
                    self._ended(video, "cancelled")
                    return
            if (job := self._running.get(video.id)) is None:
                raise RefusedError(409, f"{video.name}: neither waits nor is analysed")
            job.cancelled = True

    def settle(self, video: Video, seconds: float = 10.0) -> None:
        """Wait until a video that was cancelled is in nobody's hands."""
        with self._change:
            self._change.wait_for(lambda: video.id not in self._running, seconds)

    def close(self) -> None:
        """End all analyses and their processes."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            for job in self._running.values():
                job.cancelled = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join(5)
        for worker in self._workers:
            worker.end()

    def _next(self) -> _Job | None:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            job = self._waiting.popleft()
            self._running[job.video.id] = job
            job.video.state = "running"
            return job

    def _work(self, worker: Worker | None) -> None:
        while (job := self._next()) is not None:
            video = job.video
            state: State = "failed"
            try:
                if worker is None:
                    worker = Worker(self.setup)
                    self._workers.append(worker)
                told = self._analyse(worker, job)
                state, message = "done", str(told["problem"])
            except Cancelled:
                state, message = "cancelled", "stopped" if video.uploaded else "stopped; analysing it again goes on"
            except WorkerDied as error:
                message = f"{video.name}: {error}; the others are not affected"
            except (AnclafError, OSError) as error:
                message = str(error).replace(str(video.path), video.name)
            except Exception as error:
                message = f"unexpected {type(error).__name__} ({error}); this is a fault of anclaf"
            with self._change:
                self._ended(video, state, message)
                self._running.pop(video.id, None)
                self._change.notify_all()

    def _analyse(self, worker: Worker, job: _Job) -> dict:
        video, limits = job.video, self._library.limits
        self._library.file(video.path, "video file")
        assert video.path is not None
        most = round(limits.seconds * 240) if video.uploaded else None

        def tell(done: int, total: int) -> None:
            video.done, video.total = done, total

        output = OutputOptions(overwrite=job.overwrite, resume=not job.overwrite)
        work = Analysis(video.path, video.results, job.options, output, job.baseline, most)
        return worker.analyse(work, tell, lambda: job.cancelled, limits.stalled_s)

    def _ended(self, video: Video, state: State, message: str = "") -> None:
        if state != "done" and self._library.table(video) is not None:  # of an analysis before
            message, state = f"{message or state}; shown are the results that were there", "done"
        video.state, video.message = state, message
