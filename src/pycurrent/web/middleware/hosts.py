"""Refuses requests that are meant for another site: see `SiteAddress`."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pycurrent.web.auth import SiteAddress
from pycurrent.web.middleware.render import Render


class OwnHostsOnly:
    """Answers 421 to a request whose `Host` is not one of the site's names."""

    def __init__(self, app: ASGIApp, site: SiteAddress, render: Render) -> None:
        self._app = app
        self._site = site
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            hosts = request.headers.getlist("host")
            if len(hosts) != 1 or not self._site.allows_host(hosts[0], request.url.scheme):
                named = hosts[0][:100] if hosts else "no name"
                error = HTTPException(
                    421,
                    f"this site is not called {named!r}: if it should be, start it with"
                    " --public-url or --allow-host",
                )
                await (await self._render(request, error))(scope, receive, send)
                return
        await self._app(scope, receive, send)
