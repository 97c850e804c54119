"""The address that the engine prints, which lets a browser in: see `pycurrent.web.users.owner`."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pycurrent.web.auth.access import ACCESS
from pycurrent.web.auth.errors import NotLoggedIn
from pycurrent.web.users.owner import PARAMETER


class Entrance:
    """Begins a session for a browser with the token, and redirects it to an address without: the
    token would stay in the history, and in screenshots.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        token = request.query_params.get(PARAMETER)
        if token is None:
            await self._app(scope, receive, send)
            return
        access = ACCESS.get(request.app.state)
        response = RedirectResponse(_without_token(request), status_code=303)
        if access.is_at_home:
            if not access.owner.is_token(token):
                raise NotLoggedIn(
                    f"the token in the address is not that of this engine: {access.way_in}"
                )
            access.log_in(request, response, access.owner.user)
        await response(scope, receive, send)


def _without_token(request: Request) -> str:
    query = parse_qsl(request.url.query, keep_blank_values=True)
    kept = urlencode([(name, value) for name, value in query if name != PARAMETER])
    return f"/?{kept}" if kept else "/"
