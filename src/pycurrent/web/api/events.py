"""The stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Header, Query, Response

from pycurrent.service import EventId, Reset, Service, Window
from pycurrent.web.api.encoding import Encoders, EncodersOf
from pycurrent.web.api.routing import api_router
from pycurrent.web.api.windows import WindowOf
from pycurrent.web.context import ServiceOf, SettingsOf
from pycurrent.web.streams import OPENAPI, EventStream, frame, preamble

router = api_router("events")


@router.get("/events", response_class=Response, responses={200: OPENAPI})
async def events(
    service: ServiceOf,
    settings: SettingsOf,
    encoders: EncodersOf,
    window: WindowOf,
    after: Annotated[
        str | None,
        Query(max_length=100, description="The id of the last event that was seen."),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="The same, as browsers say it.")
    ] = None,
) -> EventStream:
    """Live events; without an id from now on, with one from there on without a gap.

    With the parameters that the diagram was read with, `states` and `structure` come only if they
    concern what it shows.

    - `states`: boxes of the diagram as they are now, by their ids;
    - `structure`: the diagram has changed its shape: read it again;
    - `jobs`: jobs as they are now, by their ids, null for one that has ended;
    - `overview`: the pipeline's result, its counts, and how many jobs have not ended;
    - `confirm`: the confirmation level;
    - `reset`: older events have gone: read everything again.
    """
    seen = last_event_id or after
    start = None if seen is None else EventId.parse(seen)
    frames = _frames(service, encoders, start, window)
    return EventStream(frames, keep_alive=settings.keep_alive)


async def _frames(
    service: Service, encoders: Encoders, after: EventId | None, window: Window
) -> AsyncGenerator[bytes, None]:
    hub = service.events
    if after is None:
        after = hub.last
    yield preamble(str(after))
    async with aclosing(hub.follow(after)) as batches:
        async for batch in batches:
            if isinstance(batch, Reset):
                yield frame("reset", "{}", id=str(hub.id_of(batch)))
            elif data := encoders.part(batch, window, service.pipeline.shown(window)):
                yield data
