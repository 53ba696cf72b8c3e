"""Ratings by HTTP: saved as they come, nothing lost, files that the readers take, hostile input."""

import base64
import io
import json
import shlex
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import numpy as np
import pytest

from anclaf.app.library import Library
from anclaf.app.limits import Limits
from anclaf.app.rating.answers import RatingBegin
from anclaf.app.rating.log import Log
from anclaf.app.rating.store import RatingStores
from anclaf.cli.main import main
from anclaf.corpora.rated import list_rated
from anclaf.corpora.rating_files import RATING_FORMATS
from anclaf.data.store import PreparedCorpus
from anclaf.faces.detect import DETECTORS
from anclaf.metrics import intraclass
from app_helpers import Served, running, write_results, write_video
from whole_frame import WholeFrame

RATE = 20


class Rating:
    """Of one video by HTTP."""

    def __init__(self, served: Served, video: str = "first.mp4"):
        self.client, self.id = served.client, served.named(video)["id"]
        self.folder = (served.library.folder or served.library.temporary) / "ratings" / video

    def ask(self, method: str, what: str = "", /, **options: Any) -> httpx.Response:
        return self.client.request(method, f"/api/videos/{self.id}/ratings{what}", **options)

    def begin(self, rater: str = "Ann", **more: Any) -> httpx.Response:
        return self.ask("POST", json={"rater": rater, "dimensions": ["valence", "arousal"], **more})

    def add(self, session: str, samples: list, first: int = 0, rater: str = "Ann") -> httpx.Response:
        said = {"rater": rater, "session": session, "first": first, "samples": samples}
        return self.ask("POST", "/samples", json=said)

    def whole(self, rater: str, valence: Any, arousal: Any, seconds: float = 2.0, **more: Any) -> dict[str, Any]:
        """Rate all of a video; valence and arousal are functions of the time."""
        session = self.begin(rater, **more).json()["session"]
        times = (np.arange(round(seconds * RATE)) / RATE).tolist()
        samples = [[t, None if valence is None else valence(t), None if arousal is None else arousal(t)] for t in times]
        assert self.add(session, samples, rater=rater).json() == {"saved": len(samples)}
        done = self.ask("POST", "/finish", json={"rater": rater, "session": session})
        assert done.status_code == 200, done.text
        return done.json()


def values(path: Path) -> list[float]:
    (ratings,) = RATING_FORMATS.get("carma").read(path)
    return ratings.value.tolist()


def test_a_rating_is_on_disk_as_it_comes_and_is_means_of_bins(served: Served):
    rating = Rating(served)
    begun = rating.begin(low=-10, high=10, bin_s=0.25).json()
    session = begun.pop("session")
    assert begun == {
        "from_s": 0.0, "saved": 0, "dimensions": ["valence", "arousal"], "low": -10, "high": 10, "bin_s": 0.25,
    }  # fmt: skip
    first = [[k / RATE, k / 10, None] for k in range(8)]
    assert rating.add(session, first).json() == {"saved": 8}
    assert [s[0] for s in Log.read(rating.folder / "unfinished.Ann.jsonl").samples] == [s[0] for s in first]
    again = [[k / RATE, k / 10, -5] for k in range(5, 17)]
    assert rating.add(session, again, 5).json() == {"saved": 17}, "what was there already is left out"
    lost = rating.add(session, [[9, 0, 0]], 18)
    assert (lost.status_code, lost.json()["detail"]) == (409, "samples 17 to 17 did not come; send them first")
    done = rating.ask("POST", "/finish", json={"rater": "Ann", "session": session}).json()
    assert [(r["rater"], r["dimension"], r["low"], r["high"], r["bin_s"]) for r in done["raters"]] == [
        ("Ann", "arousal", -10, 10, 0.25), ("Ann", "valence", -10, 10, 0.25),
    ]  # fmt: skip
    assert done["unfinished"] == []
    assert values(rating.folder / "valence.Ann.csv") == pytest.approx([0.2, 0.7, 1.2]), "the last part is dropped"
    np.testing.assert_array_equal(values(rating.folder / "arousal.Ann.csv"), [float("nan"), -5, -5])
    got = rating.ask("GET", "/file", params={"rater": "ann", "dimension": "valence"})
    assert got.content == (rating.folder / "valence.Ann.csv").read_bytes()
    assert "first.valence.Ann.csv" in got.headers["content-disposition"]
    (kept,) = (rating.folder / "kept").iterdir()
    assert len(Log.read(kept).samples) == 17, "what was recorded stays"


