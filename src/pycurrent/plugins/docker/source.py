"""The build context and the Dockerfile of an image."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from pycurrent.engine import Job
from pycurrent.errors import UsageError
from pycurrent.files import Tree
from pycurrent.plugins.git import Commit, Subtree, with_checkout
from pycurrent.term import Failure

Source = Commit | Subtree | Tree | Path | None
"""A commit, or a part of one, files that a job has saved, a folder as it is when the build runs, or
an empty context.
"""


@asynccontextmanager
async def with_source(job: Job, source: Source, path: PurePath) -> AsyncIterator[Path]:
    """Yield the folder at a path in the source, for the block."""
    match source:
        case Commit() | Subtree():
            async with with_checkout(job, source) as folder:
                yield inside(folder, path)
        case Tree():
            async with job.tempdir("tree-") as folder:
                await job.put(source, folder)
                yield inside(folder, path)
        case None:
            async with job.tempdir("empty-") as folder:
                yield folder
        case _:
            yield inside(source, path)


def inside(folder: Path, path: PurePath) -> Path:
    """Resolve a path in the folder. Raises Failure if a link leads out of the folder."""
    whole = folder.resolve()
    found = (whole / path).resolve()
    if not found.is_relative_to(whole):
        raise Failure(f"{path} leads out of the build context, to {found}")
    return found


def checked_path(path: PurePath | str) -> PurePath:
    """Return a path within a folder. Raises UsageError for one that leads out."""
    pure = PurePath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise UsageError(
            f"{str(path)!r} is not a path within the build context: write one like sub/Dockerfile"
        )
    return pure
