"""The parts of every page: the confirmation level, the colours; and the author's own pages."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException

from pycurrent.engine import Level
from pycurrent.facade import Engine
from pycurrent.view.formatting import plural
from pycurrent.web.api.index import described
from pycurrent.web.auth import NotAllowed, caller_of
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.extensions import Visit
from pycurrent.web.forms import read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import confirm_text, own_path
from pycurrent.web.pages.frame import THEME_COOKIE, THEMES
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import reason_for
from pycurrent.web.users import Role

_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """One route of the API."""

    method: str
    path: str
    what: str


def add_site_pages(app: FastAPI) -> None:
    routing.action(app, "/confirm", _confirm, Role.ADMIN)
    routing.open_action(app, "/theme", _theme)
    routing.page(app, "/page/{name}", _author_page, Role.VIEWER)
    routing.open_page(app, "/favicon.ico", _icon)
    routing.open_page(app, "/robots.txt", _robots)
    routing.page(app, "/docs", _docs, Role.VIEWER)


async def _icon(request: Request) -> Response:
    """The icon, where browsers look for it by themselves: raw logs do not name one."""
    return RedirectResponse(f"{pages_of(request).files.address}/icon.svg")


async def _robots(request: Request) -> Response:
    """Search engines have no business here: each page is about now, and leads to many more."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


async def _docs(request: Request) -> Response:
    """The list of the API's routes for people, made from its OpenAPI document."""
    document = await described(request.app)
    methods = [
        ApiMethod(method.upper(), path, operation.get("description") or operation["summary"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return pages_of(request).render(request, "docs.html", title="API", methods=methods)


async def _confirm(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    text = form.text("level")
    level = None if text == "none" else Level.parse(text)
    reason = reason_for(request, (), form.get("reason"))
    started = service.confirmation.set(level, by=asker, reason=reason)
    went_on = f" {plural(started, 'job')} may start now." if started else ""
    note = Note(f"From now on, jobs wait for confirmation for {confirm_text(level)}.{went_on}")
    return pages_of(request).go(own_path(form.get("back")), note)


async def _theme(request: Request) -> Response:
    form = await read_form(request)
    theme = form.text("theme")
    if theme not in THEMES:
        raise HTTPException(422, f"theme {theme!r} does not exist")
    response = pages_of(request).go(own_path(form.get("back")))
    # For scripts, too: it is not secret.
    response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, samesite="lax")
    return response


async def _author_page(request: Request, name: str) -> Response:
    pages = pages_of(request)
    page = pages.author_pages.get(name)
    if page is None:
        raise HTTPException(404, f"page {name!r} does not exist")
    user = caller_of(request).user
    if not pages.may(request, page.role):
        raise NotAllowed(user, page.role)
    engine = Engine.of(pages.service.engine)
    content = page.content(Visit(user, dict(request.query_params), engine))
    if inspect.isawaitable(content):
        content = await content
    return pages.render(request, "author.html", title=page.title, content=content)
