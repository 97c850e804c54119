"""The addresses below `/content`, at which browsers show the files that jobs have saved.

A document is shown in a sandbox, as an origin of its own. To the browser its styles and pictures
are then another site's, and it sends no cookies with requests for them: so not a login opens these
addresses, but a *ticket* in them, which a page gives to those who may read the files. A ticket is
for one tree or file of one job, and ends after a day at most; then the address leads to the page
of the file, which gives another one. A document can tell others its own address, with its ticket:
they can read no more than what the document is part of.
"""

from __future__ import annotations

import hmac
import math
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from pycurrent.service import Kept
from pycurrent.web.auth import access_of
from pycurrent.web.context import ServiceOf
from pycurrent.web.downloads import file_answer, kept_unless_known
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import path as quoted

PLACE = "/content"
INDEX = "index.html"

_STEP = timedelta(hours=12)
"""Tickets end at multiples of it, so that the address of a file stays the same for a while."""
_SIGNED = "content"
_SHOWN = 32
"""How many digits of a signature are in a ticket: too many to guess."""

_OPEN = {
    # Nothing is read with a login there, so nothing is gained by keeping other sites out.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Referrer-Policy": "no-referrer",
}


def add_content(app: FastAPI) -> None:
    """Answer at the addresses, for all who have one."""
    routing.open_page(
        app, f"{PLACE}/{{ticket}}/{{day}}/{{name}}/{{digest}}/{{path:path}}", _content
    )


def content_address(request: Request, kept: Kept, path: str, now: datetime) -> str:
    """The address of a file, or a folder with a slash at its end, for those who may read it."""
    end = (math.floor(now.timestamp() / _STEP.total_seconds()) + 2) * _STEP
    ends = str(int(end.total_seconds()))
    record = kept.record
    ticket = f"{ends}.{_signature(request, ends, record.job_id, record.digest)}"
    return f"{PLACE}/{ticket}/{record.job_id}/{record.digest}/{quoted(path)}"


def page_address(kept: Kept, path: str) -> str:
    """The page of a file or a folder."""
    return f"/job/{quoted(kept.record.job_id)}/files/{kept.record.digest[:12]}/{quoted(path)}"


async def _content(
    request: Request,
    service: ServiceOf,
    ticket: str,
    day: str,
    name: str,
    digest: str,
    path: str,
) -> Response:
    job_id = f"{day}/{name}"
    ends, _, signature = ticket.partition(".")
    own = _signature(request, ends, job_id, digest)
    if not hmac.compare_digest(signature.encode(errors="replace"), own.encode()):
        raise HTTPException(404, "there is no such address: open the file from the page of its job")
    kept = await service.files.find(job_id, digest)
    if service.engine.clock.now().timestamp() >= int(ends):
        return _sent_on(page_address(kept, path))
    listed = await service.files.listed(kept)
    folder = listed.folder(path)
    if folder is not None and path and not path.endswith("/"):
        return _sent_on(f"{quoted(request.scope['path'])}/")
    entry = await service.files.entry(kept, path if folder is None else f"{folder}/{INDEX}")
    headers = {
        "Content-Security-Policy": _policy(request, len(path)),
        **kept_unless_known(entry.path),
        **_OPEN,
    }
    return await file_answer(request, service.files, entry, headers)


def _policy(request: Request, behind: int) -> str:
    """The policy of a document: it may run scripts, and load what is saved with it, and nothing
    else; `behind` is the length of its path there.
    """
    top = quoted(request.scope["path"][: len(request.scope["path"]) - behind])
    # Without a scheme they mean that of the document.
    hosts = {request.headers["host"], urlsplit(access_of(request).site.public_origin or "").netloc}
    named = [f"{host}{top}" for host in sorted(hosts) if host and "[" not in host]
    # A policy can't name an address of IPv6.
    own = " ".join(named) or "'self'"
    reached = " ".join(named) or "'none'"
    return "; ".join(
        [
            "sandbox allow-scripts",
            "default-src 'none'",
            f"script-src {own} 'unsafe-inline'",
            f"style-src {own} 'unsafe-inline'",
            f"img-src {own} data: blob:",
            f"font-src {own} data:",
            f"media-src {own}",
            f"connect-src {reached}",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        ]
    )


def _sent_on(address: str) -> Response:
    return RedirectResponse(address, 302, {"Cache-Control": "no-store", **_OPEN})


def _signature(request: Request, ends: str, job_id: str, digest: str) -> str:
    return access_of(request).owner.sign(_SIGNED, ends, job_id, digest)[:_SHOWN]
