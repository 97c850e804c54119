"""The folders and files of a job, wherever its commands run: what is saved of them, and placed.

Files that it saves come into the store of the engine's machine, and those that it places come from
there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycurrent.engine.place import JobPath
from pycurrent.engine.tasks import in_thread
from pycurrent.term import Failure

if TYPE_CHECKING:
    from pycurrent.engine.job_reports import Reported
    from pycurrent.engine.job_work import WorkingJob
    from pycurrent.files import File, Tree


@contextmanager
def _failing() -> Iterator[None]:
    """Have what the systems of both machines refuse be a failure, as it is for files here."""
    from pycurrent.files import FilesError

    try:
        yield
    except (FilesError, OSError) as error:
        raise Failure(str(error)) from None


async def save(job: WorkingJob, folder: Path, patterns: Sequence[str], *, required: bool) -> Tree:
    """See `Job.save`."""
    files = job.host.files()
    if job.place is None:
        return await files.save(job, folder, patterns, required=required)
    with _failing():
        async with job.commands.there.fetched(folder, patterns) as here:
            return await files.save(job, here, patterns, required=required)


async def save_file(job: WorkingJob, path: Path) -> File:
    """See `Job.save_file`."""
    files = job.host.files()
    if job.place is None:
        return await files.save_file(job, path)
    with _failing():
        async with job.commands.there.fetched(path.parent, [path.name]) as here:
            return await files.save_file(job, here / path.name)


async def put(job: WorkingJob, what: Tree | File, target: Path) -> None:
    """See `Job.put`."""
    from pycurrent.files import Tree

    files = job.host.files()
    if job.place is None:
        await files.put(job, what, target)
        return
    is_tree = isinstance(what, Tree)
    with _failing():
        async with job.commands.there.sent(target if is_tree else target.parent) as here:
            await files.put(job, what, here if is_tree else here / target.name)


async def report(
    job: WorkingJob, folder: Path, wanted: dict[str, Any], *, required: bool, failing: Any
) -> Reported:
    """See `Job.report`."""
    reports = job.host.reports()
    if job.place is None:
        return await reports.take(job, folder, wanted, required=required, failing=failing)
    given = [[found] if isinstance(found, str) else found for found in wanted.values() if found]
    patterns = [pattern for each in given for pattern in each]
    with _failing():
        async with job.commands.there.fetched(folder, patterns) as here:
            return await reports.take(job, here, wanted, required=required, failing=failing)


async def send(job: WorkingJob, folder: Path, target: Path) -> None:
    """See `Job.send`."""
    if job.place is None:
        await in_thread(_copy, folder, target)
    else:
        await job.commands.there.send(folder, target)


def _copy(folder: Path, target: Path) -> None:
    target = target.absolute()

    def itself(path: str, _: list[str]) -> list[str]:
        """The target, if that is in the folder."""
        return [target.name] if Path(path).absolute() == target.parent else []

    shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True, ignore=itself)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole, or not at all; its permissions stay. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def matching(folder: Path, pattern: str) -> list[JobPath]:
    """The paths below a folder that match, sorted."""
    return sorted(JobPath(path) for path in folder.glob(pattern))
