"""Pages of other sites, names that lead here, and who has not the key get nothing."""

import socket
from contextlib import suppress
from importlib import resources

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from app_helpers import Served, running

GOOD_HOSTS = ["127.0.0.1", "localhost", "[::1]", "192.168.1.7"]
BAD_HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1@evil.example"]


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_names_of_this_machine_are_answered(steady: Served, host: str):
    answer = steady.client.get("/api/server", headers={"host": f"{host}:{steady.port}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_name_that_was_made_to_lead_here_is_refused(steady: Served, host: str):
    for path in ("/", "/api/videos", "/api/openapi.json", "/js/main.js", "/nothing"):
        answer = steady.client.get(path, headers={"host": host})
        assert answer.status_code == 421 or (host == "" and answer.status_code == 400), path
        assert "first.mp4" not in answer.text


def test_the_page_has_all_its_files(steady: Served):
    root = resources.files("anclaf.app") / "page"
    for path in [*root.iterdir(), *(root / "js").iterdir()]:
        if path.is_file():
            address = {"index.html": ""}.get(path.name, f"js/{path.name}" if path.name.endswith(".js") else path.name)
            answer = steady.client.get(f"/{address}")
            assert (answer.status_code, answer.content) == (200, path.read_bytes()), address


ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://127.0.0.1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://127.0.0.1:{port}@evil.example"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_page_of_another_site_can_do_nothing(steady: Served, headers: dict[str, str]):
    headers = {name: value.format(port=steady.port) for name, value in headers.items()}
    first = steady.named("first.mp4")["id"]
    second = steady.named("second.mp4")["id"]
    asked = [
        steady.client.get("/api/videos", headers=headers),
        steady.client.get(f"/api/videos/{first}/rows", headers=headers),
        steady.client.post(f"/api/videos/{second}/analysis", json={}, headers=headers),
        steady.client.post("/api/videos?name=x.mp4", content=b"x", headers=headers),
        steady.client.put(f"/api/videos/{first}/edits", json={}, headers=headers),
        steady.client.delete(f"/api/videos/{first}", headers=headers),
        steady.client.options("/api/videos", headers=headers),
    ]
    assert [answer.status_code for answer in asked] == [403] * len(asked)
    assert not any("access-control-allow-origin" in answer.headers for answer in asked)
    assert steady.named("second.mp4")["state"] == "new"


def test_the_server_s_own_page_may_ask(steady: Served):
    own = {"origin": f"http://127.0.0.1:{steady.port}", "sec-fetch-site": "same-origin"}
    assert steady.client.get("/api/videos", headers=own).status_code == 200
    typed = {"sec-fetch-site": "none"}
    assert steady.client.get("/", headers=typed).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_webcam_of_another_site_is_refused(steady: Served, headers: dict[str, str]):
    others = {name: value for name, value in headers.items() if name not in ("origin", "host")}
    address = f"ws://127.0.0.1:{steady.port}/api/live"
    if "host" in headers:
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(
                f"ws://evil.example:{steady.port}/api/live", sock=socket.create_connection(("127.0.0.1", steady.port))
            ),
        ):
            pass
    else:
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(address, origin=headers.get("origin"), additional_headers=others),  # type: ignore[arg-type]
        ):
            pass
    assert refused.value.response.status_code == 403


def test_a_body_that_is_no_video_is_bounded(steady: Served):
    first = steady.named("first.mp4")["id"]
    large = b'{"names": {"1": "' + b"x" * 2_000_000 + b'"}}'
    announced = steady.client.put(f"/api/videos/{first}/edits", content=large)
    assert announced.status_code == 413
    with suppress(httpx.HTTPError):  # the connection may end before the answer
        answer = steady.client.put(f"/api/videos/{first}/edits", content=iter([large[:1_000_000], large[1_000_000:]]))
        assert answer.status_code >= 400
    assert steady.client.get(f"/api/videos/{first}/edits").json()["names"] == {}


def test_every_answer_forbids_what_a_page_does_not_need(steady: Served):
    for path in ("/", "/api/videos", "/nothing", "/js/main.js"):
        headers = steady.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_where_others_can_reach_it_a_key_is_needed(tmp_path):
    with running(key="sesame") as served:
        assert served.client.get("/api/videos").status_code == 401
        assert served.client.get("/").status_code == 401
        assert served.client.get("/?key=wrong").status_code == 401
        assert served.client.get("/api/videos", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert served.client.get("/api/videos", headers={"authorization": "Bearer sesame"}).status_code == 200
        opened = served.client.get("/?key=sesame")
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict"} <= set(opened.headers["set-cookie"].split("; "))
        assert served.client.get("/api/videos").status_code == 200, "the client keeps the cookie"
