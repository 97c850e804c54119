"""The files that jobs have saved: listed, one by one, and as archives."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Annotated, Literal, TypeAlias

from fastapi import Depends, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from pycurrent.files.archives import ArchiveForm
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.service import Kept, NoSuchFile
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.downloads import ONLY_KEPT, file_answer, kept_as, stream_answer
from pycurrent.web.problems import may_answer

router = api_router("files")

WHICH = r"^([1-9][0-9]{0,6}|[0-9a-f]{8,64})$"
"""The pattern of a number, or the beginning of a digest."""

_KEPT_HEADERS = {"Content-Security-Policy": ONLY_KEPT}
_BYTES = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}
_ARCHIVE = {
    "content": {
        form.media_type: {"schema": {"type": "string", "format": "binary"}} for form in ArchiveForm
    }
}
_ABOUT_ONE = may_answer(404, 410)


class SavedModel(Model):
    """Something that a job has saved."""

    number: int = Field(description="Among all that the job has saved, from 1 on.")
    kind: Literal["tree", "file"]
    name: Text = Field(description="The patterns of a tree, or the name of a file.")
    digest: str = Field(description="The SHA-256 of a file, or of the listing of a tree.")
    count: int | None = Field(description="How many files and links a tree has; null for a file.")
    size: int = Field(description="In bytes, of all files together.")
    mode: int | None = Field(description="The permissions of a file; null for a tree.")
    at: datetime
    there: bool = Field(
        description="False: the file, or the listing of the tree, is missing from the store. It is"
        " made again when a job needs it."
    )

    removed: Text | None = Field(
        description="The rule of retention that has removed it, and when, as a sentence; null: none"
        " has."
    )
    removed_at: datetime | None = Field(description="When that was.")

    @classmethod
    def of(cls, kept: Kept) -> SavedModel:
        record = kept.record
        return cls(
            number=kept.number,
            kind="file" if record.count is None else "tree",
            name=record.name,
            digest=record.digest,
            count=record.count,
            size=record.size,
            mode=record.mode,
            at=record.at,
            there=kept.is_there,
            removed=None if kept.removed is None else str(kept.removed),
            removed_at=None if kept.removed is None else kept.removed.at,
        )


class SavedByJobModel(Model):
    """All that a job has saved."""

    files: list[SavedModel]


class NewestModel(SavedModel):
    """Something that was saved, and the job that has saved it."""

    job_id: str

    @classmethod
    def of(cls, kept: Kept) -> NewestModel:
        known = SavedModel.of(kept).model_dump()
        return cls(**known, job_id=kept.record.job_id)


class NewestSavedModel(Model):
    """The trees and files that were saved last, the newest first."""

    files: list[NewestModel]


class EntryModel(Model):
    """A file, a link or an empty folder of a tree."""

    kind: Literal["file", "link", "folder"]
    path: Text
    mode: int | None = Field(default=None, description="The permissions; null for a link.")
    size: int | None = Field(default=None, description="Of a file, in bytes.")
    digest: str | None = Field(default=None, description="Of a file: its SHA-256.")
    target: Text | None = Field(default=None, description="Of a link.")

    @classmethod
    def of(cls, entry: Entry) -> EntryModel:
        match entry:
            case FileEntry(path, mode, size, digest):
                return cls(kind="file", path=path, mode=mode, size=size, digest=digest)
            case LinkEntry(path, target):
                return cls(kind="link", path=path, target=target)
            case FolderEntry(path, mode):
                return cls(kind="folder", path=path, mode=mode)


class ListingModel(Model):
    """A page of the entries of a tree, in the order of their paths."""

    saved: SavedModel
    entries: list[EntryModel]
    next: int | None = Field(description="The value of `skip` for the next page.")


class ListingQuery(Model):
    """Selects entries of a tree, and a page of them."""

    model_config = ConfigDict(extra="forbid")

    under: str = Field(default="", max_length=4096, description="Only those in this folder.")
    skip: int = Field(default=0, ge=0, le=10**9, description="How many to leave out before.")
    limit: int = Field(default=1000, ge=1, le=10_000)


Which: TypeAlias = Annotated[
    str, Path(pattern=WHICH, description="Its number, or the first 8 or more digits of its digest.")
]


async def _kept(service: ServiceOf, job_id: JobId, which: Which) -> Kept:
    return await service.files.find(job_id, which)


KeptOf: TypeAlias = Annotated[Kept, Depends(_kept)]


@router.get("/files")
async def newest(
    service: ServiceOf, limit: Annotated[int, Query(ge=1, le=1000)] = 20
) -> NewestSavedModel:
    """List what jobs have saved last, the newest first."""
    found = await service.files.newest(limit=limit)
    return NewestSavedModel(files=[NewestModel.of(kept) for kept in found])


@router.get("/jobs/{day}/{name}/files", responses=may_answer(404))
async def files(service: ServiceOf, job_id: JobId) -> SavedByJobModel:
    """List what a job has saved: trees and files, by name."""
    found = await service.files.of_job(job_id)
    if not found:
        service.jobs.detail(job_id)  # Raises NoSuchJob.
    return SavedByJobModel(files=[SavedModel.of(kept) for kept in found])


@router.get("/jobs/{day}/{name}/files/{which}", responses=_ABOUT_ONE)
async def listing(
    service: ServiceOf, kept: KeptOf, query: Annotated[ListingQuery, Query()]
) -> ListingModel:
    """List the entries of a tree that a job has saved, page by page; of a file, itself."""
    listed = await service.files.listed(kept)
    folder = listed.folder(query.under)
    if folder is None:
        raise NoSuchFile(f"there is no folder {query.under!r} in {kept.record.name}")
    below = listed.below(folder)
    page = islice(below, query.skip, query.skip + query.limit)
    after = query.skip + query.limit
    return ListingModel(
        saved=SavedModel.of(kept),
        entries=[EntryModel.of(entry) for entry in page],
        next=after if after < len(below) else None,
    )


@router.get(
    "/jobs/{day}/{name}/files/{which}/{path:path}",
    response_class=Response,
    responses={200: _BYTES, 206: _BYTES, **may_answer(404, 410, 416)},
)
async def content(
    request: Request,
    service: ServiceOf,
    kept: KeptOf,
    path: Annotated[str, Path(max_length=4096, description="Within the tree.")],
) -> Response:
    """A file of a tree, byte for byte, or the part of it that `Range` asks for; of a saved file,
    itself by its name. It is compared with its digest, which is its tag (`ETag`).
    """
    entry = await service.files.entry(kept, path)
    return await file_answer(
        request, service.files, entry, {**kept_as(entry.path), **_KEPT_HEADERS}
    )


@router.get(
    "/jobs/{day}/{name}/archive/{which}",
    response_class=Response,
    responses={200: _ARCHIVE, **_ABOUT_ONE},
)
async def archive(
    service: ServiceOf,
    kept: KeptOf,
    form: Annotated[ArchiveForm, Query(description="Of the archive.")] = ArchiveForm.TAR,
) -> Response:
    """All files of a tree as an archive, of the same bytes for the same tree."""
    pieces = await service.files.packed(kept, form)
    name = archive_name(kept, form)
    tag = {"ETag": f'"{kept.record.digest}-{form.value}"'}
    return stream_answer(pieces, form.media_type, {**kept_as(name), **_KEPT_HEADERS, **tag})


def archive_name(kept: Kept, form: ArchiveForm) -> str:
    """The name of an archive: the folder or file that its patterns begin with, and its digest."""
    plain = re.match(r"[A-Za-z0-9._-]*", kept.record.name)
    first = "" if plain is None else plain.group().strip(".")
    return f"{first or 'files'}-{kept.record.digest[:8]}.{form.value}"
