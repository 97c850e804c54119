"""A login provider for a single machine: users and their passwords in a file.

    # name:role:hash of the password
    alice:admin:scrypt$32768$8$3$...$...

`pycurrent user` writes it; so may you. It is read again when it has changed.

Once there has been such a file, people have to log in: if it is empty, truncated, unreadable or
gone, it lets nobody in, never everybody. A mark beside it says that there was one; to go back, stop
the engine and remove both.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.service.login import LoginRefused, Role, User
from pycurrent.web.users.passwords import LONGEST, PasswordHash

PASSWORD_FILE = "users"  # noqa: S105 - the name of a file
"""In the state directory."""

_MARK_SUFFIX = ".set-up"
"""The suffix of the mark's name."""

SHORTEST = 8
"""In characters."""

_PROVIDER = "local"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_AT_ONCE = 2
_HEADING = "# name:role:hash of the password; see `pycurrent user --help`\n"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A line of the file."""

    name: str
    role: Role
    password: PasswordHash

    @property
    def user(self) -> User:
        return User(user_id(self.name), self.name, self.role)


def user_id(name: str) -> str:
    """The id of the user with this name."""
    return f"{_PROVIDER}:{name}"


def check_name(name: str) -> str:
    """Return the name. Raises `UsageError` if no user can have it."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of a user or token: use up to 64 letters, digits and"
            " . _ @ -, beginning with a letter or digit"
        )
    return name


def check_password(password: str) -> str:
    """Return the password. Raises `UsageError` if it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has from {SHORTEST} to {LONGEST} characters")
    return password


class PasswordFile:
    """The users in a file: a `PasswordLogin`. Nobody can log in while the file is missing.

    A malformed line is logged, and lets nobody in. If there has been a file, it stays a way to log
    in: see the module.
    """

    id = _PROVIDER
    title = "Password"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = path.with_name(f"{path.name}{_MARK_SUFFIX}")
        self._was_there = False
        self._can_be_looked_at = True
        self._read_at: tuple[int, int, int] | None = None
        self._users: Mapping[str, LocalUser] = {}
        # Each takes 32 MiB, and a core.
        self._hashing = asyncio.Semaphore(_AT_ONCE)

    @property
    def is_ready(self) -> bool:
        """True if it has a user who could log in."""
        return bool(self.users())

    @property
    def is_set_up(self) -> bool:
        """True if there has ever been a file, whatever is in it now."""
        if not self._was_there and (_may_exist(self._path) or _may_exist(self._mark)):
            self._was_there = True
            self._leave_mark()
        return self._was_there

    def known(self, user: User) -> User | None:
        """The user as the file has them now; None if it has them no longer."""
        found = self.users().get(user.id.removeprefix(f"{_PROVIDER}:"))
        return None if found is None else found.user

    async def check(self, name: str, password: str) -> User | LoginRefused:
        """The user of this name and password, or why they are refused. Takes as long for either."""
        found = self.users().get(name)
        hashed = PasswordHash.nobodys() if found is None else found.password
        async with self._hashing:
            fits = await asyncio.to_thread(hashed.fits, password)
        if found is None or not fits:
            return LoginRefused("wrong name or password")
        return found.user

    def users(self) -> Mapping[str, LocalUser]:
        """The users in the file now, by name."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._read_at, self._users = None, {}
            return self._users
        except OSError as error:
            if self._can_be_looked_at:
                self._say_unreadable(error)
            self._can_be_looked_at = False
            self._read_at, self._users = None, {}
            return self._users
        self._can_be_looked_at = True
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version != self._read_at:
            self._users = {user.name: user for user in self._read()}
            self._read_at = version
        return self._users

    def _read(self) -> list[LocalUser]:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            self._say_unreadable(error)
            return []
        found = []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                name, role, password = line.strip().split(":")
                hashed = PasswordHash.parse(password)
                found.append(LocalUser(check_name(name), Role(role), hashed))
            except (ValueError, UsageError):
                # Not the line itself: it may hold a password.
                _log.error(
                    "line %d of %s is not a user: expected name:role:hash", number, self._path
                )
        return found

    def _say_unreadable(self, error: OSError) -> None:
        _log.error(
            "the users in %s can't be read, so none of them can log in: %s",
            self._path,
            error.strerror,
        )

    def put(self, user: LocalUser) -> None:
        """Add a user, or replace the one of that name. Malformed lines are dropped."""
        self._write({**self.users(), check_name(user.name): user})

    def remove(self, name: str) -> bool:
        """Remove a user; False if nobody has that name."""
        users = dict(self.users())
        if users.pop(name, None) is None:
            return False
        self._write(users)
        return True

    def _write(self, users: Mapping[str, LocalUser]) -> None:
        """Write the file at once, so that nobody sees half of it, readable by the owner only."""
        lines = [f"{user.name}:{user.role.value}:{user.password}\n" for user in users.values()]
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=folder)
        new = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join([_HEADING, *sorted(lines)]))
            self._leave_mark()
            new.replace(self._path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def _leave_mark(self) -> None:
        """Make the mark. If that fails, only the file itself says that a login was set up."""
        with suppress(OSError):
            self._mark.touch(mode=0o600)


def _may_exist(path: Path) -> bool:
    """True if something is there, or it can't be determined."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
