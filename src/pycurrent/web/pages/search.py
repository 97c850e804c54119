"""The page of the search."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

SHOWN = 10
"""So many of each kind are shown."""
_LONGEST = 200


def add_search_page(app: FastAPI) -> None:
    routing.page(app, "/search", _search, Role.VIEWER)


async def _search(request: Request, service: ServiceOf) -> Response:
    text = request.query_params.get("q", "").strip()[:_LONGEST]
    found = await service.search(text, limit=SHOWN)
    return pages_of(request).render(
        request,
        "search.html",
        text=text,
        found=found,
        stages=[(stage, state_badges.OF_STATE[stage.state]) for stage in found.stages],
        active=[(job, state_badges.of_job(job)) for job in found.active],
        jobs=[(job, state_badges.of_entry(job)) for job in found.recorded.jobs],
    )
