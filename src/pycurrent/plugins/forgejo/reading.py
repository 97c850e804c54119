"""Forgejo's JSON as the values that all forges share."""

from __future__ import annotations

from typing import Any

from pycurrent.plugins.forge.checks import one_line
from pycurrent.plugins.forge.values import (
    Branch,
    Change,
    Comment,
    Permission,
    Repository,
    Status,
    Tag,
    Verdict,
)

DESCRIPTION = 255
"""The characters of a description that are sent at most: pages show no more of it."""

_STATES = {
    Verdict.PENDING: "pending",
    Verdict.RUNNING: "pending",
    Verdict.SUCCESS: "success",
    Verdict.FAILURE: "failure",
    Verdict.ERROR: "error",
    # A warning does not block a merge; an error does, and so does what was cancelled elsewhere.
    Verdict.CANCELLED: "error",
}
_VERDICTS = {
    "pending": Verdict.PENDING,
    "success": Verdict.SUCCESS,
    "failure": Verdict.FAILURE,
    "error": Verdict.ERROR,
    "warning": Verdict.ERROR,
}
_PERMISSIONS = {
    "owner": Permission.ADMIN,
    "admin": Permission.ADMIN,
    "write": Permission.WRITE,
    "read": Permission.READ,
}
# Titles that begin so are of drafts, as Forgejo is installed. Newer ones say so themselves.
_DRAFTS = ("wip:", "[wip]")


def repository_of(site: str, told: Any) -> Repository:
    """A repository. Of an empty one the default branch is only planned."""
    return Repository(
        site=site,
        id=str(told["id"]),
        path=told["full_name"],
        clone_url=told["clone_url"],
        web_url=told["html_url"],
        default_branch=None if told.get("empty") else told.get("default_branch") or None,
        is_private=bool(told.get("private")),
        is_archived=bool(told.get("archived")),
    )


def branch_of(repository: Repository, told: Any) -> Branch:
    """A branch."""
    return Branch(repository, told["name"], told["commit"]["id"])


def tag_of(repository: Repository, told: Any) -> Tag:
    """A tag, and the commit that it leads to; `id` would be that of an annotated tag itself."""
    return Tag(repository, told["name"], told["commit"]["sha"])


def change_of(repository: Repository, told: Any) -> Change:
    """An open pull request.

    One that was pushed to `refs/for/...` (AGit) comes from no branch. Forgejo says that it is from
    the repository itself, but everybody who may read it may push so: it counts as from a fork.
    """
    number, head = told["number"], told["head"]
    ref = f"refs/pull/{number}/head"
    source = head.get("repo") or {}
    is_from_branch = not str(head.get("ref", "")).startswith("refs/") and bool(head.get("label"))
    title = told["title"]
    return Change(
        repository=repository,
        number=number,
        ref=ref,
        hash=head["sha"],
        title=title,
        author=told["user"]["login"],
        base=told["base"]["ref"],
        source=source.get("full_name", "") if is_from_branch else "",
        branch=head.get("ref", ""),
        web_url=told["html_url"],
        is_draft=bool(told.get("draft")) or title.casefold().startswith(_DRAFTS),
        labels=tuple(sorted(label["name"] for label in told.get("labels") or ())),
    )


def as_shown(status: Status) -> Status:
    """A status as Forgejo keeps it: it has no word for running, or for cancelled."""
    verdict = _VERDICTS[_STATES[status.verdict]]
    return Status(status.context, verdict, one_line(status.description, DESCRIPTION), status.url)


def state_of(verdict: Verdict) -> str:
    """The word that Forgejo has for it."""
    return _STATES[verdict]


def status_of(told: Any) -> Status:
    """A status of a commit."""
    verdict = _VERDICTS.get(told.get("status") or told.get("state"), Verdict.ERROR)
    url = told.get("target_url") or None
    return Status(told["context"], verdict, told.get("description") or "", url)


def comment_of(told: Any) -> Comment:
    """A comment on a pull request."""
    return Comment(str(told["id"]), told["body"], told["user"]["login"], told["html_url"])


def permission_of(told: Any) -> Permission:
    """A person's, by the word that Forgejo has for it."""
    return _PERMISSIONS.get(told.get("permission"), Permission.NONE)
