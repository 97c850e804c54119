"""The page of the jobs that have ended: filters, and rebuilding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.cache import CAUSES
from pycurrent.service import Rebuild, Refused
from pycurrent.store import SECONDS, HistoryFilter, JobEnd, LabelFilter
from pycurrent.term import FailureKind
from pycurrent.web.api.names import name_of
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.jobs import outcome_note
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

PER_PAGE = 50
MOST_REBUILT = 10_000
"""By one click."""
_TRUTH = {"true": True, "false": False}
_FIELDS = (
    "op", "ok", "end", "rebuild", "prefix", "key", "text", "path", "label", "kind", "cause", "who",
    "since", "until", "longer", "place", "pool",
)  # fmt: skip
_CAUSE_NAMES = {kind.__name__: name for name, kind in CAUSES.items()}
_KINDS = {kind.value for kind in FailureKind}
_ENDS = {name_of(end): end for end in JobEnd}


def add_history_pages(app: FastAPI) -> None:
    routing.page(app, "/history", _history, Role.VIEWER)
    routing.action(app, "/history/rebuild", _rebuild, Role.BUILDER)
    routing.action(app, "/history/rebuild-matching", _rebuild_matching, Role.BUILDER)
    routing.page(app, "/history/rebuild-matching", _ask, Role.BUILDER)


def filter_of(query: Mapping[str, str]) -> HistoryFilter:
    """The filter in an address: nearly as in the API. Values that are empty, or not one of those
    that there are, are ignored. `label` has all conditions in one text, with spaces between them;
    `since` and `until` may be days, that of `until` included. Raises `UsageError` for a label that
    is not a condition.
    """

    def text(name: str) -> str | None:
        return query.get(name, "").strip() or None

    return HistoryFilter(
        op=text("op"),
        ok=_TRUTH.get(query.get("ok", "")),
        ends=frozenset(end for end in [_ENDS.get(query.get("end", ""))] if end is not None),
        rebuild=_TRUTH.get(query.get("rebuild", "")),
        prefix=text("prefix"),
        key=text("key"),
        text=text("text"),
        path=text("path"),
        labels=tuple([LabelFilter.parse(label) for label in query.get("label", "").split()]),
        kind=kind if (kind := query.get("kind")) in _KINDS else None,
        cause=CAUSES[cause].__name__ if (cause := query.get("cause", "")) in CAUSES else None,
        by=text("who"),
        since=_instant(query.get("since", ""), timedelta(0)),
        until=_instant(query.get("until", ""), timedelta(days=1)),
        longer=_seconds(query.get("longer", "")),
        place=text("place"),
        pool=text("pool"),
    )


def query_of(wanted: HistoryFilter) -> str:
    """The address's part for a filter; empty for all jobs."""
    return urlencode(fields_of(wanted))


def fields_of(wanted: HistoryFilter) -> dict[str, str]:
    """The fields of a form for a filter, those that it has."""
    values = {
        "op": wanted.op,
        "ok": wanted.ok,
        "end": _end_name(wanted),
        "rebuild": wanted.rebuild,
        "prefix": wanted.prefix,
        "key": wanted.key,
        "text": wanted.text,
        "path": wanted.path,
        "label": " ".join(map(str, wanted.labels)) or None,
        "kind": wanted.kind,
        "cause": None if wanted.cause is None else _CAUSE_NAMES[wanted.cause],
        "who": wanted.by,
        "since": None if wanted.since is None else wanted.since.isoformat(),
        "until": None if wanted.until is None else wanted.until.isoformat(),
        "longer": None if wanted.longer is None else f"{wanted.longer.total_seconds():g}",
        "place": wanted.place,
        "pool": wanted.pool,
    }
    return {name: _text(value) for name, value in values.items() if value is not None}


def _instant(text: str, after: timedelta) -> datetime | None:
    """A time, or the beginning of a day and some time after it, in UTC if no zone is named."""
    try:
        time = datetime.fromisoformat(text.strip())
        time += after if len(text.strip()) == len("2026-11-22") else timedelta(0)
    except (ValueError, OverflowError):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _seconds(text: str) -> timedelta | None:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        return None


