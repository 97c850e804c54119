"""GitHub's JSON as the values that all forges share."""

from __future__ import annotations

import re
from typing import Any

from pycurrent.plugins.forge.checks import one_line
from pycurrent.plugins.forge.values import (
    Branch,
    Change,
    Comment,
    MergeGroup,
    Permission,
    Repository,
    Status,
    Tag,
    Verdict,
)

DESCRIPTION = 140
"""The characters that the description of a status has at most."""

_STATES = {
    Verdict.PENDING: "pending",
    Verdict.RUNNING: "pending",
    Verdict.SUCCESS: "success",
    Verdict.FAILURE: "failure",
    Verdict.ERROR: "error",
    Verdict.CANCELLED: "error",
}
_VERDICTS = {
    "pending": Verdict.PENDING,
    "success": Verdict.SUCCESS,
    "failure": Verdict.FAILURE,
    "error": Verdict.ERROR,
}
_PERMISSIONS = {
    "read": Permission.READ,
    "triage": Permission.TRIAGE,
    "write": Permission.WRITE,
    "maintain": Permission.WRITE,
    "admin": Permission.ADMIN,
}
_QUEUED = re.compile(r"gh-readonly-queue/(.+)/pr-\d+-[0-9a-f]+")
"""The branches of a merge queue."""


def repository_of(site: str, account: str, told: Any) -> Repository:
    """A repository, which an installation or a token lets us in to."""
    is_empty = not told.get("size") and not told.get("pushed_at")
    return Repository(
        site=site,
        id=str(told["id"]),
        path=told["full_name"],
        clone_url=told["clone_url"],
        web_url=told["html_url"],
        default_branch=None if is_empty else told.get("default_branch"),
        is_private=bool(told.get("private")),
        is_archived=bool(told.get("archived")),
        account=account,
    )


def branch_of(repository: Repository, told: Any) -> Branch | MergeGroup:
    """A branch, which may be that of a merge queue."""
    return branch(repository, told["name"], told["commit"]["sha"])


def branch(repository: Repository, name: str, hash: str) -> Branch | MergeGroup:
    """The same, by its name and its commit."""
    queued = _QUEUED.fullmatch(name)
    if queued is not None:
        return MergeGroup(repository, name, hash, queued[1])
    return Branch(repository, name, hash)


def tag_of(repository: Repository, told: Any) -> Tag:
    """A tag, and the commit that it leads to."""
    return Tag(repository, told["name"], told["commit"]["sha"])


def change_of(repository: Repository, told: Any) -> Change:
    """An open pull request. Its author, or the fork that it comes from, may be gone."""
    number, head = told["number"], told["head"]
    return Change(
        repository=repository,
        number=number,
        ref=f"refs/pull/{number}/head",
        hash=head["sha"],
        title=told["title"],
        author=(told.get("user") or {}).get("login", "ghost"),
        base=told["base"]["ref"],
        source=(head.get("repo") or {}).get("full_name", ""),
        branch=head["ref"],
        web_url=told["html_url"],
        is_draft=bool(told.get("draft")),
        labels=tuple(sorted(label["name"] for label in told.get("labels") or ())),
    )


def change_of_node(repository: Repository, told: Any, labels: tuple[str, ...]) -> Change:
    """The same as GraphQL tells it."""
    return Change(
        repository=repository,
        number=told["number"],
        ref=f"refs/pull/{told['number']}/head",
        hash=told["headRefOid"],
        title=told["title"],
        author=(told["author"] or {}).get("login", "ghost"),
        base=told["baseRefName"],
        source=(told["headRepository"] or {}).get("nameWithOwner", ""),
        branch=told["headRefName"],
        web_url=told["url"],
        is_draft=told["isDraft"],
        labels=labels,
    )


def as_shown(status: Status) -> Status:
    """A status as GitHub keeps it: it has no word for running, or for cancelled."""
    verdict = _VERDICTS[_STATES[status.verdict]]
    return Status(status.context, verdict, one_line(status.description, DESCRIPTION), status.url)


def state_of(verdict: Verdict) -> str:
    """The word that GitHub has for it."""
    return _STATES[verdict]


def status_of(told: Any) -> Status:
    """A status of a commit."""
    verdict = _VERDICTS.get(told["state"], Verdict.ERROR)
    return Status(
        told["context"], verdict, told.get("description") or "", told.get("target_url") or None
    )


def comment_of(told: Any) -> Comment:
    """A comment on a pull request."""
    author = (told.get("user") or {}).get("login", "ghost")
    return Comment(str(told["id"]), told.get("body") or "", author, told["html_url"])


def permission_of(told: Any) -> Permission:
    """A person's, by their role; one that an organisation has made counts as its base."""
    role = _PERMISSIONS.get(told.get("role_name"))
    return role or _PERMISSIONS.get(told.get("permission"), Permission.NONE)