def test_what_was_broken_off_goes_on(served: Served):
    rating = Rating(served)
    session = rating.begin().json()["session"]
    rating.add(session, [[k / RATE, 1, 2] for k in range(10)])
    path = rating.folder / "unfinished.Ann.jsonl"
    with open(path, "ab") as file:
        file.write(b"[0.5, 1")  # killed while it wrote
    assert len(Log.read(path).samples) == 10
    assert path.read_bytes().endswith(b"]\n")
    (broken,) = rating.ask("GET").json()["unfinished"]
    assert broken == {"rater": "Ann", "dimensions": ["valence", "arousal"], "at_s": pytest.approx(0.5), "saved": 10}
    refused = rating.begin()
    assert (refused.status_code, "go_on" in refused.text) == (409, True)
    assert rating.begin("Bo", go_on=True).status_code == 404
    begun = rating.begin("ann", dimensions=["valence"], go_on=True).json()
    assert (begun["from_s"], begun["saved"], begun["dimensions"]) == (pytest.approx(0.5), 10, ["valence", "arousal"])
    other = rating.add(session, [[3, 1, 2]], 10)
    assert (other.status_code, other.json()["detail"]) == (409, "Ann rates it on another page now")
    assert rating.add(begun["session"], [[k / RATE, 3, 4] for k in range(10, 20)], 10).json() == {"saved": 20}
    assert rating.ask("POST", "/finish", json={"rater": "Ann"}).status_code == 200
    assert values(rating.folder / "valence.Ann.csv") == [1, 1, 3, 3]


def test_a_server_that_starts_again_goes_on_with_the_same_rating(tmp_path: Path):
    write_video(tmp_path / "first.mp4")
    with running(tmp_path) as served:
        session = Rating(served).begin().json()["session"]
        Rating(served).add(session, [[0, 1, 2]])
    with running(tmp_path) as served:
        assert Rating(served).add(session, [[0, 1, 2], [0.05, 1, 2]]).json() == {"saved": 2}


def test_rating_again_keeps_what_was_there(served: Served):
    rating = Rating(served)
    rating.whole("Ann", lambda t: 10, lambda t: 20)
    old = (rating.folder / "valence.Ann.csv").read_bytes()
    refused = rating.begin("ANN", dimensions=["valence"])
    assert refused.status_code == 409
    assert refused.json()["detail"] == "Ann has rated valence of it; `replace` keeps the old file apart"
    rating.whole("ann", lambda t: 30, None, dimensions=["valence"], replace=True)
    assert values(rating.folder / "valence.Ann.csv") == [30] * 8
    assert values(rating.folder / "arousal.Ann.csv") == [20] * 8
    assert old in [path.read_bytes() for path in (rating.folder / "kept").glob("*.valence.Ann.csv")]
    left = rating.ask("DELETE", params={"rater": "Ann", "what": "valence"}).json()
    assert [one["dimension"] for one in left["raters"]] == ["arousal"]
    assert rating.ask("DELETE", params={"rater": "Ann", "what": "valence"}).status_code == 404
    assert len(list((rating.folder / "kept").glob("*.valence.Ann.csv"))) == 2
    rating.add(rating.begin("Bo").json()["session"], [[0, 1, 1]], rater="Bo")
    assert rating.begin("Bo", replace=True).json()["saved"] == 0
    assert len(list((rating.folder / "kept").glob("*.unfinished.Bo.jsonl"))) == 1


