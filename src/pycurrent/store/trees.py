"""Folders with all that is in them: their size, and their removal whatever has been put there."""

import os
from contextlib import suppress
from pathlib import Path


def size_of_tree(path: Path) -> int:
    """The bytes of the files below a folder, as far as it can be read. Blocks.

    It goes through no link. Files that are made or removed meanwhile may count or not.
    """
    size, folders = 0, [os.fspath(path)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(OSError):
                        size += entry.stat(follow_symlinks=False).st_size
    return size


def copy_tree(source: Path, target: Path) -> None:
    """Copy the folders, files and links below a folder to one that it makes, sharing the blocks
    where the file system can. Blocks.

    It leaves out files that it can't read, those that are removed meanwhile, and anything else:
    sockets, say.
    """
    import shutil  # most engines copy none

    for path, folders, files in os.walk(source):
        here = target / os.path.relpath(path, source)
        here.mkdir()
        for name in [*folders, *files]:
            entry = Path(path, name)
            with suppress(OSError):
                if entry.is_symlink():
                    (here / name).symlink_to(entry.readlink())
                elif entry.is_file():
                    _copy_file(entry, here / name)
                    shutil.copystat(entry, here / name)


_CLONE = 0x40049409
"""The number of FICLONE: to have a file share the blocks of another one."""


def _copy_file(source: Path, target: Path) -> None:
    import fcntl
    import shutil

    with source.open("rb") as read, target.open("xb") as written:
        try:
            fcntl.ioctl(written, _CLONE, read.fileno())
        except OSError:
            shutil.copyfileobj(read, written, 1 << 20)


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, as far as possible. Blocks."""
    from shutil import rmtree  # most engines remove none

    rmtree(path, ignore_errors=True)
    if path.exists():
        # Tools make folders that can't be written, module caches for one.
        _make_writable(path)
        rmtree(path, ignore_errors=True)


def _make_writable(path: Path) -> None:
    """Folders only, and never through a link: what is in them need not be ours."""
    folders = [path]
    while folders:
        folder = folders.pop()
        with suppress(OSError):
            folder.chmod(0o700)
            with os.scandir(folder) as entries:
                folders += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
