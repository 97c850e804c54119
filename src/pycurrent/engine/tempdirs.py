"""Temporary folders, and their removal whatever has been put into them."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pycurrent.engine.tasks import uncancellable


@asynccontextmanager
async def temporary_folder(parent: Path, prefix: str) -> AsyncIterator[Path]:
    """A new folder, removed with all that is in it at the end of the block, cancelled or not."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield path
    finally:
        await uncancellable(asyncio.to_thread(remove_tree, path))


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, as far as possible. Blocks."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        # Tools make folders that can't be written, module caches for one.
        _make_writable(path)
        shutil.rmtree(path, ignore_errors=True)


def _make_writable(path: Path) -> None:
    """Folders only, and never through a link: what is in them need not be ours."""
    folders = [path]
    while folders:
        folder = folders.pop()
        with suppress(OSError):
            folder.chmod(0o700)
            with os.scandir(folder) as entries:
                folders += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
