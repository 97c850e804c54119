"""The headers that tell browsers how to treat each answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)

FRAMING = f"{_POLICY}; frame-src 'self'"
"""The policy of a page that shows a file in a frame, whose own policy is a sandbox."""

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_RESOURCE_POLICY = "Cross-Origin-Resource-Policy"

EMBEDDED = {
    _RESOURCE_POLICY: "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "default-src 'none'",
}
"""The headers of an answer that pages of all sites may show: as a picture, in a frame, by a script.
It must not depend on a login: such requests come without cookies.
"""

_AGAINST_FRAMES = frozenset({"X-Frame-Options", "Cross-Origin-Opener-Policy"})


class SecurityHeaders:
    """Adds headers to all answers: nothing from other sites, no script or style within a page, no
    framing, no guessing of types. An answer's own headers stay. Unless it says otherwise caches
    don't keep it, because the next one may be for somebody else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_embedded = headers.get(_RESOURCE_POLICY) == "cross-origin"
                for name, value in _HEADERS.items():
                    if not (is_embedded and name in _AGAINST_FRAMES):
                        headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