def _end_name(wanted: HistoryFilter) -> str | None:
    """The one way to end that a page can ask for."""
    return next((name_of(end) for end in wanted.ends if end is not None), None)


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


async def _history(request: Request, service: ServiceOf) -> Response:
    wanted = filter_of(request.query_params)
    before = request.query_params.get("before") or None
    found = await service.archive.page(wanted, limit=PER_PAGE, before=before, seconds=SECONDS)
    query = query_of(wanted)
    older = None if found.next is None else _join(query, urlencode({"before": found.next}))
    pages = pages_of(request)
    return pages.render(
        request,
        "history.html",
        wanted=wanted,
        ends=[(name, end.value, end in wanted.ends) for name, end in _ENDS.items()],
        rows=[(entry, state_badges.of_entry(entry)) for entry in found.entries],
        operations=await service.archive.operations(),
        query=query,
        newest=None if before is None else f"/history?{query}".rstrip("?"),
        older=None if older is None else f"/history?{older}",
        is_complete=found.is_complete,
        fields=fields_of(wanted),
        days=_days(wanted),
        kinds=sorted(_KINDS),
        causes=list(CAUSES),
        may_rebuild=pages.may(request, Role.BUILDER),
        may_audit=pages.may(request, Role.ADMIN),
        asks_why=asks_for_reason(request, None),
    )


def _days(wanted: HistoryFilter) -> dict[str, str]:
    """The days of `since` and `until`, as the form has them."""
    since, until = wanted.since, wanted.until
    last = None if until is None else until - timedelta(microseconds=1)
    return {
        "since": "" if since is None else since.astimezone(UTC).date().isoformat(),
        "until": "" if last is None else last.astimezone(UTC).date().isoformat(),
    }


def _join(*parts: str) -> str:
    return "&".join(part for part in parts if part)


async def _rebuild(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, form.all("job"), form.get("reason"))
    outcomes = await service.jobs.rebuild_many(form.all("job"), by=asker, reason=reason)
    return pages_of(request).go(
        own_path(form.get("back"), otherwise=_address(form)), rebuilt_note(outcomes)
    )


async def _ask(request: Request, service: ServiceOf) -> Response:
    """Before all that match are rebuilt: how many are they?"""
    wanted = filter_of(request.query_params)
    found = await service.archive.page(wanted, limit=MOST_REBUILT)
    return pages_of(request).render(
        request,
        "rebuild_matching.html",
        wanted=wanted,
        jobs=len(found.entries),
        works=len({(entry.op, entry.key) for entry in found.entries}),
        fields=fields_of(wanted),
        has_more=found.next is not None,
        asks_why=asks_for_reason(request, None),
        query=query_of(wanted),
    )


async def _rebuild_matching(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    wanted = filter_of({name: form.text(name) for name in _FIELDS})
    if form.get("sure") is None:
        raise HTTPException(400, "it was not said that this is meant")
    ids, _ = await service.newest_matching(wanted, limit=MOST_REBUILT)
    reason = reason_for(request, ids, form.get("reason"))
    outcomes = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    return pages_of(request).go(_address(form), rebuilt_note(outcomes))


def _address(form: FormFields) -> str:
    """The page with the filter that the form was sent with."""
    query = query_of(filter_of({name: form.text(name) for name in _FIELDS}))
    return f"/history?{query}".rstrip("?")


def rebuilt_note(outcomes: Mapping[str, Rebuild]) -> Note:
    """Say what has become of a rebuild of many jobs."""
    refused = [
        f"{job_id}: {outcome.why}"
        for job_id, outcome in outcomes.items()
        if isinstance(outcome, Refused)
    ]
    begun = [job_id for job_id, outcome in outcomes.items() if not isinstance(outcome, Refused)]
    return outcome_note(begun, refused, "to be rebuilt")
