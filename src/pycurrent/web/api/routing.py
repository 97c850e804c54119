"""The common parts of the API's routes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Path, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute

from pycurrent.web.auth import require
from pycurrent.web.problems import may_answer
from pycurrent.web.users import Role

PREFIX = "/api/v1"

_DAY = r"\d{4}-\d{2}-\d{2}"
_NAME = r"\d{6}-[A-Za-z0-9._-]{0,64}-[0-9a-f]{6}"
JOB_ID = f"^{_DAY}/{_NAME}$"
"""The pattern of job ids: none of them leads out of the folder of the logs."""


async def _job_id(
    day: Annotated[str, Path(pattern=f"^{_DAY}$", description="Of its id: 2026-11-22.")],
    name: Annotated[
        str, Path(pattern=f"^{_NAME}$", description="Of its id: 084703-docker-build-1a2b3c.")
    ],
) -> str:
    return f"{day}/{name}"


async def _only_what_is_known(request: Request) -> None:
    """Refuses parameters that the route does not have: a misspelt one would be left aside."""
    if not request.query_params:
        return
    known = query_parameters(request.scope["route"])
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "msg": "the route does not have this parameter"}
                for name in unknown
            ]
        )


def query_parameters(route: APIRoute) -> set[str]:
    """The names of those that a route has in its query. The OpenAPI document has them as well, but
    takes half a second to make.
    """
    return {
        field.alias
        for field in get_flat_params(route.dependant)
        # The fields of a model of the query don't say where they are.
        if getattr(field.field_info, "in_", ParamTypes.query) is ParamTypes.query
    }


JobId: TypeAlias = Annotated[str, Depends(_job_id)]
"""In a path it takes two places, as there is a slash in it."""

FOR_BUILDERS = [Depends(require(Role.BUILDER))]
FOR_ADMINS = [Depends(require(Role.ADMIN))]


def api_router(tag: str) -> APIRouter:
    """Routes below `/api/v1`, which only viewers may use; some of them ask for more."""
    return APIRouter(
        prefix=PREFIX,
        tags=[tag],
        dependencies=[Depends(require(Role.VIEWER)), Depends(_only_what_is_known)],
        responses=may_answer(400, 401, 403, 422, 503),
    )
