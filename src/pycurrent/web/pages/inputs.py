"""The page of the inputs that people set and pin, and of the triggers that they fire."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TypedDict

from fastapi import FastAPI, Request, Response

from pycurrent.errors import UsageError
from pycurrent.service import Service
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.lengths import chosen_end, lengths
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.pauses import LEVELS, PAUSE_FOREVER
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role

_PARAMETER = "param-"
"""Begins the names of the fields for the parameters of a trigger."""
PIN_FOREVER = "until it is unpinned"
_PROPOSED = 200
"""How many stages the form of pins proposes at most."""


def add_inputs_page(app: FastAPI) -> None:
    routing.page(app, "/inputs", _inputs, Role.VIEWER)
    routing.action(app, "/inputs", _set, Role.BUILDER)
    routing.action(app, "/inputs/fire", _fire, Role.BUILDER)
    routing.action(app, "/inputs/pin", _pin, Role.BUILDER)
    routing.action(app, "/inputs/unpin", _unpin, Role.BUILDER)


async def _inputs(request: Request, service: ServiceOf) -> Response:
    await service.engine.between_steps()
    return _show(request, service, FormFields({}))


def _show(
    request: Request, service: Service, form: FormFields, *, wrong: str | None = None
) -> Response:
    """The page; with what was typed, if that is wrong."""
    pages = pages_of(request)
    pinnable = [*islice(service.pins.pinnable(), _PROPOSED)]
    return pages.render(
        request,
        "inputs.html",
        status=200 if wrong is None else 422,
        inputs=service.inputs.all(),
        triggers=service.triggers.all(),
        pins=service.pins.all(),
        pinnable=pinnable,
        stages={one.name: path for path in pinnable if (one := service.input_of(path))},
        lengths=lengths(PIN_FOREVER),
        pinning=form,
        pauses=service.pauses.all(),
        levels=LEVELS,
        pause_lengths=lengths(PAUSE_FOREVER),
        typed=defaultdict[str, FormFields | None](lambda: None, {form.text("name"): form}),
        wrong=wrong,
        may_set=pages.may(request, Role.BUILDER),
        may_pause=pages.may(request, Role.ADMIN),
    )


async def _set(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    name = form.text("name")
    reason = reason_for(request, (), form.get("reason"))
    try:
        state = service.inputs.set_text(name, form.text("value"), by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return _back(request, form, Note(f"{name} is {state.plain} from now on."))


async def _fire(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    name = form.text("name")
    reason = reason_for(request, (), form.get("reason"))
    fields = (key for key in form.fields if key.startswith(_PARAMETER))
    typed = {key.removeprefix(_PARAMETER): form.text(key) for key in fields}
    try:
        number = service.triggers.fire_typed(name, typed, by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return _back(request, form, Note(f"{name} was fired: firing {number}."))


async def _pin(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    path = form.text("stage").strip()
    reason = reason_for(request, (), form.get("reason"))
    await service.engine.between_steps()
    try:
        until = chosen_end(form, service.engine.clock)
        pin = service.pins.pin(path, **_chosen(form), by=asker, reason=reason, until=until)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return _back(request, form, Note(f"{path} is pinned at {pin.value}."))


class _Chosen(TypedDict, total=False):
    """The value that was chosen, as `Pins.pin` takes it."""

    to: str
    change: int
    job: str


def _chosen(form: FormFields) -> _Chosen:
    """By a text, or by its change or job, as the page of a stage lists them."""
    which, text = form.text("which"), form.text("to").strip()
    if which.isdecimal():
        return {"change": int(which)}
    if which:
        return {"job": which}
    return {"to": text} if text else {}


async def _unpin(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    path = form.text("stage")
    reason = reason_for(request, (), form.get("reason"))
    await service.engine.between_steps()
    try:
        service.pins.unpin(path, by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return _back(request, form, Note(f"{path} is pinned no longer."))


def _back(request: Request, form: FormFields, note: Note) -> Response:
    """To the page on which the form was."""
    return pages_of(request).go(own_path(form.get("back"), otherwise="/inputs"), note)
