"""The pages of the changes from outside: the feed, and what one of them has started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI, Path, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.engine import Clock
from pycurrent.service import MOST_COUNTED
from pycurrent.store import ChangeFilters, ChangeKind, LabelFilter
from pycurrent.web.api.changes import LARGEST
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.times import TIMES, since_of
from pycurrent.web.users import Role

PER_PAGE = 50
MOST_JOBS = 100
"""So many jobs of a change are listed."""

_KINDS = {
    ChangeKind.INPUT: "an input",
    ChangeKind.PERSON: "a person",
    ChangeKind.TIMER: "a timer",
    ChangeKind.START: "a start",
}
_FIELDS = ("kind", "input", "by", "since", "path", "label")


def add_changes_pages(app: FastAPI) -> None:
    routing.page(app, "/changes", _changes, Role.VIEWER)
    routing.page(app, "/changes/{number}", _change, Role.VIEWER)


def filters_of(query: Mapping[str, str], clock: Clock) -> ChangeFilters:
    """The filters in an address. Values that can't be are ignored. `label` has all conditions in
    one text. Raises `UsageError` for a label that is not a condition.
    """
    filters: ChangeFilters = {}
    text = {name: query.get(name, "").strip() for name in _FIELDS}
    if text["kind"] in {kind.value for kind in ChangeKind}:
        filters["kind"] = ChangeKind(text["kind"])
    if text["input"]:
        filters["input"] = text["input"]
    if text["by"]:
        filters["by"] = text["by"]
    if text["path"]:
        filters["path"] = text["path"]
    if text["label"]:
        filters["labels"] = tuple([LabelFilter.parse(one) for one in text["label"].split()])
    if (since := since_of(text["since"], clock)) is not None:
        filters["since"] = since
    before = query.get("before", "")
    if before.isascii() and before.isdigit() and int(before) <= LARGEST:
        filters["before"] = int(before)
    return filters


async def _changes(request: Request, service: ServiceOf) -> Response:
    query = request.query_params
    filters = filters_of(query, service.engine.clock)
    found = await service.archive.changes(filters, limit=PER_PAGE + 1)
    fields = {name: text for name in _FIELDS if (text := query.get(name, "").strip())}
    older = (
        urlencode({**fields, "before": found[PER_PAGE - 1].change.id}) if found[PER_PAGE:] else ""
    )
    pages = pages_of(request)
    return pages.render(
        request,
        "changes.html",
        entries=found[:PER_PAGE],
        kinds={kind.value: words for kind, words in _KINDS.items()},
        times=TIMES,
        fields=fields,
        newest=f"/changes?{urlencode(fields)}".rstrip("?") if "before" in filters else None,
        older=f"/changes?{older}" if older else None,
        most=MOST_COUNTED,
        may_audit=pages.may(request, Role.ADMIN),
    )


async def _change(
    request: Request, service: ServiceOf, number: Annotated[int, Path(ge=1, le=LARGEST)]
) -> Response:
    story = await service.archive.change(number, limit=MOST_JOBS)
    if story is None:
        raise HTTPException(404, f"no change has the number {number}, or not any more")
    return pages_of(request).render(
        request,
        "change.html",
        entry=story.entry,
        change=story.entry.change,
        kind=_KINDS[story.entry.change.kind],
        rows=[(job, state_badges.of_entry(job)) for job in story.jobs],
        most=MOST_COUNTED,
    )
