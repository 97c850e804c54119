"""The button that lets the untrusted work of a commit begin, on the pages of what waits for it."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from pycurrent.engine.site_links import stage_url
from pycurrent.errors import UsageError
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import path
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role


def add_approvals(app: FastAPI) -> None:
    routing.action(app, "/approvals/approve", _approve, Role.ADMIN)


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
    return stage_url(stage) if stage else f"/job/{path(job)}" if job else "/jobs"
