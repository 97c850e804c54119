"""Credentials for one git command: in a file that ends with it, never anywhere else.

Git is told where that file is by `git credential-store`, which gives what it holds to one host
only, by one protocol; so neither a redirect nor a submodule takes it elsewhere. The helpers of
the user are left out then: they would keep the token.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from pycurrent.engine import Job
from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import Address, Transport
from pycurrent.plugins.git.environment import ENGLISH, git_now
from pycurrent.term import Failure

_BY_HTTP = (Transport.HTTPS, Transport.HTTP)
# A host that goes away is noticed after a minute; one that does not answer, sooner.
_SSH = (
    *("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
    *("-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"),
    # Nothing else runs over there, or prints here, a banner included.
    *("-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no", "-o", "LogLevel=ERROR"),
    *("-o", "VisualHostKey=no", "-o", "Tunnel=no"),
    *("-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """What a server takes for a password over HTTP: context, never part of a key.

    `value` may be an async function that is asked before each use, for tokens that expire. Most
    servers take any user name with a token; a name in the address comes first.
    """

    value: str | Callable[[], Awaitable[str]] = field(repr=False)
    username: str = "x-access-token"

    async def get(self) -> str:
        return self.value if isinstance(self.value, str) else await self.value()


@dataclass(frozen=True, slots=True)
class SshKey:
    """A private key without a passphrase. Context, never part of a key.

    Hosts have to be known: by the file `known_hosts`, or else as ssh knows them by itself.
    """

    path: Path
    known_hosts: Path | None = None

    def command(self) -> str:
        """The command of ssh that uses it and no other. Raises Failure if there is none."""
        options = ["-o", f"IdentityFile={_quoted(self.path)}", "-o", "IdentitiesOnly=yes"]
        # A connection that is open already may be somebody else's.
        options += ["-o", "IdentityAgent=none", "-o", "ControlPath=none"]
        if self.known_hosts is not None:
            known = _quoted(self.known_hosts)
            options += ["-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=none"]
        return shlex.join([*_SSH, *options])


@dataclass(frozen=True, slots=True)
class Settings:
    """Options for `git`, and its environment."""

    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Access:
    """What one has to show to whom: `home` is the repository that the credentials are for."""

    home: Address
    token: Token | None = None
    ssh_key: SshKey | None = None

    @asynccontextmanager
    async def settings(self, job: Job, address: Address) -> AsyncIterator[Settings]:
        """How git gets at a repository, for the block: with the credentials for this host alone."""
        is_home = address.origin == self.home.origin
        env = _environment(address)
        if self.ssh_key is not None and is_home:
            env["GIT_SSH_COMMAND"] = self.ssh_key.command()
        elif address.transport is Transport.SSH and not await asyncio.to_thread(_user_chose_ssh):
            env["GIT_SSH_COMMAND"] = shlex.join(_SSH)
        if self.token is None or not is_home or address.transport not in _BY_HTTP:
            yield Settings((), env)
            return
        async with job.tempdir("git-") as folder:
            file = folder / "credentials"
            _write(file, _credential(address, self.token, job.secret(await self.token.get())))
            helper = f"store --file={shlex.quote(str(file))}"
            options = ("-c", "credential.helper=", "-c", f"credential.helper={helper}")
            yield Settings(options, env)


def _user_chose_ssh() -> bool:
    if {"GIT_SSH", "GIT_SSH_COMMAND"} & os.environ.keys():
        return True
    return not git_now("config", "--get", "core.sshCommand").returncode


def token_of(token: Token | str | None) -> Token | None:
    """Raises UsageError for an empty one: a secret that is not set."""
    known = Token(token) if isinstance(token, str) else token
    if known is not None and known.value == "":
        raise UsageError("the token is empty: leave it out, or see where it comes from")
    return known


def _environment(address: Address) -> dict[str, str]:
    allowed = [address.transport.value]
    if address.transport is Transport.HTTP:
        allowed.append(Transport.HTTPS.value)  # It may be sent there, but never back.
    return {
        **ENGLISH,
        "GIT_ALLOW_PROTOCOL": ":".join(allowed),
        # Empty: no program asks for passwords either.
        "GIT_ASKPASS": "",
    }


def _credential(address: Address, token: Token, secret: str) -> str:
    if "\n" in secret:
        raise Failure(f"the token for {address.host} has several lines: it has to be one")
    user = quote(token.username, safe="") if address.user is None else address.user
    return f"{address.transport.value}://{user}:{quote(secret, safe='')}@{address.host}\n"


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)


def _quoted(path: Path) -> str:
    """As ssh takes it in an option: what comes after a per cent sign is replaced."""
    text = str(path.absolute())
    if '"' in text or "\\" in text or "${" in text:
        raise Failure(f"ssh can't use a file at {text!r}: give it a simpler path")
    if not path.is_file():
        raise Failure(f"there is no file {text}, which ssh is to use")
    return f'"{text.replace("%", "%%")}"'
