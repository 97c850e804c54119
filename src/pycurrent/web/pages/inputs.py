"""The page of the inputs that people set."""

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


def add_inputs_page(app: FastAPI) -> None:
    routing.page(app, "/inputs", _inputs, Role.VIEWER)
    routing.action(app, "/inputs", _set, Role.BUILDER)


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
