"""What is listed, and that nothing outside the folders is opened."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest

from anclaf.app.library import Library, clean_name
from anclaf.app.limits import Limits, RefusedError
from anclaf.core.errors import ConfigError
from app_helpers import Served, running, write_results, write_video


def test_a_folder_with_the_results_of_predict(tmp_path: Path):
    folder = tmp_path / "videos"
    for name in ("b.mp4", "a.MKV", "c.mp4"):
        write_video(tmp_path / "one.mp4")
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes((tmp_path / "one.mp4").read_bytes())
    write_results(folder / "results", "b")
    write_results(folder, "c")  # beside the video
    write_results(folder / "results", "gone")  # its video is elsewhere
    (folder / "notes.txt").write_text("x")
    (folder / "b.overlay.mp4").write_bytes(b"x")
    (folder / ".hidden.mp4").write_bytes(b"x")
    (folder / "own.json").write_text('{"a": 1}')
    (folder / "own.csv").write_text("a\n1\n")
    with running(folder) as served:
        videos = {one["name"]: one for one in served.client.get("/api/videos").json()}
        assert {name: one["state"] for name, one in videos.items()} == {
            "a.MKV": "new", "b.mp4": "done", "c.mp4": "done", "gone": "done",
        }  # fmt: skip
        assert not videos["gone"]["playable"]
        assert served.client.get(f"/api/videos/{videos['gone']['id']}/rows").json()["rows"] > 0
        assert served.client.get(f"/api/videos/{videos['gone']['id']}/video").status_code == 404


def test_results_that_come_and_go(served: Served):
    assert served.named("second.mp4")["state"] == "new"
    table = write_results(served.library.folder / "results", "second")  # type: ignore[operator]
    served.library._scanned = -100.0
    assert served.named("second.mp4")["state"] == "done"
    table.unlink()
    served.library._scanned = -100.0
    assert served.named("second.mp4")["state"] == "new"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path):
    folder, secret = tmp_path / "videos", write_video(tmp_path / "secret" / "secret.mp4")
    table = write_results(tmp_path / "secret", "first")
    write_video(folder / "first.mp4")
    (folder / "link.mp4").symlink_to(secret)
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "results").mkdir()
    (folder / "results" / "first.csv").symlink_to(table)
    (folder / "results" / "first.plot.png").symlink_to(secret)
    (folder / "within.mp4").symlink_to(folder / "first.mp4")
    with running(folder) as served:
        names = [one["name"] for one in served.client.get("/api/videos").json()]
        assert names == ["first.mp4", "within.mp4"]
        first = served.named("first.mp4")
        assert first["state"] == "new"
        for what in ("rows", "table", "plot"):
            assert served.client.get(f"/api/videos/{first['id']}/{what}").status_code == 404
        # one that becomes a link after it was listed
        (folder / "first.mp4").unlink()
        (folder / "first.mp4").symlink_to(secret)
        assert served.client.get(f"/api/videos/{first['id']}/video").status_code == 404
        assert served.client.post(f"/api/videos/{first['id']}/analysis", json={}).status_code == 404


PATHS = [
    "../../etc/passwd", "..", ".", "/etc/passwd", "//etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", "%00",
    "first.mp4", "first.mp4%00.csv", "..\\..\\x", "....//....//etc/passwd", "%c0%ae%c0%ae/", "\N{SNOWMAN}", "a" * 5000,
    "file:///etc/passwd", "results/first.csv", "-", "*", "con", "first.mp4/..",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_client_s_path_opens_nothing(steady: Served, path: str):
    raw = quote(path, safe="/%")
    for address in (
        f"/{raw}",
        f"/js/{raw}",
        f"/api/{raw}",
        *(f"/api/videos/{raw}/{x}" for x in ("video", "table", "rows")),
    ):
        answer = steady.client.get(address)
        if address in ("/.", "/..", "/api/..") or answer.url.path == "/":
            continue  # the client itself makes it the page's address
        assert answer.status_code in (404, 422), (address, answer.status_code)
        assert "root:" not in answer.text


def test_only_the_files_of_the_page_are_given(steady: Served):
    import re

    page = steady.client.get("/").text
    for address in [*re.findall(r'(?:src|href)="([^"#]+)"', page), "js/api.js", "js/timeline.js"]:
        assert steady.client.get(f"/{address}").status_code == 200, address
    for address in ("server.py", "js/", "page/index.html", "index.html", "js/none.js", "docs", "redoc", "openapi.json"):
        assert steady.client.get(f"/{address}").status_code == 404, address


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("talk.mp4", "talk.mp4"), ("../../etc/passwd", "passwd"), ("C:\\x\\talk.mp4", "talk.mp4"), ("", "video"),
        ("..", "video"), ("a\x00b\r\nc.mp4", "abc.mp4"), (" .mp4", "mp4"), ("x" * 999 + ".mp4", "x" * 150 + ".mp4"),
        ("sch\N{LATIN SMALL LETTER O WITH DIAERESIS}n.mp4", "sch\N{LATIN SMALL LETTER O WITH DIAERESIS}n.mp4"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}4pm.exe", "4pm.exe"),
    ],
)  # fmt: skip
def test_names_are_for_showing_only(name: str, clean: str):
    assert clean_name(name) == clean


def test_no_such_folder(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such folder; expected a folder of videos"):
        Library(tmp_path / "none", None, Limits())
    with pytest.raises(ConfigError, match=r"--out .* of FOLDER, which is not given"):
        Library(None, tmp_path, Limits())


def test_files_of_the_folder_are_not_removed(steady: Served):
    first = steady.named("first.mp4")["id"]
    answer = steady.client.delete(f"/api/videos/{first}")
    assert (answer.status_code, answer.json()["detail"][:24]) == (409, "only uploads are removed")
    assert (steady.library.folder / "first.mp4").is_file()  # type: ignore[operator]
    with pytest.raises(RefusedError):
        steady.library.get("nothing")
