"""The page of the jobs that have not ended, and acts on many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from pycurrent.errors import PycurrentError
from pycurrent.service import Action, Done, JobSelection, Refused
from pycurrent.store import LabelFilter
from pycurrent.view.formatting import plural
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

SHOWN = 250
"""How many jobs are on a page at most: the loop is held while it is made, 0.1 ms for each."""


def add_jobs_pages(app: FastAPI) -> None:
    routing.page(app, "/jobs", _jobs, Role.VIEWER)
    routing.action(app, "/jobs/cancel", _cancel, Role.BUILDER)
    routing.action(app, "/jobs/approve", _approve, Role.ADMIN)


async def _jobs(request: Request, service: ServiceOf) -> Response:
    wanted = _selection_of(request.query_params)
    among = frozenset(await service.select_jobs(wanted)) if wanted else None
    after = request.query_params.get("after", "").strip() or None
    active = await service.jobs.page(limit=SHOWN, after=after, among=among)
    fields = _fields_of(wanted)
    pages = pages_of(request)
    return pages.render(
        request,
        "jobs.html",
        rows=[(job, state_badges.of_job(job)) for job in active.jobs],
        total=active.total,
        fields=fields,
        after=after,
        # Where those begin that come after the last one that is shown.
        newer=None if active.next is None else urlencode({**fields, "after": active.next}),
        now=service.engine.clock.now(),
        asks_why=asks_for_reason(request, None),
        may_cancel=pages.may(request, Role.BUILDER),
        may_approve=pages.may(request, Role.ADMIN),
    )


async def _cancel(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, form.all("job"), form.get("reason"))
    note = act_on(
        form.all("job"),
        Action.CANCEL,
        lambda job: service.jobs.cancel(job, by=asker, reason=reason),
        service.jobs.description,
    )
    return pages_of(request).go(own_path(form.get("back"), otherwise=_address(form)), note)


async def _approve(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, form.all("job"), form.get("reason"))
    note = act_on(
        form.all("job"),
        Action.APPROVE,
        lambda job: service.jobs.approve(job, by=asker, reason=reason),
        service.jobs.description,
    )
    return pages_of(request).go(_address(form), note)


def _selection_of(query: Mapping[str, str]) -> JobSelection:
    """The filter in an address: `label` has all conditions in one text, with spaces between them.

    Raises `UsageError` for a label that is not a condition.
    """
    labels = tuple([LabelFilter.parse(label) for label in query.get("label", "").split()])
    return JobSelection(query.get("path", "").strip() or None, labels)


def _fields_of(wanted: JobSelection) -> dict[str, str]:
    """The fields of a form for a filter, those that it has."""
    fields = {"path": wanted.path or "", "label": " ".join(map(str, wanted.labels))}
    return {name: value for name, value in fields.items() if value}


def _address(form: FormFields) -> str:
    """The page with the filter that the form was sent with."""
    wanted = _selection_of({name: form.text(name) for name in ("path", "label")})
    return f"/jobs?{urlencode(_fields_of(wanted))}".rstrip("?")


_DONE = {Action.CANCEL: "cancelled", Action.APPROVE: "approved"}
_DETAILS = 10
"""How many refusals are told of."""
_NAMED = 5
"""How many of the jobs to which it was done are named."""


def act_on(
    jobs: Iterable[str],
    what: Action,
    act: Callable[[str], Done | Refused],
    name_of: Callable[[str], str],
) -> Note:
    """Do it to each job, and say how it went, by the names of the jobs."""
    done, refused = list[str](), list[str]()
    for job_id in dict.fromkeys(jobs):
        name = name_of(job_id)
        match _tried(job_id, act):
            case Done():
                done.append(name)
            case Refused(why):
                refused.append(f"{name}: {why}")
    return outcome_note(done, refused, _DONE[what])


def outcome_note(done: Sequence[str], refused: Sequence[str], did: str) -> Note:
    """`did` is what was to be done, in the past tense."""
    if not done and not refused:
        return Note("No job was selected.", is_good=False)
    parts = []
    if done:
        named = ", ".join(done[:_NAMED]) + (", ..." if len(done) > _NAMED else "")
        parts.append(f"{plural(len(done), 'job')} {did}: {named}")
    if refused:
        parts.append(f"{plural(len(refused), 'job')} not")
    details = [*refused[:_DETAILS]]
    if len(refused) > _DETAILS:
        details.append(f"and {len(refused) - _DETAILS} more")
    return Note("; ".join(parts) + (":" if refused else "."), tuple(details), not refused)


def _tried(job_id: str, act: Callable[[str], Done | Refused]) -> Done | Refused:
    try:
        return act(job_id)
    except PycurrentError as error:
        return Refused(str(error))
