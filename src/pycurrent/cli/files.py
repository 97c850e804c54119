"""`pycurrent files`: the files that jobs have saved."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
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
from pycurrent.files.placing import Contents, entries_of
from pycurrent.service import Records
from pycurrent.store import SavedRecord
from pycurrent.view.formatting import local_time, plural

NOTHING = "no job has saved files"

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
            gone = [records.removed_files(record.job_id) for record in found]
            at = [None if removed is None else removed.at for removed in gone]
            lines = list(map(saved_line, found, at))
            _write(found, lines, NOTHING, as_json)
            return
        job_id = records.find_job(job)
        _check_kept(records, job_id)
        entries = list(_entries(records.files, records.saved.of_job(job_id)))
    _write(entries, map(entry_line, entries), saved_nothing(job_id), as_json)


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
        entry = only_file(entries, str(path), job_id)
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
            raise UsageError(saved_nothing(job_id))
        for record in saved:
            place_saved(records.files, record, folder, chosen)
    check_matched(chosen, job_id)


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
    write_list(lines if sizes else [], NOTHING)


def _check_kept(records: Records, job_id: str) -> None:
    """Raise `UsageError` if the files of a job were removed by retention."""
    if (removed := records.removed_files(job_id)) is not None:
        raise UsageError(f"job {job_id} has no files any more: {removed}")


def only_file(entries: Iterable[Entry], path: str, job_id: str) -> FileEntry:
    """The file at a path. Raises `UsageError` unless there is exactly one content there."""
    found = {e.digest: e for e in entries if isinstance(e, FileEntry) and e.path == path}
    if len(found) != 1:
        what = "no file" if not found else "several files"
        raise UsageError(
            f"job {job_id} has saved {what} {path}: `pycurrent files ls {job_id}` lists them"
        )
    (entry,) = found.values()
    return entry


def place_saved(contents: Contents, record: SavedRecord, folder: Path, chosen: Patterns) -> None:
    """Place what was saved in a folder, as far as it is chosen."""
    what, target = value_of(record), folder
    if isinstance(what, File):
        if not chosen.select_within(record.name):
            return
        target = folder / record.name
    complain(f"{record.name}: {what} to {folder}")
    place(contents, what, target, Event(), select=chosen.select_within)


def check_matched(chosen: Patterns, job_id: str) -> None:
    """Raise `UsageError` if a pattern has chosen nothing."""
    if chosen.unmatched:
        raise UsageError(f"job {job_id} has saved nothing that matches {chosen.unmatched[0]}")


def saved_nothing(job_id: str) -> str:
    """The message for a job without files."""
    return f"job {job_id} has saved no files"


def saved_line(record: SavedRecord, removed: datetime | None) -> str:
    """The line for a tree or a file, and when retention has removed it."""
    gone = "" if removed is None else f"  removed on {removed:%Y-%m-%d}"
    name = one_line(record.name)
    return f"{local_time(record.at)}  {record.job_id}  {value_of(record)}  {name}{gone}"


def entry_line(entry: Entry) -> str:
    """The line for an entry of a tree."""
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
        what = value_of(record)
        if isinstance(what, File):
            yield FileEntry(record.name, what.mode, what.size, what.digest)
            continue
        try:
            yield from entries_of(store, what)
        except FilesLost as lost:
            complain(f"pycurrent: {record.name}: {lost}")


def value_of(record: SavedRecord) -> Tree | File:
    """The tree or the file that was saved."""
    if record.count is None:
        return File(record.digest, record.size, record.mode or 0o644)
    return Tree(record.digest, record.count, record.size)


def _write(found: object, lines: Iterable[str], nothing: str, as_json: bool) -> None:
    if as_json:
        _write_json({"files": found})
    else:
        write_list(lines, nothing)


def _write_json(found: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(found)).decode()
    sys.stdout.write(f"{text}\n")
