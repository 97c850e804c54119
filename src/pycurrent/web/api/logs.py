"""The logs of jobs: their bytes, their lines, searches, and as they grow."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, TypeAlias

from fastapi import Header, Query, Response
from starlette.responses import StreamingResponse

from pycurrent.service import LogEnd, LogMatches, LogQuery, LogWindow, Service, Syntax
from pycurrent.web.api.encoding import Encoders, EncodersOf
from pycurrent.web.api.models import LogMatchesModel, LogWindowModel
from pycurrent.web.api.models.logs import LogGroupModel, LogMarkersModel, LogMarkModel
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.context import ServiceOf, SettingsOf
from pycurrent.web.problems import may_answer
from pycurrent.web.ranges import Span, asked_span
from pycurrent.web.streams import OPENAPI, EventStream, frame, preamble

router = api_router("logs")

_FARTHEST = 1 << 53
"""Numbers up to this one are whole in JavaScript, too."""
_PIECE = 256 * 1024

Line: TypeAlias = Annotated[int, Query(alias="from", ge=0, le=_FARTHEST)]
_TEXT = {"content": {"text/plain": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    "/jobs/{day}/{name}/log/search", response_model=LogMatchesModel, responses=may_answer(404)
)
async def search(
    service: ServiceOf,
    job_id: JobId,
    q: Annotated[str, Query(min_length=1, max_length=1000, description="The text to look for.")],
    syntax: Annotated[
        Syntax, Query(description="`pattern`: it is a regular expression of RE2.")
    ] = Syntax.TEXT,
    first: Annotated[Line, Query(description="The line to begin with.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> LogMatches:
    """The lines of a log in which something is; the case of letters makes no difference."""
    return await service.logs.search(job_id, LogQuery(q, syntax, first, limit))


@router.get("/jobs/{day}/{name}/log/markers", responses=may_answer(404))
async def markers(service: ServiceOf, job_id: JobId) -> LogMarkersModel:
    """The groups of lines that the job has printed, and the lines that are annotations."""
    found = await service.logs.markers(job_id)
    lines = [
        LogMarkModel(number=one.log_line - 1, level=one.level)
        for one in found.annotations
        if one.log_line is not None
    ]
    groups = [LogGroupModel.model_validate(group) for group in found.groups]
    return LogMarkersModel(groups=groups, lines=lines, changes=found.changes)


@router.get(
    "/jobs/{day}/{name}/log/stream",
    response_class=Response,
    responses={200: OPENAPI, **may_answer(404)},
)
async def stream(
    service: ServiceOf,
    settings: SettingsOf,
    encoders: EncodersOf,
    job_id: JobId,
    first: Annotated[Line, Query(description="The line to begin with.")] = 0,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> EventStream:
    """The lines of a log as they are written.

    `lines` brings a window of lines; the last one may not have ended, and then it comes again.
    `end` says that the job has ended, and all has been sent. The ids are those of the lines to
    go on from.
    """
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdecimal():
        first = int(last_event_id)
    # Looked for before the answer begins.
    service.logs.source(job_id)
    return EventStream(_frames(service, encoders, job_id, first), keep_alive=settings.keep_alive)


async def _frames(
    service: Service, encoders: Encoders, job_id: str, first: int
) -> AsyncGenerator[bytes, None]:
    yield preamble(str(first))
    async with aclosing(service.logs.follow(job_id, first)) as windows:
        async for window in windows:
            yield frame("end", "{}") if isinstance(window, LogEnd) else encoders.window(window)


@router.get("/jobs/{day}/{name}/lines", response_model=LogWindowModel, responses=may_answer(404))
async def lines(
    service: ServiceOf,
    job_id: JobId,
    first: Annotated[
        Annotated[int, Query(ge=0, le=_FARTHEST)] | None,
        Query(alias="from", description="The first line; without it the last ones are sent."),
    ] = None,
    count: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> LogWindow:
    """Some lines of a log. Fewer than `count` where they are long, or the log ends."""
    return await service.logs.window(job_id, first, count)


@router.get(
    "/jobs/{day}/{name}/log",
    response_class=Response,
    responses={200: _TEXT, 206: _TEXT, **may_answer(404, 416)},
)
async def log(
    service: ServiceOf,
    job_id: JobId,
    offset: Annotated[int, Query(ge=0, le=_FARTHEST, description="In bytes.")] = 0,
    limit: Annotated[int, Query(ge=0, le=_FARTHEST, description="In bytes.")] = _FARTHEST,
    range: Annotated[str | None, Header(max_length=100, description="RFC 9110, 14.2.")] = None,
) -> Response:
    """A log, or a part of it, byte for byte as far as it has been written."""
    size = service.logs.size(job_id)
    span = asked_span(range, size, "log")
    if span is None:
        span = Span(min(offset, size), min(offset + limit, size), size, is_all=True)

    async def pieces() -> AsyncGenerator[bytes, None]:
        offset = span.begin
        while offset < span.end:
            part = await service.logs.part(job_id, offset, min(_PIECE, span.end - offset))
            if not part.data:
                return
            offset += len(part.data)
            yield part.data

    return StreamingResponse(pieces(), span.status, span.headers, media_type="text/plain")
