"""Sends as little as possible: compressed, and nothing that the client already has."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST = 1024
"""In bytes: anything smaller is sent uncompressed."""

_LEVEL = 4
_IN_THREAD = 1 << 16
"""In bytes: compressing more would hold up others for too long."""
_PACKED = ("text/", "application/json", "application/problem+json", "image/svg+xml")
_TAGGED = "application/json"
_EVENTS = "text/event-stream"
_QUICK = 1
"""The level for what may be of any length."""
_GZIP = 16 + zlib.MAX_WBITS


class Compact:
    """Compresses answers with gzip if the client accepts that, and tags those of the API (`ETag`),
    so that it can ask for changes and get 304 without any. Pages have tags of their own. Streams of
    events, saved files and ranges go through unchanged.

    The files of the site, which never change, are compressed once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        start: Message | None = None
        stream: _Stream | None = None

        async def send_compact(message: Message) -> None:
            nonlocal start, stream
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
                return
            if start is not None:
                head, start = start, None
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    message = await self._compact(scope, asked, head, message)
                else:
                    stream = _begin_stream(asked, head)
                await send(head)
            await send(message if stream is None else await stream.packed(message))

        await self._app(scope, receive, send_compact)

    async def _compact(
        self, scope: Scope, asked: Headers, head: Message, message: Message
    ) -> Message:
        headers, body = MutableHeaders(scope=head), message.get("body", b"")
        kind = headers.get("content-type", "")
        if kind.startswith(_TAGGED) and "etag" not in headers:
            headers["ETag"] = f'W/"{sha256(body).hexdigest()[:20]}"'
            # Only the browser may keep it, and has to ask again each time.
            headers.setdefault("Cache-Control", "private, no-cache")
        if _has(asked, headers.get("etag")):
            head["status"] = 304
            del headers["content-length"], headers["content-type"], headers["content-encoding"]
            return {**message, "body": b""}
        if kind.startswith(_PACKED) and "content-encoding" not in headers:
            headers.add_vary_header("Accept-Encoding")
            if len(body) >= SMALLEST and takes_gzip(asked):
                packed = await self._packed(scope["path"], headers, body)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(packed))
                tag = headers.get("etag")
                if tag is not None and not tag.startswith("W/"):
                    headers["ETag"] = f"W/{tag}"
                return {**message, "body": packed}
        return message

    async def _packed(self, path: str, headers: MutableHeaders, body: bytes) -> bytes:
        if "immutable" not in headers.get("cache-control", ""):
            return await _pack(body)
        key = path, headers.get("etag", "")
        if key not in self._kept:
            self._kept[key] = await _pack(body)
        return self._kept[key]


class _Stream:
    """Compresses a body that comes in pieces, such as a log."""

    def __init__(self) -> None:
        self._pack = zlib.compressobj(_QUICK, wbits=_GZIP)

    async def packed(self, message: Message) -> Message:
        """The message with the bytes that are ready."""
        if message["type"] != "http.response.body":
            return message
        return {**message, "body": await asyncio.to_thread(self._take, message)}

    def _take(self, message: Message) -> bytes:
        ready = self._pack.compress(message.get("body", b""))
        return ready if message.get("more_body", False) else ready + self._pack.flush()


def _begin_stream(asked: Headers, head: Message) -> _Stream | None:
    """None for a stream that goes through unchanged. One with a tag may be asked for in parts."""
    headers = MutableHeaders(scope=head)
    kind = headers.get("content-type", "")
    if not kind.startswith(_PACKED) or kind.startswith(_EVENTS):
        return None
    if "content-encoding" in headers or "etag" in headers:
        return None
    headers.add_vary_header("Accept-Encoding")
    if not takes_gzip(asked):
        return None
    headers["Content-Encoding"] = "gzip"
    del headers["content-length"]
    return _Stream()


async def _pack(body: bytes) -> bytes:
    if len(body) > _IN_THREAD:
        return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
    return gzip.compress(body, _LEVEL, mtime=0)


def takes_gzip(asked: Headers) -> bool:
    """True if the client accepts this encoding (RFC 9110, 12.5.3)."""
    weights = dict(map(_weighed, ",".join(asked.getlist("accept-encoding")).split(",")))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weighed(part: str) -> tuple[str, float]:
    name, _, rest = part.strip().lower().partition(";")
    weight = rest.partition("=")[2].strip()
    try:
        return name.strip(), float(weight) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0


def _has(asked: Headers, tag: str | None) -> bool:
    """True if the client already has the answer with this tag (RFC 9110, 13.1.2)."""
    if tag is None:
        return False
    known = ",".join(asked.getlist("if-none-match")).split(",")
    own = {"*", tag.removeprefix("W/")}
    return any(one.strip().removeprefix("W/") in own for one in known)
