"""The page of the pauses that people set."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from pycurrent.engine import Level, Pausable, PauseKind
from pycurrent.errors import UsageError
from pycurrent.service import Service
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.lengths import chosen_end, lengths
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role

PAUSE_FOREVER = "until it is resumed"
LEVELS = tuple(str(level) for level in Level)


def add_pauses_page(app: FastAPI) -> None:
    routing.page(app, "/pauses", _pauses, Role.VIEWER)
    routing.action(app, "/pauses", _pause, Role.ADMIN)
    routing.action(app, "/pauses/resume", _resume, Role.ADMIN)


async def _pauses(request: Request, service: ServiceOf) -> Response:
    return _show(request, service, FormFields({}))


def _show(
    request: Request, service: Service, form: FormFields, *, wrong: str | None = None
) -> Response:
    """The page; with what was typed, if that is wrong."""
    pages = pages_of(request)
    return pages.render(
        request,
        "pauses.html",
        status=200 if wrong is None else 422,
        pauses=service.pauses.all(),
        levels=LEVELS,
        lengths=lengths(PAUSE_FOREVER),
        typed=form,
        wrong=wrong,
        may_pause=pages.may(request, Role.ADMIN),
    )


async def _pause(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, (), form.get("reason"))
    await service.engine.between_steps()
    try:
        until = chosen_end(form, service.engine.clock)
        pause = service.pauses.pause(_what(form), by=asker, reason=reason, until=until)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    place = own_path(form.get("back"), otherwise="/pauses")
    return pages_of(request).go(place, Note(f"{pause.what} is paused from now on."))


async def _resume(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, (), form.get("reason"))
    try:
        ended = service.pauses.resume(_what(form), by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    place = own_path(form.get("back"), otherwise="/pauses")
    return pages_of(request).go(place, Note(f"{ended.what} is resumed."))


def _what(form: FormFields) -> Pausable:
    """The thing that a form names."""
    kind, name = form.text("kind"), form.text("name").strip()
    match kind:
        case PauseKind.LEVEL.value:
            return Pausable.of(level=name)
        case PauseKind.POOL.value:
            return Pausable.of(pool=name)
        case _:
            return Pausable.of(path=name)
