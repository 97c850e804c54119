"""Keep a file what a current says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.tasks import regardless
from pycurrent.plugins.fs.content import Content, Digest
from pycurrent.plugins.fs.write import Change, write_if_different
from pycurrent.plugins.options import Limits, operation_component
from pycurrent.term import Current, Failure, Primitive

LONGEST_RECORDED = 4096
"""Characters, or bytes. Of what is longer, or has a mode, only the digest is recorded."""

Value = str | bytes | Digest


class FsSave(Publisher[Path, Value, None]):
    """Sets the file at a path to some contents."""

    id: ClassVar[str] = "fs-save"

    def __init__(self, level: Level) -> None:
        self.level = level

    def describe(self, key: Path, value: Value) -> str:
        return f"save {key}"

    async def publish(self, job: Job, key: Path, value: Value) -> None:
        await job.start(level=self.level)
        file = value.content if isinstance(value, Digest) else Content(value)
        try:
            # To its end even if cancelled: the next one may follow at once.
            written = await regardless(asyncio.to_thread(write_if_different, key, file))
        except OSError as error:
            raise Failure(f"can't save {key}: {error.strerror or error}") from None
        if written.lost:
            job.log(f"{key}: the new file can't have the old one's {', '.join(written.lost)}")
        match written.change:
            case Change.CONTENTS:
                job.log(f"{key}: wrote {len(file.data)} bytes")
            case Change.MODE:
                job.log(f"{key}: has the mode {file.mode:o} now")
            case Change.NONE:
                job.log(f"{key}: no change")


def save(
    path: Path | str | Current[Path],
    contents: str | bytes | Current[str | bytes] | Current[str] | Current[bytes],
    *,
    mode: int | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Save the contents to the file, text as UTF-8, each time that they change.

    It is written as a whole or not at all, and only if it differs; its folder is made if it is
    missing. `mode` (0o755, say) is what its permissions are to be; without one a file keeps those
    that it has. It keeps its owner, its group and its extended attributes, as far as the engine's
    user may give them. What is no regular file is refused. A relative path is taken from the
    working directory. What others do to the file later is not noticed.
    """
    Limits(level)
    Content(b"", mode)  # refused here if it is none

    def on_values(path: Path | str, contents: str | bytes) -> Primitive[None]:
        return FsSave(level).set(Path(path).absolute(), _value(contents, mode))

    return operation_component(label, "save {path}", on_values, path, contents)


def _value(contents: str | bytes, mode: int | None) -> Value:
    if mode is None and len(contents) <= LONGEST_RECORDED:
        return contents
    return Digest.of(Content(contents, mode))
