"""The pages of errors."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from pycurrent.web.auth import NotLoggedIn, access_of, token_of
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.login import login_path
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.reasons import ReasonMissing


async def error_page(request: Request, error: HTTPException) -> Response:
    """The page for an error; for a visitor who has to log in, or to say why, the way there."""
    by_browser = request.method == "GET" and token_of(request) is None
    must_log_in = isinstance(error, NotLoggedIn) and not access_of(request).is_at_home
    if must_log_in and by_browser:
        path = f"{request.url.path}?{request.url.query}".rstrip("?")
        return RedirectResponse(login_path(path), status_code=303)
    if isinstance(error, ReasonMissing):
        # Back to the form, which has a field for it.
        form = own_path(urlsplit(request.headers.get("referer", "")).path)
        return pages_of(request).go(
            form, Note(f"{error.detail[:1].upper()}{error.detail[1:]}.", is_good=False)
        )
    response = pages_of(request).render(
        request,
        "error.html",
        status=error.status_code,
        code=error.status_code,
        title=HTTPStatus(error.status_code).phrase,
        detail="" if error.detail == HTTPStatus(error.status_code).phrase else error.detail,
        may_help_to_log_in=must_log_in,
    )
    response.headers.update(error.headers or {})
    return response
