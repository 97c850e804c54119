"""The pipeline: the whole, its diagram, and the diagram as text."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from pycurrent.web.api.encoding import EncodersOf
from pycurrent.web.api.models import OverviewModel, SnapshotModel
from pycurrent.web.api.routing import api_router
from pycurrent.web.api.windows import WindowOf
from pycurrent.web.context import ServiceOf
from pycurrent.web.middleware import takes_gzip
from pycurrent.web.sendable import sendable

router = api_router("pipeline")

_LARGE = 100_000
"""In bytes: anything smaller is compressed again for each request."""


@router.get("/overview")
async def overview(
    service: ServiceOf,
    limit: Annotated[
        int, Query(ge=0, le=1000, description="How many stages to show at most.")
    ] = 50,
) -> OverviewModel:
    """Result, counts by state, and the stages of most interest: those that have failed first."""
    return OverviewModel.of(service.stages.overview(limit), str(service.events.last))


@router.get("/pipeline", response_class=Response, responses={200: {"model": SnapshotModel}})
async def pipeline(
    request: Request, service: ServiceOf, encoders: EncodersOf, window: WindowOf
) -> Response:
    """The diagram as data. The ids of boxes stay the same from run to run.

    With `fold` or `depth` large lists come closed: as a box of kind `list`, which says how many
    items and stages it hides. `open` opens it. An open list of more than 500 items shows them in
    ranges, each of which is a closed list, too, until it is opened.
    """
    snapshot = await service.pipeline.snapshot(window)
    body = await encoders.snapshots.plain(snapshot)
    headers = {"Vary": "Accept-Encoding"}
    if len(body) > _LARGE and takes_gzip(request.headers):
        body = await encoders.snapshots.packed(snapshot)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/pipeline.dot",
    response_class=Response,
    responses={200: {"content": {"text/vnd.graphviz": {"schema": {"type": "string"}}}}},
)
async def pipeline_dot(service: ServiceOf, window: WindowOf) -> Response:
    """The diagram as Graphviz text."""
    text = sendable(await service.pipeline.dot(window))
    return Response(text, media_type="text/vnd.graphviz")
