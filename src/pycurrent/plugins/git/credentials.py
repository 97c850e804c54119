"""Credentials for one git command, in a file that is removed with it.

Git gets that file through `git credential-store`, which gives a token to one host by one protocol
only; so neither a redirect nor a submodule can take the token elsewhere. The user's own helpers are
left out, because they would keep the token.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote

from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress, Transport
from pycurrent.plugins.git.environment import ENGLISH, as_environment, git_now
from pycurrent.term import Failure

_SCHEME = re.compile(r"(?:(?P<helper>[A-Za-z0-9][\w+.-]*)::|(?P<scheme>[A-Za-z][\w+.-]*)://)?")
_BY_NETWORK = frozenset({"https", "http", "ssh", "git"})
_BY_HTTP = (Transport.HTTPS, Transport.HTTP)
# A host that goes away is noticed after a minute, one that does not answer sooner.
_SSH = (
    *("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
    *("-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"),
    # Nothing else may run on the host, or print here, not even a banner.
    *("-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no", "-o", "LogLevel=ERROR"),
    *("-o", "VisualHostKey=no", "-o", "Tunnel=no"),
    *("-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a server accepts as a password over HTTP. Context, never part of a key.

    `value` may be an async function, which is called before each use, for tokens that expire. Most
    servers accept any `username` with a token; one in the address takes precedence.
    """

    value: str | Callable[[], Awaitable[str]] = field(repr=False)
    username: str = "x-access-token"

    async def get(self) -> str:
        """The token itself: of a function, the one that it gives now."""
        return self.value if isinstance(self.value, str) else await self.value()


@dataclass(frozen=True, slots=True)
class SshKey:
    """A private key without a passphrase. Context, never part of a key.

    Hosts must be known: by the file `known_hosts`, or else by ssh's own.
    """

    path: Path
    known_hosts: Path | None = None

    def command(self) -> str:
        """Return the ssh command that uses only this key. Raises Failure if the file is missing."""
        options = ["-o", f"IdentityFile={_quoted(self.path)}", "-o", "IdentitiesOnly=yes"]
        # An open connection may be somebody else's.
        options += ["-o", "IdentityAgent=none", "-o", "ControlPath=none"]
        if self.known_hosts is not None:
            known = _quoted(self.known_hosts)
            options += ["-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=none"]
        return shlex.join([*_SSH, *options])


class GitUser(Protocol):
    """Runs a git command: a job, or an input that is looked at."""

    def tempdir(self, prefix: str = "") -> AbstractAsyncContextManager[Path]:
        """A temporary folder, removed with all that is in it at the end of the block."""

    def secret(self, value: str) -> str:
        """Have the value masked in all that is told of the command, and return it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of a git command, which includes its settings."""

    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """Credentials, and `home`, the repository that they are for."""

    home: RepositoryAddress
    token: Token | None = None
    ssh_key: SshKey | None = None
    is_strangers: bool = False
    """True for an address that a stranger has given: it is reached as anybody would."""

    @property
    def of_stranger(self) -> RepositoryAccess:
        """The access to addresses that a stranger has given."""
        return RepositoryAccess(self.home, is_strangers=True)

    @asynccontextmanager
    async def settings(self, user: GitUser, address: RepositoryAddress) -> AsyncIterator[Settings]:
        """Yield the settings by which git reaches a repository, for the block.

        The credentials are only used for their own host. Without credentials the user's own
        settings apply; with credentials, those that would get in the way don't.
        """
        if self.is_strangers:
            yield Settings(await in_thread(_anybodys, address))
            return
        is_home = address.origin == self.home.origin
        token = self.token if is_home and address.transport in _BY_HTTP else None
        key = self.ssh_key if is_home and address.transport is Transport.SSH else None
        if token is None and key is None:
            yield Settings(await in_thread(_users_own, address, is_home=is_home))
            return
        env = _environment([address.transport.value])
        pinned = await in_thread(_pinned, address, token)
        if key is not None:
            env["GIT_SSH_COMMAND"], env["GIT_SSH_VARIANT"] = key.command(), "ssh"
        if token is None:
            yield Settings({**env, **as_environment(pinned)})
            return
        async with user.tempdir("git-") as folder:
            file, secret = folder / "credentials", user.secret(await token.get())
            _write(file, _credential(address, token, secret))
            pinned += [
                ("credential.helper", ""),
                ("credential.helper", f"store --file={shlex.quote(str(file))}"),
                ("credential.useHttpPath", "false"),
                *await in_thread(_headers, address),
            ]
            yield Settings({**env, **as_environment(pinned)})


