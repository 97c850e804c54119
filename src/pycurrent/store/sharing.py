"""The sharing of a state directory: its owner may read it, or the owner's group too.

This is about new files. Existing ones keep their mode: people may have chosen it.
The umask of the process stays as it is, as its commands have it, too.
"""

import errno
import os
from enum import Enum
from pathlib import Path


class Sharing(Enum):
    """The people that may read new files. The value is the mode of a file."""

    OWNER = 0o600
    GROUP = 0o640

    @property
    def file_mode(self) -> int:
        return self.value

    @property
    def folder_mode(self) -> int:
        """The mode of a folder: its readers may also go through it."""
        return self.value | (self.value & 0o444) >> 2

    def make_folder(self, path: Path) -> bool:
        """Make a folder; False if it exists. Missing parents get the mode of the umask."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(self.folder_mode)
        except FileExistsError:
            if not path.is_dir():
                raise
            return False
        if self is not Sharing.OWNER:
            path.chmod(self.folder_mode)
        return True

    def make_file(self, path: Path, flags: int) -> int:
        """Opens a file to write it, which is made where needed. Raises OSError."""
        try:
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self.file_mode)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return os.open(path, flags | os.O_CLOEXEC)
        if self is not Sharing.OWNER:
            os.fchmod(file, self.file_mode)
        return file

    def write_file(self, path: Path, text: str) -> None:
        """Writes a short file, which is made where needed."""
        file = self.make_file(path, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(file, "w", encoding="ascii") as stream:
            stream.write(text)


def check_writable(folder: Path) -> None:
    """Raises PermissionError if no files can be made in a folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
