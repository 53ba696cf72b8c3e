"""The queue: one after the other, what waits says so, what fails or is stopped disturbs nobody."""

from pathlib import Path
from typing import Any

import pytest

from anclaf.app.limits import Limits
from anclaf.app.worker import WorkerDied
from anclaf.core.errors import VideoError
from app_helpers import FakeWorker, Served, running, write_results, write_video


def _folder(tmp_path: Path, count: int) -> Path:
    first = write_video(tmp_path / "videos" / "v0.mp4")
    for k in range(1, count):
        (first.parent / f"v{k}.mp4").write_bytes(first.read_bytes())
    return first.parent


def _begin(served: Served, name: str, **options: Any) -> str:
    answer = served.client.post(f"/api/videos/{served.named(name)['id']}/analysis", json=options)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def test_one_at_once_the_others_wait_and_say_so(tmp_path: Path):
    with running(_folder(tmp_path, 3), worker=FakeWorker(free=False)) as served:
        ids = [_begin(served, f"v{k}.mp4") for k in range(3)]
        served.wait(ids[0], "running")
        states = [served.client.get(f"/api/videos/{id}").json() for id in ids]
        assert [(one["state"], one["position"]) for one in states] == [("running", 0), ("waiting", 0), ("waiting", 1)]
        served.worker.go.release()
        while (one := served.client.get(f"/api/videos/{ids[0]}").json())["done"] < 1:
            pass
        assert (one["done"], one["total"]) == (1, 5)
        again = served.client.post(f"/api/videos/{ids[1]}/analysis", json={})
        assert (again.status_code, again.json()["detail"]) == (409, "v1.mp4: waiting already")
        for _ in range(20):
            served.worker.go.release()
        for id in ids:
            served.wait(id, "done")
        assert [work.path.name for work in served.worker.seen] == ["v0.mp4", "v1.mp4", "v2.mp4"]


def test_stopping_what_runs_and_what_waits(tmp_path: Path):
    with running(_folder(tmp_path, 3), worker=FakeWorker(free=False)) as served:
        ids = [_begin(served, f"v{k}.mp4") for k in range(3)]
        served.wait(ids[0], "running")
        assert served.client.delete(f"/api/videos/{ids[1]}/analysis").json()["state"] == "cancelled"
        assert served.client.delete(f"/api/videos/{ids[0]}/analysis").status_code == 202
        assert served.wait(ids[0], "cancelled")["message"] == "stopped; analysing it again goes on"
        served.wait(ids[2], "running")
        served.worker.go.release(20)
        served.wait(ids[2], "done")
        assert served.client.delete(f"/api/videos/{ids[2]}/analysis").status_code == 409
        assert [work.path.name for work in served.worker.seen] == ["v0.mp4", "v2.mp4"]


FAULTS = [
    (VideoError("{path}: damaged"), "v0.mp4: damaged"),
    (WorkerDied("the process that decoded it ended"), "v0.mp4: the process that decoded it ended; the others are not"),
    (RuntimeError("what"), "unexpected RuntimeError (what); this is a fault of anclaf"),
    (OSError(28, "No space left on device"), "No space left on device"),
]


@pytest.mark.parametrize(("error", "said"), FAULTS)
def test_a_video_that_fails_disturbs_no_other(tmp_path: Path, error: Exception, said: str):
    folder = _folder(tmp_path, 2)
    if isinstance(error, VideoError):
        error = VideoError(str(error).format(path=folder / "v0.mp4"))
    with running(folder, worker=FakeWorker(fail={"v0.mp4": error})) as served:
        ids = [_begin(served, f"v{k}.mp4") for k in range(2)]
        assert said in served.wait(ids[0], "failed")["message"]
        served.wait(ids[1], "done")
        assert served.client.get(f"/api/videos/{ids[0]}/rows").status_code == 404


def test_results_that_were_there_stay_when_the_next_analysis_fails(tmp_path: Path):
    folder = _folder(tmp_path, 1)
    write_results(folder / "results", "v0")
    with running(folder, worker=FakeWorker(fail={"v0.mp4": VideoError("gone")})) as served:
        id = _begin(served, "v0.mp4", overwrite=True)
        while not (one := served.client.get(f"/api/videos/{id}").json())["message"]:
            pass
        assert (one["state"], one["message"]) == ("done", "gone; shown are the results that were there")
        assert served.client.get(f"/api/videos/{id}/rows").status_code == 200


def test_too_many_wait(tmp_path: Path):
    with running(_folder(tmp_path, 3), Limits(waiting=1), FakeWorker(free=False)) as served:
        served.wait(_begin(served, "v0.mp4"), "running")
        _begin(served, "v1.mp4")
        answer = served.client.post(f"/api/videos/{served.named('v2.mp4')['id']}/analysis", json={})
        assert (answer.status_code, answer.json()["detail"]) == (503, "1 videos wait already; try again later")


def test_a_broken_file_does_not_get_into_the_queue(tmp_path: Path):
    folder = _folder(tmp_path, 1)
    (folder / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(500))
    with running(folder) as served:
        answer = served.client.post(f"/api/videos/{served.named('broken.mp4')['id']}/analysis", json={})
        assert answer.status_code == 415
        assert answer.json()["detail"].startswith("broken.mp4: ")
        served.wait(_begin(served, "v0.mp4"), "done")


def test_options_are_those_of_predict(tmp_path: Path):
    with running(_folder(tmp_path, 1)) as served:
        served.wait(_begin(served, "v0.mp4", faces="largest", baseline="first:2.5", overwrite=True), "done")
        (work,) = served.worker.seen
        assert (work.options.faces, work.baseline, work.output.overwrite, work.output.resume) == (
            "largest", "first:2.5", True, False,
        )  # fmt: skip
        assert work.folder == tmp_path / "videos" / "results"
        for wrong in ({"faces": "none"}, {"baseline": "/etc/passwd"}, {"what": 1}, [], {"overwrite": "maybe"}):
            answer = served.client.post(f"/api/videos/{served.named('v0.mp4')['id']}/analysis", json=wrong)
            assert answer.status_code == 422
            assert "\n" not in answer.json()["detail"]


def test_events_tell_of_every_change(tmp_path: Path):
    import json

    with running(_folder(tmp_path, 1)) as served:
        states = []
        with served.client.stream("GET", "/api/events") as events:
            for line in events.iter_lines():
                if not line.startswith("data: "):
                    continue
                (one,) = json.loads(line[6:])
                if not states:
                    _begin(served, "v0.mp4")
                states.append(one["state"])
                if one["state"] == "done":
                    break
        assert states[0] == "new"
        assert states[-1] == "done"
