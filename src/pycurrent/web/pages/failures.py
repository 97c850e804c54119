"""The page of the failures: those with one cause together, with one button for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.store import FailureFilters
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.history import MOST_REBUILT, rebuilt_note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.times import TIMES, since_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

MOST_GROUPS = 100

_KINDS = ("real", "infra", "timeout")


def add_failures_pages(app: FastAPI) -> None:
    routing.page(app, "/failures", _failures, Role.VIEWER)
    routing.action(app, "/failures/rebuild", _rebuild, Role.BUILDER)


def filters_of(query: Mapping[str, str]) -> FailureFilters:
    """The kind and the fingerprint in an address or a form. Others are ignored."""
    filters: FailureFilters = {}
    if (kind := query.get("kind", "")) in _KINDS:
        filters["kind"] = kind
    fingerprint = query.get("fingerprint", "")
    if fingerprint and set(fingerprint) <= set("0123456789abcdef"):
        filters["fingerprint"] = fingerprint
    return filters


async def _failures(request: Request, service: ServiceOf) -> Response:
    filters = filters_of(request.query_params)
    named = request.query_params.get("since", "")
    if (since := since_of(named, service.engine.clock)) is not None:
        filters["since"] = since
    pages = pages_of(request)
    return pages.render(
        request,
        "failures.html",
        wanted=filters,
        kinds=_KINDS,
        times=[(name, word, name == named) for name, word in TIMES.items()],
        groups=await service.archive.failures(filters, limit=MOST_GROUPS),
        most=MOST_GROUPS,
        may_rebuild=pages.may(request, Role.BUILDER),
        asks_why=asks_for_reason(request, None),
    )


async def _rebuild(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    filters = filters_of({name: form.text(name) for name in ("kind", "fingerprint")})
    if not filters:
        raise HTTPException(400, "it was not said which failures are meant")
    ids = await service.archive.standing_failures(filters, limit=MOST_REBUILT)
    reason = reason_for(request, ids, form.get("reason"))
    outcomes = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    return pages_of(request).go("/failures", rebuilt_note(outcomes))
