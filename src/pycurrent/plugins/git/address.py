"""Addresses of remote repositories, and the names of the folders for their mirrors.

An address may come from outside: from the event of a service, or from the `.gitmodules` of
somebody's commit. So this module lists the forms that are allowed, and refuses any other before git
sees it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import unquote

from pycurrent.errors import UsageError

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>.*)")
_SCP = re.compile(r"(?P<authority>[^/:\[\]]+|[^/:]*\[[0-9A-Fa-f:.]+\]):(?P<path>.+)")
_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_USER = re.compile(r"(?!-)[A-Za-z0-9._~%+-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

_LONGEST_READABLE = 80
# Long enough that nobody can find an address that gets the folder of another one.
_DIGITS = 20


class Transport(Enum):
    """The ways in which git reaches a repository. The values are git's names."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"
    GIT = "git"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class RepositoryAddress:
    """The address of a repository, and its parts.

    `prefix` is everything before the path. `host` includes the port, and is empty for a file.
    """

    transport: Transport
    prefix: str
    user: str | None
    host: str
    path: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse a URL, `git@host:path` as for scp, or an absolute path. Raises UsageError."""
        # Escaped control characters, too: git decodes them.
        if re.search(r"[\x00-\x1f\x7f]", unquote(text)) or text.startswith("-"):
            raise UsageError(
                f"{text!r} is not the address of a repository: it has a control character, or "
                "begins with -"
            )
        if text.startswith("/"):
            return cls(Transport.FILE, "", None, "", text)
        if found := _URL.fullmatch(text):
            transport = _transport(found["scheme"])
            prefix = f"{found['scheme']}://{found['authority']}"
        elif found := _SCP.fullmatch(text):
            transport, prefix = Transport.SSH, f"{found['authority']}:"
        else:
            raise UsageError(
                f"{text!r} is not the address of a repository: write a URL, or an absolute path"
            )
        user, host = _user_and_host(found["authority"], transport)
        if not found["path"].strip("/") or found["path"].startswith(("-", ":")):
            raise UsageError(f"{text!r} is not the address of a repository: it has no path")
        return cls(transport, prefix, user, host, found["path"])

    def __str__(self) -> str:
        return self.prefix + self.path

    @property
    def origin(self) -> tuple[Transport, str]:
        """Credentials are given only to addresses with the same origin."""
        return self.transport, self.host

    @property
    def name(self) -> str:
        """The repository's name, as a file name."""
        parts = [part for part in self.path.split("/") if part not in {"", ".git"}]
        last = _UNSAFE.sub("-", parts[-1] if parts else "").removesuffix(".git").lstrip(".-")
        return last[:_LONGEST_READABLE] or "repository"

    @property
    def folder_name(self) -> str:
        """A mostly readable name of a folder, which differs for each address."""
        text = f"{self.host}/{self.path}".rstrip("/").removesuffix(".git")
        readable = _UNSAFE.sub("-", text).strip(".-")[-_LONGEST_READABLE:].lstrip(".-")
        return f"{readable}-{hashlib.sha256(str(self).encode()).hexdigest()[:_DIGITS]}"

    def resolve(self, url: str) -> RepositoryAddress:
        """Resolve an address in a `.gitmodules` of this repository.

        A relative one (`./x`, `../x`) is relative to this repository's own. A commit may not name
        files of this machine. Raises UsageError.
        """
        relative = re.fullmatch(r"(\.\.?)(/.*)?", url) is not None
        address = RepositoryAddress.of(self._joined(url) if relative else url)
        if address.transport is Transport.FILE:
            raise UsageError(
                f"{url!r} is on this machine, which a .gitmodules may not name: use a URL"
            )
        return address

    def _joined(self, url: str) -> str:
        root = "/" if self.path.startswith("/") else ""
        parts = [part for part in self.path.split("/") if part]
        for part in url.split("/"):
            if part == "..":
                if not parts:
                    raise UsageError(f"{url!r} leads out of {self.host or '/'}")
                parts.pop()
            elif part not in {"", "."}:
                parts.append(part)
        return f"{self.prefix}{root}{'/'.join(parts)}"


def _transport(scheme: str) -> Transport:
    try:
        return Transport(scheme)
    except ValueError:
        known = ", ".join(transport.value for transport in Transport)
        raise UsageError(
            f"{scheme}:// is not a way to reach a repository: use one of {known}"
        ) from None


def _user_and_host(authority: str, transport: Transport) -> tuple[str | None, str]:
    before, at, host = authority.rpartition("@")
    if ":" in before:
        # The message doesn't show the password.
        raise UsageError(
            f"the address of a repository at {host} has a password, which would be recorded: give "
            "it as token="
        )
    if transport is Transport.FILE and not authority:
        return None, ""
    if not _HOST.fullmatch(host) or (at and not _USER.fullmatch(before)):
        raise UsageError(
            f"{authority!r} is not the host of a repository: write one like git.example.org"
        )
    return before or None, host
