"""The contents and the mode that a file gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from pycurrent.errors import UsageError, WrongKind
from pycurrent.files import File
from pycurrent.term import shown

_PERMISSIONS = 0o777
_READ = 0o400


@dataclass(frozen=True, slots=True)
class Content:
    """The contents of a file, text as UTF-8, and its permissions, such as 0o755.

    Without a `mode` an existing file keeps its permissions, and a new one gets those of any new
    file. Raises UsageError for a malformed mode, and one by which the owner can't read.
    """

    contents: str | bytes
    mode: int | None = None

    def __post_init__(self) -> None:
        if self.mode is None:
            return
        if isinstance(self.mode, bool) or not isinstance(self.mode, int):
            raise WrongKind(f"mode= takes a number like 0o644, not {shown(self.mode)}")
        if self.mode & ~_PERMISSIONS or not self.mode & _READ:
            raise UsageError(
                f"{self.mode:#o} is not a mode by which the owner can read the file: write an "
                "octal number like 0o644"
            )

    @property
    def data(self) -> bytes:
        """The contents as bytes."""
        return self.contents.encode() if isinstance(self.contents, str) else self.contents


NOTHING = Content(b"")


@dataclass(frozen=True, slots=True)
class Staged:
    """The contents of a file that is to be copied, and its permissions."""

    data: Path
    mode: int


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, with what it leads to."""

    target: str


@dataclass(frozen=True, slots=True)
class Digest:
    """The record of a file: its digest instead of its contents."""

    mode: int | None
    size: int
    sha256: str
    content: Content = field(default=NOTHING, compare=False, repr=False)
    saved: File | None = field(default=None, compare=False, repr=False)
    """The contents, where a job has saved them."""

    @classmethod
    def of(cls, content: Content) -> Digest:
        data = content.data
        return cls(content.mode, len(data), hashlib.sha256(data).hexdigest(), content)

    @classmethod
    def of_saved(cls, file: File) -> Digest:
        return cls(file.mode, file.size, file.digest, saved=file)
