"""Repositories, refs, statuses and comments, in words that are the same for all forges.

All are frozen values that can be keys and results. Their texts come from outside, so each is
checked where it is used: a ref by `git.CommitId`, an address by `git`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, TypeAlias

from msgspec import Struct

from pycurrent.plugins.git import CommitId


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on a forge.

    `site` is the address of the forge (`https://github.com`), and `id` the forge's own name for it,
    which outlives a change of its name; the other fields are as they were read last.
    """

    site: str
    id: str
    path: str
    """`octo/web`; on GitLab with all groups: `octo/tools/web`."""
    clone_url: str
    web_url: str
    default_branch: str | None
    """None while it is empty."""
    is_private: bool = False
    is_archived: bool = False
    account: str = ""
    """By which the forge lets us in: an installation of a GitHub App, or empty."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of a repository, and the commit that it leads to."""

    repository: Repository
    name: str
    hash: str

    @property
    def ref(self) -> str:
        """The full name of the ref."""
        return f"refs/heads/{self.name}"

    @property
    def key(self) -> str:
        """The name that tells it from the other refs of the repository, whatever its commit is:
        `main`. One that could be taken for another kind of ref is `heads/pull/7`.
        """
        is_plain = not self.name.startswith(("heads/", "tags/", "pull/", "merge/"))
        return self.name if is_plain else f"heads/{self.name}"

    def __str__(self) -> str:
        return f"{self.repository} {self.key}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a repository, and the commit that it leads to."""

    repository: Repository
    name: str
    hash: str

    @property
    def ref(self) -> str:
        """The full name of the ref."""
        return f"refs/tags/{self.name}"

    @property
    def key(self) -> str:
        """As that of a branch: `tags/v1`."""
        return f"tags/{self.name}"

    def __str__(self) -> str:
        return f"{self.repository} {self.key}"


@dataclass(frozen=True, slots=True)
class Change:
    """An open pull request; GitLab calls it a merge request.

    `hash` is its head, which is fetched from `ref` of the repository itself, also if it comes from
    a fork.
    """

    repository: Repository
    number: int
    ref: str
    """`refs/pull/7/head`; on GitLab `refs/merge-requests/7/head`."""
    hash: str
    title: str
    author: str
    base: str
    """The branch that it is to be merged into."""
    source: str
    """The path of the repository that it comes from; empty if that is gone."""
    branch: str
    """The branch that it comes from, in `source`."""
    web_url: str
    is_draft: bool = False
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its number: `7`."""
        return str(self.number)

    @property
    def key(self) -> str:
        """As that of a branch: `pull/7`."""
        return f"pull/{self.number}"

    def __str__(self) -> str:
        return f"{self.repository} {self.key}"

    @property
    def is_from_fork(self) -> bool:
        """True unless it comes from the repository itself."""
        return self.source != self.repository.path


@dataclass(frozen=True, slots=True)
class MergeGroup:
    """Changes that a merge queue is about to merge, and the commit that this would make."""

    repository: Repository
    name: str
    """Of the branch that the queue has made for it, without `refs/heads/`."""
    hash: str
    base: str

    @property
    def ref(self) -> str:
        """The full name of the ref."""
        return f"refs/heads/{self.name}"

    @property
    def key(self) -> str:
        """As that of a branch: `merge/NAME`."""
        return f"merge/{self.name}"

    def __str__(self) -> str:
        return f"{self.repository} {self.key}"


Ref: TypeAlias = Branch | Tag | Change | MergeGroup


def commit_id(ref: Ref) -> CommitId:
    """The commit that a ref leads to, to be fetched. Raises UsageError for a malformed one."""
    return CommitId(ref.repository.clone_url, ref.ref, ref.hash)


class Verdict(Enum):
    """The state of a commit under one name, in words that each forge has."""

    PENDING = "pending"
    RUNNING = "running"
    """Forges that don't tell it from pending show that."""
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    """Not the commit's fault: the infrastructure's."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a commit under the name `context`."""

    context: str
    verdict: Verdict
    description: str = ""
    """One line; a forge's limit cuts it."""
    url: str | None = None


class Permission(IntEnum):
    """The permissions that a person may have in a repository, in ascending order."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a change."""

    id: str
    body: str
    author: str
    url: str


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a comment that asks us for something: `/rebuild`."""

    repository: str
    """Its path."""
    number: int
    comment: str
    """The id of the comment."""
    author: str
    words: tuple[str, ...]
    """Without the slash: `("ok-to-test", "0a1b2c3")`."""


def commands_in(
    text: object, *, repository: object, number: object, comment: object, author: object
) -> tuple[Command, ...]:
    """The commands of a new comment on a change: the lines that begin with a slash. None, if what a
    delivery tells is not what it should be.
    """
    if not (isinstance(text, str) and isinstance(number, int) and isinstance(author, str)):
        return ()
    if not isinstance(repository, str):
        return ()
    return tuple(
        Command(repository, number, str(comment), author, tuple(line[1:].split()))
        for line in text.splitlines()
        if line.startswith("/") and line[1:].strip()
    )


def part_of(told: Mapping[str, Any], outer: str, inner: str) -> Any:
    """A part of a part of a JSON object; None if it is not there."""
    part = told.get(outer)
    return part.get(inner) if isinstance(part, dict) else None


class Button(Enum):
    """The buttons of checks; the values of the first three are their names on a forge."""

    RERUN = "rerun"
    RERUN_INFRA = "rerun-infra"
    EXPLAIN = "explain"
    RERUN_ALL = "rerun-all"
    """For all checks of a commit."""


class Press(Struct, frozen=True, tag_field="kind", tag="press"):
    """A button of a check, or of all checks of a commit, that somebody has pressed."""

    button: Button
    repository: str
    """Its path."""
    commit: str
    app: int
    """The App whose check it is."""
    person: str
    path: str = ""
    """The path of the check's stage."""
    run: int = 0
    """The id of the check run."""

    def __str__(self) -> str:
        return f"{self.button.value} of {self.person} in {self.repository}"


@dataclass(frozen=True, slots=True)
class Move:
    """A delivery's word that a ref has moved. By it an answer is known to be old; else it is not
    believed.
    """

    ref: str
    """Its full name."""
    before: str | None
    """The commit that it led to; None if it was not there."""
    after: str | None
    """The commit that it leads to; None if it is gone."""


def pushed(told: Mapping[str, Any]) -> tuple[Move, ...]:
    """The move of a delivery about a push, which all forges tell alike; none, if it is not one."""
    ref, before, after = (told.get(name) for name in ("ref", "before", "after"))
    if not (isinstance(ref, str) and isinstance(before, str) and isinstance(after, str)):
        return ()
    return (Move(ref, commit_or_none(before), commit_or_none(after)),)


def commit_or_none(hash: object) -> str | None:
    """The hash of a commit that a delivery tells; zeros stand for none."""
    return hash if isinstance(hash, str) and hash.strip("0") else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that was verified. It only says where to look again; commands and buttons
    apart, nothing that it tells is believed.
    """

    id: str
    """The forge's own, by which repeats are known."""
    event: str
    """Its name on the forge: `push`."""
    repositories: tuple[str, ...] | None
    """The paths of those to be looked at again. None: the list of repositories, too."""
    commands: tuple[Command, ...] = ()
    press: Press | None = None
    person: str | None = None
    """The person who has caused it."""
    moves: tuple[Move, ...] = ()
    """The refs that have moved in its repository."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that can't be verified, and why: for the log of the site, not for the sender."""

    why: str
