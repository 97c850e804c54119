"""The owner, the user who runs the engine, identified by a token in the state directory.

If only this machine can reach the site and no login was set up, the address that the engine prints
contains the token, like Jupyter's. A browser gets a session for it, and the command line finds it
in the state directory. So everybody who can read the state directory gets in, and nobody else does:
no request from a proxy, no job in a sandbox, no other user of this machine.

    token      the token, readable by its owner only; made once
    address    the address of the site, while the engine serves it

A damaged or unreadable token lets nobody in. To replace it, stop the engine and remove the file.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from pycurrent.service.login import Origin, Role, User
from pycurrent.web.users.keys import TOKEN_PREFIX, digest_of, new_key

TOKEN_FILE = "token"  # noqa: S105 - the name of a file
ADDRESS_FILE = "address"
"""In the state directory."""

PARAMETER = "token"
"""The parameter of the printed address."""

PROVIDER = "owner"
"""The beginning of the owner's id."""

# Too many to guess, and few enough for an address that fits into a line.
_TOKEN_BYTES = 16
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{22}}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """The user who runs the engine, and their token."""

    user: User
    token: str | None
    """None if it is damaged; then it lets nobody in."""
    engine_id: str
    """Identifies this state directory in the names of cookies."""
    key: bytes
    """The key for signatures of this engine, which hold after a restart."""

    @classmethod
    def of(cls, state_dir: Path) -> Self:
        """The owner of a state directory. Makes the token if it is missing. Never fails."""
        file = state_dir / TOKEN_FILE
        try:
            token = read_token(file) or _make(file)
            file.chmod(0o600)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            _log.error(
                "nobody is let in by the token in %s: %s; to have another one, stop the engine"
                " and remove the file",
                file,
                why,
            )
            token = None
        key = digest_of(f"key of {token or new_key()}")
        name = _login_name()
        user = User(f"{PROVIDER}:{name}", name, Role.ADMIN, Origin.OWNER)
        return cls(user, token, digest_of(f"engine of {token or file}")[:8], key.encode())

    def is_token(self, given: str) -> bool:
        """True if it is the token. Takes equally long for all texts."""
        return self.token is not None and hmac.compare_digest(
            given.encode(errors="replace"), self.token.encode()
        )

    def sign(self, *parts: str) -> str:
        """A signature of the parts that only this engine can make."""
        text = "\0".join(parts).encode(errors="replace")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()


def read_token(file: Path) -> str | None:
    """The token in a file; None without a file. Raises OSError if it can't be read, and
    ValueError if it is damaged.
    """
    try:
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    if not _TOKEN.fullmatch(text):
        raise ValueError("it is damaged")
    return text


def address_with(token: str | None, url: str) -> str:
    """The address that lets a browser in."""
    return url if token is None else f"{url.rstrip('/')}/?{urlencode({PARAMETER: token})}"


@contextmanager
def told_address(state_dir: Path, url: str) -> Iterator[None]:
    """Let the command line find the engine at this address, within the block."""
    file = state_dir / ADDRESS_FILE
    with suppress(OSError):
        _write(file, f"{url}\n").replace(file)
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def read_address(state_dir: Path) -> str | None:
    """The last address of a state directory's engine, unless the engine has ended normally."""
    try:
        return (state_dir / ADDRESS_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _make(file: Path) -> str:
    """Write a new token. Only the engine that holds the state directory may call this."""
    token = f"{TOKEN_PREFIX}{secrets.token_urlsafe(_TOKEN_BYTES)}"
    _write(file, f"{token}\n").replace(file)
    return token


def _write(file: Path, text: str) -> Path:
    """Make a new file beside it with this text, readable by the owner only."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _login_name() -> str:
    """The system's name for the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())
