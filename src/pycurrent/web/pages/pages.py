"""Makes pages of templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pycurrent.engine.site_links import item_url, label_url, stage_url
from pycurrent.files.values import size_text
from pycurrent.service import Service, told
from pycurrent.store.coverage import change_text, percent_text
from pycurrent.view.formatting import local_time, plural, seconds
from pycurrent.web.auth import Caller, NotLoggedIn, Via, access_of, caller_of
from pycurrent.web.extensions import AuthorEntry, AuthorPage
from pycurrent.web.pages import formatting
from pycurrent.web.pages.frame import make_header, make_page
from pycurrent.web.pages.modules import Modules
from pycurrent.web.pages.notes import PARAMETER, Note, Notes
from pycurrent.web.pages.static import Files
from pycurrent.web.state_key import StateKey
from pycurrent.web.users import Role

_TEMPLATES = Path(__file__).parents[1] / "templates"


class Pages:
    """The pages of one site."""

    def __init__(
        self,
        service: Service,
        files: Files,
        *,
        name: str = "pycurrent",
        extra: Sequence[AuthorEntry] = (),
    ) -> None:
        self.service = service
        self.extra = tuple(extra)
        self._name = name
        self._notes = Notes()
        self.files = files
        self._templates = _environment(files)

    @property
    def author_pages(self) -> dict[str, AuthorPage]:
        """By name."""
        return {entry.name: entry for entry in self.extra if isinstance(entry, AuthorPage)}

    def may(self, request: Request, role: Role) -> bool:
        """True if the visitor has the role."""
        return access_of(request).allows(request, caller_of(request).user, role)

    def render(
        self, request: Request, template: str, *, status: int = 200, **content: Any
    ) -> Response:
        """A page for this user. It shows the state of the pipeline only to users who may see it."""
        caller = _known_caller(request)
        access = access_of(request)
        page = make_page(
            request,
            access,
            caller,
            name=self._name,
            note=self._notes.take(request.query_params.get(PARAMETER)),
            now=self.service.engine.clock.now(),
            has_inputs=self.service.has_inputs,
            has_pauses=bool(self.service.pauses.all()),
            has_mutes=self.service.mutes.are_any,
            has_waiting=bool(self.service.jobs.waiting),
            extra=self.extra,
        )
        sees = access.allows(request, caller.user, Role.VIEWER)
        header = make_header(request, access, caller, self.service) if sees else None
        text = self._templates.get_template(template).render(page=page, header=header, **content)
        # Texts of jobs may hold bytes that are not Unicode.
        response = HTMLResponse(text.encode(errors="replace"), status_code=status)
        if status == HTTPStatus.OK:
            # Each page has others of these; the forms of earlier ones are as good.
            moment = (page.form_token, page.time, "" if header is None else header.event)
            response.headers["ETag"] = _tag(text, moment, caller.key or "")
        access.set_visitor(request, response)
        return response

    def go(self, path: str, note: Note | None = None) -> Response:
        """Send the browser on, after a form, to a page that says what has become of it."""
        if note is not None:
            query = urlencode({PARAMETER: self._notes.leave(note)})
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        return RedirectResponse(path, status_code=303)


PAGES = StateKey[Pages]("pages")


def pages_of(request: Request) -> Pages:
    """The pages of the application that serves the request."""
    return PAGES.get(request.app.state)


def _known_caller(request: Request) -> Caller:
    """The sender; nobody if it is unknown: an error page is shown to anybody."""
    try:
        return caller_of(request)
    except NotLoggedIn:
        return Caller(None, Via.NOTHING, None)


def _tag(text: str, moment: Iterable[str], key: str) -> str:
    """The tag of a page for one browser, whatever is of the moment in it. Scripts that have the
    page already ask with it; browsers don't, as they keep no page.
    """
    for part in filter(None, moment):
        text = text.replace(part, "")
    known = sha256(key.encode() + b"\0" + text.encode(errors="replace"))
    return f'W/"{known.hexdigest()[:20]}"'


def _environment(files: Files) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["change"] = change_text
    environment.filters["duration"] = formatting.duration_or_dash
    environment.filters["local_time"] = local_time
    environment.filters["path"] = formatting.path
    environment.filters["percent"] = percent_text
    environment.filters["plain"] = formatting.plain
    environment.filters["seconds"] = seconds
    environment.filters["size"] = size_text
    environment.filters["told"] = told
    environment.filters["waits"] = formatting.waits
    environment.filters["is_web"] = formatting.is_web
    environment.filters["tried"] = formatting.tried
    environment.globals["plural"] = plural
    environment.globals["stage_url"] = stage_url
    environment.globals["item_url"] = item_url
    environment.globals["label_url"] = label_url
    environment.globals["places_of"] = formatting.places_of
    modules = Modules(files)
    environment.globals["modules_of"] = lambda path: modules.needed_by(files.current(path))
    environment.globals["address_of"] = lambda path: f"{files.address}/{files.current(path)}"
    environment.globals["static"] = files.address
    return environment
