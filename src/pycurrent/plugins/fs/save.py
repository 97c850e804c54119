"""Keep a file as a current says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.tasks import in_thread
from pycurrent.files import File
from pycurrent.plugins.fs.content import Content, Digest, Staged
from pycurrent.plugins.fs.write import Change, is_saved, write_if_different
from pycurrent.plugins.options import operation_component
from pycurrent.plugins.saved_files import of_engine_files
from pycurrent.term import Current, Failure, Primitive

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles

LONGEST_RECORDED = 4096
"""Characters or bytes. Of longer contents, or with a mode, only the digest is recorded."""

Value = str | bytes | Digest


class FsSave(Publisher[Path, Value, None]):
    """Sets a file to some contents."""

    id: ClassVar[str] = "fs-save"
    local: ClassVar[bool] = True

    def __init__(self, level: Level, wanted: Content | File, files: JobFiles | None = None) -> None:
        self.level = level
        self.wanted = wanted
        """The content that the file is to have: a record may have its digest alone."""
        self.files = files
        """The files of the engine, for one that a job has saved."""

    def describe(self, key: Path, value: Value) -> str:
        return f"save {key}"

    async def publish(self, job: Job, key: Path, value: Value) -> None:
        await job.start(level=self.level)
        async with _content(job, value) as file:
            try:
                # It finishes even if cancelled: the next write may follow at once.
                written = await in_thread(write_if_different, key, file)
            except OSError as error:
                raise Failure(f"can't save {key}: {error.strerror or error}") from None
        if written.lost:
            job.log(f"{key}: the new file can't have the old one's {', '.join(written.lost)}")
        match written.change:
            case Change.CONTENTS:
                job.log(f"{key}: wrote {_size(value)} bytes")
            case Change.MODE:
                job.log(f"{key}: changed the mode to {file.mode:o}")
            case Change.NONE:
                job.log(f"{key}: no change")

    async def still_there(self, key: Path, outcome: None) -> bool:
        if isinstance(self.wanted, Content):
            return await in_thread(is_saved, key, self.wanted)
        assert self.files is not None
        return await self.files.is_in(self.wanted, key)


def save(
    path: Path | str | Current[Path],
    contents: str
    | bytes
    | File
    | Current[str | bytes]
    | Current[str]
    | Current[bytes]
    | Current[File],
    *,
    mode: int | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Save the contents to the file, text as UTF-8, each time that they change.

    A `File` that a job has saved has contents and permissions; if it is lost, it is made again.
    The file is written as a whole or not at all, and only if it differs; a missing folder is
    created. `mode` (such as 0o755) sets the permissions; without it, a file keeps its own. A file
    keeps its owner, group and extended attributes, as far as the engine's user may set them.
    Anything but a regular file is refused. A relative path is relative to the working directory.
    Later changes that others make to the file are noticed by the next start of the engine, which
    saves the file again.
    """
    Limits(level)
    Content(b"", mode)  # refuses a malformed mode at once

    def on_values(path: Path | str, contents: str | bytes | File) -> Primitive[None]:
        target = Path(path).absolute()
        if not isinstance(contents, File):
            wanted = Content(contents, mode)
            return FsSave(level, wanted).set(target, _value(wanted))
        file = contents if mode is None else replace(contents, mode=mode)

        return of_engine_files(
            lambda known: FsSave(level, file, known).set(target, Digest.of_saved(file))
        )

    return operation_component(label, "save {path}", on_values, path, contents)


@asynccontextmanager
async def _content(job: Job, value: Value) -> AsyncIterator[Content | Staged]:
    """The content, which is placed for the block if a job has saved it."""
    if not isinstance(value, Digest):
        yield Content(value)
    elif value.saved is None:
        yield value.content
    else:
        async with job.tempdir("file-") as folder:
            placed = folder / "file"
            await job.put(value.saved, placed)
            yield Staged(placed, value.saved.mode)


def _size(value: Value) -> int:
    return value.size if isinstance(value, Digest) else len(Content(value).data)


def _value(wanted: Content) -> Value:
    if wanted.mode is None and len(wanted.contents) <= LONGEST_RECORDED:
        return wanted.contents
    return Digest.of(wanted)