def test_samples_that_cannot_be(served: Served):
    rating = Rating(served)
    session = rating.begin(dimensions=["valence"], low=-1, high=1).json()["session"]
    for samples, said in (
        ([[0, 1.5, None]], "valence is 1.5; expected -1 to 1"),
        ([[0, 0, 0.5]], "a value of arousal, which is not rated"),
        ([[0.1, 0, None], [0.1, 0, None]], "expected rising times"),
        ([[-1, 0, None]], "greater than or equal to 0"),
        ([["x", 0, None]], "valid number"),
        ([[0, 0, None]] * 4001, "at most 4000"),
        ([[0, 0]], "Field required"),
    ):
        answer = rating.add(session, samples)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]
    assert rating.add(session, []).json() == {"saved": 0}
    short = rating.ask("POST", "/finish", json={"rater": "Ann", "session": session})
    assert (short.status_code, "expected one bin of 0.25 s or more" in short.text) == (409, True)
    assert rating.add("no", []).status_code == 409
    assert rating.add(session, [], rater="Bo").status_code == 404


NAMES = [
    "", " ", ".", "..", "../../x", "a/b", "a\\b", "C:", "x\x00", "a\nb", "-x", "=1+1", "x" * 51, "a:b", "<b>", "*",
    "a|b", "\N{SNOWMAN}", "\N{RIGHT-TO-LEFT OVERRIDE}a",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_could_lead_elsewhere(steady: Served, name: str):
    rating = Rating(steady, "second.mp4")
    assert rating.begin(name).status_code == 422
    for method, what, body in (("POST", "/finish", {"rater": name}), ("POST", "/samples", {"rater": name})):
        assert rating.ask(method, what, json=body).status_code == 422
    assert rating.ask("GET", "/file", params={"rater": name, "dimension": "valence"}).status_code in (404, 422)
    assert rating.ask("DELETE", params={"rater": name, "what": "valence"}).status_code in (404, 422)
    assert not rating.folder.exists()


def test_names_of_all_alphabets(served: Served):
    rating = Rating(served)
    for name in ("Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}", "O'Neil-Smith Jr.", "\u5f20\u4f1f", "P 07_b"):
        rating.whole(name, lambda t: 0, lambda t: 1)
        assert rating.ask("GET", "/file", params={"rater": name, "dimension": "arousal"}).status_code == 200
    assert rating.begin("Zoe\N{COMBINING DIAERESIS}").status_code == 409, "the same name in another Unicode form"


# uploads


def _upload(served: Served, film: Path, name: str = "up.mp4") -> Rating:
    sent = served.client.post("/api/videos", params={"name": name, "analyse": False}, content=film.read_bytes())
    assert sent.status_code == 201
    return Rating(served, name)


def test_an_upload_is_rated_apart_from_the_folder(served: Served, tmp_path: Path):
    film = write_video(tmp_path / "up.mp4", frames=50)
    first, second = _upload(served, film, "first.mov"), _upload(served, film, "second.mov")
    told = first.whole("Ann", lambda t: 30 * np.sin(t), lambda t: t)
    assert (told["lasting"], [one["rater"] for one in told["raters"]]) == (False, ["Ann", "Ann"])
    assert second.ask("GET").json()["raters"] == []
    assert Rating(served).ask("GET").json()["raters"] == []
    assert not Rating(served).folder.parent.exists()
    of = {"video": first.id}
    found = served.client.put("/api/ratings/settings", params=of, json={"join": "mean", "lag_s": 0.5}).json()
    assert (found["settings"]["lag_s"], found["videos"], found["complete"], found["commands"]) == (0.5, 1, 1, [])
    assert served.client.get("/api/ratings", params={"video": second.id}).json()["settings"]["lag_s"] == 0
    assert served.client.get("/api/ratings").json()["settings"]["lag_s"] == 0
    assert first.ask("GET", "/joined").json()["settings"]["lag_s"] == 0.5
    (clip,) = list_rated(Path(found["table"]), "carma", root=Path(found["table"]).parents[1]).clips
    assert clip.name == "video.mov", "as the search for the lag finds it"
    first.ask("GET", "/archive")


def test_ratings_of_an_upload_without_a_folder(tmp_path: Path):
    with running() as alone:
        rating = _upload(alone, write_video(tmp_path / "up.mp4", frames=50))
        rating.whole("Ann", lambda t: 5, lambda t: t)
        assert alone.client.get("/api/ratings").status_code == 409
        assert alone.client.get("/api/ratings", params={"video": rating.id}).json()["complete"] == 1
        rating.ask("GET", "/archive")


def test_the_ratings_of_an_upload_are_downloaded_and_go_on_in_a_folder(tmp_path: Path):
    film = write_video(tmp_path / "lab" / "talk.mp4", frames=50)
    with running() as alone:
        rating = _upload(alone, film, "talk.mp4")
        assert rating.ask("GET", "/archive").status_code == 404, "nobody has rated it"
        rating.whole("Ann", lambda t: 20, lambda t: 10 * t)
        rating.add(rating.begin("Bo").json()["session"], [[0, 1, 2]], rater="Bo")
        got = rating.ask("GET", "/archive")
        assert "talk.ratings.zip" in got.headers["content-disposition"]
        # they count as saved when the last byte is sent, which the server knows shortly after it is here
        removed = (time.sleep(0.1) or alone.client.delete(f"/api/videos/{rating.id}").status_code for _ in range(100))
        assert any(code == 204 for code in removed), "they were saved"
        assert alone.client.get("/api/videos").json() == []
    with ZipFile(io.BytesIO(got.content)) as file:
        names = file.namelist()
        file.extractall(film.parent)
    assert all(name.startswith("ratings/talk.mp4/") for name in names)
    assert {"valence.Ann.csv", "arousal.Ann.csv", "unfinished.Bo.jsonl"} < {name.split("/")[2] for name in names}
    with running(film.parent) as served:
        there = Rating(served, "talk.mp4").ask("GET").json()
        assert ([one["rater"] for one in there["raters"]], there["lasting"]) == (["Ann", "Ann"], True)
        assert there["unfinished"][0]["rater"] == "Bo"
        told = served.client.get("/api/ratings").json()
    assert (told["complete"], len(told["commands"])) == (1, 2)
    assert [clip.name for clip in list_rated(Path(told["table"]), "carma", root=film.parent).clips] == ["talk.mp4"]


def test_an_upload_is_not_removed_with_ratings_that_nobody_saved(served: Served, tmp_path: Path):
    rating = _upload(served, write_video(tmp_path / "up.mp4", frames=50))
    rating.whole("Ann", lambda t: 0, lambda t: 1)
    rating.ask("GET", "/archive")
    rating.whole("Bo", lambda t: 0, lambda t: 1)
    refused = served.client.delete(f"/api/videos/{rating.id}")
    assert (refused.status_code, refused.json()["detail"]) == (
        409, "up.mp4 has ratings, which go with it; download them (`ratings/archive`), or remove it with `rated=true`",
    )  # fmt: skip
    assert {one["rater"] for one in rating.ask("GET").json()["raters"]} == {"Ann", "Bo"}
    assert served.client.delete(f"/api/videos/{rating.id}", params={"rated": True}).status_code == 204
    assert list(served.library.temporary.iterdir()) == []


def test_ratings_that_nobody_saved_outlast_the_server(tmp_path: Path):
    film = write_video(tmp_path / "up.mp4", frames=50)
    library = Library(None, None, Limits())
    unrated, video = (library.new_upload(name) for name in ("first.mp4", "second.mp4"))
    for one in (unrated, video):
        assert one.path is not None
        one.path.write_bytes(film.read_bytes())
        library.add(one)
        write_results(one.results, one.stem)
    (library.temporary / "x.zip").write_bytes(b"x")
    store = RatingStores(library).of(video)
    store.begin(video, RatingBegin(rater="Ann", dimensions=["valence"]))
    left = [("second.mp4", video.results / "ratings")]
    assert library.close() == left
    assert library.close() == left
    files = [path for path in library.temporary.rglob("*") if path.is_file()]
    assert files == [video.results / "ratings" / "video.mp4" / "unfinished.Ann.jsonl"]


def test_a_link_that_leads_out_is_not_followed(served: Served, tmp_path: Path):
    rating, outside = Rating(served), tmp_path / "outside"
    outside.mkdir()
    rating.folder.parent.mkdir()
    rating.folder.symlink_to(outside)
    assert rating.begin().status_code == 409
    rating.folder.unlink()
    rating.folder.mkdir()
    (tmp_path / "secret.csv").write_text("secret")
    (rating.folder / "valence.Eve.csv").symlink_to(tmp_path / "secret.csv")
    assert rating.ask("GET").json()["raters"] == []
    assert rating.ask("GET", "/file", params={"rater": "Eve", "dimension": "valence"}).status_code == 404
    assert list(outside.iterdir()) == []


def test_a_damaged_file_is_named(served: Served):
    rating = Rating(served)
    rating.whole("Ann", lambda t: 0, lambda t: 1)
    (rating.folder / "valence.Ann.csv").write_text("x")
    answer = rating.ask("GET")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("valence.Ann.csv: no line `Second,…`")
    (rating.folder / "valence.Ann.csv").unlink()
    rating.folder.joinpath("unfinished.Bo.jsonl").write_text("{}")
    assert rating.ask("GET").json()["detail"] == "unfinished.Bo.jsonl: damaged; move it away"


# the table


def test_the_table_keeps_what_a_person_added(served: Served):
    rating = Rating(served)
    assert rating.ask("PUT", "/subject", json={"subject": "Eva"}).status_code == 409
    rating.whole("Ann", lambda t: 0, lambda t: 1)
    table = rating.folder.parent / "ratings.csv"
    head, row = table.read_text().splitlines()
    assert (head, row) == (
        "video,subject,rater,valence,arousal",
        "first.mp4,,Ann,ratings/first.mp4/valence.Ann.csv,ratings/first.mp4/arousal.Ann.csv",
    )
    assert rating.ask("PUT", "/subject", json={"subject": " Eva  M "}).json()["subject"] == "Eva M"
    lines = table.read_text().splitlines()
    lines = [lines[0] + ",sex", lines[1] + ",f", "third.mp4,Udo,Old,x/v.csv,x/a.csv,m"]
    table.write_text("\n".join(lines) + "\n")
    rating.whole("Bo", lambda t: 0, None, dimensions=["valence"])
    assert table.read_text().splitlines() == [
        "video,subject,rater,valence,arousal,sex",
        "first.mp4,Eva M,Ann,ratings/first.mp4/valence.Ann.csv,ratings/first.mp4/arousal.Ann.csv,f",
        "first.mp4,Eva M,Bo,ratings/first.mp4/valence.Bo.csv,,f", "third.mp4,Udo,Old,x/v.csv,x/a.csv,m",
    ]  # fmt: skip


def test_two_raters_of_three_videos_make_a_corpus(tmp_path: Path):
    folder = tmp_path / "my talks"
    for name in ("a", "b", "c"):
        write_video(folder / f"{name}.mp4", frames=50)
    with running(folder) as served:
        for k, name in enumerate(("a", "b", "c")):
            rating = Rating(served, f"{name}.mp4")
            for who, low in (("Ann", 40 * k - 60), ("Bo", 40 * k - 50)):
                rating.whole(who, lambda t, low=low: low + 20 * (t >= 1), lambda t, k=k: 10 * k, bin_s=0.5)
            rating.ask("PUT", "/subject", json={"subject": f"person {k}"})
        served.client.put("/api/ratings/settings", json={"join": "mean", "lag_s": 0.5})
        told = served.client.get("/api/ratings").json()
        assert (told["videos"], told["complete"]) == (3, 3)
    command = told["commands"][0]
    words = shlex.split(command)
    assert words[:4] == ["anclaf", "prepare", "table", str(folder / "ratings" / "ratings.csv")]
    assert "--lag 0.5" in command
    words[words.index("corpus")] = str(tmp_path / "corpus")
    DETECTORS.register("whole", lambda _: WholeFrame())
    try:
        assert main([*words[1:], "--detector", "whole"]) == 0
    finally:
        DETECTORS.unregister("whole")
    corpus = PreparedCorpus.open(tmp_path / "corpus")
    index = corpus.index
    assert (corpus.card.low, corpus.card.high, corpus.card.subjects) == (-100, 100, 3)
    for k, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        rows = index[index["clip"] == name]
        late = rows["time_s"] + 0.5
        assert late.max() < 2
        np.testing.assert_allclose(rows["valence"], -55 + 40 * k + 20 * (late >= 1 - 1e-6), atol=1e-4)
        np.testing.assert_allclose(rows["arousal"], 10 * k, atol=1e-4)


# all raters together


def test_raters_together(served: Served):
    rating, rng = Rating(served), np.random.default_rng(0)
    noise = {who: dict(zip(range(40), rng.normal(0, 8, 40), strict=True)) for who in ("Ann", "Bo", "Cy")}
    for who, own in noise.items():
        rating.whole(
            who,
            lambda t, own=own: 30 * np.sin(3 * t) + own[round(t * RATE)],
            lambda t: 0,
            low=-100,
            high=100,
            bin_s=0.1,
        )
    answer = rating.ask("GET", "/joined").json()
    assert (answer["low"], answer["high"], answer["track"]) == (-100, 100, 0)
    said = {one["rater"]: one for one in answer["dimensions"]["valence"]["raters"]}
    curves = np.array([said[who]["value"] for who in ("Ann", "Bo", "Cy")])
    assert said["Ann"]["time_s"][:2] == pytest.approx([0.05, 0.15])
    assert {one["weight"] for one in said.values()} == {1.0}
    np.testing.assert_allclose(answer["dimensions"]["valence"]["joined"]["value"], curves.mean(0), atol=1e-5)
    agreed = answer["dimensions"]["valence"]["agreement"]
    assert (agreed["bins"], agreed["bin_s"]) == (20, pytest.approx(0.1))
    for name, found in zip(("A,1", "C,1", "A,k", "C,k"), intraclass(curves), strict=True):
        assert [agreed["icc"][name][part] for part in ("value", "low", "high")] == pytest.approx(list(found), abs=1e-5)
    flat = answer["dimensions"]["arousal"]["agreement"]
    assert flat["ccc"] is None
    assert flat["icc"]["A,1"] == {"value": None, "low": None, "high": None}, "nobody's arousal ever changes"


def test_raters_are_weighed_by_agreement_over_the_folder(served: Served):
    first, second = Rating(served), Rating(served, "second.mp4")
    first.whole("Ann", lambda t: 10 * t, lambda t: t)
    for who, sign in (("Ann", 1), ("Bo", 1), ("Di", 1), ("Cy", -1)):
        second.whole(who, lambda t, sign=sign: sign * 10 * t, lambda t, sign=sign: sign * t)
    served.client.put("/api/ratings/settings", json={"join": "ewe"})
    answer = second.ask("GET", "/joined").json()
    weights = {one["rater"]: one["weight"] for one in answer["dimensions"]["valence"]["raters"]}
    assert weights["Cy"] == 0
    assert weights["Ann"] > 0
    assert any("joined by EWE; the weights are those of all rated videos" in note for note in answer["notes"])
    for who in ("Bo", "Di"):
        second.ask("DELETE", params={"rater": who, "what": "valence"})
    refused = second.ask("GET", "/joined")
    assert (refused.status_code, "no rater agrees with the others" in refused.text) == (409, True)
    assert served.client.get("/api/ratings").json()["commands"][0].endswith("--labels carma --join ewe")


def test_the_model_beside_the_raters(served: Served):
    """`first.mp4` has estimates k / 3 and -k / 7 of frame k on a scale of -10 to 10, none at frame 6."""
    rating = Rating(served)
    rating.whole("Ann", lambda t: min(100, 10 / 3 * 25 * (t - 0.2)), lambda t: 0, bin_s=0.05)
    served.client.put("/api/ratings/settings", json={"lag_s": 0.2})
    found = rating.ask("GET", "/joined").json()["dimensions"]["valence"]
    assert found["estimates"]["value"][:3] == pytest.approx([0, 10 / 3, 20 / 3], abs=1e-4)
    (score,) = found["model"]
    assert (score["rater"], score["frames"]) == ("Ann", 11)
    assert score["cor"] > 0.98
    assert score["rmse"] < 4
    table = write_results(served.library.folder / "results", "second")  # type: ignore[operator]
    table.write_text(table.read_text().splitlines()[0] + "\n")  # nobody was found
    served.library._scanned = -100.0
    Rating(served, "second.mp4").whole("Ann", lambda t: t, lambda t: t)
    assert Rating(served, "second.mp4").ask("GET", "/joined").json()["track"] is None


def test_settings_are_written_down(served: Served):
    ask = served.client.put
    assert ask("/api/ratings/settings", json={"join": "median"}).status_code == 422
    assert ask("/api/ratings/settings", json={"lag_s": -1}).status_code == 422
    assert served.client.post("/api/ratings/lag").json()["detail"] == "no video has ratings of valence and arousal yet"
    Rating(served).whole("Ann", lambda t: t, lambda t: t)
    answer = ask("/api/ratings/settings", json={"lag_s": 1.25}).json()
    assert answer["settings"] == {"join": "mean", "lag_s": 1.25, "lag_told": ""}
    assert answer["commands"][0].endswith("--labels carma --lag 1.25")
    path = Path(answer["table"]).with_name("settings.json")
    assert json.loads(path.read_text())["lag_s"] == 1.25
    found = served.client.post("/api/ratings/lag")
    assert found.status_code == 422, "12 frames without a face"
    assert "lag auto: 0 faces with ratings up to 6 s later; expected 100 or more" in found.json()["detail"]
    path.write_text("x")
    assert served.client.get("/api/ratings").json()["detail"] == "settings.json: damaged; remove it, or put it right"


# files of other tools


def _files(*paths: Path) -> list[dict[str, str]]:
    return [{"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()} for path in paths]


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A file of each tool."""
    carma, darma, pagan = tmp_path / "c.csv", tmp_path / "d.csv", tmp_path / "p.csv"
    head = '"Minimum Value","-5"\n"Maximum Value","5"\n"Second","Rating"\n"%%%%%%","%%%%%%"\n'
    carma.write_text(head + '"0.3","1.123456789"\n"0.6","NaN"\n"0.9","-2"\n"1.2","9"\n')
    darma.write_text("Magnitude,1000,,\nSecond,X,Y,Button\n%%%%%%,,,\n0.5,100,-200,0\n1,NaN,300,1\n")
    pagan.write_text(
        "OriginalName,Participant,SessionID,VideoTime,Value\n"
        "first.mp4,p1,s,0,0\nfirst.mp4,p1,s,620,50\nfirst.mp4,p1,s,1000,0\n"
        "first.mp4,p2,t,0,10\nfirst.mp4,p2,t,310,90\nfirst.mp4,p2,t,1000,0\nother.mp4,p1,u,0,1\nother.mp4,p1,u,9,1\n"
    )
    nova = tmp_path / "n.annotation"
    nova.write_text(
        '<annotation><info ftype="ASCII"/><meta annotator="carl"/><scheme name="Arousal" type="CONTINUOUS" sr="25" '
        'min="0" max="1"/></annotation>'
    )
    (tmp_path / "n.annotation~").write_text("".join(f"{k / 32};1\n" for k in range(25)))
    return {
        "carma": {"format": "carma", "files": _files(carma), "rater": "Ann", "dimension": "valence"},
        "darma": {"format": "darma", "files": _files(darma), "rater": "Bo"},
        "pagan": {"format": "pagan", "files": _files(pagan), "dimension": "valence", "low": -100, "high": 100},
        "nova": {"format": "nova", "files": _files(tmp_path / "n.annotation~", nova)},
    }


def test_files_of_other_tools_are_further_raters(served: Served, tools: dict[str, dict[str, Any]]):
    rating = Rating(served)
    for asked in tools.values():
        answer = rating.ask("POST", "/imports", json=asked)
        assert answer.status_code == 201, answer.text
    raters = rating.ask("GET").json()["raters"]
    assert [(one["rater"], one["dimension"], one["low"], one["bin_s"]) for one in raters] == [
        ("Bo", "arousal", -1000, 0.5), ("carl", "arousal", 0, 0.04), ("Ann", "valence", -5, 0.3),
        ("Bo", "valence", -1000, 0.5), ("p1", "valence", -100, 0.05), ("p2", "valence", -100, 0.05),
    ]  # fmt: skip
    np.testing.assert_array_equal(
        values(rating.folder / "valence.Ann.csv"), [1.123456789, float("nan"), -2, float("nan")]
    )
    np.testing.assert_array_equal(values(rating.folder / "arousal.Bo.csv"), [-200, 300])
    assert values(rating.folder / "arousal.carl.csv") == [k / 32 for k in range(25)]
    assert values(rating.folder / "valence.p1.csv") == pytest.approx([0] * 12 + [30] + [50] * 7), (
        "0.62 s is within a bin"
    )
    answer = rating.ask("GET", "/joined").json()
    assert (answer["low"], answer["high"]) == (-1, 1)
    assert "each stretched" in answer["notes"][0]
    listing = list_rated(rating.folder.parent / "ratings.csv", "carma", root=served.library.folder)
    assert [clip.name for clip in listing.clips] == ["first.mp4"]
    assert rating.ask("POST", "/imports", json=tools["darma"]).status_code == 409
    assert rating.ask("POST", "/imports", json=tools["darma"] | {"replace": True}).status_code == 201
    assert len(list((rating.folder / "kept").glob("*.Bo.csv"))) == 2


def test_files_that_cannot_be_taken(served: Served, tools: dict[str, dict[str, Any]]):
    rating = Rating(served)
    one = {"name": "../../../x.csv", "content": base64.b64encode(b"\x89PNG\r\n\xff").decode()}
    for name, change, said in (
        ("carma", {"files": [one]}, "x.csv: "),
        ("carma", {"dimension": None}, "c.csv: does not say of which dimension it is; choose one"),
        ("carma", {"rater": None}, "c.csv: does not say who rated; name the rater"),
        ("carma", {"low": 0, "high": 1}, "c.csv: states its range, -5 to 5; leave low and high out"),
        ("pagan", {"low": None}, "p.csv: states no range, its values lie in [0, 50]; state low and high"),
        ("pagan", {"low": 5, "high": 1}, "label scale: got low=5.0, high=1.0"),
        ("pagan", {"low": 200, "high": 300}, "p.csv: no value in its range, 200 to 300"),
        ("nova", {"dimension": "valence"}, "n.annotation: is of arousal; expected valence"),
        ("nova", {"files": tools["nova"]["files"][:1]}, "n.annotation is missing; choose both files"),
        ("darma", {"format": "omg-emotion"}, "format"),
        (
            "darma",
            {"files": tools["carma"]["files"]},
            "c.csv: the columns Second, Rating; expected `Second` and two axes",
        ),
        ("darma", {"files": [{"name": "x", "content": "A"}]}, "content"),
        ("darma", {"files": []}, "files"),
    ):
        answer = rating.ask("POST", "/imports", json=tools[name] | change)
        assert answer.status_code == 422, (name, change, answer.text)
        assert said in answer.json()["detail"], answer.text
    large = {"name": "x.csv", "content": base64.b64encode(bytes(8_000_001)).decode()}
    assert rating.ask("POST", "/imports", json=tools["carma"] | {"files": [large]}).status_code == 413
    twice = {"name": "x.csv", "content": base64.b64encode(bytes(9_000_000)).decode()}
    assert rating.ask("POST", "/imports", json=tools["carma"] | {"files": [twice]}).status_code == 413
    elsewhere = Rating(served, "second.mp4").ask("POST", "/imports", json=tools["pagan"])
    assert (elsewhere.status_code, "is of the videos first.mp4, other.mp4" in elsewhere.text) == (422, True)
    assert not rating.folder.exists()


def test_there_is_room_for_so_many_raters(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.app.rating.store.MOST_RATERS", 1)
    rating = Rating(served)
    rating.begin()
    assert rating.begin("Bo").status_code == 507
    assert rating.begin("Ann").status_code == 201
    assert RatingStores(served.library).of_folder().of_folder().videos == 0
