"""Trained runs by HTTP: what they scored, and nothing outside the folder."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_helpers import Served, running
from fake_run import FakeRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, one that has no scores yet, a damaged one and one that a link leads to."""
    home = tmp_path_factory.mktemp("home")
    run = FakeRun(variants=("base", "S-4", "SA-4"), comparators=("mean",), clips=4, frames=12).write(home)
    folder = home / "folder"
    folder.mkdir()
    run.rename(folder / "mine")
    (folder / "mine" / "report" / "images").mkdir(parents=True)
    (folder / "mine" / "report" / "index.html").write_text("<p>a report</p><script>alert(1)</script>")
    (folder / "mine" / "report" / "images" / "losses.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name in ("young", "damaged"):
        (folder / name).mkdir()
        shutil.copyfile(folder / "mine" / "run.json", folder / name / "run.json")
    (folder / "damaged" / "metrics.json").write_text('{"variants": {"base": {"valence": 7}}, "corpus": {}}')
    secret = home / "secret"
    shutil.copytree(folder / "mine", secret)
    (folder / "linked").symlink_to(secret)
    (folder / "mine" / "report" / "secret.html").symlink_to(secret / "report" / "index.html")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with running(folder) as server:
        yield server


def ids(served: Served) -> dict[str, str]:
    return {one["name"]: one["id"] for one in served.client.get("/api/runs").json()}


def test_runs_of_the_folder_are_listed_and_no_others(served: Served):
    found = {one["name"]: one["scored"] for one in served.client.get("/api/runs").json()}
    assert found == {"mine": True, "young": False, "damaged": True}
    with running() as without:
        assert without.client.get("/api/runs").json() == []


def test_a_folder_that_is_a_run(folder: Path):
    with running(folder / "mine") as server:
        assert list(ids(server)) == ["mine"]


def test_its_scores_are_those_of_metrics_json(served: Served, folder: Path):
    answer = served.client.get(f"/api/runs/{ids(served)['mine']}").json()
    metrics = json.loads((folder / "mine" / "metrics.json").read_text())
    assert [one["name"] for one in answer["entries"]] == ["base", "S-4", "SA-4", "mean"]
    assert [one["comparator"] for one in answer["entries"]] == [False, False, False, True]
    assert answer["entries"][3]["label"] == "training mean"
    own = metrics["variants"]["SA-4"]["arousal"]
    score = answer["entries"][2]["scores"]["arousal"]["ccc"]
    assert [score["value"], score["low"], score["high"]] == [own["ccc"], *own["ci95"]["ccc"]]
    assert answer["entries"][3]["scores"]["arousal"]["ccc"]["value"] == metrics["comparators"]["mean"]["arousal"]["ccc"]
    assert {"recipe", "protocol", "folds", "report"} <= answer.keys()
    assert (answer["folds"], answer["report"], answer["corpus"]["subjects"]) == ([0], True, 2)


def test_curves_are_those_of_history_csv(served: Served, folder: Path):
    id = ids(served)["mine"]
    found = served.client.get(f"/api/runs/{id}/curves", params={"variant": "SA-4", "fold": 0}).json()
    path = folder / "mine" / "fold0" / "SA-4" / "history.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    for curve in found:
        named = [curve["phase"], curve["name"]]
        own = [(int(step), float(value)) for step, *of, value in rows if of == named]
        assert curve["steps"] == [step for step, _ in own]
        assert curve["values"] == pytest.approx([value for _, value in own])
    assert {(phase, name) for _, phase, name, _ in rows} == {(one["phase"], one["name"]) for one in found}


def test_long_curves_are_thinned_and_end_where_they_end(served: Served, folder: Path):
    path = folder / "mine" / "fold0" / "S-4" / "history.csv"
    lines = [f"{k},train,loss,{'nan' if k == 5000 else k / 7}" for k in range(1, 5001)]
    path.write_text("\n".join(["step,phase,name,value", *lines]))
    (curve,) = served.client.get(f"/api/runs/{ids(served)['mine']}/curves", params={"variant": "S-4"}).json()
    assert len(curve["steps"]) <= 400
    assert (curve["steps"][-1], curve["values"][-1]) == (5000, None)
    assert curve["values"][0] == pytest.approx(curve["steps"][0] / 7)


def test_its_report_is_given_and_runs_nothing(served: Served):
    at = f"/api/runs/{ids(served)['mine']}/report"
    answer = served.client.get(f"{at}/index.html")
    assert "a report" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-same-origin; default-src 'none'")
    assert "script" not in policy
    assert served.client.get(f"{at}/images/losses.svg").headers["content-type"] == "image/svg+xml"
    for name in (
        "..%2Frun.json", "..%2F..%2Fmine%2Freport%2Findex.html", "images%2F..%2Findex.html", "secret.html",
        "nothing.html", "images", ".x.html", "x.js",
    ):  # fmt: skip
        answer = served.client.get(f"{at}/{name}")
        assert answer.status_code == 404, name
        assert "sandbox" not in answer.headers.get("content-security-policy", ""), name


def test_what_is_not_there_or_damaged_is_one_line(served: Served):
    known = ids(served)
    for path, status, message in (
        ("nothing", 404, "no such run"),
        (known["young"], 409, "young: not scored yet"),
        (known["damaged"], 409, "damaged"),
        (f"{known['mine']}/curves?variant=../base", 404, "no such model"),
        (f"{known['mine']}/curves?variant=S-9", 404, "no history of this training"),
        (f"{known['mine']}/curves?variant=base&fold=-1", 422, "fold"),
        (f"{known['young']}/report/index.html", 404, "no such file in the report"),
    ):
        answer = served.client.get(f"/api/runs/{path}")
        assert (answer.status_code, list(answer.json())) == (status, ["detail"]), path
        assert message in answer.json()["detail"]


def test_a_history_that_is_none(served: Served, folder: Path):
    path = folder / "mine" / "fold0" / "base" / "history.csv"
    path.write_text("step,phase\n1,2\n")
    answer = served.client.get(f"/api/runs/{ids(served)['mine']}/curves", params={"variant": "base"})
    assert answer.status_code == 409
    assert re.match(r"history.csv: cannot be read", answer.json()["detail"])
