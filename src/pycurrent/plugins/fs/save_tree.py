"""Keep the files of a folder what a current says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.tasks import regardless
from pycurrent.plugins.fs.content import Content
from pycurrent.plugins.fs.managed_folder import ManagedFolder, Replacement
from pycurrent.plugins.fs.tree import Tree
from pycurrent.plugins.options import Limits, operation_component
from pycurrent.term import Current, Failure, Primitive

Files = Mapping[str, str | bytes | Content]


@dataclass(frozen=True, slots=True)
class FsSaveTree(Publisher[Path, Tree, None]):
    """Sets the folder at a path to some files."""

    id: ClassVar[str] = "fs-save-tree"

    level: Level
    take_over: bool

    def describe(self, key: Path, value: Tree) -> str:
        return f"save {key}: {value}"

    async def publish(self, job: Job, key: Path, value: Tree) -> None:
        await job.start(level=self.level)
        try:
            # To its end even if cancelled: the next one may follow at once.
            done = await regardless(asyncio.to_thread(self._bring, key, value))
        except OSError as error:
            raise Failure(f"can't save {key}: {error.strerror or error}") from None
        _log(job, key, done)

    def _bring(self, folder: Path, tree: Tree) -> Replacement:
        return ManagedFolder(folder).replace_with(tree, take_over=self.take_over)


def save_tree(
    folder: Path | str | Current[Path],
    files: Files | Current[Files],
    *,
    take_over: bool = False,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Have exactly these files in the folder, by their paths within it, each time they change.

    Each is text (as UTF-8), bytes, or a `Content`, which has a mode, too. Files that left are
    removed, and folders that are empty then. Whoever opens a path finds the whole old tree or the
    whole new one, also when the engine is killed in between. It takes the place of the old one, so
    the folder itself is another one then: who is within it, or has mounted it, still has the
    old one. Where the file system can't exchange folders (NFS) there is a moment without any.

    A folder with files that were not saved there by this is left as it is, and the job fails; with
    `take_over` they are moved to a hidden folder beside it. That is also where the names of the
    files are, by which they are known again. Paths that lead out of the folder fail.
    """
    Limits(level)

    def on_values(folder: Path | str, files: Files) -> Primitive[None]:
        return FsSaveTree(level, take_over).set(Path(folder).absolute(), Tree.of(files))

    return operation_component(label, "save {folder}", on_values, folder, files)


def _log(job: Job, folder: Path, done: Replacement) -> None:
    if done.written or done.removed:
        job.log(
            f"{folder}: wrote {done.written} files, removed {done.removed}, "
            f"left {done.unchanged} as they were"
        )
    else:
        job.log(f"{folder}: no change")
    if done.displaced is not None:
        job.log(f"What was there, and not from here, is in {done.displaced}")
