"""The files that jobs have saved, from an engine on this machine or another one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from cyclopts import Parameter, validators

from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.jobs import JobText
from pycurrent.cli.client.remote import Remote, job_path
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit, Unreachable
from pycurrent.cli.files import (
    NOTHING,
    check_matched,
    entry_line,
    only_file,
    place_saved,
    saved_line,
    saved_nothing,
)
from pycurrent.errors import UsageError
from pycurrent.files import File
from pycurrent.files.content import Stop, never, write_all
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry, listing_text
from pycurrent.files.names import check_path
from pycurrent.files.patterns import Patterns
from pycurrent.store import SavedRecord

_PAGE = 10_000


def ls(
    job: Annotated[
        str,
        Parameter(
            help="The id of a job, its beginning or end, or `last`; without it, the jobs that have"
            " saved files last.",
            show_default=False,
        ),
    ] = "",
    /,
    *,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client files ls`."""
    if not job:
        answer: dict[str, Any] = session.remote.get("/files", limit=limit)
        records = [(_record(one, one["job_id"]), one["removed_at"]) for one in answer["files"]]
        lines = [saved_line(record, _moment(removed)) for record, removed in records]
        session.list(answer, lines, NOTHING)
        return ClientExit.OK
    saved = _Saved.by(session.remote, find_job(session.remote, job))
    listed = [answer for record in saved.records for answer in saved.pages(record)]
    lines = [entry_line(_entry(entry)) for answer in listed for entry in answer["entries"]]
    session.list({"files": listed}, lines, saved_nothing(saved.job_id))
    return ClientExit.OK


def cat(
    job: JobText,
    path: Annotated[str, Parameter(help="Its path, as `client files ls` shows it.")],
    /,
    *,
    session: Given,
) -> int:
    """`pycurrent client files cat`."""
    saved = _Saved.by(session.remote, find_job(session.remote, job))
    entries = [entry for record in saved.records for entry in saved.entries(record)]
    entry = only_file(entries, str(Path(path)), saved.job_id)
    for piece in saved.content(entry.digest):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return ClientExit.OK


def get(
    job: JobText,
    folder: Annotated[Path, Parameter(help="The folder in which they are to be.")],
    /,
    *patterns: Annotated[str, Parameter(help="Only what these select, such as 'dist/**'.")],
    session: Given,
) -> int:
    """`pycurrent client files get`."""
    chosen = Patterns(patterns)
    saved = _Saved.by(session.remote, find_job(session.remote, job))
    if not saved.records:
        raise UsageError(saved_nothing(saved.job_id))
    for record in saved.records:
        place_saved(saved, record, folder, chosen)
    check_matched(chosen, saved.job_id)
    return ClientExit.OK


class _Saved:
    """The files of one job, with their contents: they are asked for as they are needed."""

    def __init__(self, remote: Remote, job_id: str, records: list[SavedRecord]) -> None:
        self.job_id = job_id
        self.records = records
        self._remote = remote
        self._listed: dict[str, list[Entry]] = {}
        self._places: dict[str, str] = {}
        """For each content a path in the API."""

    @classmethod
    def by(cls, remote: Remote, job_id: str) -> _Saved:
        """Raises `UsageError` if the files of the job were removed by retention."""
        answer: dict[str, Any] = remote.get(job_path(job_id, "/files"))
        for one in answer["files"]:
            if one["removed"] is not None:
                raise UsageError(f"job {job_id} has no files any more: {one['removed']}")
        return cls(remote, job_id, [_record(one, job_id) for one in answer["files"]])

    def pages(self, record: SavedRecord) -> Iterator[dict[str, Any]]:
        """The answers that list a tree, or a file."""
        skip: int | None = 0
        while skip is not None:
            where = job_path(self.job_id, f"/files/{record.digest}")
            answer: dict[str, Any] = self._remote.get(where, skip=skip, limit=_PAGE)
            yield answer
            skip = answer["next"]

    def entries(self, record: SavedRecord) -> list[Entry]:
        """The entries of a tree, or the only one of a file."""
        if record.digest not in self._listed:
            found = [_entry(one) for answer in self.pages(record) for one in answer["entries"]]
            self._listed[record.digest] = found
            for entry in found:
                if isinstance(entry, FileEntry):
                    path = quote(entry.path, safe="/")
                    self._places.setdefault(entry.digest, f"{record.digest}/{path}")
        return self._listed[record.digest]

    def content(self, digest: str) -> Iterator[bytes]:
        """The pieces of a content. Raises `Unreachable` if what came is not it."""
        hasher = hashlib.sha256()
        where = job_path(self.job_id, f"/files/{self._places[digest]}")
        for piece in self._remote.text(where):
            hasher.update(piece)
            yield piece
        if hasher.hexdigest() != digest:
            raise Unreachable(
                f"{self._remote.url} has not sent all of {where}, or something else: try again"
            )

    # As `place` asks for contents.

    def read(self, digest: str, what: str) -> bytes:
        """The listing of a tree."""
        record = next(record for record in self.records if record.digest == digest)
        text = listing_text(self.entries(record))
        if hashlib.sha256(text).hexdigest() != digest:
            raise Unreachable(f"{self._remote.url} has sent something else than {what}")
        return text

    def copy_to(self, file: File | FileEntry, target: int, what: str, stop: Stop = never) -> None:
        """Copy a content to an open, empty file."""
        if file.digest not in self._places:
            for record in self.records:
                self.entries(record)
        for piece in self.content(file.digest):
            write_all(target, piece)


def _record(answer: dict[str, Any], job_id: str) -> SavedRecord:
    """Raises `FilesError` for a file that would lie elsewhere: another machine has named it."""
    if answer["count"] is None:
        check_path(answer["name"])
    return msgspec.convert({**answer, "job_id": job_id}, SavedRecord)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _entry(answer: dict[str, Any]) -> Entry:
    match answer["kind"]:
        case "file":
            return FileEntry(answer["path"], answer["mode"], answer["size"], answer["digest"])
        case "link":
            return LinkEntry(answer["path"], answer["target"])
        case _:
            return FolderEntry(answer["path"], answer["mode"])
