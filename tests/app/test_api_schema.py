"""The HTTP interface by its own description: whatever is asked, the answer is described, and never a fault."""

import json
import random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app_helpers import Served

PIECES = [
    "", "a", "0", "-1", "1e999", "null", "true", "NaN", "../..", "\x00", "\N{SNOWMAN}", "<script>", "%s%n", "'; --",
    "x" * 3000, "{}", "[]", "median", "first:1", "csv", "parquet", "all", "\N{GRINNING FACE}",
]  # fmt: skip
BODIES: list[Any] = [
    None, 1, "x", [], {}, {"a": 1}, {"faces": 1}, {"faces": "all", "attention": "x"}, {"baseline": "first:1e9"},
    {"names": {"0": "x"}, "merged": {"0": "0"}}, {"excluded": [{"from_s": 1e400, "to_s": 2}]}, {"names": [1]},
    {"excluded": 3 * [{"track": -1, "from_s": 0, "to_s": 1}]}, [[[[[[]]]]]],
    {"rater": "A", "dimensions": ["valence"], "low": 1, "high": -1}, {"rater": "../x", "dimensions": ["warmth"]},
    {"rater": "A", "dimensions": ["valence", "arousal"], "bin_s": 1e-300}, {"join": "ewe", "lag_s": -1}, {"subject": 3},
    {"rater": "A", "session": "x", "first": 0, "samples": [[0, 1e999, None]]}, {"rater": "A", "session": None},
    {"format": "nova", "files": [{"name": "..", "content": "AAAA"}], "low": 0}, {"subject": "x"},
]  # fmt: skip
ROUNDS = 25


def _value(chance: random.Random) -> str:
    return chance.choice(PIECES) + (chance.choice(PIECES) if chance.random() < 0.3 else "")


def test_nothing_that_is_asked_is_a_fault(steady: Served):
    description = steady.client.get("/api/openapi.json").json()
    ids = [one["id"] for one in steady.client.get("/api/videos").json()]
    chance, asked = random.Random(0), 0
    for path, operations in description["paths"].items():
        if path == "/api/events":
            continue  # it does not end by itself
        for method, operation in operations.items():
            for _ in range(ROUNDS):
                # a video that is there is read only
                known = method == "get" and chance.random() < 0.5
                id = chance.choice(ids) if known else _value(chance) or "x"
                address = path.replace("{id}", quote(id, safe=""))
                query = {p["name"]: _value(chance) for p in operation.get("parameters", []) if p["in"] == "query"}
                body = json.dumps(chance.choice(BODIES)).encode() if chance.random() < 0.8 else chance.randbytes(50)
                headers = {"content-type": chance.choice(["application/json", "text/plain", ""])}
                if method not in ("post", "put"):
                    body, headers = b"", {}
                answer = steady.client.request(method, address, params=query, content=body, headers=headers)
                _check(answer, operation, f"{method} {address[:80]} {query} {body[:80]!r}")
                asked += 1
    assert asked > 200
    assert [one["id"] for one in steady.client.get("/api/videos").json()] == ids


def _check(answer: httpx.Response, operation: dict[str, Any], what: str) -> None:
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 400:
        assert str(answer.status_code) in operation["responses"] or answer.status_code == 405, what
        assert set(answer.json()) == {"detail"}, what
        assert "\n" not in str(answer.json()["detail"])


def test_the_description_names_every_address_of_the_interface(steady: Served):
    description = steady.client.get("/api/openapi.json").json()
    assert {path: sorted(one) for path, one in description["paths"].items()} == {
        "/api/ratings": ["get"],
        "/api/ratings/lag": ["post"],
        "/api/ratings/settings": ["put"],
        "/api/runs": ["get"],
        "/api/runs/{id}": ["get"],
        "/api/runs/{id}/curves": ["get"],
        "/api/runs/{id}/report/{file}": ["get"],
        "/api/server": ["get"],
        "/api/events": ["get"],
        "/api/videos": ["get", "post"],
        "/api/videos/{id}": ["delete", "get"],
        "/api/videos/{id}/analysis": ["delete", "post"],
        "/api/videos/{id}/edits": ["get", "put"],
        "/api/videos/{id}/overlay": ["get"],
        "/api/videos/{id}/plot": ["get"],
        "/api/videos/{id}/ratings": ["delete", "get", "post"],
        "/api/videos/{id}/ratings/archive": ["get"],
        "/api/videos/{id}/ratings/file": ["get"],
        "/api/videos/{id}/ratings/finish": ["post"],
        "/api/videos/{id}/ratings/imports": ["post"],
        "/api/videos/{id}/ratings/joined": ["get"],
        "/api/videos/{id}/ratings/samples": ["post"],
        "/api/videos/{id}/ratings/subject": ["put"],
        "/api/videos/{id}/rows": ["get"],
        "/api/videos/{id}/table": ["get"],
        "/api/videos/{id}/video": ["get"],
    }
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} says what it does"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW"])
def test_methods_that_there_are_not(steady: Served, method: str):
    assert steady.client.request(method, "/api/videos").status_code == 405
