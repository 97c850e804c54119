"""Answers with the files that jobs have saved: streamed, with flat memory, and safe to be shown.

The files of a job may be anybody's: a script in them must never act as a visitor of the site. So
each answer carries a sandbox, in which a document has an origin of its own that is nobody's: it has
no cookies, and reads no answer of the site. `X-Content-Type-Options: nosniff` is on all answers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pycurrent.files.listing import FileEntry
from pycurrent.service import KeptFiles, OpenFile
from pycurrent.web.media_types import UNKNOWN, media_type
from pycurrent.web.ranges import Span, asked_span

_PIECE = 256 * 1024

ONLY_KEPT = "sandbox; default-src 'none'"
"""The policy of what is not to be shown at all."""


class _Stream(StreamingResponse):
    """Closes what it reads when it ends, or when the client goes away."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        status: int,
        headers: Mapping[str, str],
        source: OpenFile | None = None,
    ) -> None:
        super().__init__(pieces, status, headers)
        self._pieces = pieces
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._pieces):
                await super().__call__(scope, receive, send)
        finally:
            if self._source is not None:
                self._source.close()


async def file_answer(
    request: Request, files: KeptFiles, entry: FileEntry, headers: Mapping[str, str]
) -> Response:
    """A file, or the part of it that is asked for. Its tag is its digest. Raises `FilesLost`."""
    tag = f'"{entry.digest}"'
    shared = {"ETag": tag, "Cache-Control": "private, no-cache", **headers}
    if _knows(request, tag):
        return Response(status_code=304, headers=shared)
    asked = request.headers.get("range")
    if request.headers.get("if-range", tag) != tag:
        asked = None
    span = asked_span(asked, entry.size, "file") or Span(0, entry.size, entry.size, is_all=True)
    source = await files.open(entry)

    async def pieces() -> AsyncGenerator[bytes, None]:
        at = span.begin
        while at < span.end:
            piece = await source.read(at, min(_PIECE, span.end - at))
            if not piece:
                return
            at += len(piece)
            yield piece

    kind = {"Content-Type": media_type(entry.path)}
    return _Stream(pieces(), span.status, {**kind, **shared, **span.headers}, source)


def stream_answer(
    pieces: AsyncGenerator[bytes, None], kind: str, headers: Mapping[str, str]
) -> Response:
    """Something of unknown length, which is kept, not shown."""
    return _Stream(pieces, 200, {"Content-Type": kind, **headers})


def kept_as(path: str) -> dict[str, str]:
    """The header with which a browser keeps a file, by its own name, and does not show it."""
    name = path.rpartition("/")[2]
    plain = "".join(letter if _is_plain(letter) else "_" for letter in name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''"
        f"{quote(name, safe='')}"
    }


def kept_unless_known(path: str) -> dict[str, str]:
    """The same for a file that can't be shown."""
    return kept_as(path) if media_type(path) == UNKNOWN else {}


def _is_plain(letter: str) -> bool:
    return letter.isascii() and letter.isprintable() and letter not in '"\\%;'


def _knows(request: Request, tag: str) -> bool:
    known = ",".join(request.headers.getlist("if-none-match")).split(",")
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in known)
