"""The page of what waits for a person to approve it, and the button that lets the untrusted work of
a commit begin.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from pycurrent.engine.site_links import stage_url
from pycurrent.errors import UsageError
from pycurrent.service import NoSuchJob, Ran, Service, UnknownSubject, UntrustedCommit
from pycurrent.view import JobView
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import own_path, path
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.whose import Person, person_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

MOST = 30
"""How many jobs are shown: each takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a person, and what it is about."""

    job: JobView
    stages: tuple[str, ...]
    ran: Ran | None
    """Has the differences to the last run, and the changes that it follows from."""
    untrusted: UntrustedCommit | None
    """The commit that is to be approved first."""
    asks_why: bool

    def is_of(self, person: Person) -> bool:
        """True if it follows from a change of theirs, or they are the author of its stages."""
        changes = () if self.ran is None else self.ran.changes
        return person.wrote(self.job.labels) or person.made(changes)


def add_approvals(app: FastAPI) -> None:
    routing.page(app, "/approvals", _approvals, Role.VIEWER)
    routing.action(app, "/approvals/approve", _approve, Role.ADMIN)


async def _approvals(request: Request, service: ServiceOf) -> Response:
    person = person_of(request)
    waiting = []
    for job in service.confirmation.show(limit=MOST).waiting:
        found = await _found(request, service, job)
        waiting += [found] if found is not None and (person is None or found.is_of(person)) else []
        await asyncio.sleep(0)  # Others get a turn.
    pages = pages_of(request)
    return pages.render(
        request,
        "approvals.html",
        # One that has just been approved may have gone on meanwhile.
        waiting=[one for one in waiting if one.job.id in service.jobs.waiting],
        whose=person,
        total=service.confirmation.show(limit=0).total,
        now=service.engine.clock.now(),
        may_approve=pages.may(request, Role.ADMIN),
        may_reject=pages.may(request, Role.BUILDER),
    )


async def _found(request: Request, service: Service, job: JobView) -> Waiting | None:
    """None if the job waits no longer."""
    try:
        why = await service.why(job.id)
        stages = service.jobs.detail(job.id).stages
    except (UnknownSubject, NoSuchJob):
        return None
    untrusted = service.untrusted.of_job(job.id)
    return Waiting(
        job,
        stages,
        next((reason for reason in why.reasons if isinstance(reason, Ran)), None),
        untrusted if untrusted is not None and untrusted.waits else None,
        asks_for_reason(request, job.level),
    )


async def _approve(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, (), form.get("reason"))
    try:
        approval = service.approvals.approve(form.text("commit"), by=asker, reason=reason)
    except UsageError as error:
        note = Note(f"That can't be approved: {error}", is_good=False)
    else:
        note = Note(f"Commit {approval.commit} is approved: its work may begin.")
    return pages_of(request).go(_back(form), note)


def _back(form: FormFields) -> str:
    """The page that a form has come from."""
    stage, job = form.text("stage"), form.text("job")
    otherwise = stage_url(stage) if stage else f"/job/{path(job)}" if job else "/jobs"
    return own_path(form.get("back"), otherwise=otherwise)
