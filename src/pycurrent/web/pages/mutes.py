"""The page of the mutes that people set."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.engine import MuteKind, MuteSubject
from pycurrent.engine.site_links import stage_url
from pycurrent.errors import UsageError
from pycurrent.service import Refused, Service, mute_stages
from pycurrent.view.formatting import plural
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.lengths import chosen_end, lengths
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role

MUTE_LONGEST = "for 30 days"
"""The words for a mute whose end nobody has chosen."""


def add_mutes_page(app: FastAPI) -> None:
    routing.page(app, "/mutes", _mutes, Role.VIEWER)
    routing.action(app, "/mutes", _mute, Role.BUILDER)
    routing.action(app, "/mutes/many", _mute_many, Role.BUILDER)
    routing.action(app, "/mutes/remove", _unmute, Role.BUILDER)


async def _mutes(request: Request, service: ServiceOf) -> Response:
    named = {name: [text] for name, text in request.query_params.items()}
    return _show(request, service, FormFields(named))


def _show(
    request: Request, service: Service, form: FormFields, *, wrong: str | None = None
) -> Response:
    """The page; with what was typed, if that is wrong, or what its address names."""
    pages = pages_of(request)
    return pages.render(
        request,
        "mutes.html",
        status=200 if wrong is None else 422,
        mutes=service.mutes.all(),
        lengths=lengths(MUTE_LONGEST),
        typed=form,
        wrong=wrong,
        may_mute=pages.may(request, Role.BUILDER),
    )


async def _mute(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, (), form.get("reason"))
    await service.engine.between_steps()
    try:
        until = chosen_end(form, service.engine.clock)
        owner = form.text("owner").strip() or None
        mute = service.mutes.mute(_what(form), owner=owner, by=asker, reason=reason, until=until)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return pages_of(request).go(_back(form), Note(f"{mute.what} is muted from now on."))


async def _mute_many(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    """Mute each of the stages that a form names, which has said how many they are."""
    form = await read_form(request)
    paths = dict.fromkeys(form.all("stage"))
    if not paths:
        raise HTTPException(400, "it was not said which stages are meant")
    reason = reason_for(request, (), form.get("reason"))
    until = chosen_end(form, service.engine.clock)
    owner = form.text("owner").strip() or None
    outcomes = await mute_stages(
        service.engine, paths, owner=owner, by=asker, reason=reason, until=until
    )
    refused = [
        f"{path}: {outcome.why}"
        for path, outcome in outcomes.items()
        if isinstance(outcome, Refused)
    ]
    muted = len(paths) - len(refused)
    words = f"{plural(muted, 'stage')} {'is' if muted == 1 else 'are'} muted from now on."
    note = Note(words, is_good=not refused, details=tuple(refused))
    return pages_of(request).go(own_path(form.get("back"), otherwise="/mutes"), note)


async def _unmute(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    reason = reason_for(request, (), form.get("reason"))
    try:
        ended = service.mutes.unmute(_what(form), by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return pages_of(request).go(_back(form), Note(f"{ended.what} is muted no longer."))


def _what(form: FormFields) -> MuteSubject:
    """The thing that a form names."""
    name = form.text("name").strip()
    is_path = form.text("kind") != MuteKind.FINGERPRINT.value
    return MuteSubject.of(path=name) if is_path else MuteSubject.of(fingerprint=name)


def _back(form: FormFields) -> str:
    """The page that a form has come from."""
    return stage_url(form.text("name")) if form.text("page") == "stage" else "/mutes"
