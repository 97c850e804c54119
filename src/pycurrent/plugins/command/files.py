"""The folders of commands, with the files that jobs have saved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from pycurrent.engine import Job
from pycurrent.files import Tree
from pycurrent.plugins.git import Commit, Subtree
from pycurrent.plugins.saved_files import Saved
from pycurrent.term import Current

FilesSource: TypeAlias = (
    Commit | Subtree | Tree | Current[Commit] | Current[Subtree] | Current[Tree]
)
"""All that gives a command its folder."""


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
    async with job.tempdir("tree-", keep=job.keep_failed) as folder:
        await job.put(tree, folder)
        yield folder
