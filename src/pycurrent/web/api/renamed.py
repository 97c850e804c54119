"""Routes that go on working under their old names for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.params import Depends

from pycurrent.deprecation import Renamed

_SINCE = datetime(2026, 11, 26, tzinfo=UTC)
"""Since when all of them are deprecated: none has been released under its new name yet."""


def renamed(name: Renamed) -> Depends:
    """Say in the answer of a route that the last part of its path has another name now.

    Programs read it in the header `Deprecation` (RFC 9745), and in `Link` where to go instead.
    """

    async def tell(request: Request, response: Response) -> None:
        path = quote(request.url.path.removesuffix(f"/{name.old}"))
        response.headers["Deprecation"] = f"@{_SINCE.timestamp():.0f}"
        response.headers["Link"] = f'<{path}/{name.new}>; rel="successor-version"'

    return Depends(tell)
