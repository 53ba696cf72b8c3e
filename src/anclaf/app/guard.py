"""Who may ask: pages of this server and programs, not pages of others; and not for more than is sensible.

A page of another site that a person visits can make the browser send requests here. They are told by `Origin` and
`Sec-Fetch-Site`; a name that is made to lead here (DNS rebinding) by `Host`.
"""

import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from anclaf.app.limits import RefusedError
from anclaf.app.rating.answers import MOST_IMPORT

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "anclaf_key"
MOST_BODY = 1_000_000
"""Bytes of a request's body, but for uploads and files of ratings."""
UPLOADS = "/api/videos"
MOST_RATINGS = MOST_IMPORT * 4 // 3 + 100_000
"""Of files of ratings, in base64."""
_RATINGS = re.compile(r"/api/videos/[^/]*/ratings/imports")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
_CLOSED = 1008
"""A WebSocket is closed so where it is not allowed (RFC 6455)."""


class Guard:
    """ASGI middleware.

    Args:
        host: that the server listens at, which `Host` may name, beside `localhost` and addresses in numbers.
        key: that each request must have, as cookie or as `Authorization: Bearer`; None for none.
    """

    def __init__(self, app: App, host: str, key: str | None = None):
        self._app, self._host, self._key = app, host.lower(), key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            if (cookie := self._by_link(scope)) is not None:
                await _answer(send, 303, b"", {"location": "/", "set-cookie": cookie})
                return
            self._check(scope, headers)
        except RefusedError as error:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": _CLOSED, "reason": str(error)[:100]})
            else:
                body = json.dumps({"detail": str(error)}).encode()
                await _answer(send, error.status, body, {"content-type": "application/json", "connection": "close"})
            return
        await self._app(scope, _bounded(receive, scope, headers), _with_headers(send))

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if sum(name == b"host" for name, _ in scope["headers"]) != 1 or not self._own_name(host):
            raise RefusedError(421, f"Host {host[:100]!r} is not this server's; use the address that it printed")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise RefusedError(403, f"a page of {origin[:100]!r} may not ask this server")
        if site is not None and site not in ("same-origin", "none"):
            raise RefusedError(403, "a page of another site may not ask this server")
        if self._key is not None and not self._has_key(headers):
            raise RefusedError(401, "the key is missing; open the address that the server printed, which has it")
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            raise RefusedError(400, "Content-Length is no number") from None
        most = _most(scope)
        if most is not None and length > most:
            raise RefusedError(413, f"a body of {length:,} bytes; expected at most {most:,}")

    def _own_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self._host):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _has_key(self, headers: dict[str, str]) -> bool:
        assert self._key is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            try:
                cookies = SimpleCookie(headers.get("cookie", ""))
            except CookieError:
                return False
            given = cookies[COOKIE].value if COOKIE in cookies else ""
        return secrets.compare_digest(given.encode(), self._key.encode())

    def _by_link(self, scope: Scope) -> str | None:
        """The cookie for who opened the address with the key in it."""
        if self._key is None or scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        if not secrets.compare_digest(given.encode(), self._key.encode()):
            return None
        return f"{COOKIE}={self._key}; HttpOnly; SameSite=Strict; Path=/"


def _most(scope: Scope) -> int | None:
    """Bytes that a body may have; None where the address itself counts them."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return MOST_BODY
    if scope["path"] == UPLOADS:
        return None
    return MOST_RATINGS if _RATINGS.fullmatch(scope["path"]) else MOST_BODY


def _bounded(receive: Receive, scope: Scope, headers: dict[str, str]) -> Receive:
    """A body that was not announced ends where it becomes too long, as if the client had gone."""
    most = _most(scope)
    if scope["type"] != "http" or most is None or "content-length" in headers:
        return receive
    taken = 0

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > most else message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in own]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    told = [(name.encode(), value.encode("latin-1")) for name, value in (_HEADERS | headers).items()]
    told.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
