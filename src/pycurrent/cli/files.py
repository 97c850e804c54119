"""`pycurrent files`: the files that jobs have saved."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import AsJsonOption, LimitOption, StateDirOption
from pycurrent.cli.output import complain, one_line, write_list
from pycurrent.cli.text import size
from pycurrent.errors import UsageError
from pycurrent.files import File, FilesLost, FileStore, Tree, place
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.files.patterns import Patterns
from pycurrent.files.placing import entries_of
from pycurrent.service import Records
from pycurrent.store import SavedRecord
from pycurrent.store.keep import Part
from pycurrent.store.removed import RemovedPart
from pycurrent.view.formatting import local_time, plural

JobOption = Annotated[
    str, Parameter(help="The id of a job, its beginning or end, or `last`.", show_default=False)
]


def ls(
    job: JobOption = "",
    /,
    *,
    limit: LimitOption = 20,
    as_json: AsJsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the files that a job has saved: mode, size and path. Without a job: the jobs that have
    saved files last, with the number of files, their size, and the patterns or the path.
    """
    with Records.open(state_dir) as records:
        if not job:
            found = records.saved.newest(limit=limit)
            lines = [f"{_line(record)}{_gone(records, record.job_id)}" for record in found]
            _write(found, lines, "no job has saved files", as_json)
            return
        job_id = records.find_job(job)
        _check_kept(records, job_id)
        entries = list(_entries(records.files, records.saved.of_job(job_id)))
    lines = [_entry_line(entry) for entry in entries]
    _write(entries, lines, f"job {job_id} has saved no files", as_json)


def cat(
    job: JobOption,
    path: Annotated[Path, Parameter(help="Its path, as `files ls` shows it.")],
    /,
    *,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Print a file that a job has saved."""
    with Records.open(state_dir) as records:
        job_id = records.find_job(job)
        _check_kept(records, job_id)
        store = records.files
        entries = _entries(store, records.saved.of_job(job_id))
        found = {e.digest: e for e in entries if isinstance(e, FileEntry) and e.path == str(path)}
        if len(found) != 1:
            what = "no file" if not found else "several files"
            raise UsageError(
                f"job {job_id} has saved {what} {path}: `pycurrent files ls {job_id}` lists them"
            )
        (entry,) = found.values()
        file = File(entry.digest, entry.size, entry.mode)
        store.verify(file, entry.path)
        with store.path_of(file.digest).open("rb") as content:
            while piece := content.read(1 << 20):
                sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def get(
    job: JobOption,
    folder: Annotated[Path, Parameter(help="The folder in which they are to be.")],
    /,
    *patterns: Annotated[str, Parameter(help="Only what these select, such as 'dist/**'.")],
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Place the files that a job has saved in a folder, which is made where it is missing. Files
    that are in the way are replaced.
    """
    chosen = Patterns(patterns)
    with Records.open(state_dir) as records:
        job_id = records.find_job(job)
        _check_kept(records, job_id)
        saved = records.saved.of_job(job_id)
        if not saved:
            raise UsageError(f"job {job_id} has saved no files")
        for record in saved:
            what, target = _value(record), folder
            if isinstance(what, File):
                if not chosen.select_within(record.name):
                    continue
                target = folder / record.name
            complain(f"{record.name}: {what} to {folder}")
            place(records.files, what, target, Event(), select=chosen.select_within)
    if chosen.unmatched:
        raise UsageError(f"job {job_id} has saved nothing that matches {chosen.unmatched[0]}")


def du(*, as_json: AsJsonOption = False, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> None:
    """Say how much room saved files take on the disk, and how much the jobs of each operation have
    saved; content that several have saved is on the disk once.
    """
    with Records.open(state_dir) as records:
        by_operation = records.saved.by_operation()
        sizes = [entry.stat().st_blocks * 512 for entry in records.files.contents()]
    if as_json:
        found = {
            "contents": len(sizes),
            "bytes": sum(sizes),
            "operations": [
                {"op": op, "saved": times, "bytes": bytes} for op, times, bytes in by_operation
            ],
        }
        _write_json(found)
        return
    lines = [f"{plural(len(sizes), 'content')} on the disk; {size(sum(sizes))}"]
    lines += [f"  {size(bytes):>10}  {one_line(op)}" for op, _, bytes in by_operation]
    write_list(lines if sizes else [], "no job has saved files")


def _removed(records: Records, job_id: str) -> RemovedPart | None:
    """The record that a job's files were removed; None if they are kept."""
    return next((one for one in records.removed(job_id) if one.part is Part.FILES), None)


def _gone(records: Records, job_id: str) -> str:
    removed = _removed(records, job_id)
    return "" if removed is None else f"  removed on {removed.at:%Y-%m-%d}"


def _check_kept(records: Records, job_id: str) -> None:
    """Raise `UsageError` if the files of a job were removed by retention."""
    if (removed := _removed(records, job_id)) is not None:
        raise UsageError(f"job {job_id} has no files any more: {removed}")


def _line(record: SavedRecord) -> str:
    return f"{local_time(record.at)}  {record.job_id}  {_value(record)}  {one_line(record.name)}"


def _entry_line(entry: Entry) -> str:
    path = one_line(entry.path)
    match entry:
        case FileEntry(_, mode, bytes):
            return f"{stat.filemode(stat.S_IFREG | mode)}  {size(bytes):>10}  {path}"
        case LinkEntry(_, target):
            return f"{stat.filemode(stat.S_IFLNK | 0o777)}  {'':>10}  {path} -> {one_line(target)}"
        case FolderEntry(_, mode):
            return f"{stat.filemode(stat.S_IFDIR | mode)}  {'':>10}  {path}/"


def _entries(store: FileStore, saved: list[SavedRecord]) -> Iterator[Entry]:
    """The files of several trees; of a lost listing a line says so."""
    for record in saved:
        what = _value(record)
        if isinstance(what, File):
            yield FileEntry(record.name, what.mode, what.size, what.digest)
            continue
        try:
            yield from entries_of(store, what)
        except FilesLost as lost:
            complain(f"pycurrent: {record.name}: {lost}")


def _value(record: SavedRecord) -> Tree | File:
    if record.count is None:
        return File(record.digest, record.size, record.mode or 0o644)
    return Tree(record.digest, record.count, record.size)


def _write(found: object, lines: list[str], nothing: str, as_json: bool) -> None:
    if as_json:
        _write_json({"files": found})
    else:
        write_list(lines, nothing)


def _write_json(found: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(found)).decode()
    sys.stdout.write(f"{text}\n")
