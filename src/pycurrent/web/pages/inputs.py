"""The page of the inputs that people set, and of the triggers that they fire."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from pycurrent.errors import UsageError
from pycurrent.service import Service
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role

_PARAMETER = "param-"
"""Begins the names of the fields for the parameters of a trigger."""


def add_inputs_page(app: FastAPI) -> None:
    routing.page(app, "/inputs", _inputs, Role.VIEWER)
    routing.action(app, "/inputs", _set, Role.BUILDER)
    routing.action(app, "/inputs/fire", _fire, Role.BUILDER)


async def _inputs(request: Request, service: ServiceOf) -> Response:
    return _show(request, service, FormFields({}))


def _show(
    request: Request, service: Service, form: FormFields, *, wrong: str | None = None
) -> Response:
    """The page; with what was typed, if that is wrong."""
    pages = pages_of(request)
    return pages.render(
        request,
        "inputs.html",
        status=200 if wrong is None else 422,
        inputs=service.inputs.all(),
        triggers=service.triggers.all(),
        typed={form.text("name"): form},
        wrong=wrong,
        may_set=pages.may(request, Role.BUILDER),
    )


async def _set(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    name = form.text("name")
    reason = reason_for(request, (), form.get("reason"))
    try:
        state = service.inputs.set_text(name, form.text("value"), by=asker, reason=reason)
    except UsageError as error:
        return _show(request, service, form, wrong=str(error))
    return pages_of(request).go("/inputs", Note(f"{name} is {state.plain} from now on."))


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
    return pages_of(request).go("/inputs", Note(f"{name} was fired: firing {number}."))
