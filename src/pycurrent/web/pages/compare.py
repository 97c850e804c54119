"""The page that shows the log of a job beside that of the last good run."""

from __future__ import annotations

import re

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.service import NoSuchJob
from pycurrent.web.api.routing import JOB_ID
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role


def add_compare_page(app: FastAPI) -> None:
    """Before the page of the job, whose address could have any end."""
    routing.page(app, "/job/{job_id:path}/compare", _compare, Role.VIEWER)


async def _compare(request: Request, job_id: str, service: ServiceOf) -> Response:
    detail = service.jobs.detail(job_id)
    other = request.query_params.get("with") or None
    if other is not None and not re.match(JOB_ID, other):
        raise HTTPException(404, f"{other!r} is not the id of a job")
    missing = None
    try:
        found = await service.compare(job_id, other)
    except NoSuchJob as error:
        found, missing = None, error.job_id
    return pages_of(request).render(
        request,
        "compare.html",
        job=detail,
        id=job_id,
        found=found,
        missing=missing,
        is_wide=request.query_params.get("view") == "side",
        other=other,
    )
