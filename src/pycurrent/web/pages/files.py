"""The files of a job: folders as lists, texts as text, pictures, and documents in a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from msgspec import Struct
from starlette.exceptions import HTTPException

from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.files.archives import ArchiveForm
from pycurrent.files.listed import Inside
from pycurrent.files.listing import FileEntry, LinkEntry
from pycurrent.files.values import size_text
from pycurrent.service import Kept, Service
from pycurrent.store import LabelFilter
from pycurrent.web.context import ServiceOf
from pycurrent.web.media_types import Look, look_of
from pycurrent.web.middleware import FRAMING
from pycurrent.web.pages import routing
from pycurrent.web.pages.content import INDEX, add_content, content_address, page_address
from pycurrent.web.pages.formatting import path as quoted
from pycurrent.web.pages.formatting import plain
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

SHOWN = 20
"""How many saved things are on the page of a job."""
AT_ONCE = 500
"""How many entries of a folder are on a page."""
TEXT = 256 * 1024
"""In bytes: so much of a text is shown."""

_BEGINNING = 8192
"""In bytes: a text has no zero among so many."""
_LONGEST_LINK = 4096


class Row(Struct, frozen=True):
    """An entry of a folder, as its page lists it."""

    name: str
    href: str | None
    size: str
    about: str = ""
    is_folder: bool = False
    is_there: bool = True
    removed: str | None = None
    downloads: tuple[tuple[str, str], ...] = ()
    """Words and addresses."""


class SavedFiles(Struct, frozen=True):
    """The things that a job has saved, as its page lists them."""

    rows: list[Row]
    more: int


def add_files_pages(app: FastAPI) -> None:
    """Before the other pages of jobs, whose addresses take the end of a file's path for theirs."""
    routing.page(app, "/job/{day}/{name}/files", _all, Role.VIEWER)
    routing.page(app, "/job/{day}/{name}/files/{which}", _top, Role.VIEWER)
    routing.page(app, "/job/{day}/{name}/files/{which}/{path:path}", _inside, Role.VIEWER)
    add_content(app)
    routing.page(app, "/files/{path:path}", _latest, Role.VIEWER)


async def files_of(service: Service, job_id: str) -> SavedFiles | None:
    """The first things that a job has saved; None if it has saved nothing."""
    found = await service.files.of_job(job_id)
    if not found:
        return None
    return SavedFiles([_saved_row(kept) for kept in found[:SHOWN]], max(0, len(found) - SHOWN))


def _saved_row(kept: Kept) -> Row:
    record = kept.record
    is_tree = record.count is not None
    href = page_address(kept, "" if is_tree else record.name)
    about = f"{record.count:,} files" if is_tree and record.count != 1 else "1 file"
    return Row(
        record.name,
        href,
        size_text(record.size),
        about,
        is_tree,
        kept.is_there,
        None if kept.removed is None else str(kept.removed),
        _archives(kept) if is_tree else (("download", _download(kept, record.name)),),
    )


def _archives(kept: Kept) -> tuple[tuple[str, str], ...]:
    record = kept.record
    address = f"/api/v1/jobs/{quoted(record.job_id)}/archive/{record.digest}"
    return tuple([(form.value, f"{address}?form={form.value}") for form in ArchiveForm])


def _download(kept: Kept, path: str) -> str:
    record = kept.record
    return f"/api/v1/jobs/{quoted(record.job_id)}/files/{record.digest}/{quoted(path)}"


async def _all(request: Request, day: str, name: str, service: ServiceOf) -> Response:
    job_id = f"{day}/{name}"
    detail = service.jobs.detail(job_id)
    rows = [_saved_row(kept) for kept in await service.files.of_job(job_id)]
    return pages_of(request).render(request, "saved.html", job=detail, id=job_id, rows=rows)


async def _top(request: Request, day: str, name: str, which: str, service: ServiceOf) -> Response:
    return await _inside(request, day, name, which, "", service)


