"""The attributes of a file or folder, which its replacement gets, too."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

# These vouch for the old contents.
_OF_CONTENTS = frozenset({"security.capability", "security.evm", "security.ima"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """Owner, group, permissions and extended attributes, including access lists."""

    owner: int
    group: int
    mode: int
    extended: Mapping[str, bytes]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read the attributes of a path, which must not be a link. Raises OSError."""
        status = path.lstat()
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), _extended(path))

    def give_to(self, descriptor: int, mode: int | None = None) -> list[str]:
        """Give these attributes to a new, open file or folder of ours; return those that it can't
        get.

        Only root can give away files, and set any group. Permissions of an owner or a group that
        the file could not get are not given to anybody else. A `mode` is set as it is.
        """
        lost, wanted = [], self.mode
        for name, value in self.extended.items():
            # Before the mode, as some need the permission to write.
            if not _set(descriptor, name, value):
                lost.append(name)
        status = os.fstat(descriptor)
        if status.st_gid != self.group and not _chown(descriptor, -1, self.group):
            lost.append(f"group {self.group}")
            wanted = (wanted & ~0o2070) | (wanted & 0o007) << 3
        if status.st_uid != self.owner and not _chown(descriptor, self.owner, -1):
            lost.append(f"owner {self.owner}")
            wanted &= ~stat.S_ISUID
        os.fchmod(descriptor, wanted if mode is None else mode)
        return lost


def _extended(path: Path) -> Mapping[str, bytes]:
    if sys.platform != "linux":
        return MappingProxyType({})
    found = {}
    with suppress(OSError):  # some file systems do not have any
        for name in os.listxattr(path, follow_symlinks=False):
            if name not in _OF_CONTENTS:
                with suppress(OSError):
                    found[name] = os.getxattr(path, name, follow_symlinks=False)
    return found


def _set(descriptor: int, name: str, value: bytes) -> bool:
    if sys.platform == "linux":
        try:
            os.setxattr(descriptor, name, value)
        except OSError:
            return False
    return True


def _chown(descriptor: int, owner: int, group: int) -> bool:
    try:
        os.fchown(descriptor, owner, group)
    except OSError:
        return False
    return True
