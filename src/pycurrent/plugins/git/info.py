"""The author, the date and the message of a commit, for news and pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.contents import Question
from pycurrent.plugins.git.objects import ObjectReader
from pycurrent.plugins.git.repository import in_a_line
from pycurrent.plugins.options import named_after, operation_component
from pycurrent.term import Current, Failure, Ok, Output, Primitive

_AUTHOR = re.compile(r"author (.*?) ?<(.*?)>[^>]*? (\d{1,12}) ([+-])(\d\d)(\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit, as people read it. Its texts come from outside: anybody can be named as author."""

    hash: str
    author: str
    """The author's name."""
    email: str
    date: datetime
    """When it was written, in the author's time zone; 1970 if the commit does not say."""
    subject: str
    """The first paragraph of the message, in one line."""
    message: str
    """The whole message."""
    branch: str | None
    """The branch on which the commit was seen; None if it was seen on something else."""


def info(commit: Commit | Current[Commit], *, label: str | None = None) -> Current[CommitInfo]:
    """The author, the date, the subject and the branch of a commit, for messages and pages.

    No job runs for this, and nothing is recorded. Give it to what tells people, and not to what
    builds: what it says is not part of the commit's key.
    """

    @named_after(info)
    def on_values(commit: Commit) -> Primitive[CommitInfo]:
        return _Info().of(commit).map_output(partial(_seen_on, commit))

    return operation_component(label, "info @{commit}", on_values, commit)


@dataclass(frozen=True, slots=True)
class _Info(Question[CommitInfo]):
    def read(self, reader: ObjectReader, commit: Commit) -> CommitInfo:
        found = reader.read(commit.hash)
        if found is None or found.kind != "commit":
            raise Failure(f"there is no commit {commit.hash} in {commit.repository}")
        return info_of(found.data, commit)


def _seen_on(commit: Commit, output: Output[CommitInfo]) -> Output[CommitInfo]:
    branch = commit.id.branch if commit.id else None
    return Ok(replace(output.value, branch=branch)) if isinstance(output, Ok) else output


def info_of(data: bytes, commit: Commit) -> CommitInfo:
    """Read a commit as git keeps it: lines about it, an empty line, and its message."""
    head, _, text = _decoded(data).partition("\n\n")
    named = _AUTHOR.search(head)
    message = text.strip("\n")
    first = message.partition("\n\n")[0]
    return CommitInfo(
        commit.hash,
        in_a_line(named[1]) if named else "",
        in_a_line(named[2]) if named else "",
        _date(*named.groups()[2:]) if named else _EPOCH,
        in_a_line(first.replace("\n", " ")),
        message,
        commit.id.branch if commit.id else None,
    )


def _decoded(data: bytes) -> str:
    named = re.search(rb"^encoding (\S+)$", data.partition(b"\n\n")[0], re.MULTILINE)
    try:
        return data.decode(named[1].decode() if named else "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return data.decode(errors="replace")


def _date(seconds: str, sign: str, hours: str, minutes: str) -> datetime:
    try:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-offset if sign == "-" else offset)
        return (_EPOCH + timedelta(seconds=int(seconds))).astimezone(zone)
    except (ValueError, OverflowError):
        return _EPOCH
