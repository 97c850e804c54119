"""The files of the site: styles, scripts, pictures.

They are answered from memory, before anything else looks at the request. Their addresses hold a
digest of them all: a browser keeps them for good, and asks for others when the site has been given
others.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pycurrent.web.pages.sources import BUNDLE, ENTRIES, STAMP, digest, read_files, state_of

FOLDER = Path(__file__).parents[1] / "static"
ADDRESS = "/static"
"""Where they are served."""

_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class Files:
    """The files of a folder, read once: they don't change while an engine runs.

    As an application it answers `VERSION/PATH`, for good, and `PATH`, to be asked for again.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._contents = read_files(folder)
        self._is_bundled = self._contents.get(STAMP) == state_of(self._contents).encode()
        self.version = digest(*(part for file in self._contents.items() for part in file))[:16]
        self.address = f"{ADDRESS}/{self.version}"
        """Of the files, as pages have it."""

    def get(self, path: str) -> bytes | None:
        """The content of a file, by its path below the folder; None if it does not exist."""
        return self._contents.get(path)

    def current(self, path: str) -> str:
        """The path of a script or style, or of the file in the bundle that stands for it."""
        return f"{BUNDLE}/{path}" if self._is_bundled and path in ENTRIES else path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.scope["path"].removeprefix(f"{ADDRESS}/")
        own = path.removeprefix(f"{self.version}/")
        content = self._contents.get(own)
        if content is None:
            raise HTTPException(404)
        tag = f'"{digest(content)[:16]}"'
        kept = _ASK_AGAIN if own == path else _FOR_GOOD
        headers = {"Cache-Control": kept, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=mimetypes.guess_type(own)[0])


def add_files(app: FastAPI) -> Files:
    """Have the application answer with the files. Before its other routes: they take longer to
    look at.
    """
    files = Files()
    app.mount(ADDRESS, files)
    return files