def _anybodys(address: RepositoryAddress) -> dict[str, str]:
    """Return the environment in which git has nobody's credentials. Raises Failure for addresses
    that nobody else reaches, as by SSH.
    """
    if address.transport not in _BY_HTTP:
        raise Failure(
            f"{address}: untrusted work reaches other repositories by https only, without"
            " credentials"
        )
    settings = [*_pinned(address, None), ("credential.helper", ""), *_headers(address)]
    return {**_environment([address.transport.value]), **as_environment(settings)}


def _users_own(address: RepositoryAddress, *, is_home: bool) -> dict[str, str]:
    """Return the environment in which git follows the user's own settings."""
    transports = [address.transport.value]
    real = _rewritten(address, [])
    if real != str(address) and (found := _SCHEME.match(real)):
        scheme = found["helper"] or found["scheme"] or ("file" if real.startswith("/") else "ssh")
        # An outsider's commit may not lead to files here, or to a program.
        if is_home or scheme in _BY_NETWORK:
            transports.append(scheme)
    env = _environment(transports)
    if Transport.SSH.value in transports and not _user_chose_ssh():
        env["GIT_SSH_COMMAND"] = shlex.join(_SSH)
    return env


def _rewritten(address: RepositoryAddress, settings: list[tuple[str, str]]) -> str:
    """Return the address that `url.<base>.insteadOf` leads to."""
    found = git_now("ls-remote", "--get-url", "--", str(address), settings=settings)
    return found.stdout.strip() or str(address)


def _pinned(address: RepositoryAddress, token: Token | None) -> list[tuple[str, str]]:
    """Return settings by which git uses the address itself. Raises Failure if that can't be."""
    itself = str(address)
    named = git_now("config", "--get-urlmatch", "credential.username", itself)
    if token is not None and address.user is None and not named.returncode:
        # Only a user name in the address takes precedence over that setting.
        user = quote(token.username, safe="")
        itself = f"{address.transport.value}://{user}@{address.host}{address.path}"
    settings = [(f"url.{itself}.insteadOf", str(address))]
    if (real := _rewritten(address, settings)) != itself:
        raise Failure(
            f"{address}: url.<base>.insteadOf of your git settings leads to {real}, but the "
            "credentials are not for that: remove the setting, or leave out the credentials"
        )
    return settings


def _headers(address: RepositoryAddress) -> list[tuple[str, str]]:
    """Return settings that drop an `Authorization` header from the user's own ones."""
    listed = git_now("config", "-z", "--get-regexp", r"^http\.(.*\.)?extraheader$").stdout
    headers = [entry.partition("\n")[2] for entry in listed.split("\0") if entry]
    if not any(header.lower().startswith("authorization:") for header in headers):
        return []
    return [(f"http.{address}.extraHeader", "")]


def _user_chose_ssh() -> bool:
    if {"GIT_SSH", "GIT_SSH_COMMAND"} & os.environ.keys():
        return True
    return not git_now("config", "--get", "core.sshCommand").returncode


def token_of(token: Token | str | None) -> Token | None:
    """Make a Token. Raises UsageError for an empty one: a secret that is not set."""
    known = Token(token) if isinstance(token, str) else token
    if known is not None and known.value == "":
        raise UsageError(
            "the token is empty: is the secret set? Without credentials, leave out token="
        )
    return known


def _environment(transports: list[str]) -> dict[str, str]:
    if Transport.HTTP.value in transports:
        transports = [*transports, Transport.HTTPS.value]  # a redirect may lead there, not back
    return {
        **ENGLISH,
        "GIT_ALLOW_PROTOCOL": ":".join(transports),
        # Empty, so that no program asks for passwords either.
        "GIT_ASKPASS": "",
    }


def _credential(address: RepositoryAddress, token: Token, secret: str) -> str:
    if "\n" in secret:
        raise Failure(f"the token for {address.host} has several lines: give a single line")
    user = quote(token.username, safe="") if address.user is None else address.user
    return f"{address.transport.value}://{user}:{quote(secret, safe='')}@{address.host}\n"


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)


def _quoted(path: Path) -> str:
    """Quote a path for an option of ssh, which expands percent signs."""
    text = str(path.absolute())
    if '"' in text or "\\" in text or "${" in text:
        raise Failure(f"ssh can't use a file at {text!r}: give it a simpler path")
    if not path.is_file():
        raise Failure(f"ssh needs the file {text}, which is missing")
    return f'"{text.replace("%", "%%")}"'
