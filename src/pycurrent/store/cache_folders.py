"""The cache folders of a state directory: folders that jobs of one key share, kept between runs.

    cache/<name>/<digest>/        what commands see; the digest is that of the key
    cache/<name>/<digest>.lock    locked (flock) by those that use the folder
    cache/<name>/<digest>.json    the key, and the size after the last use, which is its time
    cache/<name>/gone-<random>/   being removed

The kernel lets go of a lock when the last of those is gone that hold it, commands of a killed
engine too. The one that holds it alone may remove the folder: it is renamed first, so that nobody
ever works in half of one, and a program that is killed meanwhile leaves no more than a `gone-`
folder. The lock's file goes as well; so those who get a lock look whether its file is in place.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pycurrent.store.lock import is_at
from pycurrent.store.sharing import Sharing
from pycurrent.store.trees import remove_tree, size_of_tree

_DIGEST = re.compile(r"[0-9a-f]{32}")
_GONE = "gone-"
_LONGEST_KEY = 200
"""Characters of a key that its note tells."""


class CacheFolder(Struct, frozen=True):
    """One of them; it need not exist. All methods block."""

    path: Path

    @property
    def lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def make(self, key: str, sharing: Sharing) -> None:
        """Make it where needed, and note its use. Hold its lock. Raises OSError."""
        if self.path.is_symlink() or self.path.is_file():
            self.path.unlink()
        sharing.make_folder(self.path)
        try:
            os.utime(self._note)
        except FileNotFoundError:
            self._write_note(key, None, sharing)

    def note_use(self, key: str, sharing: Sharing) -> None:
        """Measure it, after a use. Hold its lock."""
        with suppress(OSError):  # Without a note it is measured again.
            self._write_note(key, size_of_tree(self.path), sharing)

    def _write_note(self, key: str, size: int | None, sharing: Sharing) -> None:
        note = {"key": key[:_LONGEST_KEY], "size": size}
        sharing.write_file(self._note, json.dumps(note))

    @property
    def size(self) -> int:
        """Its bytes after its last use; if they are not known, those that it has now."""
        try:
            size = json.loads(self._note.read_text(encoding="ascii"))["size"]
        except (OSError, ValueError, KeyError, TypeError):
            size = None
        return size if isinstance(size, int) else size_of_tree(self.path)

    @property
    def last_used(self) -> float:
        """The time of its last use, in seconds since 1970."""
        for file in (self._note, self.path, self.lock):
            with suppress(OSError):
                return file.lstat().st_mtime
        return 0.0

    @property
    def is_in_use(self) -> bool:
        """True if anything uses it now. Needs the right to read only."""
        try:
            file = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(file)
        finally:
            os.close(file)

    def remove(self) -> bool:
        """Remove it, unless anything uses it: then it is False. Raises OSError if it can't."""
        file = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _lock(file) or not is_at(file, self.lock):
                return False
            gone = self.path.with_name(f"{_GONE}{os.urandom(8).hex()}")
            with suppress(FileNotFoundError):
                self.path.rename(gone)
            self._note.unlink(missing_ok=True)
            self.lock.unlink()
        finally:
            os.close(file)
        remove_tree(gone)
        return True


class CacheFolders:
    """The cache folders below `root`, which is made when the first of them is."""

    def __init__(self, root: Path, sharing: Sharing = Sharing.OWNER) -> None:
        self.root = root
        self.sharing = sharing

    def of(self, name: str, key: str) -> CacheFolder:
        """The folder of a key. `name` is the name of a file; the key may be any text."""
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        return CacheFolder(self.root / name / digest[:32])

    def make_room(self, name: str) -> None:
        """Make the folder that holds those of a name, and their locks. Raises OSError."""
        self.sharing.make_folder(self.root)
        self.sharing.make_folder(self.root / name)

    def named(self, name: str) -> list[CacheFolder]:
        """The folders of a name, the one first that was not used for the longest time."""
        stems = {path.name.partition(".")[0] for path in _entries(self.root / name)}
        found = [CacheFolder(self.root / name / stem) for stem in stems if _DIGEST.fullmatch(stem)]
        return sorted(found, key=lambda folder: (folder.last_used, folder.path.name))

    def all(self) -> Iterator[CacheFolder]:
        """All of them."""
        for path in sorted(_entries(self.root)):
            yield from self.named(path.name)

    def bound(self, name: str, limit: int) -> Iterator[tuple[CacheFolder, int]]:
        """Remove folders of a name until all of them together hold no more than `limit` bytes.

        First go those that hold more by themselves, then those that were not used for the longest
        time; none that is in use. Gives each that is removed, with its size.
        """
        found = [(folder, folder.size) for folder in self.named(name)]
        total = sum(size for _, size in found)
        for folder, size in sorted(found, key=lambda one: one[1] <= limit):
            if total > limit and folder.remove():
                total -= size
                yield folder, size

    def remove_leftovers(self) -> None:
        """Remove what a program has left that was killed while it removed a folder."""
        for path in _entries(self.root):
            for left in _entries(path):
                if left.name.startswith(_GONE):
                    remove_tree(left)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
