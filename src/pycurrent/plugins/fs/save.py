"""Keep a file's contents what a current says."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.term import Current, Failure, Primitive, component

Contents = str | bytes


class Save(Publisher[Path, Contents, None]):
    """Sets the file at a path to some contents."""

    id: ClassVar[str] = "fs-save"

    def __init__(self, level: Level) -> None:
        self.level = level

    def describe(self, key: Path, value: Contents) -> str:
        return f"save {key}"

    async def publish(self, job: Job, key: Path, value: Contents) -> None:
        await job.start(level=self.level)
        data = value.encode() if isinstance(value, str) else value
        try:
            written = await asyncio.to_thread(write_if_different, key, data)
        except OSError as error:
            raise Failure(f"can't save {key}: {error.strerror or error}") from None
        job.log(f"{key}: wrote {len(data)} bytes" if written else f"{key}: no change")


def save(
    path: Path | str | Current[Path],
    contents: Contents | Current[Contents] | Current[str] | Current[bytes],
    *,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Save the contents to the file, text as UTF-8, each time that they change.

    It is written as a whole or not at all, and only if it differs; its folder is made if it is
    missing. A relative path is taken from the working directory. What others do to the file
    later is not noticed.
    """

    def on_values(path: Path | str, contents: Contents) -> Primitive[None]:
        return Save(level).set(Path(path).absolute(), contents)

    text = "save {path}" if label is None else label.replace("{", "{{").replace("}", "}}")
    return component(text)(on_values)(path, contents)


def write_if_different(path: Path, data: bytes) -> bool:
    """Whether the file had to be written. A link stays one, and leads to the new contents.

    Raises OSError. Killed midway it leaves the file as it was, and maybe a hidden one beside.
    """
    path = path.resolve()
    try:
        if path.read_bytes() == data:
            return False
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mode = None
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        _write(new, data, mode)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync_folder(path.parent)
    return True


def _write(path: Path, data: bytes, mode: int | None) -> None:
    """Write a new file, to the disk. Without a mode it gets that of any new file."""
    with path.open("xb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Otherwise the rename itself may be lost with the machine's power.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
