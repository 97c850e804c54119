"""The engine of a state directory on this machine: its address, and its owner's token."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pycurrent.errors import PycurrentError
from pycurrent.store import StateDir
from pycurrent.web.users.owner import TOKEN_FILE, read_address, read_token

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Nearby:
    """The address and the token in a state directory."""

    url: str | None = None
    """The address; None if no engine with a site seems to run."""
    token: str | None = None
    why_no_token: str | None = None
    """The problem with the token, if there is one."""

    @classmethod
    def of(cls, state_dir: Path) -> Self:
        """Read a state directory. Never fails: a missing one has neither."""
        try:
            # The address of a killed engine stays, and another program may be there now.
            url = read_address(state_dir) if StateDir.read(state_dir).is_in_use else None
        except PycurrentError:
            if state_dir.is_dir() and not os.access(state_dir, os.R_OK | os.X_OK):
                error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                return cls(why_no_token=_why(state_dir, error))
            return cls()
        except OSError as error:
            return cls(why_no_token=_why(state_dir, error))
        try:
            return cls(url, read_token(state_dir / TOKEN_FILE))
        except (OSError, ValueError) as error:
            return cls(url, why_no_token=_why(state_dir / TOKEN_FILE, error))

    def token_for(self, url: str) -> str | None:
        """The token, if this is the address of this engine: nobody else must see it."""
        return self.token if self.url is not None and _is_same(url, self.url) else None


def _is_same(one: str, other: str) -> bool:
    try:
        return _place(one) == _place(other)
    except ValueError:
        return False


def _place(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, "here" if host in _LOOPBACK else host, parts.port or default


def _why(path: Path, error: OSError | ValueError) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return (
        f"the token in {path} can't be used ({reason}): run this as the user who runs the engine,"
        " or give a token of your own by --token-file or $PYCURRENT_TOKEN"
    )