async def _inside(
    request: Request, day: str, name: str, which: str, path: str, service: ServiceOf
) -> Response:
    kept = await service.files.find(f"{day}/{name}", which)
    listed = await service.files.listed(kept)
    folder = listed.folder(path)
    if folder is None:
        return await _file(request, service, kept, await service.files.entry(kept, path))
    children = await in_thread(listed.children, folder)
    skip = _skip(request.query_params.get("skip", ""))
    page = [*islice(children, skip, skip + AT_ONCE)]
    index = f"{folder}/{INDEX}".strip("/")
    now = service.engine.clock.now()
    has_index = listed.find(index) is not None
    return pages_of(request).render(
        request,
        "folder.html",
        **_place(service, kept, folder),
        rows=await in_thread(lambda: [*_rows(service, kept, folder, page)]),
        total=len(children),
        first=skip + 1,
        next=skip + AT_ONCE if len(children) > skip + AT_ONCE else None,
        before=max(0, skip - AT_ONCE) if skip else None,
        index=content_address(request, kept, index, now) if has_index else None,
    )


def _rows(
    service: Service, kept: Kept, folder: str, page: list[Inside | FileEntry | LinkEntry]
) -> Iterator[Row]:
    for child in page:
        match child:
            case Inside(name, count, size):
                files = "1 file" if count == 1 else f"{count:,} files"
                href = page_address(kept, f"{folder}/{name}".strip("/"))
                yield Row(name, href, size_text(size), files, is_folder=True)
            case FileEntry(path, _, size):
                is_there = service.files.has(child)
                name = path.rpartition("/")[2]
                yield Row(name, page_address(kept, path), size_text(size), is_there=is_there)
            case LinkEntry(path, target):
                name = path.rpartition("/")[2]
                yield Row(name, page_address(kept, path), "", f"to {target}")


async def _file(request: Request, service: Service, kept: Kept, entry: FileEntry) -> Response:
    look = look_of(entry.path)
    text = None
    opened = await service.files.open(entry)
    try:
        if look is Look.TEXT:
            text = await _text(await opened.read(0, TEXT))
    finally:
        opened.close()
    if look is Look.TEXT and text is None:
        look = Look.OTHER
    response = pages_of(request).render(
        request,
        "file.html",
        **_place(service, kept, entry.path),
        entry=entry,
        size=size_text(entry.size),
        look=look.value,
        text=text,
        cut=size_text(TEXT) if look is Look.TEXT and entry.size > TEXT else None,
        address=content_address(request, kept, entry.path, service.engine.clock.now()),
        download=_download(kept, entry.path),
    )
    if look is Look.DOCUMENT:
        response.headers["Content-Security-Policy"] = FRAMING
    return response


async def _text(data: bytes) -> str | None:
    """The text; None if it is none."""
    if b"\0" in data[:_BEGINNING]:
        return None
    return await in_thread(lambda: plain(data.decode(errors="replace")))


def _place(service: Service, kept: Kept, path: str) -> dict[str, Any]:
    """The place of a file or folder, for a template: its job, and the folders above it."""
    record = kept.record
    names = path.split("/") if path else []
    above = [("/".join(names[:end]), name) for end, name in enumerate(names, 1)]
    return {
        "job": service.jobs.detail(record.job_id),
        "id": record.job_id,
        "kept": kept,
        "path": path,
        "top": page_address(kept, ""),
        "here": page_address(kept, path),
        "archives": _archives(kept),
        "above": [(page_address(kept, folder), name) for folder, name in above[:-1]],
        "name": names[-1] if names else record.name,
    }


async def _latest(request: Request, path: str, service: ServiceOf) -> Response:
    """Sends the browser on to the newest good file of a stage."""
    if len(path) > _LONGEST_LINK:
        raise HTTPException(414)
    query = request.query_params
    unknown = {*query} - {"label", "stage"}
    if unknown:
        raise UsageError(f"this link takes `label` and `stage`, not {', '.join(sorted(unknown))}")
    labels = [LabelFilter.parse(label) for label in query.getlist("label")]
    found = await service.latest_file(path, stage=query.get("stage"), labels=labels)
    kept, inside = found.kept, found.path
    address = page_address(kept, inside)
    if found.digest is not None:
        address = content_address(request, kept, inside, service.engine.clock.now())
    elif (await service.files.listed(kept)).find(f"{inside}/{INDEX}") is not None:
        folder = f"{inside}/" if inside else ""
        address = content_address(request, kept, folder, service.engine.clock.now())
    return RedirectResponse(address, 302, {"Cache-Control": "no-cache"})


def _skip(text: str) -> int:
    return min(int(text), 10**9) if text.isdecimal() and len(text) < 12 else 0
