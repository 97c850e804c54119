"""The files of a database: noticed when they are moved, replaced or removed.

SQLite itself would not notice. It goes on writing to the files it has opened, and with the last
descriptor all of that would be gone.
"""

import os
from pathlib import Path
from typing import Self

from msgspec import Struct

from pycurrent.store.errors import StoreGone


class DatabaseFiles(Struct, frozen=True):
    """The files of an open database, as they were when it was opened."""

    files: tuple[tuple[str, tuple[int, int]], ...]
    """The database and its write-ahead log: path, device and inode."""

    @classmethod
    def of(cls, database: Path) -> Self:
        """To be called once the database has been written to, so that its log is there."""
        paths = (str(database), f"{database}-wal")
        return cls(tuple([(path, _identity(path)) for path in paths]))

    def check(self) -> None:
        """Raises `StoreGone` if a file isn't there any more, or is another one. Microseconds."""
        for path, identity in self.files:
            try:
                if _identity(path) == identity:
                    continue
                what = "was replaced by another file"
            except OSError as error:
                what = f"is gone ({error.strerror})"
            raise StoreGone(
                f"the file {path} {what} while an engine was using it: put it back, or stop the"
                " engine, restore a backup if there is one, and start it again; what is not"
                " recorded yet is kept in memory until then"
            )


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - with each commit: several times as fast
    return status.st_dev, status.st_ino
