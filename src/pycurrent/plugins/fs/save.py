"""Keep a file as a current says."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.fs.content import Content, Digest
from pycurrent.plugins.fs.write import Change, is_saved, write_if_different
from pycurrent.plugins.options import operation_component
from pycurrent.term import Current, Failure, Primitive

LONGEST_RECORDED = 4096
"""Characters or bytes. Of longer contents, or with a mode, only the digest is recorded."""

Value = str | bytes | Digest


class FsSave(Publisher[Path, Value, None]):
    """Sets a file to some contents."""

    id: ClassVar[str] = "fs-save"

    def __init__(self, level: Level, wanted: Content) -> None:
        self.level = level
        self.wanted = wanted
        """The content that the file is to have: a record may have its digest alone."""

    def describe(self, key: Path, value: Value) -> str:
        return f"save {key}"

    async def publish(self, job: Job, key: Path, value: Value) -> None:
        await job.start(level=self.level)
        file = value.content if isinstance(value, Digest) else Content(value)
        try:
            # It finishes even if cancelled: the next write may follow at once.
            written = await in_thread(write_if_different, key, file)
        except OSError as error:
            raise Failure(f"can't save {key}: {error.strerror or error}") from None
        if written.lost:
            job.log(f"{key}: the new file can't have the old one's {', '.join(written.lost)}")
        match written.change:
            case Change.CONTENTS:
                job.log(f"{key}: wrote {len(file.data)} bytes")
            case Change.MODE:
                job.log(f"{key}: changed the mode to {file.mode:o}")
            case Change.NONE:
                job.log(f"{key}: no change")

    async def still_there(self, key: Path, outcome: None) -> bool:
        return await in_thread(is_saved, key, self.wanted)


def save(
    path: Path | str | Current[Path],
    contents: str | bytes | Current[str | bytes] | Current[str] | Current[bytes],
    *,
    mode: int | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Save the contents to the file, text as UTF-8, each time that they change.

    The file is written as a whole or not at all, and only if it differs; a missing folder is
    created. `mode` (such as 0o755) sets the permissions; without it, a file keeps its own. A file
    keeps its owner, group and extended attributes, as far as the engine's user may set them.
    Anything but a regular file is refused. A relative path is relative to the working directory.
    Later changes that others make to the file are noticed by the next start of the engine, which
    saves the file again.
    """
    Limits(level)
    Content(b"", mode)  # refuses a malformed mode at once

    def on_values(path: Path | str, contents: str | bytes) -> Primitive[None]:
        wanted = Content(contents, mode)
        return FsSave(level, wanted).set(Path(path).absolute(), _value(wanted))

    return operation_component(label, "save {path}", on_values, path, contents)


def _value(wanted: Content) -> Value:
    if wanted.mode is None and len(wanted.contents) <= LONGEST_RECORDED:
        return wanted.contents
    return Digest.of(wanted)
