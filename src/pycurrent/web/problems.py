"""Errors as RFC 9457 has them: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from pycurrent.cache import NoSuchInput, NoSuchTrigger, NothingToVerify
from pycurrent.engine import NotMuted
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.files import FilesLost
from pycurrent.service import (
    FilesRemoved,
    NoSuchFile,
    NoSuchJob,
    NoSuchRule,
    NoSuchStage,
    NotPinned,
    SeveralFiles,
)
from pycurrent.store import StoreError
from pycurrent.web.middleware import Render

MEDIA_TYPE = "application/problem+json"
MACHINES = ("/api/", "/metrics", "/healthz", "/readyz", "/badge")
"""Where errors are for programs to read."""


_MADE_AGAIN = "; it is made again when a job needs it, or when its job is rebuilt"


class WrongField(BaseModel):
    """Something in a request that can't be as it is."""

    where: str = Field(description="The place, such as `query.limit` or `body.ids.0`.")
    why: str


class ProblemDetails(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(
        default="about:blank", description="Nothing more is known than the status says."
    )
    title: str
    status: int = Field(ge=400, le=599)
    detail: str | None = None
    errors: list[WrongField] | None = None


def problem(status: int, detail: str) -> HTTPException:
    """To be raised."""
    return HTTPException(status, detail)


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of a route: the problems that it may answer with."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }


def render_problem(error: HTTPException, errors: Sequence[WrongField] = ()) -> Response:
    """The answer to a request that failed so."""
    body = ProblemDetails(
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=error.detail or None,
        errors=list(errors) or None,
    )
    return Response(
        body.model_dump_json(exclude_none=True),
        status_code=error.status_code,
        headers=error.headers,
        media_type=MEDIA_TYPE,
    )


def is_for_machines(request: Request) -> bool:
    """True if a program reads the answer, not a person."""
    return request.url.path.startswith(MACHINES)


def answer_errors(app: FastAPI, render: Render) -> None:
    """Have errors answered by `render`, ours included. Bugs are not its business."""

    async def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await render(request, error)

    async def wrong(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong_fields = [_wrong_field(one) for one in error.errors()]
        detail = "; ".join(f"{one.where}: {one.why}" for one in wrong_fields)
        answer = HTTPException(422, detail)
        if is_for_machines(request):
            return render_problem(answer, wrong_fields)
        return await render(request, answer)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, PycurrentError)
        detail = f"{error}{_MADE_AGAIN}" if isinstance(error, FilesLost) else str(error)
        return await render(request, HTTPException(_status_of(error), detail))

    app.add_exception_handler(HTTPException, failed)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(PycurrentError, ours)


def _status_of(error: PycurrentError) -> int:
    match error:
        case FilesLost() | FilesRemoved():
            return 410
        case SeveralFiles():
            return 409
        case NoSuchFile() | NoSuchJob() | NoSuchRule() | NoSuchInput() | NoSuchTrigger():
            return 404
        case NoSuchStage() | NothingToVerify() | NotPinned() | NotMuted():
            return 404
        case UsageError():
            return 422
        case StoreError():
            return 503
        case _:
            return 500


def _wrong_field(error: dict[str, Any]) -> WrongField:
    where = ".".join(str(part) for part in error["loc"])
    return WrongField(where=where, why=error["msg"])
