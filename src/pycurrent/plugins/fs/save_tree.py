"""Keep the files of a folder as a current says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.tasks import in_thread
from pycurrent.files import Tree as SavedTree
from pycurrent.plugins.fs.content import Content
from pycurrent.plugins.fs.managed_folder import ManagedFolder, Replacement
from pycurrent.plugins.fs.tree import Tree
from pycurrent.plugins.options import operation_component
from pycurrent.plugins.saved_files import of_engine_files
from pycurrent.term import Current, Failure, Primitive

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles

Files = Mapping[str, str | bytes | Content]


@dataclass(frozen=True, slots=True)
class FsSaveTree(Publisher[Path, Tree, None]):
    """Sets a folder to some files."""

    id: ClassVar[str] = "fs-save-tree"
    local: ClassVar[bool] = True

    level: Level
    take_over: bool
    wanted: Tree
    """The files that the folder is set to: records have their digest alone."""
    files: JobFiles | None = field(default=None, compare=False)
    """The files of the engine, if a job has saved the tree."""

    def describe(self, key: Path, value: Tree) -> str:
        return f"save {key}: {value}"

    async def publish(self, job: Job, key: Path, value: Tree) -> None:
        await job.start(level=self.level)
        async with self._with_files(job, value) as tree:
            try:
                # It finishes even if cancelled: the next write may follow at once.
                done = await in_thread(self._bring, key, tree)
            except OSError as error:
                raise Failure(f"can't save {key}: {error.strerror or error}") from None
        _log(job, key, done)

    async def still_there(self, key: Path, outcome: None) -> bool:
        saved, files = self.wanted.saved, self.files
        if saved is None or files is None:
            return await in_thread(self._is_there, key)
        return await files.is_in(saved, key)

    @asynccontextmanager
    async def _with_files(self, job: Job, tree: Tree) -> AsyncIterator[Tree]:
        """The tree with its files, which are placed for the block if a job has saved them."""
        if tree.saved is None or self.files is None:
            yield tree
            return
        async with job.tempdir("tree-") as folder:
            await job.put(tree.saved, folder)
            yield tree.placed_in(folder, await self.files.entries(tree.saved))

    def _is_there(self, folder: Path) -> bool:
        return ManagedFolder(folder).has_all(self.wanted)

    def _bring(self, folder: Path, tree: Tree) -> Replacement:
        return ManagedFolder(folder).replace_with(tree, take_over=self.take_over)


def save_tree(
    folder: Path | str | Current[Path],
    files: Files | SavedTree | Current[Files] | Current[SavedTree],
    *,
    take_over: bool = False,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Keep exactly these files, by their paths, in the folder each time that they change.

    A file is a text (as UTF-8), bytes, or a `Content`, which has a mode, too. In place of the files
    it takes a `Tree` that a job has saved, with its links, its permissions and its empty folders;
    if that is lost, it is made again. Files that leave are
    removed, and so are folders that become empty. Readers find the whole old tree or the whole new
    one, also when the engine is killed in between. The new folder takes the place of the old one:
    a program that works within the folder, or has mounted it, still sees the old one. If the file
    system can't exchange folders (NFS), the folder is missing for a moment.

    If the folder has files that `save_tree` did not put there, it is left as it is, and the job
    fails; with `take_over` they are moved to a hidden folder beside it. That hidden folder also
    records which files are ours. Paths that lead out of the folder fail. If a file is missing or
    differs when the engine is started, the folder is saved again.
    """
    Limits(level)

    def on_values(folder: Path | str, files: Files | SavedTree) -> Primitive[None]:
        target = Path(folder).absolute()
        if not isinstance(files, SavedTree):
            tree = Tree.of(files)
            return FsSaveTree(level, take_over, tree).set(target, tree)
        saved = Tree.of_saved(files)

        return of_engine_files(
            lambda known: FsSaveTree(level, take_over, saved, known).set(target, saved)
        )

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
        job.log(f"Moved files that save_tree did not put there to {done.displaced}")
