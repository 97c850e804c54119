"""GitLab's JSON as the values that all forges share."""

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
"""The characters that the description of a status has at most."""

_STATES = {
    Verdict.PENDING: "pending",
    Verdict.RUNNING: "running",
    Verdict.SUCCESS: "success",
    Verdict.FAILURE: "failed",
    Verdict.ERROR: "failed",
    Verdict.CANCELLED: "canceled",
}
_VERDICTS = {
    "pending": Verdict.PENDING,
    "running": Verdict.RUNNING,
    "success": Verdict.SUCCESS,
    "failed": Verdict.FAILURE,
    "canceled": Verdict.CANCELLED,
}
# The levels of roles: https://docs.gitlab.com/api/members/#roles
_ROLES = (
    (40, Permission.ADMIN),
    (30, Permission.WRITE),
    (20, Permission.TRIAGE),
    (10, Permission.READ),
)


def repository_of(site: str, told: Any) -> Repository:
    """A project."""
    return Repository(
        site=site,
        id=str(told["id"]),
        path=told["path_with_namespace"],
        clone_url=told["http_url_to_repo"],
        web_url=told["web_url"],
        default_branch=told.get("default_branch"),
        is_private=told.get("visibility") != "public",
        is_archived=bool(told.get("archived")),
    )


def branch_of(repository: Repository, told: Any) -> Branch:
    """A branch."""
    return Branch(repository, told["name"], told["commit"]["id"])


def tag_of(repository: Repository, told: Any) -> Tag:
    """A tag, and the commit that it leads to."""
    return Tag(repository, told["name"], told["commit"]["id"])


def change_of(repository: Repository, source: str, told: Any) -> Change:
    """An open merge request, which comes from the project with the path `source`."""
    number = told["iid"]
    return Change(
        repository=repository,
        number=number,
        ref=f"refs/merge-requests/{number}/head",
        hash=told["sha"],
        title=told["title"],
        author=told["author"]["username"],
        base=told["target_branch"],
        source=source,
        branch=told["source_branch"],
        web_url=told["web_url"],
        is_draft=bool(told.get("draft")),
        labels=tuple(sorted(told.get("labels", ()))),
    )


def as_shown(status: Status) -> Status:
    """A status as GitLab keeps it: errors are failures there."""
    verdict = Verdict.FAILURE if status.verdict is Verdict.ERROR else status.verdict
    return Status(status.context, verdict, one_line(status.description, DESCRIPTION), status.url)


def state_of(verdict: Verdict) -> str:
    """The word that GitLab has for it."""
    return _STATES[verdict]


def status_of(told: Any) -> Status | None:
    """A status of a commit; None for one that nobody can have set from outside."""
    verdict = _VERDICTS.get(told["status"])
    if verdict is None:
        return None
    return Status(told["name"], verdict, told.get("description") or "", told.get("target_url"))


def comment_of(change: Change, told: Any) -> Comment:
    """A note on a merge request."""
    address = f"{change.web_url}#note_{told['id']}"
    return Comment(str(told["id"]), told["body"], told["author"]["username"], address)


def permission_of(told: Any) -> Permission:
    """A member's: of somebody who is blocked or has only been invited, none."""
    if told.get("state") != "active":
        return Permission.NONE
    level = told["access_level"]
    return next((role for least, role in _ROLES if level >= least), Permission.NONE)
