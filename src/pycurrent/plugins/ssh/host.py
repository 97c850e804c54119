"""Hosts, and the options of `ssh` that lead there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pycurrent.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*", re.ASCII)
# With its domain, if the users are in a Windows directory.
_USER = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*\\)?[A-Za-z0-9_][A-Za-z0-9_.@+$-]*", re.ASCII)
_UNFIT = re.compile(r'["\x00-\x1f\x7f]')

Version = tuple[int, int]
"""A version of OpenSSH's client."""

# Keywords that older clients do not know, and the first version that does.
_SINCE: Mapping[str, Version] = MappingProxyType(
    {
        "ForkAfterAuthentication": (8, 7),
        "StdinNull": (8, 7),
        "SessionType": (8, 7),
        "ChannelTimeout": (9, 8),
    }
)
_OF_COMMANDS = frozenset(
    {
        *("ControlMaster", "ControlPath", "PermitLocalCommand", "LocalCommand", "LogLevel"),
        *("ForkAfterAuthentication", "StdinNull", "SessionType", "ChannelTimeout"),
    }
)
"""The options that a client needs which runs a command alone, without a program there that helps.
"""
_ALIVE_SECONDS = 15
_ALIVE_TIMES = 3


@dataclass(frozen=True, slots=True)
class Host:
    """A machine: its address, or a name in the user's `~/.ssh/config`, which can have the rest.

    `identity` is the file of the private key, and the only key that is tried. `known_hosts` is the
    file with the host's own key, by default the user's and the system's. `config` is used instead
    of the user's. A host that doesn't answer within `connect_timeout` seconds can't be reached.
    Raises UsageError for malformed values, so names may come from outside.
    """

    name: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None
    connect_timeout: int = 15
    forward_agent: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            hint = (
                ": give the user as user="
                if "@" in self.name
                else ": write one like web1.example.org"
            )
            raise UsageError(f"{self.name!r} is not the name of a host{hint}")
        if self.user is not None and not _USER.fullmatch(self.user):
            raise UsageError(f"{self.user!r} is not the name of a user: write one like deploy")
        if self.port is not None and not 0 < self.port < 1 << 16:
            raise UsageError(f"{self.port} is not a port: expected 1 to 65535")
        if self.connect_timeout < 1:
            raise UsageError(
                f"connect_timeout= must be 1 second or more, not {self.connect_timeout}"
            )
        for path in self.files:
            if _UNFIT.search(str(path)):
                raise UsageError(f"ssh can't use the path {str(path)!r}: give one without quotes")

    def __str__(self) -> str:
        """The host as people write it, and as keys name it."""
        user = "" if self.user is None else f"{self.user}@"
        name = f"[{self.name}]" if self.port is not None and ":" in self.name else self.name
        return f"{user}{name}" if self.port is None else f"{user}{name}:{self.port}"

    @property
    def files(self) -> list[Path]:
        """The files that must exist."""
        files = (self.identity, self.known_hosts, self.config)
        return [path for path in files if path is not None]

    @property
    def shown(self) -> list[str]:
        """The command line by which a person gets there."""
        port = [] if self.port is None else ["-p", str(self.port)]
        user = [] if self.user is None else ["-l", self.user]
        return ["ssh", *port, *user, "--", self.name]

    def client(self, log: Path, when_connected: str, version: Version) -> list[str]:
        """Return the command line of a client that asks nobody, and writes its messages to the log.

        The client runs `when_connected` here once it is connected. The options here take precedence
        over the user's settings, and so do all that would change how the command runs. The
        connection is not shared, because a shared one would outlive the client.
        """
        program, *place = self.shown
        options = self._options(when_connected)
        known = [name for name in options if _SINCE.get(name, version) <= version]
        return [
            *(program, "-T", "-x", "-A" if self.forward_agent else "-a", "-E", str(log)),
            *([] if self.config is None else ["-F", str(self.config.absolute())]),
            *(f"-o{name}={options[name]}" for name in known),
            *place,
        ]

    def _options(self, when_connected: str) -> dict[str, str]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "NoHostAuthenticationForLocalhost": "no",
            "UpdateHostKeys": "no",
            "ConnectTimeout": str(self.connect_timeout),
            "ServerAliveInterval": str(_ALIVE_SECONDS),
            "ServerAliveCountMax": str(_ALIVE_TIMES),
            "ControlMaster": "no",
            "ControlPath": "none",
            "ClearAllForwardings": "yes",
            "PermitLocalCommand": "yes",
            "LocalCommand": when_connected.replace("%", "%%"),
            "RemoteCommand": "none",
            # The client stays until the command ends, and has its input and outputs.
            "ForkAfterAuthentication": "no",
            "StdinNull": "no",
            "SessionType": "default",
            "RequestTTY": "no",
            "EscapeChar": "none",
            "Tunnel": "no",
            "ChannelTimeout": "none",
            "VisualHostKey": "no",
            # This log level tells how the command has ended; the status alone doesn't.
            "LogLevel": "DEBUG1",
        }
        if self.identity is not None:
            options |= {
                "IdentityFile": _quoted(self.identity),
                "IdentitiesOnly": "yes",
                "PubkeyAuthentication": "yes",
            }
        if self.known_hosts is not None:
            options["UserKnownHostsFile"] = _quoted(self.known_hosts)
            options["GlobalKnownHostsFile"] = "/dev/null"
            options["VerifyHostKeyDNS"] = "no"
        return options


def transport(host: Host, words: str, control: Path | None) -> list[str]:
    """The command line of a client that has a shell on the host run these words, with the client's
    own input and outputs. It asks nobody. It goes by the connection that a `master` has with this
    `control`, if there is one.
    """
    return [*_through(host, control, "no"), words]


def master(host: Host, control: Path) -> list[str]:
    """The command line of a client that does nothing but keep a connection, for others to go by."""
    program, *rest = _through(host, control, "yes")
    return [program, "-N", *rest]


def _through(host: Host, control: Path | None, is_master: str) -> list[str]:
    program, *place = host.shown
    options = host._options("")
    return [
        *(program, "-T", "-x", "-a", "-oLogLevel=ERROR", f"-oControlMaster={is_master}"),
        f"-oControlPath={'none' if control is None else _quoted(control)}",
        *([] if host.config is None else ["-F", str(host.config.absolute())]),
        *(f"-o{name}={options[name]}" for name in options if name not in _OF_COMMANDS),
        *place,
    ]


def _quoted(path: Path) -> str:
    """Quote a path as one word, in which a % stands for itself."""
    text = str(path.absolute()).replace("%", "%%")
    return f'"{text}"'
