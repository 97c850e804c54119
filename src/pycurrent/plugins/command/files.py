"""Files that commands are given, and that they make: `inputs` and `outputs` of `run`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pycurrent.engine import Job
from pycurrent.errors import UsageError, WrongKind
from pycurrent.files import File, FilesError, Tree
from pycurrent.files.names import check_path
from pycurrent.files.patterns import checked_patterns
from pycurrent.plugins.git import Commit, Subtree
from pycurrent.term import Current, seq, shown

Saved = Tree | File
"""The files that a job has saved."""

FilesSource: TypeAlias = (
    Commit | Subtree | Tree | Current[Commit] | Current[Subtree] | Current[Tree]
)
"""All that gives a command its folder."""

InputFiles = Mapping[str, Tree | File | Current[Tree] | Current[File]]
"""The files that a command is given, by the paths at which it finds them."""


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """The inputs of a command as its author gives them: some are currents."""

    by_path: Mapping[str, Any]

    @classmethod
    def of(cls, inputs: InputFiles | None) -> GivenFiles:
        """Raises UsageError for a path that leads out, and for what is not saved."""
        if inputs is None:
            return cls({})
        if not isinstance(inputs, Mapping):
            raise WrongKind(
                f"inputs= takes a dict of trees by their folders, not {shown(inputs)}: write"
                ' {"dist": tree}'
            )
        for path, given in inputs.items():
            _check_place(path)
            if not isinstance(given, Tree | File | Current):
                raise WrongKind(
                    f"inputs= takes a Tree or a File for {path!r}, or a current of one, not"
                    f" {shown(given)}"
                )
        return cls({path.removesuffix("/"): given for path, given in inputs.items()})

    @property
    def currents(self) -> list[Current[Sequence[Saved]]]:
        """The inputs that are currents, in one current; empty if there are none."""
        found = [given for given in self.by_path.values() if isinstance(given, Current)]
        return [seq(found)] if found else []

    def with_values(self, values: Sequence[Saved]) -> dict[str, Saved]:
        """All of them, with the values of those that are currents. Raises UsageError for another
        kind of value.
        """
        rest = iter(values)
        found = {
            path: next(rest) if isinstance(given, Current) else given
            for path, given in self.by_path.items()
        }
        for path, value in found.items():
            if not isinstance(value, Tree | File):
                raise WrongKind(f"inputs= takes a Tree or a File for {path!r}, not {shown(value)}")
        return dict(sorted(found.items()))


def checked_outputs(outputs: str | Sequence[str] | None) -> tuple[str, ...]:
    """The patterns of what a command makes. Raises UsageError for what can't be one."""
    return () if outputs is None else checked_patterns(outputs, "outputs=")


@asynccontextmanager
async def with_files(
    job: Job, files: AbstractAsyncContextManager[Path], inputs: Mapping[str, Saved]
) -> AsyncIterator[Path]:
    """The folder of `files`, with the inputs placed in it."""
    async with files as folder:
        for path, given in inputs.items():
            await job.put(given, folder / path)
        yield folder


@asynccontextmanager
async def placed(job: Job, tree: Tree) -> AsyncIterator[Path]:
    """A folder that has the files of a tree."""
    async with job.tempdir("tree-") as folder:
        await job.put(tree, folder)
        yield folder


def files_json(saved: Saved) -> dict[str, object]:
    """The form in keys."""
    return asdict(saved)


def files_of_json(data: Any) -> Saved:
    """Read that form."""
    return Tree(**data) if "count" in data else File(**data)


def _check_place(path: object) -> None:
    if not isinstance(path, str):
        raise WrongKind(f"inputs= takes paths within the folder, not {shown(path)}: write 'dist'")
    if path != ".":
        try:
            check_path(path.removesuffix("/"))
        except FilesError as error:
            raise UsageError(f"inputs=: {error}") from None
