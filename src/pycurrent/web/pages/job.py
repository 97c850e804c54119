"""The page of a job."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from pycurrent.errors import UsageError
from pycurrent.service import (
    Action,
    Done,
    JobDetail,
    LogWindow,
    NoSuchJob,
    Rebuilding,
    RebuiltOnceNeeded,
    Refused,
    Service,
    UnknownSubject,
    Why,
    estimate_of,
)
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import read_form
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.because import because_of
from pycurrent.web.pages.compare import add_compare_page
from pycurrent.web.pages.coverage import add_coverage_pages, coverage_of
from pycurrent.web.pages.files import add_files_pages, files_of
from pycurrent.web.pages.formatting import own_path, path, plain
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.pages.tests import add_tests_pages, tests_of
from pycurrent.web.pages.trend import trend_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

LINES = 200
"""Of the end of a log, on a page without a script."""
_RUNS = 40
_ENDS = ("::endgroup::", "##[endgroup]")
_ANNOTATIONS = 50
"""How many annotations are on the page."""


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines of a log."""

    text: str
    first: int
    """The number of the first one, from 1 on."""
    total: int
    size: int


def add_job_pages(app: FastAPI) -> None:
    add_files_pages(app)
    routing.action(app, "/job/{job_id:path}/cancel", _cancel, Role.BUILDER)
    routing.action(app, "/job/{job_id:path}/rebuild", _rebuild, Role.BUILDER)
    routing.action(app, "/job/{job_id:path}/verify", _verify, Role.BUILDER)
    routing.action(app, "/job/{job_id:path}/approve", _approve, Role.ADMIN)
    add_tests_pages(app)
    add_coverage_pages(app)
    add_compare_page(app)
    routing.page(app, "/job/{job_id:path}", _job, Role.VIEWER)


async def _job(request: Request, job_id: str, service: ServiceOf) -> Response:
    detail = service.jobs.detail(job_id)
    runs = await service.archive.same_work(detail.entry, limit=_RUNS)
    has_failed = detail.entry.failure is not None
    why = await _why(service, job_id)
    pages = pages_of(request)
    return pages.render(
        request,
        "job.html",
        job=detail,
        id=job_id,
        shown=badge_of(detail),
        runs=[(run, state_badges.of_entry(run)) for run in runs],
        trend=trend_of(runs),
        estimate=await estimate_of(service.archive, detail, runs),
        log=await _log_end(service, job_id),
        used_before=[path for path in detail.entry.paths if path not in {*detail.stages}],
        reasons=[] if why is None else str(why).splitlines()[1:],
        because=None if why is None else because_of(why),
        pinned={pin.path: pin for pin in service.pins.all()},
        annotations=await service.annotations(job_id, limit=_ANNOTATIONS),
        tests=await tests_of(service, job_id),
        coverage=await coverage_of(service, job_id),
        saved=await files_of(service, job_id),
        explained=await service.archive.explain(job_id) if has_failed else None,
        now=service.engine.clock.now(),
        asks_why=asks_for_reason(request, service.jobs.level(job_id)),
        untrusted=service.untrusted.of_job(job_id),
        may_approve_commit=pages.may(request, Role.ADMIN),
        may_cancel=Action.CANCEL in detail.actions and pages.may(request, Role.BUILDER),
        may_rebuild=Action.REBUILD in detail.actions and pages.may(request, Role.BUILDER),
        may_verify=Action.VERIFY in detail.actions and pages.may(request, Role.BUILDER),
        may_approve=Action.APPROVE in detail.actions and pages.may(request, Role.ADMIN),
    )


async def _why(service: Service, job_id: str) -> Why | None:
    """Why the job was run, and what it waits for; None if only its log is left."""
    try:
        return await service.why(job_id)
    except UnknownSubject:
        return None


def badge_of(detail: JobDetail) -> Badge:
    """How the job is, or how it ended."""
    if detail.active is not None:
        return state_badges.of_job(detail.active)
    return state_badges.of_entry(detail.entry)


async def _log_end(service: Service, job_id: str) -> LogTail | None:
    """The end of the log; None if the log was removed."""
    try:
        window: LogWindow = await service.logs.window(job_id, None, LINES)
    except NoSuchJob:
        return None
    groups = {group.first: group.name for group in (await service.logs.markers(job_id)).groups}
    text = "\n".join(
        f"▾ {groups[number]}"
        if number in groups
        else plain(line.text) + (f" … {line.cut:,} bytes more" if line.cut else "")
        for number, line in enumerate(window.lines, window.first)
        if not line.text.startswith(_ENDS)
    )
    return LogTail(text, window.first + 1, window.total, window.size)


async def _cancel(request: Request, job_id: str, service: ServiceOf, asker: AskerOf) -> Response:
    name = service.jobs.detail(job_id).description
    reason = reason_for(request, [job_id], (await read_form(request)).get("reason"))
    done = service.jobs.cancel(job_id, by=asker, reason=reason)
    return await _back(request, job_id, _note(name, done, "is being cancelled."))


async def _approve(request: Request, job_id: str, service: ServiceOf, asker: AskerOf) -> Response:
    name = service.jobs.detail(job_id).description
    reason = reason_for(request, [job_id], (await read_form(request)).get("reason"))
    done = service.jobs.approve(job_id, by=asker, reason=reason)
    return await _back(request, job_id, _note(name, done, "is approved."))


async def _rebuild(request: Request, job_id: str, service: ServiceOf, asker: AskerOf) -> Response:
    name = service.jobs.detail(job_id).description
    reason = reason_for(request, [job_id], (await read_form(request)).get("reason"))
    match service.jobs.rebuild(job_id, by=asker, reason=reason):
        case Rebuilding(new):
            return await _back(request, new, Note(f"“{name}” is being done again, by this job."))
        case RebuiltOnceNeeded():
            note = Note(f"“{name}” is done again once somebody needs it.")
            return await _back(request, job_id, note)
        case Refused() as refused:
            return await _back(request, job_id, _note(name, refused, ""))


async def _verify(request: Request, job_id: str, service: ServiceOf, asker: AskerOf) -> Response:
    name = service.jobs.detail(job_id).description
    reason = reason_for(request, (), (await read_form(request)).get("reason"))
    try:
        service.jobs.verify(job_id, by=asker, reason=reason)
    except UsageError as error:
        return await _back(request, job_id, _note(name, Refused(str(error)), ""))
    note = Note(f"Whether the result of “{name}” is still there is being looked up.")
    return await _back(request, job_id, note)


def _note(name: str, outcome: Done | Refused, done: str) -> Note:
    """By name: on the page of all jobs, the one under the pointer may be another by now."""
    match outcome:
        case Done():
            return Note(f"“{name}” {done}")
        case Refused(why):
            return Note(f"“{name}”: that can't be done: {why}", is_good=False)


async def _back(request: Request, job_id: str, note: Note) -> Response:
    """The page that the form says it has come from, or else that of the job."""
    back = (await read_form(request)).get("back")
    return pages_of(request).go(own_path(back, otherwise=f"/job/{path(job_id)}"), note)
