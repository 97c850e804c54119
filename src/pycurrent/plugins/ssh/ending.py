"""How an OpenSSH client has ended, read from its log.

Its exit status alone doesn't tell: 255 may be the command's, or stand for any failure of ssh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUS = re.compile(r"^debug1: Exit status (\d+)\s*$", re.MULTILINE)
_BY_SIGNAL = re.compile(r"^debug1: client_input_channel_req: .* rtype exit-signal", re.MULTILINE)
_BEGUN = re.compile(r"^debug1: Sending command: ", re.MULTILINE)
_NOISE = re.compile(
    r"""
    debug\d: .*
    | @+ | @\ .*                                       # the frame around a warning
    | Authenticated\ to .* | Authenticated\ using .*
    | Transferred: .* | Bytes\ per\ second: .*
    """,
    re.VERBOSE,
)
_CHANGED = re.compile(r"^@\s+WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED", re.MULTILINE)
_REVOKED = re.compile(r"^@\s+WARNING: REVOKED HOST KEY DETECTED", re.MULTILINE)
_UNKNOWN = re.compile(
    r"^No (?P<type>\S+) host key is known for (?P<name>\S+) and you have requested", re.MULTILINE
)
_DENIED = re.compile(r"(?:\S+: )?Permission denied \((?P<ways>.*)\)\.?")
_REFUSED = "Host key verification failed."


@dataclass(frozen=True, slots=True)
class Finished:
    """The command has ended, with a status."""

    status: int


@dataclass(frozen=True, slots=True)
class Killed:
    """A signal has killed the shell that runs the command on the host."""


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection ended before the command did."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotConnected:
    """The client has not connected, and the command has not run."""

    reason: str


CommandEnd = Finished | Killed | ConnectionLost | NotConnected


def ending(log: str, said: str) -> CommandEnd:
    """Read how a client has ended. `said` is the last line from elsewhere, such as a jump host."""
    if found := _STATUS.search(log):
        return Finished(int(found[1]))
    if _BY_SIGNAL.search(log):
        return Killed()
    lines = [line.strip() for line in log.splitlines()]
    lines = [line for line in lines if line and not _NOISE.fullmatch(line)]
    last = (lines[-1] if lines else said or "ssh has said nothing").removeprefix("ssh: ")
    if _BEGUN.search(log):
        return ConnectionLost(last if lines else "it was broken off")
    return NotConnected(_why_not(log, last, said))


def _why_not(log: str, last: str, said: str) -> str:
    if _CHANGED.search(log):
        return (
            "its host key has changed: it may be another machine; if the new key is right, put it "
            "into known_hosts"
        )
    if _REVOKED.search(log):
        return "its host key was revoked"
    if found := _UNKNOWN.search(log):
        return (
            f"its host key is not known: put the {found['type']} key of {found['name']} into "
            "known_hosts"
        )
    if found := _DENIED.search(last):
        return f"permission denied ({found['ways']}): is the key the right one, and the user?"
    if said and ("UNKNOWN port" in last or last == _REFUSED):
        # The way to the host has failed, not the host itself.
        return f"{last} ({said})"
    return last
