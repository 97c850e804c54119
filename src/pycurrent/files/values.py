"""Files and trees as values: by their content, so they can be keys, values and outcomes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pycurrent.errors import UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PERMISSIONS = 0o777
_SHOWN = 12
_UNITS = ("kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class File:
    """A file by its content, as `job.save_file` has kept it.

    `digest` is the SHA-256 of the content in hexadecimal, `size` is in bytes, and `mode` has the
    permissions. Raises `UsageError` for what can't be one.
    """

    digest: str
    size: int
    mode: int = 0o644

    def __post_init__(self) -> None:
        _check(self, self.digest, self.size)
        if self.mode & ~_PERMISSIONS:
            raise UsageError(f"{self.mode:#o} is not the mode of a File: write 0o644, say")

    def __str__(self) -> str:
        return f"file {self.digest[:_SHOWN]} ({size_text(self.size)})"


@dataclass(frozen=True, slots=True)
class Tree:
    """The files, links and empty folders of a folder by their content, as `job.save` has kept them.

    `digest` is the SHA-256 of the listing (see `listing.py`), `count` the number of its files and
    links, and `size` that of the files together, in bytes. Raises `UsageError` for what can't be
    one.
    """

    digest: str
    count: int
    size: int

    def __post_init__(self) -> None:
        _check(self, self.digest, self.size)

    def __str__(self) -> str:
        files = "1 file" if self.count == 1 else f"{self.count:,} files"
        return f"{files} ({size_text(self.size)})"


def _check(what: File | Tree, digest: object, size: object) -> None:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise UsageError(
            f"{type(what).__name__} takes a SHA-256 in hexadecimal, not {digest!r}: use what"
            " job.save has returned"
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise UsageError(f"{type(what).__name__} takes a size in bytes, not {size!r}")


def size_text(size: int) -> str:
    """A number of bytes for people: `1.2 MB`."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= 1000
        if amount < 999.95 or unit == _UNITS[-1]:
            break
    return f"{amount:,.1f} {unit}"
