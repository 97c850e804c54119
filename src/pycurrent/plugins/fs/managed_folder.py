"""A folder on the disk whose whole tree is replaced at once.

The next tree is made beside the folder, with hard links to the unchanged files, and then takes the
folder's place. So readers find the whole old tree or the whole new one. The alternative was to
write file by file into the folder: this would keep the folder itself, for those who have mounted it
or work within it, but show them a mix.

Beside `site` there is `.site.pycurrent`, which nobody else may open::

    names.json     the files in `site` that are ours; before `site` changes, the new ones, too
    new            the tree that is being made
    old            the replaced tree, while it is being removed
    displaced-...  files in `site` that were not ours, moved away by take_over=True

Only files by these names are ever removed. If the engine is killed at any moment, the old tree or
the new one is in place, and the next run cleans up the rest.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.plugins.fs.attributes import Attributes
from pycurrent.plugins.fs.content import Content, Link, Staged
from pycurrent.plugins.fs.exchange import exchange
from pycurrent.plugins.fs.tree import Tree
from pycurrent.plugins.fs.write import (
    CAN_NOT_MOVE,
    has_contents,
    hidden,
    real,
    sync_folder,
    write_new,
)
from pycurrent.term import Failure

Exchange = Callable[[Path, Path], bool]

_MOUNTED = "it is a mount point, or comes with the image of a container: name a folder within it"
_NAMED = 5
"""The number of files that a message names."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The numbers of files that were written, removed and left as they were."""

    written: int
    removed: int
    unchanged: int
    displaced: Path | None
    """The folder that files which were not ours have been moved to; None if there were none."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The paths within a folder. A link counts as a file, wherever it leads."""

    files: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def in_(cls, folder: Path) -> FolderListing:
        """List a folder; a missing one is empty. Raises OSError."""
        files, folders = set(), set()
        waiting = [""] if os.path.lexists(folder) else []
        while waiting:
            within = waiting.pop()
            with os.scandir(folder / within) as entries:
                for entry in entries:
                    name = f"{within}/{entry.name}" if within else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.add(name)
                        waiting.append(name)
                    else:
                        files.add(name)
        return cls(frozenset(files), frozenset(folders))


