"""The page of the pools: who holds what since when, and who waits for it."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

SHOWN = 20
"""So many jobs of each pool are listed."""


def add_pools_page(app: FastAPI) -> None:
    routing.page(app, "/pools", _pools, Role.VIEWER)


async def _pools(request: Request, service: ServiceOf) -> Response:
    counts = service.confirmation.show(limit=0).counts
    return pages_of(request).render(
        request,
        "pools.html",
        pools=service.pools.show(holders=SHOWN, waiting=SHOWN),
        at_work=service.pools.waiting_at_work(SHOWN),
        levels=sorted(counts.items()),
        now=service.engine.clock.now(),
    )
