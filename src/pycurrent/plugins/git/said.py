"""The lines that git and ssh print themselves, with the names in them cut out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pycurrent.plugins.git.progress import is_progress

NAME = r"\ue000\d+\ue001"
"""A pattern for the text that stands for a name that was cut out of a line."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NAMES = re.compile(
    r"""
    (?<!\w)'.*?'(?!\w) | (?<!\w)".*?"(?!\w)
    | \b[A-Za-z][A-Za-z0-9+.-]*://\S+
    | (?<![^\s(])/[^\s:]+
    | \brefs/[^\s:]+
    # Files of a commit, which git doesn't quote.
    | (?<=unable\ to\ create\ file\ ).+(?=:\ ) | (?<=unable\ to\ unlink\ old\ ).+
    | (?<=fatal:\ )\S.*(?=:\ \w+\ filter\ ) | (?<=failed\ to\ encode\ ).+(?=\ from\ )
    """,
    re.VERBOSE,
)
_PREFIX = re.compile(r"(?:fatal|error|ERROR|ssh): *")
# Lines of the server, and of git about its connection to it.
_THEIRS = re.compile(r"remote: *(?=(?:fatal|error|ERROR): |Repository not found)")
_ALSO_THEIRS = re.compile(r"(?:fatal: )?remote error|ERROR: ")
_SSH = re.compile(
    r"(?:\S+@\S+: )?Permission denied \(.*\)\.?|Host key verification failed\.?"
    r"|@\s+WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\s+@"
    r"|(?:kex|ssh)_exchange_identification: .*|client_loop: .*"
    # The line after a `fatal:` of git's own transport.
    r"|\S+\[\d+: \S+\]: errno=.*"
    r"|Connection (?:closed|reset|to) .*|Corrupted MAC .*|Disconnected from .*"
)
# A line of the shell by which git runs a filter.
_SHELL = re.compile(r".*: (?:line )?\d+: \S+: (?:command )?not found")


@dataclass(frozen=True, slots=True)
class GitLine:
    """A line of git or its ssh. In `blanked` a pattern `NAME` stands for each name."""

    text: str
    blanked: str
    names: tuple[str, ...]
    is_theirs: bool
    """True if it is about the server or the connection, not about files here."""

    @property
    def message(self) -> str:
        """The line without the prefix that says whose it is."""
        return _PREFIX.sub("", self.text, count=1)

    def restored(self, part: str) -> str:
        """Return a part of `blanked` with its names put back, without quotes around them."""
        if re.fullmatch(NAME, part):
            return self.names[int(part[1:-1])]
        return re.sub(NAME, lambda found: self.names[int(found[0][1:-1])], part)


def lines_of(said: str) -> list[GitLine]:
    """Return the lines of git's output that count."""
    found = (line.rstrip() for line in re.split(r"[\r\n]+", _COLOUR.sub("", said)))
    return [_line(line) for line in found if _counts(line)]


def _counts(line: str) -> bool:
    is_own = any(form.match(line) for form in (_PREFIX, _THEIRS))
    return (is_own or _is_ssh(line) or _SHELL.fullmatch(line) is not None) and not is_progress(line)


def _is_ssh(line: str) -> bool:
    return _SSH.fullmatch(line) is not None


def _line(text: str) -> GitLine:
    names: list[str] = []

    def cut_out(found: re.Match[str]) -> str:
        name = found[0]
        names.append(name[1:-1] if name[0] == name[-1] and name[0] in "'\"" else name)
        return f"\ue000{len(names) - 1}\ue001"

    is_theirs = any(form.match(text) for form in (_THEIRS, _ALSO_THEIRS)) or _is_ssh(text)
    return GitLine(text, _NAMES.sub(cut_out, _THEIRS.sub("", text)), tuple(names), is_theirs)