class ManagedFolder:
    """One folder. Its methods block. They raise OSError, or Failure where that says more."""

    def __init__(self, folder: Path, exchange: Exchange = exchange) -> None:
        self._exchange = exchange
        self._folder = real(folder)
        if not self._folder.name or self._folder.is_mount():
            raise Failure(f"{folder} can't be replaced: {_MOUNTED}")
        self._beside = self._folder.with_name(hidden(self._folder.name, ".pycurrent"))
        self._new = self._beside / "new"
        self._old = self._beside / "old"
        self._names = self._beside / "names.json"

    def replace_with(self, tree: Tree, *, take_over: bool) -> Replacement:
        """Replace the contents of the folder with exactly the files of the tree.

        If the folder has other files that `replace_with` did not put there, it raises Failure, or
        with `take_over` moves them away.
        """
        with suppress(FileNotFoundError):
            self._folder.stat()  # any other error says what is wrong with the path
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self._folder.parent):
            ours = self._read_names()
            self._heal(ours)
            found = FolderListing.in_(self._folder)
            same = {name for name in tree.files if name in found.files and self._has(tree, name)}
            foreign = found.files - ours - same
            if foreign and not take_over:
                raise Failure(_not_ours(self._folder, foreign))
            names = frozenset(tree.files)
            wanted = FolderListing(names, tree.folders)
            is_same = found == wanted and same == names and self._has_modes(tree)
            if self._folder.exists() and is_same:
                if ours != names:
                    self._write_names(names)
                return Replacement(0, 0, len(names), None)
            # A file that is taken over is not ours to remove, even if its name is ours from now on.
            passing = (ours | names) - foreign
            self._write_names(passing)
            try:
                self._make(tree, same)
                self._put_in_place()
            except BaseException:
                with suppress(OSError):
                    self._heal(passing)
                raise
            displaced = self._discard(self._old, passing)
            self._write_names(names)
        removed = len(found.files - foreign - names)
        return Replacement(len(names) - len(same), removed, len(same), displaced)

    def has_all(self, tree: Tree) -> bool:
        """True if the folder has all files of the tree; others don't matter."""
        try:
            is_folder = stat.S_ISDIR(self._folder.stat().st_mode)
            return is_folder and all(self._has(tree, name) for name in tree.files)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _has(self, tree: Tree, name: str) -> bool:
        """True if the file already has its contents and mode."""
        file, path = tree.files[name], self._folder / name
        status = path.lstat()
        if isinstance(file, Link):
            return stat.S_ISLNK(status.st_mode) and str(path.readlink()) == file.target
        return (
            stat.S_ISREG(status.st_mode)
            and file.mode in {None, stat.S_IMODE(status.st_mode)}
            and has_contents(path, file.data)
        )

    def _has_modes(self, tree: Tree) -> bool:
        return all(
            stat.S_IMODE((self._folder / name).stat().st_mode) == mode
            for name, mode in tree.modes.items()
        )

    def _make(self, tree: Tree, same: set[str]) -> None:
        """Make the tree beside the folder."""
        self._new.mkdir()
        for name in sorted(tree.folders):
            (self._new / name).mkdir()
        for name, file in tree.files.items():
            if isinstance(file, Link) or name not in same or not self._link(name):
                self._write(name, file)
        # From the inside out: the permissions of a folder may forbid the rest.
        for made in (*sorted(tree.folders, reverse=True), "."):
            like = self._attributes(made, stat.S_ISDIR)
            sync_folder(self._new / made, like, tree.modes.get(made))

    def _write(self, name: str, file: Content | Staged | Link) -> None:
        new = self._new / name
        if isinstance(file, Link):
            new.symlink_to(file.target)
        else:
            write_new(new, file.data, file.mode, self._attributes(name, stat.S_ISREG))

    def _attributes(self, name: str, is_such: Callable[[int], bool]) -> Attributes | None:
        """The attributes of an existing file or folder; None if it is of another kind."""
        try:
            path = self._folder / name
            return Attributes.of(path) if is_such(path.lstat().st_mode) else None
        except OSError:
            return None

    def _link(self, name: str) -> bool:
        """Link the existing file into the new tree; False if the file system or the user can't."""
        try:
            (self._new / name).hardlink_to(self._folder / name)
        except OSError:
            return False
        return True

    def _put_in_place(self) -> None:
        try:
            if not self._folder.exists():
                self._new.rename(self._folder)
            elif self._exchange(self._new, self._folder):
                self._new.rename(self._old)
            else:
                self._folder.rename(self._old)
                self._new.rename(self._folder)
        except OSError as error:
            if error.errno in CAN_NOT_MOVE:
                raise Failure(f"{self._folder} can't be replaced: {_MOUNTED}") from None
            raise
        sync_folder(self._folder.parent)

    def _heal(self, ours: frozenset[str]) -> None:
        """Clean up after an interrupted or failed replacement: one of the trees stays in place."""
        if self._old.exists() and not self._folder.exists():
            self._old.rename(self._folder)
        for left in (self._new, self._old):
            self._discard(left, ours)

    def _discard(self, tree: Path, ours: frozenset[str]) -> Path | None:
        """Remove our files from a tree beside the folder; return the folder with the rest."""
        if not tree.exists():
            return None
        found = FolderListing.in_(tree)
        for name in found.folders:
            _open_up(tree / name)
        for name in found.files & ours:
            (tree / name).unlink()
        # In reverse order the entries of a folder come before the folder itself.
        for name in sorted(found.folders, reverse=True):
            _remove_if_empty(tree / name)
        _remove_if_empty(tree)
        if not tree.exists():
            return None
        return tree.rename(self._beside / f"displaced-{secrets.token_hex(4)}")

    def _read_names(self) -> frozenset[str]:
        try:
            return frozenset(json.loads(self._names.read_text()))
        except FileNotFoundError:
            return frozenset()
        except ValueError:
            raise Failure(
                f"{self._names} can't be read: remove its folder, and rebuild with take_over=True"
            ) from None

    def _write_names(self, names: frozenset[str]) -> None:
        self._beside.mkdir(mode=0o700, exist_ok=True)
        new = self._names.with_suffix(".new")
        new.unlink(missing_ok=True)
        write_new(new, json.dumps(sorted(names)).encode(), None)
        new.replace(self._names)
        sync_folder(self._beside)


def _open_up(folder: Path) -> None:
    """Have us remove what is in a folder whose permissions forbid that to its owner."""
    mode = folder.lstat().st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        with suppress(OSError):
            folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise


def _not_ours(folder: Path, names: frozenset[str]) -> str:
    some = sorted(names)[:_NAMED]
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"{folder} has files that save_tree did not put there: {', '.join(some)}{more}: move them "
        "away, name another folder, or set take_over=True; then rebuild"
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the block: engines with folders in it wait for each other."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
